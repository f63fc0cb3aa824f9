"""Brings lines and payments together, one to one, the surest way first.

Each pass sorts both sides into buckets by what they may be known by and looks into one bucket at a
time, so that memory holds a fraction of the list whatever its length; where the buckets lie is the
caller's (`Shelves`). Inside a bucket everything is sorted by content before by place, so the order
of the lines changes nothing. What fits more than one stays ambiguous.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from agent.core.why.reconcile.classes import By
from agent.core.why.reconcile.cycle import local
from agent.core.why.reconcile.lines import Line
from agent.core.why.reconcile.payments import Payment
from agent.core.why.reconcile.profile import Profile

Row = tuple[Any, ...]
BUCKETS = 16


class Shelf(Protocol):
    """Rows put down in order, and taken up again in that order."""

    def add(self, row: Row) -> None: ...
    def rows(self) -> Iterator[Row]: ...
    def clear(self) -> None: ...


Shelves = Callable[[], Shelf]


class Pair(NamedTuple):
    """A line and the payment it is; or, for what is left over, only one of them."""

    line: Line | None
    payment: Payment | None
    by: By = By.NOTHING
    note: str = ""  #: ambiguous, duplicate, offset; "": the two are the same payment


Tokens = Callable[[Line], str]
PaymentTokens = Callable[[Payment], str]


class Matching:
    """All passes over one list. `shelves` makes an empty shelf."""

    def __init__(self, profile: Profile, shelves: Shelves) -> None:
        self._profile = profile
        self._new = shelves
        self._lines, self._payments, self._paired = shelves(), shelves(), shelves()

    def add_line(self, line: Line) -> None:
        self._lines.add(tuple(line))

    def add_payment(self, payment: Payment) -> None:
        self._payments.add(tuple(payment))

    def pairs(self) -> Iterator[Pair]:
        """Every line and every payment once; then lines that are more of a payment's."""
        yield from self._pass(By.KEY, lambda line: line.key, lambda p: p.key)
        yield from self._pass(
            By.REFERENCE,
            lambda line: line.key if line.amount_minor < 0 else "",
            lambda p: p.refers_to if p.amount_minor < 0 else "",
        )
        yield from self._pass(By.RRN, lambda line: line.rrn, lambda p: p.rrn)
        yield from self._pass(By.STAN, self._line_stan, self._payment_stan)
        yield from self._by_amount()
        for shelf in (self._paired, self._payments):
            yield from self._second_look(shelf, lambda line: line.key, lambda one: one.key)
            yield from self._second_look(shelf, lambda line: line.rrn, lambda one: one.rrn)
            yield from self._second_look(shelf, self._line_stan, self._payment_stan)
        for row in self._lines.rows():
            yield Pair(_line(row), None)
        for row in self._payments.rows():
            yield Pair(None, _payment(row))

    # -- one pass ----------------------------------------------------------------------------

    def _pass(self, by: By, of_line: Tokens, of_payment: PaymentTokens) -> Iterator[Pair]:
        left_lines, left_payments = self._new(), self._new()
        lines = self._spread(self._lines, lambda row: of_line(_line(row)), left_lines)
        payments = self._spread(
            self._payments, lambda row: of_payment(_payment(row)), left_payments
        )
        for some_lines, some_payments in zip(lines, payments, strict=True):
            groups: dict[str, tuple[list[Line], list[Payment]]] = {}
            for row in some_lines.rows():
                line = _line(row)
                groups.setdefault(of_line(line), ([], []))[0].append(line)
            for row in some_payments.rows():
                payment = _payment(row)
                groups.setdefault(of_payment(payment), ([], []))[1].append(payment)
            some_lines.clear()
            some_payments.clear()
            for group_lines, group_payments in groups.values():
                for pair in _one_to_one(by, group_lines, group_payments, left_lines, left_payments):
                    assert pair.payment is not None
                    self._paired.add(tuple(pair.payment))
                    yield pair
        self._lines.clear()
        self._payments.clear()
        self._lines, self._payments = left_lines, left_payments

    def _spread(self, shelf: Shelf, token: Callable[[Row], str], left: Shelf) -> list[Shelf]:
        """The rows by their token's bucket; those without one are left over."""
        buckets = [self._new() for _ in range(BUCKETS)]
        for row in shelf.rows():
            told = token(row)
            if told:
                buckets[zlib.crc32(told.encode()) % BUCKETS].add(row)
            else:
                left.add(row)
        return buckets

    def _line_stan(self, line: Line) -> str:
        if not line.stan or line.occurred_ms is None:
            return ""
        return f"{line.stan}/{local(line.occurred_ms, self._profile)[0]}"

    def _payment_stan(self, payment: Payment) -> str:
        if not payment.stan:
            return ""
        return f"{payment.stan}/{local(payment.occurred_ms, self._profile)[0]}"

    # -- amount and time ---------------------------------------------------------------------

    def _by_amount(self) -> Iterator[Pair]:
        left_lines, left_payments = self._new(), self._new()

        def of_line(row: Row) -> str:
            line = _line(row)
            timed = line.occurred_ms is not None
            return f"{line.currency}{line.amount_minor}" if timed else ""

        def of_payment(row: Row) -> str:
            payment = _payment(row)
            return f"{payment.currency}{payment.amount_minor}" if payment.settles else ""

        lines = self._spread(self._lines, of_line, left_lines)
        payments = self._spread(self._payments, of_payment, left_payments)
        for some_lines, some_payments in zip(lines, payments, strict=True):
            groups: dict[str, tuple[list[Line], list[Payment]]] = {}
            for row in some_lines.rows():
                groups.setdefault(of_line(row), ([], []))[0].append(_line(row))
            for row in some_payments.rows():
                groups.setdefault(of_payment(row), ([], []))[1].append(_payment(row))
            some_lines.clear()
            some_payments.clear()
            for group_lines, group_payments in groups.values():
                yield from self._near(group_lines, group_payments, left_lines, left_payments)
        self._lines.clear()
        self._payments.clear()
        self._lines, self._payments = left_lines, left_payments

    def _near(
        self, lines: list[Line], payments: list[Payment], left_lines: Shelf, left_payments: Shelf
    ) -> Iterator[Pair]:
        """Lines and payments of one amount. Only where each has no other is it believed."""
        lines.sort(key=_order)
        payments.sort(key=lambda one: (one.occurred_ms, one.seq))
        times = [one.occurred_ms for one in payments]
        near: list[list[int]] = []
        wanted: dict[int, int] = {}
        for line in lines:
            since, until = self._span(line)
            found: list[int] = []
            for place in range(bisect_left(times, since), bisect_right(times, until)):
                if _agree(line, payments[place]):
                    found.append(place)
                    if len(found) > _ENOUGH:
                        break
            near.append(found)
            for place in found:
                wanted[place] = wanted.get(place, 0) + 1
        taken: set[int] = set()
        for line, found in zip(lines, near, strict=True):
            if not found:
                left_lines.add(tuple(line))
            elif len(found) == 1 and wanted[found[0]] == 1:
                payment = payments[found[0]]
                taken.add(found[0])
                self._paired.add(tuple(payment))
                same = line.card and line.card == payment.card
                yield Pair(line, payment, By.AMOUNT_CARD if same else By.AMOUNT)
            else:
                yield Pair(line, None, By.AMOUNT, "ambiguous")
        for place, payment in enumerate(payments):
            if place in taken:
                continue
            if wanted.get(place):
                yield Pair(None, payment, By.AMOUNT, "ambiguous")
            else:
                left_payments.add(tuple(payment))

    def _span(self, line: Line) -> tuple[int, int]:
        assert line.occurred_ms is not None
        if line.timed:
            tolerance = self._profile.time_tolerance_s * 1000
            return line.occurred_ms - tolerance, line.occurred_ms + tolerance
        return line.occurred_ms, line.occurred_ms + _DAY_MS - 1

    # -- lines of payments that are settled already ------------------------------------------

    def _second_look(
        self, among: Shelf, of_line: Tokens, of_payment: PaymentTokens
    ) -> Iterator[Pair]:
        """What is left of the lines: settled twice, or taken off again."""
        paired = among is self._paired
        left = self._new()
        lines = self._spread(self._lines, lambda row: of_line(_line(row)), left)
        payments = self._spread(among, lambda row: of_payment(_payment(row)), self._new())
        for some_lines, some_payments in zip(lines, payments, strict=True):
            known: dict[str, list[Payment]] = {}
            rows = [_line(row) for row in some_lines.rows()]
            tokens = {of_line(line) for line in rows}
            for row in some_payments.rows():
                payment = _payment(row)
                if (token := of_payment(payment)) in tokens:
                    known.setdefault(token, []).append(payment)
            some_lines.clear()
            some_payments.clear()
            for line in sorted(rows, key=_order):
                fits = [p for p in known.get(of_line(line), ()) if _may_be_of(line, p, paired)]
                if len(fits) == 1:
                    same = (line.amount_minor < 0) == (fits[0].amount_minor < 0)
                    yield Pair(line, fits[0], By.NOTHING, "duplicate" if same else "offset")
                else:
                    left.add(tuple(line))
        self._lines.clear()
        self._lines = left


