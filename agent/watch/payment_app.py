"""What the payment app reported of this terminal: signed on or not, and whether a batch stays open.

Nothing is measured and nobody is asked: the app told it (`POST /v1/app/state`), or it did not, and
then it is unknown and nobody's fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.clock import Clock
from agent.core.health.reading import NotObservable, Outcome, Reading, Value
from agent.core.money.batches import Batch, SignOn


class Reports(Protocol):
    """What was reported (the store)."""

    async def open_batches(self) -> Sequence[Batch]: ...
    async def sign_ons(self) -> Mapping[str, SignOn]: ...


class PaymentAppWatcher:
    """The terminal as the payment app sees it."""

    component = "payment_app"
    period_s = 60.0
    deadline_s = 10.0

    def __init__(self, reports: Reports, clock: Clock, batch_open_max_s: int) -> None:
        self._reports = reports
        self._clock = clock
        self._batch_open_max_s = batch_open_max_s

    async def read(self) -> Outcome:
        sign_ons = await self._reports.sign_ons()
        batches = await self._reports.open_batches()
        if not sign_ons and not batches:
            return NotObservable("the payment app has not reported sign-on or batches")
        values: dict[str, Value] = {"batches_open": len(batches)}
        if sign_ons:
            off = [one for one in sign_ons.values() if not one.signed_on]
            values["signed_on"] = not off
            if off:
                values["terminal_id"] = off[0].terminal_id
        values["batch_overdue"] = False
        if batches and batches[0].opened_at is not None:
            oldest = batches[0]
            open_s = max(0, round((self._clock.now().at - batches[0].opened_at).total_seconds()))
            values["batch"] = oldest.batch
            values["batch_open_s"] = open_s
            # A clock nobody believes says nothing about how long something has been open.
            limit_s = self._batch_open_max_s
            values["batch_overdue"] = bool(
                limit_s and open_s > limit_s and self._clock.now().trusted
            )
            if oldest.count is not None:
                values["count"] = oldest.count
        return Reading(values=values)
