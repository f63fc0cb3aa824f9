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
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from agent.core.why.reconcile.classes import By
from agent.core.why.reconcile.cycle import local
from agent.core.why.reconcile.lines import Line
from agent.core.why.reconcile.payments import Payment
from agent.core.why.reconcile.profile import Profile

Row = tuple[Any, ...]
BUCKETS = 16
#: So many lines that are left are looked at in memory, without buckets.
FEW = 4_096


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


#: What a row of a shelf may be known by; "": by nothing.
Token = Callable[[Row], str]

_LINE = {name: place for place, name in enumerate(Line._fields)}
_PAYMENT = {name: place for place, name in enumerate(Payment._fields)}
#: Rows are looked at by place: making a tuple with names of each costs as much as all the rest.
_line_key, _payment_key = itemgetter(_LINE["key"]), itemgetter(_PAYMENT["key"])
_line_rrn, _payment_rrn = itemgetter(_LINE["rrn"]), itemgetter(_PAYMENT["rrn"])
_line_stan, _line_at = itemgetter(_LINE["stan"]), itemgetter(_LINE["occurred_ms"])
_payment_stan, _payment_at = itemgetter(_PAYMENT["stan"]), itemgetter(_PAYMENT["occurred_ms"])
_line_amount, _payment_amount = (
    itemgetter(_LINE["amount_minor"]),
    itemgetter(_PAYMENT["amount_minor"]),
)
_line_batch, _payment_batch = itemgetter(_LINE["batch"]), itemgetter(_PAYMENT["batch"])
_payment_refers = itemgetter(_PAYMENT["refers_to"])


def _line_exact(line: Row) -> str:
    """Trace number, batch and amount: enough on a day that is told wrongly."""
    stan, batch = _line_stan(line), _line_batch(line)
    return f"{stan}/{batch}/{_line_amount(line)}" if stan and batch else ""


def _payment_exact(payment: Row) -> str:
    stan, batch = _payment_stan(payment), _payment_batch(payment)
    return f"{stan}/{batch}/{_payment_amount(payment)}" if stan and batch else ""


class Matching:
    """All passes over one list. `shelves` makes an empty shelf."""

    def __init__(self, profile: Profile, shelves: Shelves, lines: Shelf | None = None) -> None:
        self._profile = profile
        self._new = shelves
        self._lines = shelves() if lines is None else lines
        self._payments, self._paired = shelves(), shelves()
        self._references = False  #: whether any payment names the one it takes back

    def add_line(self, line: Line) -> None:
        self._lines.add(tuple(line))

    def add_payment(self, payment: Payment) -> None:
        self._references = self._references or bool(payment.refers_to)
        self._payments.add(tuple(payment))

    def pairs(self) -> Iterator[Pair]:
        """Every payment once, lines that are more of a payment's; the others are `left`."""
        yield from self._pass(By.KEY, _line_key, _payment_key)
        if self._references:
            yield from self._pass(
                By.REFERENCE,
                lambda line: _line_key(line) if _line_amount(line) < 0 else "",
                lambda payment: _payment_refers(payment) if _payment_amount(payment) < 0 else "",
            )
        yield from self._pass(By.RRN, _line_rrn, _payment_rrn)
        yield from self._pass(By.STAN, self._line_stan, self._payment_stan)
        yield from self._by_amount()
        yield from self._pass(By.STAN, _line_exact, _payment_exact)
        for shelf in (self._paired, self._payments):
            yield from self._second_look(shelf, _line_key, _payment_key)
            yield from self._second_look(shelf, _line_rrn, _payment_rrn)
            yield from self._second_look(shelf, self._line_stan, self._payment_stan)
        for row in self._payments.rows():
            yield Pair(None, _payment(row))
        self._payments.clear()

    def left(self) -> Iterator[Line]:
        """Lines no payment was found for; whole once `pairs` is at its end."""
        return map(_line, self._lines.rows())

    def elsewhere(self) -> Elsewhere:
        """To go on with what is left."""
        return Elsewhere(self._profile, self._new, self._lines)

    # -- one pass ----------------------------------------------------------------------------

    def _pass(self, by: By, of_line: Token, of_payment: Token) -> Iterator[Pair]:
        left_lines, left_payments = self._new(), self._new()
        lines = self._spread(self._lines, of_line, left_lines)
        payments = self._spread(self._payments, of_payment, left_payments)
        for some_lines, some_payments in zip(lines, payments, strict=True):
            for group_lines, group_payments in _groups(
                some_lines, of_line, some_payments, of_payment, left_payments
            ):
                for pair in _one_to_one(by, group_lines, group_payments, left_lines, left_payments):
                    assert pair.payment is not None
                    self._paired.add(tuple(pair.payment))
                    yield pair
        self._lines.clear()
        self._payments.clear()
        self._lines, self._payments = left_lines, left_payments

    def _spread(self, shelf: Shelf, token: Token, left: Shelf) -> list[Shelf]:
        """The rows by their token's bucket; those without one are left over."""
        buckets = [self._new() for _ in range(BUCKETS)]
        adds = [bucket.add for bucket in buckets]
        crc32, left_add = zlib.crc32, left.add
        for row in shelf.rows():
            told = token(row)
            if told:
                adds[crc32(told.encode()) % BUCKETS](row)
            else:
                left_add(row)
        return buckets

    def _line_stan(self, line: Row) -> str:
        stan, at = _line_stan(line), _line_at(line)
        if not stan or at is None:
            return ""
        return f"{stan}/{local(at, self._profile)[0]}"

    def _payment_stan(self, payment: Row) -> str:
        stan = _payment_stan(payment)
        return f"{stan}/{local(_payment_at(payment), self._profile)[0]}" if stan else ""

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
            for group_lines, group_payments in _groups(
                some_lines, of_line, some_payments, of_payment, left_payments
            ):
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

    def _second_look(self, among: Shelf, of_line: Token, of_payment: Token) -> Iterator[Pair]:
        """What is left of the lines: settled twice, or taken off again."""
        paired = among is self._paired
        left = self._new()
        # Usually a few among many: then the many are only gone over, and not sorted into buckets.
        few = list(islice(self._lines.rows(), FEW + 1))
        if len(few) <= FEW:
            yield from _looked(few, of_line, among, of_payment, left, paired=paired)
        else:
            lines = self._spread(self._lines, of_line, left)
            payments = self._spread(among, of_payment, self._new())
            for some_lines, some_payments in zip(lines, payments, strict=True):
                some = list(some_lines.rows())
                yield from _looked(some, of_line, some_payments, of_payment, left, paired=paired)
                some_lines.clear()
                some_payments.clear()
        self._lines.clear()
        self._lines = left