_DAY_MS = 86_400_000
#: More than this fit one line: it is ambiguous whatever else there is.
_ENOUGH = 200
#: More than this go by one name: it is no name (a column of zeros).
_CROWD = 10_000


def _one_to_one(
    by: By, lines: list[Line], payments: list[Payment], left_lines: Shelf, left_payments: Shelf
) -> Iterator[Pair]:
    """Lines and payments that go by the same name, each payment with its best line."""
    if len(lines) == 1 == len(payments) and _may_be(by, lines[0], payments[0]):
        yield Pair(lines[0], payments[0], by)
        return
    if not payments or len(lines) * len(payments) > _CROWD:
        for line in lines:
            left_lines.add(tuple(line))
        for payment in payments:
            left_payments.add(tuple(payment))
        return
    free = sorted(lines, key=_order)
    payments.sort(key=lambda one: (one.occurred_ms, one.seq))
    for payment in payments:
        fits = [line for line in free if _may_be(by, line, payment)]
        if not fits:
            left_payments.add(tuple(payment))
            continue
        best = min(fits, key=lambda line: (_distance(line, payment), _order(line)))
        free.remove(best)
        yield Pair(best, payment, by)
    for line in free:
        left_lines.add(tuple(line))


def _may_be(by: By, line: Line, payment: Payment) -> bool:
    """Whether a line that goes by the payment's name can be the payment."""
    if (line.amount_minor < 0) != (payment.amount_minor < 0) or not payment.settles:
        return False
    if not _places(line, payment):
        return False
    if by is By.STAN:
        return _same(line.batch, payment.batch) and _same(line.rrn, payment.rrn)
    return True


