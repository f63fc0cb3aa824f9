"""A line that names our payment is that payment, whatever day the list says it was made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.actions.reconciling import Reconciler
from agent.core.money.journal import Change, Event, HostResult
from agent.core.why.reconcile.kept import KeptFinding
from agent.offload import ChildOffload, HereOffload
from agent.offloaded import program
from agent.store.paid import PaidRows
from agent.store.settled import SettledRows
from agent.store.spool import Spool
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened

HEAD = "商户订单号,参考号,交易日期,交易时间,交易类型,交易金额,状态"


def row(key: str, rrn: str, at: datetime, amount: str) -> str:
    local = at + timedelta(hours=8)
    return f"{key},{rrn},{local:%Y%m%d},{local:%H:%M:%S},消费,{amount},成功"


async def read(
    place: Path, dialogue: bool, days: Sequence[float], rows: Any
) -> tuple[dict[str, KeptFinding], dict[str, Any]]:
    """Payments so many days after the first; the list that `rows` makes of their times."""
    clock = FakeClock()
    async with opened(place, clock) as store:
        times = []
        begin = clock.now().at
        for number, after in enumerate(days):
            times.append(begin + timedelta(days=after))
            given = submission(f"k-{number}", occurred_at=times[-1])
            record = (await store.append(given)).record
            record = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
            told = HostResult(rrn=f"{number:012d}")
            await store.advance(record.seq, record.version, Change(event=Event.POSTED, result=told))
            clock.advance(60)
        kept = SettledRows(store)
        reading = Reconciler(
            (), rows=kept, paid=PaidRows(store, clock), clock=clock, spool=Spool(place / "spool"),
            offload=ChildOffload() if dialogue else HereOffload(program), dialogue=dialogue,
        )  # fmt: skip
        file = "\n".join([HEAD, *rows(times), ""]).encode()
        import_id, _ = await reading.begin(
            "", "x.csv", sha256="", size_bytes=len(file), settled_on=None, actor="t"
        )
        reading.piece(import_id, 0, file)
        number = await reading.end(import_id)
        while reading.running is not None:
            await reading.finished(number, 30.0)
        of = await kept.one(number)
        assert of is not None
        assert of.state == "done", of.body
        found = await kept.findings(number, (), -1, 100)
        return {str(one.line): one for one in found if one.line}, dict(of.body)


@pytest.mark.parametrize("dialogue", [False, True])
def test_a_key_of_ours_is_found_whatever_its_day(tmp_path: Path, dialogue: bool) -> None:
    """Sixty days away; a stranger's key stays unknown; one a page has told is not told twice."""

    def rows(times: list[datetime]) -> list[str]:
        at = times[1]
        return [
            row("k-0", "", at, "12.50"),
            row("k-1", "", at, "12.50"),
            row("strange", "", at, "12.50"),
            row("k-1", "", at, "3.00"),
        ]

    found, body = asyncio.run(read(tmp_path, dialogue, [0, 60], rows))
    assert {line: (one.result, one.key) for line, one in found.items()} == {
        "2": ("matched", "k-0"),
        "3": ("matched", "k-1"),
        "4": ("missing_here", ""),
        "5": ("missing_here", ""),
    }
    assert found["2"].detail == "other_day +60"
    assert body["counts"] == {"matched": 2, "missing_here": 2}


@pytest.mark.parametrize("dialogue", [False, True])
def test_a_number_of_ours_is_found_in_the_days_around(tmp_path: Path, dialogue: bool) -> None:
    """By RRN; and times of another zone are said once."""

    def rows(times: list[datetime]) -> list[str]:
        return [
            row("", f"{number:012d}", at + timedelta(hours=-56), "12.50")
            for number, at in enumerate(times)
        ]

    found, body = asyncio.run(read(tmp_path, dialogue, [0, 0.01, 0.02], rows))
    assert {one.result for one in found.values()} == {"matched"}
    assert {one.detail.split()[0] for one in found.values()} == {"other_day"}
    assert body["zone_hours"] == 0

    def shifted(times: list[datetime]) -> list[str]:
        return [row(f"k-{n}", "", at + timedelta(hours=-8), "12.50") for n, at in enumerate(times)]

    (tmp_path / "zone").mkdir()
    found, body = asyncio.run(read(tmp_path / "zone", dialogue, [0, 0.01, 0.02], shifted))
    assert {one.result for one in found.values()} == {"matched"}
    assert body["zone_hours"] == -8
