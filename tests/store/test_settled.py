"""What settlement lists said is kept: a later list supersedes, nothing half-read is believed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agent.core.why.reconcile.parts import Part, packed
from agent.store.settled import SettledRows
from agent.store.spool import Spool
from tests.store.stores import opened


def row(result: str, seq: int = 0, mark: int = 0, line: int = 2, key: str = "") -> list[Any]:
    return [
        result, line, seq, key, "rrn", 1250, 1250, None, "CNY", 739_938, 739_938, 1, f"r{seq}", "7",
        "17", "T1", "", mark,
    ]  # fmt: skip


async def kept(rows: SettledRows, found: list[list[Any]], state: str = "done") -> int:
    number = await rows.begin("bank", "nov.csv", f"digest-{len(found)}-{state}", "cli", 1)
    await rows.add(number, 0, found)
    await rows.end(number, state, 1_000, {"lines": len(found)})
    return number


def test_a_later_list_supersedes_line_by_line(tmp_path: Path) -> None:
    """What it says of a payment or a line counts; what it does not mention stays; history too."""

    async def run() -> None:
        async with opened(tmp_path) as store:
            rows = SettledRows(store)
            assert not await rows.any_read()
            first = await kept(
                rows, [row("missing_there", 1), row("missing_there", 2), row("missing_here", 0, 9)]
            )
            assert await rows.open_counts() == {"missing_there": 2, "missing_here": 1}
            second = await kept(rows, [row("matched", 1), row("missing_here", 0, 9)])
            assert await rows.open_counts() == {"missing_there": 1, "missing_here": 1}
            old = await rows.findings(first, None, -1, 100)
            assert [one.superseded for one in old] == [second, 0, second]
            now = await rows.of_payment(1)
            assert now is not None
            assert (now.number, now.result) == (second, "matched")
            assert await rows.earlier(1, 5) == {1: (second, 739_938, "r1")}
            one = await rows.an_open("missing_there")
            assert one is not None
            assert one.seq == 2
            assert await rows.an_open("duplicate") is None
            assert await rows.any_read()

    asyncio.run(run())


def test_a_refused_list_leaves_nothing_but_that(tmp_path: Path) -> None:
    """Also one that was running when the agent ended."""

    async def run() -> None:
        async with opened(tmp_path) as store:
            rows = SettledRows(store)
            number = await kept(
                rows, [row("missing_there", seq) for seq in range(1, 450)], "refused"
            )
            assert await rows.findings(number, (), -1, 500) == []
            running = await rows.begin("bank", "dec.csv", "d", "cli", 1)
            await rows.add(running, 0, [row("missing_there", 1)])
            await rows.broken_off(2_000)
            assert await rows.open_counts() == {}
            last = await rows.one(None)
            assert last is not None
            assert (last.number, last.state) == (running, "refused")
            assert last.body["problem"]["why"] == "broken_off"
            assert await rows.same("d") == 0

    asyncio.run(run())


def test_lists_are_found_paged_and_forgotten(tmp_path: Path) -> None:
    """By their digest, by class, by pages; until they are too old."""

    async def run() -> None:
        async with opened(tmp_path) as store:
            rows = SettledRows(store)
            found = [row("matched", seq) for seq in range(1, 131)]
            found.append(row("duplicate", 0, 5, key="k-1"))
            number = await kept(rows, found)
            assert await rows.same("digest-131-done") == number
            everything = await rows.findings(number, (), -1, 100)
            more = await rows.findings(number, (), everything[-1].n, 100)
            assert len(everything) + len(more) == 131
            assert [one.result for one in await rows.findings(number, None, -1, 9)] == ["duplicate"]
            assert len(await rows.findings(number, ["matched"], -1, 500)) == 130
            assert [one.line for one in await rows.more_of("k-1")] == [2]
            assert [one.number for one in await rows.lists(5)] == [number]
            assert await rows.of_payment(999) is None
            await rows.prune(1_001)
            assert await rows.one(number) is None
            assert await rows.of_payment(1) is None

    asyncio.run(run())


def test_a_spool_holds_one_list_and_leaves_nothing(tmp_path: Path) -> None:
    """In pieces in, in pieces out, readable by nobody else."""
    spool = Spool(tmp_path / "list.part")
    spool.begin()
    spool.add(b"abc")
    spool.add(b"def")
    assert list(spool.pieces(4)) == [b"abcd", b"ef"]
    assert (tmp_path / "list.part").stat().st_mode & 0o777 == 0o600
    spool.begin()
    assert list(spool.pieces(4)) == []
    spool.drop()
    spool.drop()
    assert not list(tmp_path.iterdir())


def part_of(seqs: list[int], day: int = 739_938) -> Part:
    rows = [[*row("matched", seq)[:9], day, *row("matched", seq)[10:]] for seq in seqs]
    return Part(seqs[0], seqs[-1], len(seqs), packed(rows))


async def settled(rows: SettledRows, *parts: Part, found: list[list[Any]] | None = None) -> int:
    number = await rows.begin("bank", "nov.csv", f"{parts}", "cli", 1)
    await rows.add(number, 0, found or [])
    first = len(found or [])
    for part in parts:
        await rows.add_part(number, first, part)
        first += part.size
    await rows.end(number, "done", 1_000, {})
    return number


def test_payments_that_are_settled_lie_in_parts(tmp_path: Path) -> None:
    """One is found by its number; pages go on from findings into parts; then they are forgotten."""

    async def run() -> None:
        async with opened(tmp_path) as store:
            rows = SettledRows(store)
            lacking = row("missing_there", 5)
            number = await settled(
                rows, part_of([1, 2, 4]), part_of([6, 9, 11, 12]), found=[lacking]
            )
            nine = await rows.of_payment(9)
            assert nine is not None
            assert (nine.number, nine.n, nine.seq, nine.rrn) == (number, 5, 9, "r9")
            assert await rows.of_payment(3) is None
            assert await rows.earlier(2, 6) == {
                seq: (number, 739_938, f"r{seq}") for seq in (2, 4, 6)
            }
            told: list[tuple[int, int]] = []
            while page := await rows.findings(number, (), told[-1][0] if told else -1, 3):
                told += [(one.n, one.seq) for one in page]
            assert told == list(enumerate([5, 1, 2, 4, 6, 9, 11, 12]))
            matched = await rows.findings(number, ["matched"], 5, 500)
            assert [one.seq for one in matched] == [11, 12]
            assert [one.seq for one in await rows.findings(number, None, -1, 9)] == [5]
            await rows.prune(1_001)
            assert await rows.of_payment(9) is None
            assert await rows.earlier(1, 99) == {}

    asyncio.run(run())


def test_parts_and_findings_of_several_lists(tmp_path: Path) -> None:
    """The newest that has a payment counts, whichever way it is kept."""

    async def run() -> None:
        async with opened(tmp_path) as store:
            rows = SettledRows(store)
            first = await settled(rows, part_of([1, 2]), found=[row("missing_there", 3)])
            second = await settled(rows, part_of([3, 7], day=739_940))
            old = await rows.findings(first, None, -1, 9)
            assert [one.superseded for one in old] == [second]
            assert await rows.open_counts() == {}
            third = await settled(rows, found=[row("late", 1), row("risk_hold", 2)])
            now = await rows.of_payment(2)
            assert now is not None
            assert (now.number, now.result) == (third, "risk_hold")
            assert await rows.earlier(1, 9) == {
                1: (third, 739_938, "r1"), 3: (second, 739_940, "r3"), 7: (second, 739_940, "r7"),
            }  # fmt: skip

    asyncio.run(run())


def test_what_a_running_list_says_does_not_count_and_is_given_back(tmp_path: Path) -> None:
    """Killed while it took back what earlier ones said: they say it again."""

    async def run() -> None:
        async with opened(tmp_path) as store:
            rows = SettledRows(store)
            found = [row("missing_there", 1), row("missing_here", 0, 9, key="k-1")]
            await settled(rows, found=found)
            running = await rows.begin("bank", "dec.csv", "d", "cli", 1)
            await rows.add(running, 0, [row("duplicate", 0, 9, key="k-1"), row("late", 4)])
            await rows.add_part(running, 2, part_of([1, 2]))
            assert await rows.open_counts() == {"missing_there": 1, "missing_here": 1}
            assert [one.result for one in await rows.more_of("k-1")] == ["missing_here"]
            assert await rows.of_payment(2) is None
            assert await rows.of_payment(4) is None
            assert await rows.earlier(1, 9) == {}
            await rows._supersede(running)  # and then the power goes
            assert await rows.open_counts() == {}
            await rows.broken_off(2_000)
            assert await rows.open_counts() == {"missing_there": 1, "missing_here": 1}
            assert await rows.of_payment(2) is None

    asyncio.run(run())


def test_a_spoilt_part_says_nothing(tmp_path: Path) -> None:
    """The list can be read again."""

    async def run() -> None:
        async with opened(tmp_path) as store:
            rows = SettledRows(store)
            number = await settled(rows, Part(1, 2, 2, b"spoilt"))
            assert await rows.of_payment(1) is None
            assert await rows.findings(number, (), -1, 9) == []

    asyncio.run(run())
