"""Terminals put together by what they have in common, and their money added per currency.

Amounts of two currencies are never added. Called by the command line with the rows it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field

from agent.fleet.view import SILENT, Row
from agent.record import dataclass

#: What can be grouped by; every one gives the names of the groups a row belongs to.
BY: dict[str, Callable[[Row], Iterable[str]]] = {
    "cause": lambda row: (row.cause,) if row.cause else (),
    "alarm": lambda row: row.alarms,
    "version": lambda row: (str(row.value("agent_version") or ""),),
    "firmware": lambda row: (str(row.value("firmware") or ""),),
    "site": lambda row: (str(row.value("site") or ""),),
    "model": lambda row: (str(row.value("model") or ""),),
    "state": lambda row: (row.state,),
    "tenant": lambda row: (row.one.tenant,),
}


@dataclass(slots=True)
class Sums:
    """Money of some terminals."""

    terminals: int = 0
    silent: int = 0  #: of them do not talk to us now
    payments: int = 0
    held: int = 0
    in_doubt: int = 0
    oldest_age_s: int | None = None
    by_currency: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """One terminal more."""
        self.terminals += 1
        self.silent += row.state in SILENT
        backlog = row.one.backlog
        if backlog is None or not (backlog.payments or backlog.fields.get("quarantined_count")):
            return
        self.payments += backlog.payments
        self.held += _whole(backlog.fields.get("held_count"))
        self.in_doubt += _whole(backlog.fields.get("in_doubt_count"))
        age_s = row.age_s
        if age_s is not None and (self.oldest_age_s is None or age_s > self.oldest_age_s):
            self.oldest_age_s = age_s
        for currency, amount in row.sums().items():
            self.by_currency[currency] = self.by_currency.get(currency, 0) + amount

    def plain(self) -> dict[str, object]:
        """For programs."""
        told: dict[str, object] = {
            "terminals": self.terminals,
            "silent": self.silent,
            "count": self.payments,
            "held_count": self.held,
            "in_doubt_count": self.in_doubt,
        }
        if self.oldest_age_s is not None:
            told["oldest_age_s"] = self.oldest_age_s
        return told | {
            f"amount_minor_{currency.lower()}": amount
            for currency, amount in sorted(self.by_currency.items())
        }


def grouped(rows: Iterable[Row], by: str) -> dict[str, Sums]:
    """The groups, the largest first."""
    found: dict[str, Sums] = {}
    for row in rows:
        for name in BY[by](row):
            found.setdefault(name, Sums()).add(row)
    return dict(sorted(found.items(), key=lambda each: (-each[1].terminals, each[0])))


@dataclass(slots=True)
class Totals:
    """The whole fleet in numbers."""

    sums: Sums = field(default_factory=Sums)
    states: Counter[str] = field(default_factory=Counter)
    stuck: int = 0  #: terminals with unsent money
    told: int = 0  #: terminals that have said how much; of the others nothing is known
    alarmed: int = 0


def totals(rows: Iterable[Row]) -> Totals:
    """Of all these."""
    found = Totals()
    for row in rows:
        found.sums.add(row)
        found.states[row.state] += 1
        found.told += row.count is not None
        found.stuck += bool(row.count)
        found.alarmed += bool(row.alarms)
    return found


def members(rows: Iterable[Row], by: str, name: str) -> Iterator[Row]:
    """The terminals of one group."""
    return (row for row in rows if name in BY[by](row))


def _whole(value: object) -> int:
    return value if type(value) is int else 0
