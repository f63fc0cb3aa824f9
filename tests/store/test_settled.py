"""What settlement lists said is kept: a later list supersedes, nothing half-read is believed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

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
