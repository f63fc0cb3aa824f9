"""Having the watcher read at the right time: within a second of a symptom, again while broken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from agent.watch.connectivity.changes import Changes

log = logging.getLogger(__name__)

#: A symptom is looked into at once, the next one not before this.
SYMPTOM_PACE_S = 1.0
#: While something is broken it is looked at again after these, then every period. The first only
#: confirms: it comes too soon for another test.
AGAIN_S = (2.0, 5.0, 10.0, 20.0, 40.0)


class Calls:
    """Having this watcher read at the right time."""

    def __init__(self) -> None:
        self.poke: Callable[[], None] | None = None
        self.changes: Changes | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._began_at = 0.0
        self._turn = 0

    @property
    def how(self) -> str:
        """How changes of the network are noticed: netlink, polling, or off."""
        return self.changes.how if self.changes is not None else "off"

    def soon(self, reason: str) -> None:
        """A symptom: read within the second, but not twice in one."""
        if self.poke is None:
            return
        log.debug("event=network_symptom reason=%r", reason)
        loop = asyncio.get_running_loop()
        self._at(max(loop.time(), self._began_at + SYMPTOM_PACE_S))

    def began(self) -> None:
        """A read begins: it answers what was asked for until now."""
        self._began_at = asyncio.get_running_loop().time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.changes is not None:
            self.changes.start()

    def again(self, broken: bool) -> None:
        """Something is broken, or nothing is: when to look the next time by ourselves."""
        self._turn = self._turn + 1 if broken else 0
        if self.poke is not None and 0 < self._turn <= len(AGAIN_S):
            self._at(asyncio.get_running_loop().time() + AGAIN_S[self._turn - 1])

    def close(self) -> None:
        """No more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.changes is not None:
            self.changes.close()

    def _at(self, when: float) -> None:
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = asyncio.get_running_loop().call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self.poke is not None:
            self.poke()
