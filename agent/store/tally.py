"""The backlog's counts and sums, kept in step with every commit instead of being scanned.

A million queued payments take a second to count and nothing to look up here. Changes are collected
while a batch is open and count only once it is committed; a batch that is rolled back leaves no
trace. Lives on the writer thread; readers get immutable copies.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from agent.core.money.journal import Amounts, Backlog, Record, State
from agent.core.money.lately import Lately, Past, past_of
from agent.store.recent import Recent
from agent.store.rows import STATES, UNREADABLE

log = logging.getLogger(__name__)

#: What one unsent record counts under: state, doubt, currency, cause.
Cell = tuple[State, bool, str, str]


class Tally:
    """Counts and sums of the unsent records, and with them the payments taken lately."""

    def __init__(self, window_s: int = 0) -> None:
        self.recent = Recent(window_s)
        self.lately: Lately | None = None  #: None: nobody asks
        self._told: list[tuple[Past, bool]] = []
        self._count: Counter[Cell] = Counter()
        self._minor: Counter[Cell] = Counter()
        self._pending: list[tuple[Record, int]] = []
        #: Nobody can say how the counts moved (a row was put aside): they must be counted again.
        self.spoilt = False
        #: They were counted in the batch under way, which may yet be rolled back.
        self._counted_here = False

    def load(self, rows: Iterable[Sequence[Any]]) -> None:
        """Start from the `tally` query, or from what `kept` gave."""
        self._count.clear()
        self._minor.clear()
        self._pending.clear()
        self.spoilt, self._counted_here = False, True
        for state, in_doubt, currency, cause, count, minor, _last in rows:
            if not 0 <= state < len(STATES):
                continue  # a damaged row; it is put aside when it is read
            cell = (STATES[state], bool(in_doubt), currency or "", cause)
            self._count[cell] += count
            self._minor[cell] += minor

    def kept(self) -> list[list[Any]]:
        """What `load` takes, of all that is committed."""
        return [
            [STATES.index(cell[0]), *cell[1:], count, self._minor[cell], 0]
            for cell, count in self._count.items()
        ]

    def moved(self, before: Record | None, after: Record | None) -> None:
        """A record appeared, changed or went; counted at the next `commit`."""
        if before is not None and not before.final:
            self._pending.append((before, -1))
        if after is not None and not after.final:
            self._pending.append((after, 1))
        if after is not None:
            try:
                self.recent.moved(before, after)
                if self.lately is not None:
                    self._told.append((_past(after), before is None))
            except UNREADABLE as error:
                self._begin_anew(error)

    def spoil(self) -> None:
        self.spoilt = True

    def mark(self) -> tuple[int, int, int]:
        return len(self._pending), self.recent.mark(), len(self._told)

    def rollback(self, mark: tuple[int, int, int] = (0, 0, 0)) -> None:
        del self._pending[mark[0] :]
        self.recent.rollback(mark[1])
        del self._told[mark[2] :]
        self.spoilt = self.spoilt or self._counted_here

    def commit(self) -> None:
        self._counted_here = False
        for record, sign in self._pending if not self.spoilt else ():
            t = record.transaction
            cell = (record.state, record.in_doubt, t.currency or "", record.cause)
            self._count[cell] += sign
            self._minor[cell] += sign * (t.amount_minor or 0)
            if not self._count[cell]:
                del self._count[cell], self._minor[cell]
        self._pending.clear()
        try:
            self.recent.commit()
            if self.lately is not None:
                for past, new in self._told:
                    self.lately.moved(past, new=new)
                self._told.clear()
        except UNREADABLE as error:
            self._begin_anew(error)

    def _begin_anew(self, error: Exception) -> None:
        """What is remembered is not worth a payment: this one is committed all the same."""
        log.error("event=memory_begins_anew error=%r", error)
        self.recent.clear()
        self._told.clear()
        if self.lately is not None:
            self.lately = Lately(self.lately.watch)

    def exposure(self, currency: str) -> Amounts:
        """The unsent of one currency, with what the open batch has changed."""
        cells = [cell for cell in self._count if cell[2] == currency]
        own = [(record, by) for record, by in self._pending if _currency(record) == currency]
        count = sum(self._count[cell] for cell in cells) + sum(by for _, by in own)
        minor = sum(self._minor[cell] for cell in cells)
        minor += sum(by * (record.transaction.amount_minor or 0) for record, by in own)
        return Amounts(count=count, by_currency={currency: minor})

    def count(self, state: State) -> int:
        """How many records are in this state."""
        return sum(self._count[cell] for cell in list(self._count) if cell[0] is state)

    @property
    def unsent(self) -> int:
        return self._count.total()

    def _amounts(self, cells: list[Cell]) -> Amounts:
        sums: Counter[str] = Counter()
        for cell in cells:
            if cell[2]:
                sums[cell[2]] += self._minor[cell]
        return Amounts(
            count=sum(self._count[cell] for cell in cells), by_currency=dict(sorted(sums.items()))
        )

    def backlog(self, oldest_at: datetime | None, quarantined: Amounts | None) -> Backlog:
        """An immutable picture of now."""
        cells = list(self._count)
        causes: Counter[str] = Counter()
        for cell in cells:
            if cell[3]:
                causes[cell[3]] += self._count[cell]
        states = sorted({cell[0] for cell in cells}, key=STATES.index)
        return Backlog(
            total=self._amounts(cells),
            by_state={s: self._amounts([c for c in cells if c[0] is s]) for s in states},
            # `sending` counts as doubt: a byte may have left.
            in_doubt=self._amounts([c for c in cells if c[1] or c[0] is State.SENDING]),
            held=self._amounts([c for c in cells if c[0] is State.HELD]),
            quarantined=quarantined,
            oldest_at=oldest_at,
            by_cause=dict(causes.most_common()),
        )


def _currency(record: Record) -> str:
    return record.transaction.currency or ""


def _past(record: Record) -> Past:
    # `sending` counts as doubt: a byte may have left.
    return past_of(
        record.transaction,
        in_doubt=record.in_doubt or record.state is State.SENDING,
        final=record.final,
        declined=record.state is State.DECLINED,
    )
