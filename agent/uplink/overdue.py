"""Turns the silence of a payment app into doubt: no answer reported in time is no answer.

It watches the payments the app sends itself. Nothing is sent, asked or reversed for them; from the
moment of doubt on nobody is told any more that such a payment may be taken again. Called by the
uploader as one of its tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from agent.clock import Clock
from agent.core.money.journal import Change, IllegalMoveError, Record
from agent.core.money.stages import Patience, overdue, overdue_in_ms
from agent.core.money.transaction import Delivery
from agent.errors import CallerError, StoreError
from agent.uplink.rounds import rounds

log = logging.getLogger(__name__)

PAGE = 100
LONGEST_WAIT_S = 300.0
STORE_RETRY_S = 1.0


class Reports(Protocol):
    """What is needed of the store."""

    async def pending(self, after_seq: int, limit: int) -> list[Record]: ...
    async def overdue(self, record: Record, changes: Sequence[Change]) -> Record: ...
    async def boot_no(self) -> int: ...


class Overdue:
    """Watches the payments the app sends itself."""

    def __init__(self, reports: Reports, clock: Clock, patience: Patience) -> None:
        self._reports = reports
        self._clock = clock
        self._patience = patience
        self._wake = asyncio.Event()

    def heed(self, record: Record) -> None:
        """A record was committed; one of the app's may be the next to be overdue."""
        if record.transaction.delivery is Delivery.APP and not record.final:
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`."""
        await rounds(self._round, self._wake, stop)

    async def _round(self) -> float:
        """Doubt what is overdue. Returns the seconds until the next may be."""
        soonest_ms = round(LONGEST_WAIT_S * 1000)
        after_seq = 0
        try:
            boot_no = await self._reports.boot_no()
            while page := await self._reports.pending(after_seq, PAGE):
                after_seq = page[-1].seq
                for record in page:
                    left_ms = overdue_in_ms(record, self._patience, self._clock.now(), boot_no)
                    if left_ms:
                        soonest_ms = min(soonest_ms, left_ms)
                    elif left_ms is not None:
                        await self._doubt(record)
        except StoreError as error:
            log.debug("event=silence_waits code=%s", error.code)
            return STORE_RETRY_S
        return soonest_ms / 1000

    async def _doubt(self, record: Record) -> None:
        try:
            await self._reports.overdue(record, overdue(record, self._patience))
        except (CallerError, IllegalMoveError) as error:
            # The app reported at this very moment.
            log.debug("event=silence_broken seq=%s reason=%r", record.seq, str(error))
        else:
            log.warning("event=app_silent seq=%s state=%s", record.seq, record.state)