class Elsewhere(Matching):
    """Lines that are left against payments of other days: by name, never by amount and time."""

    def pairs(self) -> Iterator[Pair]:
        """Every line once. Payments nobody names were not asked about."""
        yield from self._pass(By.KEY, _line_key, _payment_key)
        yield from self._pass(By.RRN, _line_rrn, _payment_rrn)
        yield from self._pass(By.STAN, _line_exact, _payment_exact)
        for shelf in (self._paired, self._payments):
            yield from self._second_look(shelf, _line_key, _payment_key)
            yield from self._second_look(shelf, _line_rrn, _payment_rrn)
        for line in self.left():
            yield Pair(line, None)


def _groups(
    lines: Shelf, of_line: Token, payments: Shelf, of_payment: Token, left_payments: Shelf
) -> Iterator[tuple[list[Line], list[Payment]]]:
    """Lines and payments of one bucket by what they are known by; nobody's payments are left."""
    groups: dict[str, tuple[list[Line], list[Payment]]] = {}
    for row in lines.rows():
        token = of_line(row)
        if token in groups:
            groups[token][0].append(_line(row))
        else:
            groups[token] = ([_line(row)], [])
    lines.clear()
    for row in payments.rows():
        found = groups.get(of_payment(row))
        if found is None:
            left_payments.add(row)
        else:
            found[1].append(_payment(row))
    payments.clear()
    yield from groups.values()


def _looked(
    rows: list[Row], of_line: Token, among: Shelf, of_payment: Token, left: Shelf, *, paired: bool
) -> Iterator[Pair]:
    """Lines that go by the name of a payment beside the one that is its own."""
    tokens = {of_line(row) for row in rows} - {""}
    known: dict[str, list[Payment]] = {}
    for row in among.rows() if tokens else ():
        if (token := of_payment(row)) in tokens:
            known.setdefault(token, []).append(_payment(row))
    for line in sorted(map(_line, rows), key=_order):
        fits = [p for p in known.get(of_line(line), ()) if _may_be_of(line, p, paired)]
        if len(fits) == 1:
            same = (line.amount_minor < 0) == (fits[0].amount_minor < 0)
            yield Pair(line, fits[0], By.NOTHING, "duplicate" if same else "offset")
        else:
            left.add(tuple(line))


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
    return tuple.__new__(Line, row)


def _payment(row: Row) -> Payment:
    return tuple.__new__(Payment, row)
