"""Holds what the terminal believes against what the host did: the figures of every rig.

It knows neither uplinks nor proxies. An effect is money moved once; it is compared by key, by
amount and by what the journal says became of the payment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One movement of money at the host."""

    key: str
    amount_minor: int
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the terminal's journal says of a payment it has acknowledged."""

    key: str
    amount_minor: int
    state: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The comparison."""

    acknowledged: int
    effects: int
    duplicates: tuple[str, ...]  #: posted more than once
    lost: tuple[str, ...]  #: acknowledged to the payment app, never posted
    strangers: tuple[str, ...]  #: posted, and nobody handed them over
    amounts: tuple[str, ...]  #: posted with another amount
    believed: tuple[str, ...]  #: the journal says posted, the host has nothing
    denied: tuple[str, ...]  #: the host has it, the journal ended otherwise
    unfinished: tuple[str, ...]  #: not final in the journal
    references: tuple[str, ...]  #: the journal's proof is not the host's
    taken_back: int = 0  #: requests in doubt, reversed as money rule 5 asks
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        return not any(
            (
                self.duplicates, self.lost, self.strangers, self.amounts, self.believed,
                self.denied, self.unfinished, self.references,
            )
        )  # fmt: skip

    def line(self) -> str:
        """The figures in one line."""
        named = {
            "duplicate effects": self.duplicates, "lost": self.lost, "strangers": self.strangers,
            "wrong amounts": self.amounts, "believed without effect": self.believed,
            "denied with effect": self.denied, "unfinished": self.unfinished,
            "wrong references": self.references,
        }  # fmt: skip
        told = [f"{len(self.duplicates)} duplicate effects", f"{len(self.lost)} lost"]
        told += [f"{len(k)} {n}" for n, k in named.items() if k and n not in " ".join(told)]
        back = f", {self.taken_back} taken back" if self.taken_back else ""
        effects = f"{self.effects:,} effects{back}"
        return f"{self.acknowledged:,} posts, {effects}: {', '.join(told)}"

    def examples(self, most: int = 5) -> list[str]:
        return [
            f"{name}: {', '.join(keys[:most])}"
            for name in (
                "duplicates", "lost", "strangers", "amounts", "believed", "denied", "unfinished",
                "references",
            )
            if (keys := getattr(self, name))
        ]  # fmt: skip


FINAL = frozenset({"posted", "declined", "reversed", "voided", "lapsed"})


def compared(
    claims: Iterable[Claim], effects: Iterable[Effect], unproved: frozenset[str] = frozenset()
) -> Found:
    """`unproved`: keys whose answer was altered on a line in clear; its reference may be wrong."""
    by_key = {claim.key: claim for claim in claims}
    every = list(effects)
    times = Counter(effect.key for effect in every)
    first: dict[str, Effect] = {}
    for effect in every:
        first.setdefault(effect.key, effect)
    taken_back = {claim.key for claim in by_key.values() if claim.state == "reversed"}
    posted = {claim.key for claim in by_key.values() if claim.state == "posted"}
    return Found(
        acknowledged=len(by_key),
        effects=len(every),
        duplicates=tuple(sorted(key for key, count in times.items() if count > 1)),
        lost=tuple(sorted(by_key.keys() - times.keys() - taken_back)),
        strangers=tuple(sorted(times.keys() - by_key.keys())),
        amounts=tuple(
            sorted(
                {
                    effect.key
                    for effect in every
                    if effect.key in by_key
                    and by_key[effect.key].amount_minor != effect.amount_minor
                }
            )
        ),
        believed=tuple(sorted(posted - times.keys())),
        denied=tuple(
            sorted(
                key
                for key in times.keys() & by_key.keys()
                if by_key[key].state in FINAL - {"posted"}
            )
        ),
        unfinished=tuple(sorted(k for k, claim in by_key.items() if claim.state not in FINAL)),
        references=tuple(
            sorted(
                key
                for key in posted & times.keys()
                if by_key[key].reference != first[key].reference and key not in unproved
            )
        ),
        taken_back=len(taken_back),
        states=dict(Counter(claim.state for claim in by_key.values())),
    )