def _agree(line: Line, payment: Payment) -> bool:
    """Whether nothing that both sides tell speaks against it."""
    return (
        _places(line, payment)
        and _same(line.rrn, payment.rrn)
        and _same(line.stan, payment.stan)
        and _same(line.batch, payment.batch)
        and _same(line.card, payment.card)
        and _same(line.key, payment.key)
    )


def _may_be_of(line: Line, payment: Payment, paired: bool) -> bool:
    """Whether a line can be one more of a payment; settled twice is only what is settled once."""
    if not _places(line, payment) or not _same(line.batch, payment.batch):
        return False
    opposite = (line.amount_minor < 0) != (payment.amount_minor < 0)
    if opposite:
        return line.amount_minor < 0
    return paired and line.amount_minor == payment.amount_minor


def _places(line: Line, payment: Payment) -> bool:
    return (
        line.currency == payment.currency
        and _same(line.terminal_id, payment.terminal_id)
        and _same(line.merchant_id, payment.merchant_id)
    )


def _same(one: str, other: str) -> bool:
    return not one or not other or one == other


def _distance(line: Line, payment: Payment) -> tuple[int, int]:
    away = 0 if line.occurred_ms is None else abs(line.occurred_ms - payment.occurred_ms)
    return (abs(line.amount_minor - payment.amount_minor), away)


def _order(line: Line) -> tuple[object, ...]:
    """By what it says, and by its place only where two say the same."""
    return (
        line.occurred_ms or 0, line.settled_day, line.amount_minor, line.rrn, line.stan, line.key,
        line.batch, line.terminal_id, line.kind, line.status, line.card, line.fee_minor or 0,
        line.number,
    )  # fmt: skip


def _line(row: Row) -> Line:
    return Line._make(row)


def _payment(row: Row) -> Payment:
    return Payment._make(row)
