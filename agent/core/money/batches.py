"""What the payment app says of a terminal as a whole: signed on or not, which batch is open.

One report brings either or both; an older one than is known changes nothing, because apps report
late and twice. A batch that was closed stays closed until the same number is opened again later:
terminals count batches round. It knows no rows. Called by the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime

from agent.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """A batch was opened, or closed at the host."""

    batch: str
    closed: bool
    agreed: bool | None = None  #: whether the host's totals were the same
    count: int | None = None
    by_currency: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppReport:
    """One report about one terminal. None: nothing said about it."""

    terminal_id: str
    at: datetime  #: on the app's clock
    signed_on: bool | None = None
    batch: BatchReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch as far as it was told of."""

    terminal_id: str
    batch: str
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    agreed: bool | None = None
    count: int | None = None
    by_currency: Mapping[str, int] = field(default_factory=dict)

    @property
    def told_at(self) -> datetime | None:
        """When the newest word about it was said."""
        return max((at for at in (self.opened_at, self.closed_at) if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOn:
    """Whether a terminal is signed on at its host, and since when that is said."""

    terminal_id: str
    signed_on: bool
    at: datetime


def batch_after(known: Batch | None, report: AppReport) -> Batch | None:
    """The batch after a report, or None where the report changes nothing."""
    told = report.batch
    if told is None:
        return None
    fresh = Batch(terminal_id=report.terminal_id, batch=told.batch)
    before = known or fresh
    if before.told_at is not None and report.at < before.told_at:
        # Only what was never said is taken from an old report.
        if not told.closed and before.opened_at is None:
            return replace(before, opened_at=report.at)
        return None
    if not told.closed:
        if before.opened_at is not None and before.closed_at is None:
            return None  # open already
        return replace(fresh, opened_at=report.at)
    if before.closed_at is not None and before.agreed == told.agreed:
        return None
    return replace(
        before,
        closed_at=before.closed_at or report.at,
        agreed=told.agreed,
        count=told.count if told.count is not None else before.count,
        by_currency=told.by_currency or before.by_currency,
    )


def sign_on_after(known: SignOn | None, report: AppReport) -> SignOn | None:
    """The sign-on state after a report, or None where it changes nothing."""
    if report.signed_on is None or (known is not None and report.at < known.at):
        return None
    if known is not None and known.signed_on is report.signed_on:
        return None
    return SignOn(terminal_id=report.terminal_id, signed_on=report.signed_on, at=report.at)
