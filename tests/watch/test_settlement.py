"""What lists found is read like a component: counts, nothing where no list was ever read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agent.core.health.reading import NotFitted, Reading, Unknown
from agent.errors import StoreError
from agent.watch.settlement import SettlementWatcher


class Lists:
    """What is kept, or a store that cannot be read."""

    def __init__(self, counts: Mapping[str, int] | None, *, broken: bool = False) -> None:
        self._counts, self._broken = counts, broken

    async def any_read(self) -> bool:
        if self._broken:
            raise StoreError("store.unavailable", "the store is closed")
        return self._counts is not None

    async def open_counts(self) -> Mapping[str, int]:
        return self._counts or {}


def test_classes_are_added_up_by_what_they_mean() -> None:
    """What nobody must act on counts for nothing, and what is over counts zero."""
    counts = {"missing_there": 2, "failed_there": 1, "late": 9, "of_tomorrow": 4}
    outcome = asyncio.run(SettlementWatcher(Lists(counts)).read())
    assert isinstance(outcome, Reading)
    told = {name: value for name, value in outcome.values.items() if value}
    assert told == {"not_in_file": 3}
    quiet = asyncio.run(SettlementWatcher(Lists({})).read())
    assert isinstance(quiet, Reading)
    assert set(quiet.values) == set(outcome.values)
    assert not any(quiet.values.values())


def test_no_list_and_no_store() -> None:
    """Never read: not fitted. Not readable: unknown, which is neither fault nor health."""
    assert asyncio.run(SettlementWatcher(Lists(None)).read()) == NotFitted()
    outcome = asyncio.run(SettlementWatcher(Lists({}, broken=True)).read())
    assert outcome == Unknown(reason="the store is closed")


def test_a_list_that_should_be_fetched_and_is_not_makes_it_unknown() -> None:
    """With the sentence why; before anything was ever read, too. Else it is as before."""

    async def late() -> str:
        return "no settlement list of city for 5 days"

    async def none() -> str:
        return ""

    for kept in (None, {"late": 1}):
        told = asyncio.run(SettlementWatcher(Lists(kept), late).read())
        assert told == Unknown(reason="no settlement list of city for 5 days")
    assert asyncio.run(SettlementWatcher(Lists(None), none).read()) == NotFitted()
    assert isinstance(asyncio.run(SettlementWatcher(Lists({}), none).read()), Reading)
