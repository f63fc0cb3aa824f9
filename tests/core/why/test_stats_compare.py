"""What is called a difference: planted ones are found, chance hardly ever, too little never."""

from __future__ import annotations

import random

import pytest

from agent.core.why.stats_compare import Days, Verdict, chance, share, verdicts

ALL_DAYS = 28


def drawn(
    seed: int, rates: dict[str, float], per_day: int = 60, bad_days: float = 0.0
) -> tuple[dict[str, Days], Days]:
    """Payments of some weeks, each in one group; `bad_days`: an outage makes half of a day late."""
    chances, names = random.Random(seed), sorted(rates)
    groups: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in names}
    everything: dict[int, tuple[int, int]] = {}
    for day in range(ALL_DAYS):
        outage = 0.5 if chances.random() < bad_days else 0.0
        for _ in range(per_day):
            name = chances.choice(names)
            late = chances.random() < max(rates[name], outage)
            for days in (groups[name], everything):
                n, bad = days.get(day, (0, 0))
                days[day] = (n + 1, bad + late)
    return dict(groups), everything


def found(groups: dict[str, Days], everything: Days) -> dict[str, Verdict]:
    names = sorted(groups)
    chances = [chance(groups[name], everything) for name in names]
    rate = {name: sum(b for _, b in groups[name].values()) for name in names}
    of = {name: sum(n for n, _ in groups[name].values()) for name in names}
    overall = sum(rate.values()) / sum(of.values())
    told = verdicts(chances, [rate[name] / of[name] > overall for name in names])
    return {name: verdict for name, (verdict, _) in zip(names, told, strict=True)}


@pytest.mark.parametrize("bad_days", [0.0, 0.2])
def test_chance_is_hardly_ever_called_a_difference(bad_days: float) -> None:
    """Of 200 terminals without any effect at most 1 in 12 names one, with outages, too: the level
    is 1 in 20 for all comparisons of a terminal together."""
    rates = dict.fromkeys("abcdefgh", 0.05)
    wrong = 0
    for seed in range(200):
        told = found(*drawn(seed, rates, per_day=40, bad_days=bad_days))
        wrong += any(verdict in (Verdict.MORE, Verdict.LESS) for verdict in told.values())
    assert wrong <= 16


def test_weekdays_with_one_bad_day_are_chance() -> None:
    """Whole days are late together: a weekday with one outage is not called late."""
    wrong = 0
    for seed in range(200):
        _, everything = drawn(seed, {"a": 0.02}, per_day=40, bad_days=0.15)
        weekdays: dict[str, Days] = {
            str(one): {day: told for day, told in everything.items() if day % 7 == one}
            for one in range(7)
        }
        told = found(weekdays, everything)
        wrong += any(verdict in (Verdict.MORE, Verdict.LESS) for verdict in told.values())
    assert wrong <= 16


def test_a_planted_effect_is_found() -> None:
    """One group late four times as often is found, and the others are not accused."""
    rates = {"a": 0.05, "b": 0.05, "c": 0.05, "d": 0.20}
    hits = sum(found(*drawn(seed, rates))["d"] is Verdict.MORE for seed in range(20))
    assert hits >= 19


def test_on_time_is_found_as_well() -> None:
    """A group that is hardly ever late among late ones."""
    told = found(*drawn(1, {"a": 0.3, "b": 0.3, "c": 0.02}))
    assert told["c"] is Verdict.LESS


def test_too_little_is_no_answer() -> None:
    """Few payments, few days, few late ones, nobody to compare with: nothing is said."""
    many = dict.fromkeys(range(10), (20, 2))
    assert chance({0: (5, 5)}, many) is None
    assert chance(dict.fromkeys(range(2), (15, 2)), many) is None
    assert chance(dict.fromkeys(range(10), (10, 0)), dict.fromkeys(range(10), (20, 0))) is None
    assert chance(many, many) is None
    assert verdicts([None], [True]) == [(Verdict.TOO_FEW, 1.0)]


def test_where_everything_is_late_nothing_differs() -> None:
    """No spread at all is no difference."""
    everything = dict.fromkeys(range(10), (20, 20))
    assert chance(dict.fromkeys(range(10), (10, 10)), everything) == 1.0


def test_each_comparison_makes_all_of_them_count_less() -> None:
    """Holm: the smallest counts as often as there are comparisons; an order once lost stays."""
    told = verdicts([0.04, 0.01, None, 0.03], [True, True, True, False])
    assert [verdict for verdict, _ in told] == [
        Verdict.SAME, Verdict.MORE, Verdict.TOO_FEW, Verdict.SAME,
    ]  # fmt: skip
    assert [round(p, 3) for _, p in told] == [0.06, 0.03, 1.0, 0.06]


def test_a_share_has_its_interval() -> None:
    """Wilson's: known values, the ends exactly, and none of none."""
    ten = share(1, 10)
    assert (ten.rate, round(ten.low or 0, 3), round(ten.high or 0, 3)) == (0.1, 0.018, 0.404)
    assert share(0, 10).low == 0.0
    assert share(10, 10).high == 1.0
    nothing = share(0, 0)
    assert (nothing.rate, nothing.low, nothing.high) == (None, None, None)
