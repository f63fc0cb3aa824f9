"""From pairs to findings: which class a line or a payment is in, with what it takes to show it.

`Judge` is told the calendar and the days the list is about. A list never moves a payment: what it
says about one that is open here is a finding, and only the host's own answer ends it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from agent.core.money.journal import State
from agent.core.why.reconcile.classes import Class
from agent.core.why.reconcile.cycle import Cycle, local
from agent.core.why.reconcile.lines import Line
from agent.core.why.reconcile.matching import Pair, Shelves
from agent.core.why.reconcile.payments import Payment
from agent.core.why.reconcile.profile import Profile

_HOUR_MS = 3_600_000
#: No two zones are further apart.
_MOST_HOURS = 26


class Finding(NamedTuple):
    """One finding, as it is kept. A plain list on its way through pipes."""

    result: str
    line: int  #: 0: the list has none
    seq: int  #: 0: the journal has none
    key: str
    by: str
    amount_minor: int | None
    listed_minor: int | None
    fee_minor: int | None
    currency: str
    settled_day: int
    due_day: int
    occurred_ms: int
    rrn: str
    stan: str
    batch: str
    terminal_id: str
    detail: str
    mark: int  #: what a line without a payment is recognised by in a later list; 0: has a payment


class Days(NamedTuple):
    """The days a list settles."""

    first: int
    last: int


class Judge:
    """Says of each pair what it is."""

    def __init__(
        self,
        profile: Profile,
        days: Days,
        shelves: Shelves,
        cycle: Cycle,
        covered: Sequence[Days] = (),
    ) -> None:
        self._profile = profile
        self._days = days
        self._cycle = cycle
        self._covered = covered
        self._left = shelves()
        self._timed = 0
        self._hours: Counter[int] = Counter()

    @property
    def zone_hours(self) -> int:
        """How many whole hours most of the list's times are away from the payments'; 0: none."""
        hours, count = max(self._hours.items(), key=lambda one: one[1], default=(0, 0))
        return hours if count * 2 > self._timed else 0

    def findings(self, pairs: Iterable[Pair]) -> Iterator[Finding]:
        """One for every line and every payment that stands alone."""
        yield from self.of(pairs)
        yield from self._unlisted()

    def of(self, pairs: Iterable[Pair]) -> Iterator[Finding]:
        """Of these pairs only; a payment alone is looked at when all are known."""
        for pair in pairs:
            line, payment = pair.line, pair.payment
            if line is None:
                assert payment is not None
                if pair.note:
                    yield _of_payment(Class.AMBIGUOUS, payment)
                else:
                    self._left.add(tuple(payment))
            elif payment is None:
                yield _of_line(self._alone(line, pair.note), line)
            elif pair.note:
                result = Class.OFFSET if pair.note == "offset" else Class.DUPLICATE
                yield _of_line(result, line, payment)
            else:
                self._timed += line.timed
                result, detail = self._together(line, payment)
                if line.timed and line.occurred_ms != payment.occurred_ms:
                    detail = self._apart(line, payment, detail)
                yield _of_both(result, line, payment, pair.by, detail)

    def _apart(self, line: Line, payment: Payment, detail: str) -> str:
        """Counts whole hours the two times are apart, and says which day the list has."""
        assert line.occurred_ms is not None
        away = line.occurred_ms - payment.occurred_ms
        tolerance = self._profile.time_tolerance_s * 1000
        if -tolerance <= away <= tolerance:
            return detail
        hours = round(away / _HOUR_MS)
        if hours and abs(hours) <= _MOST_HOURS and abs(away - hours * _HOUR_MS) <= tolerance:
            self._hours[hours] += 1
        listed_day, day = (
            local(line.occurred_ms, self._profile)[0],
            local(payment.occurred_ms, self._profile)[0],
        )
        return detail or (f"other_day {listed_day - day:+d}" if listed_day != day else "")

    def _alone(self, line: Line, note: str) -> Class:
        if note:
            return Class.AMBIGUOUS
        if line.status == "restricted":
            return Class.RESTRICTED
        if line.kind in ("fee", "chargeback"):
            return Class.OFFSET
        return Class.MISSING_HERE

    def _together(self, line: Line, payment: Payment) -> tuple[Class, str]:
        match line.status:
            case "restricted":
                return Class.RESTRICTED, ""
            case "held":
                return Class.RISK_HOLD, ""
            case "failed":
                return Class.FAILED_THERE, ""
        if payment.state == State.REVERSED:
            return Class.REVERSED_HERE, ""
        if not payment.final:
            return Class.OPEN_HERE, "in_doubt" if payment.in_doubt else payment.state
        if not payment.posted:
            return Class.REFUSED_HERE, payment.state
        if self._again(line, payment):
            return Class.DUPLICATE, "earlier"
        if line.amount_minor != payment.amount_minor:
            return Class.AMOUNT_DIFFERS, self._difference(line, payment)
        if line.settled_day and payment.due_day and line.settled_day > payment.due_day:
            return Class.LATE, payment.due_reason
        return Class.MATCHED, ""

    def _again(self, line: Line, payment: Payment) -> bool:
        """An earlier list settled it on another day: this is a second time."""
        return bool(
            payment.earlier
            and payment.earlier_day
            and line.settled_day
            and line.settled_day != payment.earlier_day
        )

    def _difference(self, line: Line, payment: Payment) -> str:
        listed, expected = abs(line.amount_minor), abs(payment.amount_minor)
        if listed > expected:
            return "more"
        short = expected - listed
        if line.fee_minor is not None and short == line.fee_minor:
            return "fee"
        if short <= expected * self._profile.fee_percent / 100:
            return "fee"
        return "partial"

    def _unlisted(self) -> Iterator[Finding]:
        """Payments no line was brought together with."""
        undone: dict[str, int] = {}
        for payment in self._remaining():
            if payment.posted and payment.refers_to and payment.amount_minor < 0:
                undone[payment.refers_to] = payment.amount_minor
        netted = {
            payment.key
            for payment in self._remaining()
            if payment.posted
            and payment.settles
            and undone.get(payment.key) == -payment.amount_minor
        }
        for payment in self._remaining():
            if payment.key in netted or (
                payment.posted
                and payment.refers_to in netted
                and undone[payment.refers_to] == payment.amount_minor
            ):
                yield _of_payment(Class.OFFSET, payment, "void")
            else:
                payment = payment._replace(due_day=self._due(payment))
                yield _of_payment(self._missing(payment), payment, payment.due_reason)

    def _missing(self, payment: Payment) -> Class:
        if payment.earlier:
            return Class.EARLIER
        if not payment.final:
            return Class.OPEN
        if not payment.posted or not payment.settles or not payment.amount_minor:
            return Class.NOT_EXPECTED
        if payment.due_day < self._days.first and not self._read(payment.due_day):
            return Class.OUTSIDE
        if payment.due_day > self._days.last:
            return Class.NOT_REALTIME if payment.due_reason else Class.NOT_DUE
        return Class.MISSING_THERE

    def _due(self, payment: Payment) -> int:
        """The host cannot settle what it did not have yet: what was posted late is due later."""
        if not payment.due_day or not payment.posted_ms:
            return payment.due_day
        return max(payment.due_day, self._cycle.day_due(payment.posted_ms))

    def _read(self, day: int) -> bool:
        """Whether a list of that day was read before: what none of them has is missing there."""
        return any(first <= day <= last for first, last in self._covered)

    def _remaining(self) -> Iterator[Payment]:
        for row in self._left.rows():
            yield Payment._make(row)


def mark_of(line: Line) -> int:
    """The same for the same line in another list, whatever its place."""
    told: tuple[Any, ...] = (
        line.key, line.rrn, line.stan, line.batch, line.terminal_id, line.amount_minor,
        line.occurred_ms, line.kind,
    )  # fmt: skip
    digest = hashlib.blake2b(repr(told).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 | 1


def _of_both(result: Class, line: Line, payment: Payment, by: str, detail: str) -> Finding:
    return Finding(
        result.value, line.number, payment.seq, payment.key, str(by), payment.amount_minor,
        line.amount_minor, line.fee_minor, payment.currency, line.settled_day, payment.due_day,
        payment.occurred_ms, payment.rrn or line.rrn, payment.stan or line.stan,
        payment.batch or line.batch, payment.terminal_id, detail, 0,
    )  # fmt: skip


def _of_line(result: Class, line: Line, payment: Payment | None = None) -> Finding:
    """A line that is no payment's own; `payment` is the one it belongs to."""
    return Finding(
        result.value, line.number, 0, "" if payment is None else payment.key, "", None,
        line.amount_minor, line.fee_minor, line.currency, line.settled_day, 0,
        line.occurred_ms or 0, line.rrn, line.stan, line.batch, line.terminal_id,
        # What it calls itself is no key of ours.
        f"{line.kind} {line.key}".strip() if payment is None else line.kind, mark_of(line),
    )  # fmt: skip


def _of_payment(result: Class, payment: Payment, detail: str = "") -> Finding:
    return Finding(
        result.value, 0, payment.seq, payment.key, "", payment.amount_minor, None, None,
        payment.currency, 0, payment.due_day, payment.occurred_ms, payment.rrn, payment.stan,
        payment.batch, payment.terminal_id, detail, 0,
    )  # fmt: skip
