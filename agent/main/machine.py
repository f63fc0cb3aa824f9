"""The hardware at the start: asked, compared with that of the store, and what follows from it.

On other hardware the store holds what it brought along (`agent.store.inherited`) and the component
`agent` says so until a technician has decided with `posagent provision adopt`. What a technician
has adopted is let go here, once payments are taken.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from agent import hardware
from agent.clock import SystemClock
from agent.config import Config
from agent.core.health.reading import Value
from agent.core.moment import at_ms
from agent.core.terminal.hardware import Verdict
from agent.errors import AgentError
from agent.store import Store
from agent.store.journal import Journal

log = logging.getLogger(__name__)

HOOK = "identity"
#: Payments wait for it.
HOOK_S = 2.0


class Machine:
    """This terminal's hardware, as one start of the daemon sees it."""

    def __init__(self, config: Config, clock: SystemClock) -> None:
        self._config = config
        self._clock = clock
        self._serial = ""
        self._standing: hardware.Standing | None = None

    async def ask(self) -> None:
        """The serial number the firmware tells, where it has the hook for that."""
        if (Path(self._config.hooks.directory) / HOOK).exists():
            self._serial = await serial(self._config, self._clock)

    def look(self) -> int:
        """Since when the store is on another terminal's hardware; 0: it is at home. Blocking."""
        marks = hardware.marks(self._config.system.root, self._serial)
        now = self._clock.now()
        found = hardware.examined(Path(self._config.agent.state_dir), marks, now.wall_ms)
        if self._standing is None and found.verdict is not Verdict.SAME:
            level = logging.WARNING if found.elsewhere else logging.INFO
            kinds = ",".join(found.other)
            log.log(level, "event=hardware verdict=%s other=%s", found.verdict.value, kinds)
        self._standing = found
        return found.since_ms

    def values(self) -> Mapping[str, Value]:
        """For the component `agent`. Kinds of marks, never a number."""
        one = self._standing
        if one is None or one.verdict is Verdict.UNKNOWN:
            return {"hardware": Verdict.UNKNOWN.value}
        told: dict[str, Value] = {"hardware": one.verdict.value, "inherited": one.elsewhere}
        if one.other:
            told["hardware_other"] = ", ".join(one.other)
        return told | self.inherited()

    def inherited(self) -> dict[str, Value]:
        """For the line to the fleet: which of two terminals with one id is the copy."""
        one = self._standing
        if one is None or not one.elsewhere:
            return {}
        since = at_ms(one.since_ms).isoformat(timespec="seconds")
        return {"inherited_since": since}

    async def settle(self, store: Store) -> None:
        """Let go what a technician has said is this terminal's own."""
        if self._standing is None or not self._standing.release:
            return
        from agent.store import inherited

        released, after = 0, 0
        try:
            while True:
                work = partial(_released, after_seq=after, clock=self._clock)
                count, going = await store.change(work)
                released += count
                if going is None:
                    break
                if going == after:  # still being held
                    return
                after = going
            await store.outside(lambda _: hardware.settled(store.directory))
        except (AgentError, OSError) as error:  # the next start goes on
            log.warning("event=adoption_unfinished released=%d reason=%r", released, str(error))
            return
        log.info("event=adopted released=%d note=%r", released, inherited.RELEASED)


def _released(journal: Journal, *, after_seq: int, clock: SystemClock) -> tuple[int, int | None]:
    from agent.store import inherited

    return inherited.release(journal, after_seq, clock.now())


async def serial(config: Config, clock: SystemClock) -> str:
    """What the hook `identity` says; "" where it says nothing."""
    from agent.config.hooks import Hooks
    from agent.hooks.findings import HookError
    from agent.hooks.pull import Puller
    from agent.supervise import DaemonThreads

    asked = Hooks(
        directory=config.hooks.directory,
        deadline_s=min(HOOK_S, config.hooks.deadline_s),
        output_max_bytes=config.hooks.output_max_bytes,
    )
    try:
        answered = await Puller(asked, clock, DaemonThreads()).ask(HOOK)
    except HookError as error:
        log.warning("event=identity_untold finding=%s", error.finding.word)
        return ""
    return str(getattr(answered.answer, "serial", ""))
