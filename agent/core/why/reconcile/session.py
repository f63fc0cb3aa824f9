"""One list from its bytes to its findings, in two halves: read it, then hold it against payments.

The reading half says which payments are needed; whoever runs this feeds them. Called by the
program `reconcile` of agent.offloaded, which gives it shelves on the disk.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from agent.core.money.transaction import KEY_PATTERN
from agent.core.why.reconcile.cycle import FIRST_DAY, LAST_DAY, Cycle, local, start_ms
from agent.core.why.reconcile.judging import Days, Finding, Judge
from agent.core.why.reconcile.lines import Line
from agent.core.why.reconcile.matching import Elsewhere, Matching, Shelves
from agent.core.why.reconcile.payments import Payment
from agent.core.why.reconcile.profile import ListError, Profile

#: What a key of ours can look like: nothing else is looked up.
_KEY = re.compile(KEY_PATTERN)
#: A list may be about payments of so many days before the first one that is due.
_EARLIEST_MORE = 45
#: More days than that in one list: a column was taken for a date.
_MOST_DAYS = 800


class Session:
    """One list. `covered`: days of which an earlier list of the same kind was read."""

    def __init__(self, profile: Profile, shelves: Shelves, covered: Sequence[Days] = ()) -> None:
        self._profile = profile
        self._shelves = shelves
        self._covered = covered
        self._cycle = Cycle(profile)
        self._matching = Matching(profile, shelves)
        self._settled: list[int] = []  # first and last
        self._occurred: list[int] = []
        self._payments = 0
        self._lines = 0
        self._sums: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._days: Days | None = None
        self._judge: Judge | None = None
        self._elsewhere: Elsewhere | None = None
        self._fed = (0, 0)  # first and last day whose payments were asked for

    def add_line(self, line: Line) -> None:
        """Raises ListError for a day nobody settles on."""
        self._lines += 1
        self._sums[line.currency] += line.amount_minor
        if line.settled_day:
            _widen(self._settled, line.settled_day, line.number)
        if line.occurred_ms is not None:
            _widen(self._occurred, local(line.occurred_ms, self._profile)[0], line.number)
        self._matching.add_line(line)

    def window(self) -> tuple[int, int]:
        """From when to when payments are needed, in ms since 1970. Raises ListError."""
        cycle = self._cycle
        if self._settled:
            first, last = self._settled
        elif self._occurred:
            first = cycle.next_paying(self._occurred[0])
            last = cycle.latest(self._occurred[1])
            if self._profile.cycle == "T+0":
                first, last = self._occurred
        else:
            raise ListError("no_days")
        if last - first > _MOST_DAYS:
            raise ListError("too_many_days", told=str(last - first))
        self._days = Days(first, last)
        begin = cycle.reaches_back(first)
        if self._occurred:
            begin = max(min(begin, self._occurred[0] - 1), begin - _EARLIEST_MORE)
            last = max(last, min(self._occurred[1], last + 1))
        self._fed = (begin, last)
        return start_ms(begin, self._profile), start_ms(last + 1, self._profile)

    def add_payment(self, payment: Payment) -> None:
        """In the journal's order: a daily limit is used up in it."""
        if self._ours(payment):
            self._payments += 1
            self._matching.add_payment(self._with_due(payment))

    def findings(self) -> Iterator[Finding]:
        """All but those of lines that are left: then come `keys`, `spans` and `rest`."""
        assert self._days is not None
        self._judge = Judge(self._profile, self._days, self._shelves, self._cycle, self._covered)
        yield from self._counted(self._judge.findings(self._matching.pairs()))
        self._elsewhere = self._matching.elsewhere()

    def keys(self, size: int) -> Iterator[list[str]]:
        """What lines that are left call their payment: those of any day are wanted."""
        keys = (line.key for line in self._matching.left() if _KEY.fullmatch(line.key))
        while some := list(islice(keys, size)):
            yield some

    def spans(self) -> list[tuple[int, int]]:
        """Where payments are wanted that lines name by numbers nobody can look up; may be none."""
        if not any(one.rrn or (one.stan and one.batch) for one in self._matching.left()):
            return []
        first, last = self._fed
        before = start_ms(self._cycle.reaches_back(first) - 1, self._profile)
        after = start_ms(self._cycle.latest(last) + 2, self._profile)
        begin, end = start_ms(first, self._profile), start_ms(last + 1, self._profile)
        return [(before, begin), (end, after)]

    def add_elsewhere(self, payment: Payment) -> None:
        """A payment of another day that may be one of the lines that are left."""
        assert self._elsewhere is not None
        if self._ours(payment):
            self._elsewhere.add_payment(self._with_due(payment))

    def rest(self) -> Iterator[Finding]:
        """Of the lines that are left; the counts are whole afterwards."""
        assert self._judge is not None
        assert self._elsewhere is not None
        yield from self._counted(self._judge.of(self._elsewhere.pairs()))

    def _counted(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        for finding in findings:
            self._counts[finding.result] += 1
            yield finding

    def _with_due(self, payment: Payment) -> Payment:
        if not (payment.settles and payment.posted):
            return payment
        due = self._cycle.due(payment.occurred_ms, payment.amount_minor)
        return payment._replace(due_day=due.day, due_reason=due.reason)

    def totals(self) -> dict[str, Any]:
        """What the list came to."""
        assert self._days is not None
        return {
            "lines": self._lines,
            "payments": self._payments,
            "days": list(self._days),
            "counts": dict(sorted(self._counts.items())),
            "sums": dict(sorted(self._sums.items())),
            "zone_hours": 0 if self._judge is None else self._judge.zone_hours,
        }

    def _ours(self, payment: Payment) -> bool:
        """Another acquirer's list says nothing about what went elsewhere."""
        p = self._profile
        return not (
            (p.merchant_ids and payment.merchant_id not in p.merchant_ids)
            or (p.terminal_ids and payment.terminal_id not in p.terminal_ids)
        )


def _widen(span: list[int], day: int, number: int) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ListError("date", line=number)
    if not span:
        span += [day, day]
    else:
        span[0], span[1] = min(span[0], day), max(span[1], day)
