"""Ends requests that nobody could send in time, whatever state their channel is in.

Money rule 2: an unsent request past its `send_before` lapses; it is kept and never sent. The
cashier is waiting for that word, so it must not depend on a channel that is backing off, paused or
switched off. It sends nothing and knows no host; called by the uploader as one of its tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from agent.clock import Clock
from agent.core.money.deadlines import cut_off, cut_off_in_ms, lapse, lapses_in_ms
from agent.core.money.journal import Change, IllegalMoveError, Record
from agent.core.money.transaction import Kind, Posting
from agent.errors import CallerError, StoreError
from agent.uplink.rounds import rounds

log = logging.getLogger(__name__)

PAGE = 100
LONGEST_WAIT_S = 300.0
STORE_RETRY_S = 1.0


class Journal(Protocol):
    """What the lapser needs of the store."""

    async def requests(self, after_seq: int, limit: int) -> list[Record]: ...
    async def advance(self, seq: int, version: int, change: Change) -> Record: ...
    async def boot_no(self) -> int: ...


#: Whether payments that a batch upload covers are still unsent.
Covered = Callable[[Record], Awaitable[bool]]
#: How long a batch upload waits for them, where the profile does not say.
BATCH_WAIT_S = 3_600.0


class Lapser:
    """Watches the time limits of unsent requests, and the cut-off of batch uploads that wait."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        covered: Covered | None = None,
        batch_wait_s: Mapping[str, float] | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._covered = covered
        self._batch_wait_s = dict(batch_wait_s or {})
        self._wake = asyncio.Event()

    def heed(self, record: Record) -> None:
        """A record was committed; a request with a limit may be the next to lapse."""
        t = record.transaction
        limited = t.posting is Posting.REQUEST and t.send_before is not None
        if (limited or t.covers) and not record.final:
            self._wake.set()

    def wake(self) -> None:
        """Time may have passed otherwise than we waited for: look now."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`."""
        await rounds(self._round, self._wake, stop)

    async def _round(self) -> float:
        """End what is too late. Returns the seconds until the next limit."""
        soonest_ms = round(LONGEST_WAIT_S * 1000)
        after_seq = 0
        try:
            boot_no = await self._journal.boot_no()
            while page := await self._journal.requests(after_seq, PAGE):
                after_seq = page[-1].seq
                for record in page:
                    left_ms, end = self._limit(record, boot_no)
                    if left_ms is None:
                        continue
                    if left_ms:
                        soonest_ms = min(soonest_ms, left_ms)
                    elif end is not None:
                        await self._end(record, end)
                    elif self._covered is not None and await self._covered(record):
                        log.warning("event=batch_incomplete seq=%s", record.seq)
                        await self._end(record, cut_off())
        except StoreError as error:
            log.debug("event=lapses_wait code=%s", error.code)
            return STORE_RETRY_S
        return soonest_ms / 1000

    def _limit(self, record: Record, boot_no: int) -> tuple[int | None, Change | None]:
        """Milliseconds left, and what ends it; a batch ends only if it is not complete."""
        now = self._clock.now()
        if record.transaction.kind is Kind.BATCH_UPLOAD:
            wait_s = self._batch_wait_s.get(record.transaction.uplink, BATCH_WAIT_S)
            return cut_off_in_ms(record, wait_s, now, boot_no), None
        return lapses_in_ms(record, now, boot_no), lapse()

    async def _end(self, record: Record, change: Change) -> None:
        try:
            await self._journal.advance(record.seq, record.version, change)
        except (CallerError, IllegalMoveError) as error:
            # It was sent, voided or held at this very moment.
            log.debug("event=lapse_overtaken seq=%s reason=%r", record.seq, str(error))
