"""One record of a list as a `Line`: which field means what, and whether it can be believed.

A list of another merchant or terminal is refused, and so is one field that cannot be read: a list
that was shifted by one column must not be believed in the others. Called by `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from agent.core.money.cards import SHORTEST
from agent.core.why.reconcile import values
from agent.core.why.reconcile.profile import (
    HEADINGS,
    KINDS,
    NEGATIVE,
    PLATFORMS,
    STATUSES,
    TAKES_BACK,
    TOTALS,
    ListError,
    Profile,
)

#: One field. A longer one is a quotation mark that was never closed.
MAX_FIELD_CHARS = 512
#: Heading -> what it is and how good it is for that.
_BY_HEADING = {
    heading: (role, rank) for role, known in HEADINGS.items() for rank, heading in enumerate(known)
}
#: What a line can be known by.
_NAMING = ("key", "rrn", "stan", "occurred", "date")
#: Some headings of each, for a refusal.
AMOUNTS = "amount/交易金额/订单金额/总金额/商家实收, net/结算金额"
NAMES = "key/商户订单号, rrn/参考号, stan/流水号, datetime/交易时间/完成时间, date/交易日期"
#: What of a line is kept as it was written. A shifted column may put a card number there.
_KEPT = frozenset({"key", "rrn", "stan", "batch", "terminal_id", "merchant_id"})
_LOOKED_AT = 30  #: lines a heading may be preceded by

#: The field of a role, cleaned; "" where the list has none.
_Of = Callable[[str], str]


class Line(NamedTuple):
    """One line; a plain tuple on its way through files. Amounts are towards the merchant."""

    number: int  #: in the file, from 1
    key: str
    rrn: str
    stan: str
    batch: str
    terminal_id: str
    merchant_id: str
    amount_minor: int
    fee_minor: int | None
    currency: str
    kind: str  #: sale, refund, void, chargeback, fee
    occurred_ms: int | None
    timed: bool  #: False: only the day is known
    settled_day: int  #: 0: not told
    card: str  #: last four digits
    status: str  #: settled, held, restricted, failed


class Columns:
    """Where each role stands in the records of one list."""

    def __init__(
        self, profile: Profile, places: Mapping[str, int], headings: Sequence[str]
    ) -> None:
        self._profile = profile
        self._at = dict(places)
        self._headings = headings
        # A platform's merchant and terminal numbers are its own: nothing here has them.
        self._foreign = any(_name(one) in PLATFORMS for one in headings)
        self.width = len(headings)
        self._kinds = {**KINDS, **{k.lower(): v for k, v in profile.kinds.items()}}
        self._statuses = {**STATUSES, **{k.lower(): v for k, v in profile.statuses.items()}}

    def read(self, fields: Sequence[str], number: int) -> Line:
        """Raises ListError with the line and the column's heading."""
        role = ""

        def of(name: str) -> str:
            nonlocal role
            role = name
            place = self._at.get(name)
            told = "" if place is None else values.cleaned(fields[place])
            return values.harmless(told) if len(told) >= SHORTEST and name in _KEPT else told

        try:
            return self._line(of, number)
        except ListError as refusal:
            refusal.line = number
            refusal.column = refusal.column or self.heading(role)
            raise

    def heading(self, role: str) -> str:
        """As the file calls it."""
        place = self._at.get(role)
        return "" if place is None else self._headings[place].strip()

    def _line(self, of: _Of, number: int) -> Line:
        p = self._profile
        code = values.currency(of("currency"), p.currency)
        kind = self._word(of("kind"), self._kinds, "kind") if "kind" in self._at else ""
        fee = of("fee")
        fee_minor = abs(values.minor(fee, p.amounts, code, rounded=True)) if fee else None
        amount = self._amount(of, code, fee_minor)
        if p.signs == "turned":
            amount = -amount
        told_status = of("status")
        status = self._word(told_status, self._statuses, "status")
        back = self._taken_back(of, code) if "refund" in self._at else 0
        if status == "settled" and kind not in NEGATIVE:
            taken = TAKES_BACK.get(told_status.lower(), "refund" if back and not amount else "")
            kind, amount = (taken, back or amount) if taken else (kind, amount)
        if kind in NEGATIVE:
            amount = -abs(amount)
        occurred, timed = self._occurred(of)
        settled = of("settled_on")
        settled_day = values.day(settled, p.date_formats) if settled else p.settled_on
        key, rrn, stan = of("key"), of("rrn"), of("stan")
        if not (key or rrn or stan or occurred is not None or kind in NEGATIVE):
            raise ListError("nothing_to_go_by")
        tid, mid = self._ours(of("terminal_id"), p.terminal_ids), of("merchant_id")
        mid = self._ours(mid, p.merchant_ids)
        if self._foreign:
            tid = mid = ""
        return Line(
            number, key, rrn, stan.lstrip("0") or stan, of("batch").lstrip("0"), tid, mid, amount,
            fee_minor, code, kind or ("refund" if amount < 0 else "sale"), occurred, timed,
            settled_day, values.tail(of("card")), status,
        )  # fmt: skip

    def _amount(self, of: _Of, code: str, fee_minor: int | None) -> int:
        """Of the payment itself; where only what is paid out is told, with the fee put back."""
        told = of("amount") if "amount" in self._at else ""
        if told or "net" not in self._at:
            return values.minor(told, self._profile.amounts, code)
        net = values.minor(of("net"), self._profile.amounts, code)
        return net + (fee_minor or 0)

    def _taken_back(self, of: _Of, code: str) -> int:
        """What a column of refunds says; 0: the line is none."""
        told = of("refund")
        return abs(values.minor(told, self._profile.amounts, code)) if told else 0

    def _occurred(self, of: _Of) -> tuple[int | None, bool]:
        p = self._profile
        told = of("occurred")
        if told:
            try:
                return values.moment(told, p.time_formats, p.utc_offset_minutes)
            except ListError:
                raise ListError("time") from None
        date = of("date")
        if not date:
            return None, False
        at_day = values.day(date, p.date_formats)
        clock = of("time")
        second = values.seconds(clock) if clock else 0
        return values.at_ms(at_day, second, p.utc_offset_minutes), bool(clock)

    def _word(self, word: str, known: Mapping[str, str], why: str) -> str:
        found = known.get(word.lower())
        if found is None:
            raise ListError(why)
        return found

    def _ours(self, told: str, issued: tuple[str, ...]) -> str:
        if told and issued and told not in issued:
            raise ListError("not_ours")
        return told


