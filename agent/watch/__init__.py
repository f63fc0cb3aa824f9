"""The watchers of this terminal, built from its configuration.

Each is imported only when it is built: a terminal without a printer loads no serial code.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from agent.clock import Clock
from agent.config import Config
from agent.core.health.conditions import Override
from agent.core.health.standard import STANDARD
from agent.watch.runner import Records, Timers, Watch, Watcher

T = TypeVar("T")

log = logging.getLogger(__name__)


class Blocking(Protocol):
    """Runs a call that may hang, off the loop. See `agent.supervise`."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        """The function's result; TimeoutError at the deadline."""
        ...


def build(
    config: Config,
    *,
    clock: Clock,
    timers: Timers,
    blocking: Blocking,
    records: Records,
    trust: Callable[[str, str, str], ssl.SSLContext] | None = None,
    extra: Sequence[Watcher] = (),
) -> tuple[Watch, Watch]:
    """The part `watch` and the view of it (one object, two roles).

    `extra` are watchers for what the agent knows of itself (`uplink`, `queue`, `agent`); `trust`
    makes a TLS context of (CA, certificate, key) files, `agent.link.tls.client_context` if None.
    """
    watch = Watch(
        STANDARD.overridden(_overrides(config)),
        [*watchers(config, clock=clock, blocking=blocking, trust=trust), *extra],
        clock=clock,
        timers=timers,
        records=records,
    )
    return watch, watch


def watchers(
    config: Config,
    *,
    clock: Clock,
    blocking: Blocking,
    trust: Callable[[str, str, str], ssl.SSLContext] | None = None,
) -> list[Watcher]:
    """The watchers of components; also for `posagent probe`, without a daemon."""
    from agent.link.dial import Dialer
    from agent.link.tls import client_context
    from agent.watch.connectivity import build as connectivity
    from agent.watch.printer import build as printer
    from agent.watch.software import build as software
    from agent.watch.system import build as system

    return [
        printer(config.printer, blocking),
        connectivity(
            config.connectivity,
            config.uplink,
            clock=clock,
            blocking=blocking,
            dial=Dialer(blocking),
            trust=trust or client_context,
        ),
        system(config.system, config.agent.state_dir, blocking=blocking),
        software(config.software, blocking=blocking),
    ]


def _overrides(config: Config) -> dict[str, Override]:
    overrides: dict[str, Override] = {}
    for code, delay in config.health.items():
        if code not in STANDARD:
            # A known cause, or the configuration would not have loaded, but nothing watches it.
            log.warning("event=delay_unused code=%s reason='nothing watches this yet'", code)
            continue
        overrides[code] = Override(
            visible_after_s=delay.visible_after_s,
            clear_after_s=delay.clear_after_s,
            enabled=delay.enabled,
        )
    return overrides
