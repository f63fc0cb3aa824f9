"""The terminal's clock: what it is worth, who says so, and who set it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from agent.clock import Clock
from agent.config import AnyUplink
from agent.config.system import Clock as Config
from agent.http.client import Dial
from agent.watch.clock.asking import Trust, ask, places
from agent.watch.clock.hearing import Hearing
from agent.watch.clock.kernel import kernel
from agent.watch.clock.watcher import ClockWatcher, Notes, Ports

__all__ = ["ClockWatcher", "Hearing", "Notes", "build"]


def build(
    config: Config,
    uplinks: Sequence[AnyUplink],
    *,
    clock: Clock,
    dial: Dial,
    trust: Trust,
    hearing: Hearing | None = None,
    notes: Notes | None = None,
    root: Path = Path("/"),
) -> ClockWatcher:
    """The watcher; without a `hearing` (one look by hand) only the kernel is heard."""
    heard = hearing or Hearing(config, clock)
    ports = Ports(
        clock=clock,
        kernel=kernel if "kernel" in config.sources else None,
        ask=_asking(config, uplinks, dial, trust, heard),
        notes=notes,
        root=root,
    )
    return ClockWatcher(heard, ports)


def _asking(
    config: Config, uplinks: Sequence[AnyUplink], dial: Dial, trust: Trust, hearing: Hearing
) -> Callable[[], Awaitable[int]] | None:
    every = places(uplinks)
    if not every or not config.ask_hosts or "http" not in config.sources:
        return None

    async def everybody() -> int:
        # One after the other: two words of one host are enough.
        for place in every:
            if await ask(place, dial, trust, hearing.dated):
                return 1
        return 0

    return everybody
