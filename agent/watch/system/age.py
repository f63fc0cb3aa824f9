"""Counters of this terminal against its maker's limits, taken from what all components tell.

A limit is the maker's word, given in the configuration; without one nothing ages. Counters are
added up over the exchange of the part that counts (`core.terminal.lifetime`); the one nearest to
its limit is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from agent.config.system import Aging
from agent.core.health.reading import Outcome, Reading, Value
from agent.core.terminal.lifetime import Counter

OWN = "system"
DAY_MS = 86_400_000


class Said(Protocol):
    """The last word of one component (`agent.core.health.tracker.ComponentState`)."""

    @property
    def component(self) -> str: ...
    @property
    def outcome(self) -> Outcome: ...


Others = Callable[[], Sequence[Said]]


def nobody() -> Sequence[Said]:
    """Where a component is looked at alone."""
    return ()


def told(
    limits: Iterable[Aging], others: Iterable[Said], own: Mapping[str, Value]
) -> dict[str, float]:
    """What the sources of the limits say now, by source."""
    known: dict[str, Mapping[str, Value]] = {
        one.component: one.outcome.values for one in others if isinstance(one.outcome, Reading)
    }
    known[OWN] = own
    found: dict[str, float] = {}
    for limit in limits:
        component, _, name = limit.source.partition(".")
        value = known.get(component, {}).get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            found[limit.source] = float(value)
    return found


def nearest(
    limits: Iterable[Aging], now: Mapping[str, float], kept: Mapping[str, Counter]
) -> dict[str, Value]:
    """The measure that is nearest to its limit, as values of the reading; none: nothing told."""
    best: dict[str, Value] = {}
    best_share = -1.0
    for limit in limits:
        value = _value(limit, now, kept)
        if value is None:
            continue
        share = 100 * value * limit.scale / limit.limit
        if share > best_share:
            best_share = share
            best = {
                "aging_percent": min(int(share), 1_000_000),
                "measure": limit.measure,
                "value": _short(value * limit.scale),
                "limit": _short(limit.limit),
            }
    return best


def _value(limit: Aging, now: Mapping[str, float], kept: Mapping[str, Counter]) -> float | None:
    told_now = now.get(limit.source)
    if limit.kind == "level" or limit.source.startswith(f"{OWN}."):
        return told_now  # the system's own are added up already
    counter = kept.get(limit.source)
    if counter is None:
        return told_now
    return counter.total if told_now is None else counter.moved(told_now).total


def _short(value: float) -> int | float:
    return int(value) if value >= 100 or value == int(value) else round(value, 1)
