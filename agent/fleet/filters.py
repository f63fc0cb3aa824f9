"""`--filter`: which terminals are meant. `count>10`, `alarm:printer.*`, `cause:host.down`.

Several words must all be true. A field that is not known fits nothing but `!=`: unknown is not
zero. Raises FilterError with the word that is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from agent.errors import OperatorError
from agent.fleet.view import Row, ready
from agent.record import dataclass

_COMPARED = re.compile(r"([a-z][a-z0-9_.]*)(!=|>=|<=|=|>|<)(.*)", re.DOTALL)
_NAMED = re.compile(r"(alarm|cause|site|version|model|state|severity|tenant|device|firmware):(.+)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
#: Names a person would use for what the contract spells out.
_ALSO = {"amount": "amount_minor", "terminal": "device", "version": "agent_version"}


class FilterError(OperatorError):
    """A filter that is none."""


@dataclass(frozen=True, slots=True)
class Filter:
    """All of it must be true."""

    tests: tuple[Callable[[Row], bool], ...] = ()
    fields: frozenset[str] = frozenset()  #: readings it looks at, for `Reader.keep`
    text: str = ""

    def __call__(self, row: Row) -> bool:
        return all(test(row) for test in self.tests)

    def chosen(self, rows: Iterable[Row]) -> list[Row]:
        """Those it fits."""
        return [row for row in rows if self(row)] if self.tests else list(rows)


def read(words: Iterable[str]) -> Filter:
    """The filter these words make; each may hold several, separated by spaces or commas."""
    tests: list[Callable[[Row], bool]] = []
    fields: set[str] = set()
    split = [part for word in words for part in re.split(r"[\s,]+", word) if part]
    for part in split:
        test, field = _one(part)
        tests.append(test)
        if field and not ready(field):
            fields.add(field)
    return Filter(tuple(tests), frozenset(fields), " ".join(split))


def _one(part: str) -> tuple[Callable[[Row], bool], str]:
    if named := _NAMED.fullmatch(part):
        what, pattern = named.groups()
        if what == "alarm":
            return lambda row: any(fnmatchcase(code, pattern) for code in row.alarms), ""
        name = _ALSO.get(what, what)
        return lambda row: fnmatchcase(str(row.value(name) or ""), pattern), ""
    if compared := _COMPARED.fullmatch(part):
        name, sign, wanted = compared.groups()
        name = _field(name)
        if sign in ("=", "!="):
            return _equal(name, wanted, unequal=sign == "!="), name
        return _ordered(name, sign, _number(wanted, part)), name
    if re.fullmatch(r"[A-Za-z0-9_*?\[\]-]+", part):
        pattern = part if set(part) & set("*?[") else f"*{part}*"
        return lambda row: fnmatchcase(row.one.device, pattern), ""
    raise FilterError("fleet.filter", f"{part!r} is no filter")


def _field(name: str) -> str:
    # amount.cny, held_amount.cny: as the contract writes it.
    name, _, currency = name.partition(".")
    if currency:
        return f"{name.removesuffix('_minor')}_minor_{currency.lower()}"
    return _ALSO.get(name, name)


def _equal(name: str, wanted: str, *, unequal: bool) -> Callable[[Row], bool]:
    def test(row: Row) -> bool:
        value = row.value(name)
        if isinstance(value, bool):
            told = "true" if value else "false"
        elif isinstance(value, float) and _is_number(wanted):
            return (value == float(wanted)) is not unequal
        else:
            told = "" if value is None else str(value)
        return fnmatchcase(told, wanted) is not unequal

    return test


def _ordered(name: str, sign: str, limit: float) -> Callable[[Row], bool]:
    def test(row: Row) -> bool:
        value = row.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        match sign:
            case ">":
                return value > limit
            case "<":
                return value < limit
            case ">=":
                return value >= limit
            case _:
                return value <= limit

    return test


def _number(text: str, part: str) -> float:
    """A number; `2h` and `15m` are seconds."""
    unit = _UNITS.get(text[-1:], 0)
    if unit and _is_number(text[:-1]):
        return float(text[:-1]) * unit
    if not _is_number(text):
        raise FilterError("fleet.filter", f"{part!r}: {text!r} is no number")
    return float(text)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,18}(\.\d{1,9})?", text, re.ASCII) is not None


# Sorting

#: Descending where more is worse; what is not known comes last.
SORTS = (
    "age",
    "count",
    "device",
    "state",
    "cause",
    "site",
    "version",
    "seen",
    "severity",
    "alarms",
)
_STATES = ("lost", "stale", "unknown", "sleep", "offline", "online")


def ordered(rows: Iterable[Row], by: str) -> list[Row]:
    """The rows by what is worst first; names in their order."""
    name, _, currency = by.partition(".")
    if currency:
        return sorted(rows, key=lambda row: (-row.sums().get(currency.upper(), 0), row.one.device))
    match name:
        case "age":
            return sorted(rows, key=lambda row: (*_worst(row), row.one.device))
        case "count" | "seen" | "alarms":
            return sorted(rows, key=lambda row: (_down(row.value(name)), row.one.device))
        case "state":
            return sorted(rows, key=lambda row: (_STATES.index(row.state), row.one.device))
        case "severity":
            return sorted(rows, key=lambda row: (_severity(row), row.one.device))
        case _:
            return sorted(rows, key=lambda row: (_up(row.value(name)), row.one.device))


def _worst(row: Row) -> tuple[float, float, int, int]:
    age_s = row.age_s
    # Money without a known age is worse than none, and behind money that is known to be old.
    return (-(age_s or 0), -(row.count or 0), _severity(row), _STATES.index(row.state))


def _severity(row: Row) -> int:
    order = ("critical", "major", "minor", "warning")
    if not row.alarms:
        return len(order) + 1
    return order.index(row.severity) if row.severity in order else len(order)


def _down(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return -float(value)
    return 1.0


def _up(value: object) -> tuple[bool, str]:
    return (value is None or value == "", str(value))


__all__ = ["SORTS", "Filter", "FilterError", "ordered", "read"]
