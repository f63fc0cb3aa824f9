"""Whatever changes something leaves a line, however it ends; looking leaves none."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from agent.actions import table
from agent.actions.denied import MOST, Denied
from agent.actions.ports import Ports
from agent.actions.table import Desk
from agent.core.audit import Deed
from agent.errors import StoreError
from agent.record import dataclass
from agent.wire.api import HoldArgs, Nothing
from agent.wire.problem import RequestError
from tests.fakes import FakeClock


@dataclass(frozen=True, slots=True)
class FakePorts:
    actor: str = ""


class Book:
    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    async def write(self, deed: Deed) -> None:
        await asyncio.sleep(0)
        self.deeds.append(deed)


def done(monkeypatch: pytest.MonkeyPatch, name: str, args: Any, action: Any) -> list[Deed]:
    """The lines one operation leaves."""
    book = Book()
    monkeypatch.setattr(table, "action", lambda _name: action)
    desk = Desk(cast("Ports", FakePorts()), cast("Any", book))

    async def inside() -> None:
        try:
            async with asyncio.timeout(0.05):
                await desk.do(name, args, "uid:7")
        except (TimeoutError, RequestError, StoreError):
            pass
        await asyncio.sleep(0.01)

    asyncio.run(inside())
    return book.deeds


async def well(ports: Any, args: Any) -> Any:
    assert ports.actor == "uid:7"
    return args


async def refused(ports: Any, args: Any) -> Any:
    raise RequestError("record.final", "it is over")


async def slow(ports: Any, args: Any) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("action", "outcome"), [(well, "ok"), (refused, "record.final"), (slow, "interrupted")]
)
def test_an_audited_operation_leaves_one_line(
    monkeypatch: pytest.MonkeyPatch, action: Any, outcome: str
) -> None:
    """Who, what, about which payment, and how it ended; never why in somebody's own words."""
    args = HoldArgs(key="k-1", reason="customer Zhang")
    assert done(monkeypatch, "queue_hold", args, action) == [
        Deed(actor="uid:7", op="queue_hold", target="k-1", outcome=outcome)
    ]


def test_looking_leaves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading is not a deed."""
    assert done(monkeypatch, "backlog", Nothing(), well) == []


def test_who_has_no_right_leaves_a_line_and_then_a_count() -> None:
    """The first try at once, others an hour later as one; what the store refuses is not lost."""

    class Shut(Book):
        shut = False

        async def write(self, deed: Deed) -> None:
            if self.shut:
                raise StoreError("store.unavailable", "no")
            await super().write(deed)

    book, clock = Shut(), FakeClock()
    denied = Denied(cast("Any", book), clock)

    async def tried(times: int) -> None:
        for _ in range(times):
            denied.heed("queue_hold", "uid:7")
        await asyncio.sleep(0.01)

    async def inside() -> None:
        await tried(5)
        clock.advance(3_600)
        book.shut = True
        await tried(2)
        book.shut = False
        await tried(1)

    asyncio.run(inside())
    told = [(one.actor, one.op, one.outcome, one.count) for one in book.deeds]
    assert told == [
        ("uid:7", "queue_hold", "role.missing", 5),
        ("uid:7", "queue_hold", "role.missing", 3),
    ]


def test_somebody_with_a_thousand_names_is_one_of_the_others() -> None:
    """The memory for them is bounded, and so are the lines."""
    book = Book()
    denied = Denied(cast("Any", book), FakeClock())

    async def inside() -> None:
        for number in range(1_000):
            denied.heed("queue_hold", f"uid:{number}")
        await asyncio.sleep(0.01)

    asyncio.run(inside())
    assert len(book.deeds) == MOST + 1
    assert (book.deeds[-1].actor, book.deeds[-1].count) == ("others", 1_000 - MOST)
