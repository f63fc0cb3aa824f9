"""The component `fleet`: read from those who know, forged commands counted for an hour."""

from __future__ import annotations

import asyncio

from agent.core.health.reading import NotFitted, Reading
from agent.core.health.standard import STANDARD
from agent.watch.fleet import FleetWatcher
from tests.fakes import FakeClock


def values(watcher: FleetWatcher) -> dict[str, object]:
    outcome = asyncio.run(watcher.read())
    assert isinstance(outcome, Reading)
    return dict(outcome.values)


def open_codes(told: dict[str, object]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by("fleet") if sign.judge(told)}  # type: ignore[arg-type]


def test_without_a_broker_there_is_no_line() -> None:
    """Not fitted, whatever else is known; never an alarm."""
    watcher = FleetWatcher(FakeClock())
    watcher.forged("forged")
    assert asyncio.run(watcher.read()) == NotFitted()
    watcher.speaks(lambda: None)
    assert asyncio.run(watcher.read()) == NotFitted()


def test_what_everybody_says_is_one_reading() -> None:
    """The line's values, those of others, nothing that is not known."""
    watcher = FleetWatcher(FakeClock())
    watcher.speaks(lambda: {"connected": True, "duplicate_id": False, "reason": None})
    watcher.add(lambda: {"desired_version": 7, "desired_rejected": True})
    watcher.add(lambda: None)
    told = values(watcher)
    assert told == {
        "connected": True,
        "duplicate_id": False,
        "desired_version": 7,
        "desired_rejected": True,
        "forged_recent": 0,
    }
    assert open_codes(told) == {"fleet.desired_rejected"}


def test_a_forged_command_is_told_at_once_and_for_an_hour() -> None:
    """Read at once by a poke; over an hour after the last."""
    clock, pokes = FakeClock(), []
    watcher = FleetWatcher(clock)
    watcher.heed(lambda: pokes.append(1))
    watcher.speaks(lambda: {"connected": True})
    watcher.forged("unknown_key")
    clock.advance(1_800)
    watcher.forged("forged")
    assert len(pokes) == 2
    told = values(watcher)
    assert (told["forged_recent"], told["forged_word"]) == (2, "forged")
    assert open_codes(told) == {"fleet.forged_command"}
    clock.advance(3_000)
    assert values(watcher)["forged_recent"] == 1
    clock.advance(1_000)
    told = values(watcher)
    assert told["forged_recent"] == 0
    assert "forged_word" not in told
    assert open_codes(told) == set()


def test_a_flood_of_forged_commands_is_read_like_one() -> None:
    """The first at once, the others with the next look."""
    clock, pokes = FakeClock(), []
    watcher = FleetWatcher(clock)
    watcher.heed(lambda: pokes.append(1))
    watcher.speaks(lambda: {"connected": True})
    for _ in range(200):
        watcher.forged("flooded")
        clock.advance(0.02)
    assert len(pokes) == 1
    assert values(watcher)["forged_recent"] == 200
