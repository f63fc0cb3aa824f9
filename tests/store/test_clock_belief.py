"""A wall clock that ran years ahead, and what a terminal believes afterwards."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from wsgiref.handlers import format_date_time

import pytest

from agent.clock import SystemClock
from agent.config.system import Clock as Config
from agent.core.terminal.witness import State
from agent.store import Store
from agent.store.notes import Notes
from agent.store.part import StorePart
from agent.watch.clock.hearing import Hearing
from tests.core.money.payments import submission

TRUTH_MS = 1_795_000_000_000
YEAR_S = 365 * 86_400


class Hands:
    """A machine's clocks under the test's thumb."""

    def __init__(self) -> None:
        self.off_s = 0.0
        self.up_s = 1_000.0

    def __call__(self) -> tuple[int, int, int]:
        wall_ns = (TRUTH_MS + round((self.up_s - 1_000 + self.off_s) * 1000)) * 1_000_000
        return wall_ns, round(self.up_s * 1e9), round(self.up_s * 1e9)

    def date(self) -> str:
        """What an honest host writes into its header now."""
        return format_date_time(TRUTH_MS / 1000 + self.up_s - 1_000)


def started(
    directory: Path,
    hands: Hands,
    work: Callable[[Store, SystemClock], Awaitable[None]],
    made: Callable[..., SystemClock] = SystemClock,
) -> bool:
    """One run of the store; whether the clock was believed right after the start."""
    clock = made(tell=hands)

    async def run() -> bool:
        store = Store(directory, clock)
        await store.start()
        believed = clock.now().trusted
        try:
            await work(store, clock)
        finally:
            assert store.stop()
        return believed

    return asyncio.run(run())


async def nothing(_store: Store, _clock: SystemClock) -> None:
    """Only started and stopped."""


async def a_payment(store: Store, _clock: SystemClock) -> None:
    await store.append(submission("k-1"))


def witnessed(hands: Hands) -> Callable[[Store, SystemClock], Awaitable[None]]:
    """A host names the true time, twice."""

    async def work(store: Store, clock: SystemClock) -> None:
        hearing = Hearing(Config(), clock, clock, StorePart(store).clock_proved)
        for _ in range(2):
            hearing.dated("bank", hands.date(), 0.0)
            hands.up_s += 1.5
        hearing.verdict()
        await hearing.settle()

    return work


def test_the_right_time_is_believed_again_once_witnesses_name_it(tmp_path: Path) -> None:
    """A terminal that lived through 2036 by its clock does not doubt 2026 for ten years."""
    hands = Hands()
    hands.off_s = 10 * YEAR_S
    assert started(tmp_path, hands, a_payment)  # nothing speaks against it yet
    hands.off_s = 0
    assert not started(tmp_path, hands, nothing), "control: nobody has proved which time is right"
    assert not started(tmp_path, hands, witnessed(hands))
    assert started(tmp_path, hands, nothing), "it was proved, and that outlives the restart"


def test_a_clock_set_back_after_that_is_doubted_as_ever(tmp_path: Path) -> None:
    """Forgetting the wrong future does not make the past believable."""
    hands = Hands()
    hands.off_s = 10 * YEAR_S
    started(tmp_path, hands, a_payment)
    hands.off_s = 0
    started(tmp_path, hands, witnessed(hands))
    hands.off_s = -3_600
    assert not started(tmp_path, hands, nothing)


def test_times_stamped_while_the_clock_was_proved_wrong_are_not_believed(tmp_path: Path) -> None:
    """Found out while it ran ahead and set right in the same run: no doubt at the next start."""
    hands = Hands()
    hands.off_s = 10 * YEAR_S

    async def found_out(store: Store, clock: SystemClock) -> None:
        await a_payment(store, clock)
        hearing = Hearing(Config(), clock, clock, StorePart(store).clock_proved)
        for _ in range(2):
            hearing.dated("bank", hands.date(), 0.0)
            hands.up_s += 1.5
        hearing.verdict()
        assert not clock.now().trusted
        hands.off_s = 0
        assert clock.now().trusted
        hearing.verdict()
        await hearing.settle()

    started(tmp_path, hands, found_out)
    assert started(tmp_path, hands, nothing)


def test_what_is_stamped_after_the_proof_counts_as_seen_again(tmp_path: Path) -> None:
    """Ten years that had not come once must not hide what was lived through since (power cut)."""
    hands = Hands()
    hands.off_s = 10 * YEAR_S
    started(tmp_path, hands, a_payment)
    hands.off_s = 0
    started(tmp_path, hands, witnessed(hands))
    hands.up_s += 30 * 86_400

    async def cut_off(store: Store, clock: SystemClock) -> None:
        await store.append(submission("k-2"))
        shutil.copytree(tmp_path, tmp_path.with_name("cut"))

    rebooted = partial(SystemClock, boot_id_file=tmp_path / "no")  # another boot each time
    assert started(tmp_path, hands, cut_off, rebooted)
    hands.off_s = -20 * 86_400
    assert not started(tmp_path.with_name("cut"), hands, nothing)


@pytest.mark.parametrize("flipped", ["'9' || value", "replace(value, ' ', 'x')", "''", "'17'"])
def test_a_flipped_note_of_what_had_not_come_makes_nobody_believe_more(
    tmp_path: Path, flipped: str
) -> None:
    """It is sealed: altered it counts as absent, and the journal is opened all the same."""
    hands = Hands()
    hands.off_s = 10 * YEAR_S
    started(tmp_path, hands, a_payment)
    hands.off_s = 0
    started(tmp_path, hands, witnessed(hands))
    db = sqlite3.connect(tmp_path / "journal.db")
    with db:
        sql = f"UPDATE meta SET value = {flipped} WHERE name = 'not_yet_ms'"
        assert db.execute(sql).rowcount == 1
    db.close()

    async def still_there(store: Store, _clock: SystemClock) -> None:
        assert await store.record("k-1") is not None

    assert not started(tmp_path, hands, still_there)


def test_a_witness_without_a_year_makes_nothing_that_was_seen_a_future(tmp_path: Path) -> None:
    """A host's day and month fit a year ago as well: the clock that fell back stays doubted."""
    hands = Hands()

    async def day_and_month(store: Store, clock: SystemClock) -> None:
        hearing = Hearing(Config(zone_minutes=0), clock, clock, StorePart(store).clock_proved)
        for _ in range(2):
            there = datetime.fromtimestamp(TRUTH_MS / 1000 + hands.up_s - 1_000, UTC)
            hearing.fielded("bank", f"{there:%m%d}", f"{there:%H%M%S}", 0.0)
            hands.up_s += 1.5
        assert hearing.verdict().state is State.WRONG, "control: it is a witness"
        await hearing.settle()
        assert not clock.now().trusted
        hands.up_s += 2 * 86_400  # nobody speaks any more: what was seen must stand
        hearing.verdict()
        assert not clock.now().trusted

    hands.up_s += 2 * YEAR_S  # so that only what was seen speaks against the clock
    assert started(tmp_path, hands, a_payment)
    hands.off_s = -0.6 * YEAR_S
    assert not started(tmp_path, hands, day_and_month)
    assert not started(tmp_path, hands, nothing)


def test_notes_outlive_the_process_and_bad_ones_are_none(tmp_path: Path) -> None:
    """An object under a name; garbage on flash reads as nothing kept."""
    hands = Hands()

    async def keep(store: Store, _clock: SystemClock) -> None:
        assert await Notes(store).load("system") == {}
        await Notes(store).save("system", {"boots": 3})
        await store.state(
            lambda db: db.execute("INSERT INTO meta VALUES ('note.bad', 'x'), ('note.list', '[1]')")
        )

    async def read(store: Store, _clock: SystemClock) -> None:
        assert await Notes(store).load("system") == {"boots": 3}
        assert await Notes(store).load("bad") == await Notes(store).load("list") == {}

    started(tmp_path, hands, keep)
    started(tmp_path, hands, read)
