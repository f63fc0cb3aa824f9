"""Whether the payment app's process is there, at next to no cost while it is.

Once found, the process is remembered and the kernel tells its end (pidfd in the event loop); beside
that one small file is read at each round. The walk through all processes is made only while it is
not known, at once after its end and then less and less often. Called by the watcher.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from agent.blocking import Blocking
from agent.clock import Clock
from agent.watch.payment_app.process import HiddenError, Process, Processes, Target

log = logging.getLogger(__name__)

SEARCH_DEADLINE_S = 8.0
#: Between two searches while it is not there: the first soon, for most are started again at once.
SEARCHES_MS = (0, 2_000, 5_000, 10_000, 20_000, 40_000, 60_000)


class Presence:
    """One program."""

    def __init__(
        self, target: Target, processes: Processes, *, blocking: Blocking, clock: Clock
    ) -> None:
        self._target = target
        self._processes = processes
        self._blocking = blocking
        self._clock = clock
        self._known: Process | None = None
        self._fd: int | None = None
        self._searches = 0
        self._searched_ms: int | None = None
        #: Called once for each end of a process that was there.
        self.ended: Callable[[], None] = lambda: None
        self.why_unknown = ""
        self.late = False  #: not told because nobody answered, rather than because it is hidden

    @property
    def process(self) -> Process | None:
        """The one that runs, as far as known."""
        return self._known

    async def running(self) -> bool | None:
        """Whether it runs now; None: cannot be told, `why_unknown` says why."""
        known = self._known
        if known is not None:
            if self._processes.started(known.pid) == known.started:
                return True
            self._gone()
        if self._due():
            await self._search()
        if self._known is not None:
            return True
        return None if self.why_unknown else False

    def look_again(self) -> None:
        """It may have been started just now: search at the next question."""
        self._searches = 0

    def close(self) -> None:
        """Let go of the process."""
        if self._fd is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _due(self) -> bool:
        if self._searched_ms is None:
            return True
        wait_ms = SEARCHES_MS[min(self._searches, len(SEARCHES_MS) - 1)]
        return self._clock.now().boot_ms - self._searched_ms >= wait_ms

    async def _search(self) -> None:
        self._searched_ms = self._clock.now().boot_ms
        self._searches += 1
        self.late = False
        try:
            found = await self._blocking.call(
                "payment_app.search", lambda: self._processes.find(self._target), SEARCH_DEADLINE_S
            )
        except HiddenError as error:
            self.why_unknown = str(error)
            return
        except TimeoutError:
            self.why_unknown, self.late = "the list of processes was not read in time", True
            return
        self.why_unknown = ""
        if found is not None:
            self._hold(found)

    def _hold(self, found: Process) -> None:
        self._known, self._searches = found, 0
        try:
            fd = os.pidfd_open(found.pid)
        except OSError as error:
            # No such call (old kernel, Android's filter), or gone already: the next round sees it.
            log.debug("event=pidfd_refused pid=%d reason=%r", found.pid, error.strerror)
            return
        if self._processes.started(found.pid) != found.started:
            os.close(fd)
            return
        self._fd = fd
        asyncio.get_running_loop().add_reader(fd, self._gone)

    def _gone(self) -> None:
        if self._known is None:
            return
        log.info("event=payment_app_ended pid=%d", self._known.pid)
        self.close()
        self._known, self._searches = None, 0
        self.ended()
