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
    STATUSES,
    ListError,
    Profile,
)

#: One field. A longer one is a quotation mark that was never closed.
MAX_FIELD_CHARS = 512
_BY_HEADING = {heading: role for role, known in HEADINGS.items() for heading in known}
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
        fee_minor = abs(values.minor(fee, p.amounts, code)) if fee else None
        amount = self._amount(of, code, fee_minor)
        if p.signs == "turned":
            amount = -amount
        if kind in NEGATIVE:
            amount = -abs(amount)
        status = self._word(of("status"), self._statuses, "status")
        occurred, timed = self._occurred(of)
        settled = of("settled_on")
        settled_day = values.day(settled, p.date_formats) if settled else p.settled_on
        key, rrn, stan = of("key"), of("rrn"), of("stan")
        if not (key or rrn or stan or occurred is not None or kind in NEGATIVE):
            raise ListError("nothing_to_go_by")
        tid, mid = self._ours(of("terminal_id"), p.terminal_ids), of("merchant_id")
        mid = self._ours(mid, p.merchant_ids)
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
    names = [values.folded(values.cleaned(one)) for one in headings]
    asked = {values.folded(heading): role for role, heading in profile.columns.items()}
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        role = asked.get(name) or (_BY_HEADING.get(name) if name not in asked else None)
        if role is None or (role in profile.columns and name not in asked):
            continue
        found.setdefault(role, place)
    if _clock_only(found, names):
        found["time"] = found.pop("occurred")
    if len(found) < 2 or not {"amount", "net"} & found.keys():
        return None
    for role, heading in profile.columns.items():
        if role not in found:
            raise ListError("column_missing", told=heading)
    if not {"key", "rrn", "stan", "occurred", "date"} & found.keys():
        raise ListError("nothing_to_go_by_at_all")
    return Columns(profile, found, headings)


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


def footed(profile: Profile, fields: Iterable[str]) -> bool:
    """Whether a record is the last one, with the totals."""
    first = next(iter(fields), "")
    return bool(profile.footer) and values.cleaned(first).startswith(profile.footer)
