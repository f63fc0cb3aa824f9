"""Whatever changes something leaves a line, however it ends; looking leaves none."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from agent.actions import table
from agent.actions.ports import Ports
from agent.actions.table import Desk
from agent.core.audit import Deed
from agent.errors import StoreError
from agent.record import dataclass
from agent.wire.api import HoldArgs, Nothing
from agent.wire.problem import RequestError


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
