"""What settlement lists found and no later list took back, read like any other component.

Asks the store, which counts rows of an index of their own; nothing where no list was ever read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from agent.core.health.reading import NotFitted, Outcome, Reading, Unknown
from agent.errors import StoreError

#: Class of a finding -> the value it counts for.
_VALUES: Mapping[str, str] = {
    "missing_there": "not_in_file",
    "failed_there": "not_in_file",
    "amount_differs": "amount_differs",
    "duplicate": "settled_twice",
    "risk_hold": "risk_hold",
    "missing_here": "unknown_here",
    "refused_here": "unknown_here",
    "restricted": "account_restricted",
    "reversed_here": "reversed_and_settled",
}


class Counts(Protocol):
    """The lists that are kept."""

    async def open_counts(self) -> Mapping[str, int]: ...
    async def any_read(self) -> bool: ...


class SettlementWatcher:
    """Read every five minutes, and at once when a list is done."""

    component = "settlement"
    period_s = 300.0
    deadline_s = 5.0

    def __init__(self, lists: Counts, overdue: Callable[[], Awaitable[str]] | None = None) -> None:
        """`overdue` says which list that should be fetched has not come; None: none should."""
        self._lists = lists
        self._overdue = overdue

    async def read(self) -> Outcome:
        try:
            if self._overdue is not None and (why := await self._overdue()):
                return Unknown(reason=why)
            if not await self._lists.any_read():
                return NotFitted()
            counts = await self._lists.open_counts()
        except StoreError as error:
            return Unknown(reason=error.what)
        values = dict.fromkeys(_VALUES.values(), 0)
        for result, count in counts.items():
            if result in _VALUES:
                values[_VALUES[result]] += count
        return Reading(values=dict(values))
