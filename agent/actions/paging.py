"""Finding a place in the journal by its order, a row at a time: nothing is ever scanned."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from agent.core.money.journal import Record, State

#: The journal numbers its rows from 1, without end; gaps are where rows were pruned.
_FAR = 2**48


class Pages(Protocol):
    """The journal, as far as it is needed here."""

    async def page(
        self, *, states: frozenset[State] | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[Record]: ...


async def last_seq(journal: Pages) -> int:
    """The number of the newest row; 0 where there is none. Some fifty reads of one row."""
    low, high = 0, 1
    while high < _FAR and (found := await _next(journal, high)) is not None:
        low, high = found.seq, found.seq * 2
    if low == 0 and (found := await _next(journal, 0)) is None:
        return 0
    while low < high:
        middle = (low + high) // 2
        found = await _next(journal, middle)
        if found is None:
            high = middle
        else:
            low = found.seq
    return low


async def first_stored_since(journal: Pages, at: datetime, newest: int) -> int:
    """After which number the rows begin that were stored at `at` or later.

    Rows are numbered as they were stored; where a clock was set back meanwhile, some older ones
    may come along.
    """
    low, high = 0, newest
    while low < high:
        middle = (low + high) // 2
        found = await _next(journal, middle)
        if found is not None and found.stored_at < at:
            low = found.seq
        else:
            high = middle
    return low


async def _next(journal: Pages, after: int) -> Record | None:
    found = await journal.page(states=None, after_seq=after, limit=1)
    return found[0] if found else None
