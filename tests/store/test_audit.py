"""The trail on disk: whole after everything the store itself does, and not after anything else."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.core.audit import Deed
from agent.store.audit import CHECKED_AT_ONCE, Checked, Trail, add
from agent.store.journal import Journal
from tests.fakes import FakeClock
from tests.store.stores import opened

DAY_S = 86_400


def deed(number: int = 0) -> Deed:
    return Deed(actor="uid:0", op="queue_hold", target=f"k-{number}")


def written(tmp_path: Path, count: int = 6) -> None:
    async def inside() -> None:
        async with opened(tmp_path) as store:
            trail = Trail(store, FakeClock(), 365)
            for number in range(count):
                await trail.write(deed(number))

    asyncio.run(inside())


def checked(tmp_path: Path, *, also: int = 0) -> Checked:
    async def inside() -> Checked:
        async with opened(tmp_path) as store:
            trail = Trail(store, FakeClock(), 365)
            for number in range(also):
                await trail.write(deed(100 + number))
            return await trail.check()

    return asyncio.run(inside())


def faults(found: Checked) -> list[tuple[str, int, int]]:
    return [(one.what, one.n, one.until) for one in found.faults]


def test_a_trail_is_whole_over_restarts(tmp_path: Path) -> None:
    """Also one nothing was ever written to."""
    assert checked(tmp_path) == Checked(lines=0, first=0, last=0, faults=())
    written(tmp_path)
    written(tmp_path)
    assert checked(tmp_path) == Checked(lines=12, first=1, last=12, faults=())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE audit SET actor = 'uid:9' WHERE n = 3", [("altered", 3, 0)]),
        ("UPDATE audit SET before = x'00' WHERE n = 3", [("altered", 3, 0)]),
        ("UPDATE audit SET count = 'x' WHERE n = 6", [("altered", 6, 0)]),
        ("DELETE FROM audit WHERE n = 3", [("missing", 3, 3)]),
        ("DELETE FROM audit WHERE n <= 2", [("missing", 1, 2)]),
        ("DELETE FROM audit WHERE n >= 5", [("cut", 5, 6)]),
        ("DELETE FROM audit", [("cut", 1, 6)]),
        ("DELETE FROM audit_end WHERE name = 'head'", [("seal", 1, 0)]),
        ("UPDATE audit_end SET n = 4 WHERE name = 'head'", [("seal", 1, 0)]),
        ("UPDATE audit_end SET mac = 'x' WHERE name = 'start'", [("seal", 0, 0)]),
    ],
)
def test_what_somebody_changed_is_named(
    tmp_path: Path, change: str, named: list[tuple[str, int, int]]
) -> None:
    """And writing on does not make it good again."""
    written(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as db:
        db.execute(change)
        db.commit()
    assert faults(checked(tmp_path)) == named
    after = faults(checked(tmp_path, also=3))
    assert after
    if named[0][0] in ("altered", "missing"):
        assert after == named
    if named[0][0] == "cut":
        assert after == [("missing", *named[0][1:])]
    if named == [("seal", 1, 0)]:
        assert after == [("missing", 7, 7)]


def test_old_lines_are_forgotten_and_the_rest_still_proves_itself(tmp_path: Path) -> None:
    """By age, a few with each line that is written; not while the clock is not believed."""
    clock = FakeClock()

    async def inside() -> tuple[Checked, Checked]:
        async with opened(tmp_path, clock) as store:
            trail = Trail(store, clock, 30)
            for number in range(8):
                await trail.write(deed(number))
            clock.advance(31 * DAY_S)
            clock.trusted = False
            await trail.write(deed(8))
            kept = await trail.check()
            clock.trusted = True
            await trail.write(deed(9))
            return kept, await trail.check()

    kept, after = asyncio.run(inside())
    assert (kept.lines, kept.faults) == (9, ())
    assert (after.lines, after.first, after.last, after.faults) == (2, 9, 10, ())


def test_pages_begin_with_the_newest(tmp_path: Path) -> None:
    """By time and by number."""
    clock = FakeClock()

    async def inside() -> list[list[int]]:
        async with opened(tmp_path, clock) as store:
            trail = Trail(store, clock, 365)
            for number in range(5):
                await trail.write(deed(number))
                clock.advance(1)
            half = clock.wall_ms - 2_000
            found = [
                await trail.page(0, 99, 2),
                await trail.page(0, 4, 9),
                await trail.page(half, 99, 9),
            ]
            return [[line.n for line in lines] for lines in found]

    assert asyncio.run(inside()) == [[5, 4], [3, 2, 1], [5, 4]]


def test_a_store_that_refuses_does_not_undo_what_was_done(tmp_path: Path) -> None:
    """The line is missed in the log, and whoever acted goes on."""

    class Refusing:
        async def journal(self, work: Callable[..., object]) -> object:
            from agent.errors import StoreError

            raise StoreError("store.full", "no space left")

    asyncio.run(Trail(Refusing(), FakeClock(), 365).write(deed()))  # type: ignore[arg-type]


def test_a_look_at_the_whole_trail_lets_others_write_in_between(tmp_path: Path) -> None:
    """Whoever may read can ask for it without end, and no payment waits for it."""
    many = 2 * CHECKED_AT_ONCE + 10

    async def inside() -> None:
        async with opened(tmp_path) as store:
            trail = Trail(store, FakeClock(), 365)

            def filled(journal: Journal) -> None:
                for number in range(many):
                    add(journal, deed(number), 1, 0)

            await store.journal(filled)
            looks: list[int] = []

            class Busy:
                async def journal(self, work: Callable[[Journal], Any]) -> Any:
                    await trail.write(deed(9_000))
                    done = await store.journal(work)
                    looks.append(len(done if isinstance(done, list) else done[1]))
                    return done

            found = await Trail(Busy(), FakeClock(), 365).check()
            assert (found.faults, found.first, found.lines) == ((), 21, many - 19), (
                "forgotten meanwhile"
            )
            assert looks == [CHECKED_AT_ONCE, CHECKED_AT_ONCE - 9]

    asyncio.run(inside())


@pytest.mark.parametrize("at", [CHECKED_AT_ONCE, CHECKED_AT_ONCE + 1])
@pytest.mark.parametrize("what", ["altered", "missing"])
def test_what_is_wrong_where_two_looks_meet_is_named(tmp_path: Path, at: int, what: str) -> None:
    """The last line of one and the first of the next prove each other as any two do."""
    written(tmp_path, CHECKED_AT_ONCE + 20)
    (file,) = tmp_path.rglob("journal.db")
    with closing(sqlite3.connect(file)) as db, db:
        if what == "altered":
            db.execute("UPDATE audit SET actor = 'x' WHERE n = ?", (at,))
        else:
            db.execute("DELETE FROM audit WHERE n = ?", (at,))
    assert faults(checked(tmp_path)) == [(what, at, at if what == "missing" else 0)]
