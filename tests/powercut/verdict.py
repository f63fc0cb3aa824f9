"""What became of the payments: what the app was told against journal and ledger. Pure.

*Lost*: acknowledged, and neither in the journal nor in the ledger's money. *Duplicated*: the money
moved more than once. The history it judges by was written outside of the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

FINAL = frozenset({"posted", "declined", "reversed", "voided", "lapsed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The comparison; every tuple is of keys, sorted."""

    acknowledged: int
    posted: int  #: effects in the ledger
    recovered: int  #: never acknowledged, yet posted: allowed, and counted
    not_in_journal: tuple[str, ...]  #: acknowledged, and the journal does not know it
    lost: tuple[str, ...]  #: acknowledged, and the money never moved
    duplicated: tuple[str, ...]
    strangers: tuple[str, ...]  #: posted, and nobody handed it over
    unfinished: tuple[str, ...]  #: acknowledged, and not final after draining
    believed: tuple[str, ...]  #: the journal says posted, the ledger has nothing
    amounts: tuple[str, ...]  #: posted with another amount

    @property
    def well(self) -> bool:
        return not any(self.bad().values())

    def bad(self) -> dict[str, tuple[str, ...]]:
        return {
            "not in the journal": self.not_in_journal,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "strangers": self.strangers,
            "unfinished": self.unfinished,
            "believed posted": self.believed,
            "wrong amount": self.amounts,
        }


def compared(
    *,
    tried: Mapping[str, int],
    acknowledged: AbstractSet[str],
    states: Mapping[str, str],
    ledger: Iterable[tuple[str, int]],
) -> Found:
    """`tried`: amounts by key; `states`: the journal's after draining; `ledger`: key and amount."""
    effects = list(ledger)
    times = Counter(key for key, _ in effects)
    return Found(
        acknowledged=len(acknowledged),
        posted=len(effects),
        recovered=len((times.keys() & tried.keys()) - acknowledged),
        not_in_journal=tuple(sorted(acknowledged - states.keys())),
        lost=tuple(sorted(acknowledged - times.keys())),
        duplicated=tuple(sorted(key for key, count in times.items() if count > 1)),
        strangers=tuple(sorted(times.keys() - tried.keys())),
        unfinished=tuple(sorted(k for k in acknowledged & states.keys() if states[k] not in FINAL)),
        believed=tuple(
            sorted(k for k, state in states.items() if state == "posted" and k not in times)
        ),
        amounts=tuple(
            sorted({key for key, amount in effects if key in tried and tried[key] != amount})
        ),
    )