def columns_of(profile: Profile, headings: Sequence[str]) -> Columns | None:
    """What a record of headings says; None: it is not one. Raises ListError for a wrong mapping."""
    names, found = _places(profile, headings)
    if _clock_only(found, names):
        found["time"] = found.pop("occurred")
    if len(found) < 2 or not {"amount", "net"} & found.keys():
        return None
    for role, heading in profile.columns.items():
        if role not in found:
            raise ListError("column_missing", told=heading)
    return Columns(profile, found, headings) if found.keys() & set(_NAMING) else None


def lacking(profile: Profile, headings: Sequence[str]) -> tuple[int, ListError]:
    """How many columns of what could be a heading are known, and why it is none."""
    _, found = _places(profile, headings)
    wanted = [] if {"amount", "net"} & found.keys() else [AMOUNTS]
    wanted += [] if found.keys() & set(_NAMING) else [NAMES]
    if len(wanted) == 2:
        why = "no_amount_nor_name" if found else "heading"
    else:
        why = "no_amount" if wanted == [AMOUNTS] else "nothing_to_go_by_at_all"
    return len(found), ListError(why if wanted else "heading", told="; ".join(wanted))


def _name(heading: str) -> str:
    return values.folded(values.cleaned(heading)).removesuffix("元")


def _places(profile: Profile, headings: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """The names of the columns, and where each role stands."""
    names = [_name(one) for one in headings]
    asked = {_name(heading): role for role, heading in profile.columns.items()}
    found: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for place, name in enumerate(names):
        role, rank = (asked[name], -1) if name in asked else _BY_HEADING.get(name, ("", 0))
        if not role or (role in profile.columns and rank >= 0):
            continue
        if role not in found or rank < ranks[role]:
            found[role], ranks[role] = place, rank
    return names, found


def _clock_only(found: Mapping[str, int], names: Sequence[str]) -> bool:
    """A date and 交易时间 beside it: that is a time of day."""
    return (
        "date" in found
        and "time" not in found
        and "occurred" in found
        and names[found["occurred"]] in ("交易时间", "transactiontime", "支付时间")
    )


def heading_sought(tried: int) -> bool:
    """Whether the heading may still come."""
    return tried < _LOOKED_AT


def summed(fields: Sequence[str]) -> bool:
    """Whether a record begins the totals below the payments."""
    if fields[0].isascii() and fields[0][-1:].isdigit():
        return False  # a number, as most begin: this is asked of every line
    first = values.folded(values.cleaned(fields[0]))
    return first.startswith(TOTALS) or first in ("total", "totals", "grandtotal", "subtotal")


def footed(profile: Profile, fields: Iterable[str]) -> bool:
    """Whether a record is the last one, with the totals."""
    first = next(iter(fields), "")
    return bool(profile.footer) and values.cleaned(first).startswith(profile.footer)
