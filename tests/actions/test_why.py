"""Gathering a case: what was wrong then, who could not be asked, and the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.actions import why
from agent.actions.table import action
from agent.core.fleet.inventory import Item, ItemChange
from agent.core.health.tracker import HistoryLine
from agent.core.moment import to_ms
from agent.core.money.journal import Record
from agent.core.why.case import Said
from agent.errors import StoreError
from agent.store.kinds import KindRows
from agent.wire.order_arguments import arguments_of
from agent.wire.verdict import VerdictOut
from tests.actions.desk import AT, FAILED, Desktop, on_desk
from tests.fakes import FakeClock

LINK = "network.no_link"


class Unreadable:
    """Somebody who cannot be asked."""

    async def about(self, record: Record | None) -> Sequence[Said]:
        raise StoreError("store.unavailable", "gone")

    async def page(self, *args: object) -> Sequence[tuple[int, HistoryLine]]:
        raise StoreError("store.unavailable", "gone")


@dataclass
class Past:
    """A history of health, oldest line first."""

    lines: list[HistoryLine] = field(default_factory=list)

    async def page(
        self, since_ms: int, until_ms: int, before: int, limit: int, code: str = ""
    ) -> Sequence[tuple[int, HistoryLine]]:
        found = [
            (number, line) for number, line in enumerate(self.lines, 1) if to_ms(line.at) < until_ms
        ]
        return found[::-1][:limit]


@dataclass
class Devices:
    """An inventory with one printer whose firmware changed."""

    def items(self) -> Sequence[Item]:
        return [Item(component="printer", model="P1", serial="S1")]

    async def changes(self, limit: int) -> Sequence[ItemChange]:
        old, new = Item(component="printer", firmware="1"), Item(component="printer", firmware="2")
        came = ItemChange(component="printer", at_ms=0, before=None, after=new)
        same = ItemChange(component="printer", at_ms=0, before=new, after=new)
        changed = ItemChange(component="printer", at_ms=1_000, before=old, after=new)
        return [came, same, changed]


def line(code: str, what: str, seconds: float) -> HistoryLine:
    return HistoryLine(code=code, what=what, at=AT + timedelta(seconds=seconds), args={})


def test_what_was_wrong_at_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history reaches back to the capture, also where so much happened that a page is full."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        clock = desk.ports.clock
        assert isinstance(clock, FakeClock)
        clock.jump((AT - clock.now().at).total_seconds() + 3_600)
        noise = [line("network.slow", what, 5 + n) for n in range(9) for what in ("began", "ended")]
        past = Past([line(LINK, "began", -60), *noise])
        ports = replace(desk.ports, past=past)
        whole = (await why.gather(ports, "a")).past
        assert whole is not None
        assert [one.code for one in whole if one.until_at is None] == [LINK]
        monkeypatch.setattr(why, "PAST", 4)
        monkeypatch.setattr(why, "LEAD_MS", 0)
        cut = (await why.gather(ports, "a")).past
        assert cut is not None
        assert next((one.code, one.until_at) for one in cut) == (LINK, AT)
        assert (await why.gather(replace(ports, past=Unreadable()), "a")).past is None
        assert (await why.gather(ports, None)).past == ()

    on_desk(tmp_path, test)


def test_who_cannot_be_asked_is_an_unknown(tmp_path: Path) -> None:
    """Evidence that raises is said, and what others said still counts."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        ports = replace(desk.ports, evidence=(Unreadable(),), inventory=Devices())
        answer = await why.verdict(ports, "a")
        assert any("Unreadable" in one.render("en") for one in answer.unknowns)
        changes = (await why.gather(ports, None)).changes
        assert [one.what for one in changes] == ["printer: firmware 1 → 2"]

    on_desk(tmp_path, test)


@pytest.mark.parametrize("question", ["late", "preauth", "settlement", "slip"])
def test_a_fleet_s_question_is_the_same(tmp_path: Path, question: str) -> None:
    """The command `explain` with a question runs the very operation of the local API."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        await desk.move("a", *FAILED)
        ports = replace(desk.ports, kinds=KindRows(desk.store, desk.ports.clock), late_after_s=0)
        name, arguments = arguments_of("why", {"question": question})
        told = await action(name)(ports, arguments)
        assert isinstance(told, VerdictOut)
        direct = why.verdict_out(await why.answered(ports, question), daemon_alive=True)
        assert told == direct
        assert told.question == question
        assert [one.key for one in told.payments] == (
            ["a"] if question in ("late", "settlement") else []
        )

    on_desk(tmp_path, test)


def test_questions_about_a_journal_nobody_can_read() -> None:
    """Then everything is unknown, and nothing is called well."""

    async def test() -> None:
        from agent.actions.asked import read
        from agent.core.why.asked import Question

        class Shut:
            async def page(self, **asked: object) -> list[Record]:
                raise StoreError("store.unavailable", "gone")

            async def of_kinds(self, *asked: object) -> None:
                raise StoreError("store.unavailable", "gone")

        @dataclass
        class Ports:
            journal: Shut = field(default_factory=Shut)
            kinds: Shut | None = field(default_factory=Shut)
            lists: None = None
            clock: object = None

        assert (await read(Ports(), Question.LATE)).records is None  # type: ignore[arg-type]
        assert (await read(Ports(kinds=None), Question.PREAUTH)).records is None  # type: ignore[arg-type]

    asyncio.run(test())
