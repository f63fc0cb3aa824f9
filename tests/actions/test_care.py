"""Looking after stored rows, as payment apps and technicians ask for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from agent.actions import acknowledge, keys, salvage, verify, why
from agent.actions.ports import Ports
from agent.actions.queue import show
from agent.core.money.journal import Change, Event, State
from agent.errors import OperatorError
from agent.store.care import Care
from agent.wire.api import BY_NAME, Nothing, OneKey, Role, ShowArgs
from agent.wire.keeping import SalvageArgs, VerifyArgs
from tests.actions.desk import Desktop, code_of, on_desk

T = TypeVar("T")
ENDED = (Change(event=Event.ATTEMPT), Change(event=Event.POSTED))


class Threads:
    """Runs at once what the daemon runs beside the loop."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        del name, deadline_s
        return function()


def attended(desk: Desktop) -> Ports:
    care = Care(desk.store, desk.ports.clock, Threads())
    return replace(desk.ports, care=care, verifier=care)


def test_a_final_payment_is_acknowledged_once_and_stays_explained(tmp_path: Path) -> None:
    """State, history and verdict are the same after its bytes are destroyed; open ones are
    refused, unknown ones too, and repeating it is harmless."""

    async def test(desk: Desktop) -> None:
        ports = attended(desk)
        await desk.take("a")
        assert await code_of(acknowledge.run(ports, OneKey(key="a"))) == "record.not_final"
        assert await code_of(acknowledge.run(ports, OneKey(key="b"))) == "transaction.unknown"
        await desk.move("a", *ENDED)
        before = await show.run(ports, ShowArgs(key="a", history=True))
        verdict = await why.one(ports, OneKey(key="a"))
        for _ in range(2):
            told = await acknowledge.run(ports, OneKey(key="a"))
            assert (told.key, told.state) == ("a", "posted")
        assert await show.run(ports, ShowArgs(key="a", history=True)) == before
        assert (await why.one(ports, OneKey(key="a"))).text == verdict.text
        await desk.take("a")  # the same again: recognised
        assert await desk.state("a") is State.POSTED

    on_desk(tmp_path, test)


def test_a_verification_says_what_it_checked(tmp_path: Path) -> None:
    """Counts, place and structure in one document."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        done = await verify.run(attended(desk), VerifyArgs())
        assert (done.after, done.permille, done.structure) == (None, 1000, "ok")
        assert +Counter(done.checked) == {"record": 1, "payload": 1}
        assert (done.found, done.findings) == ({}, [])

    on_desk(tmp_path, test)


def test_keys_are_shown_by_number_and_rotated(tmp_path: Path) -> None:
    """No key itself is in any answer."""

    async def test(desk: Desktop) -> None:
        ports = attended(desk)
        await desk.take("a")
        first = await keys.show(ports, Nothing())
        assert (first.sealing, first.held, first.missing) == (True, [first.newest], [])
        turned = await keys.rotate(ports, Nothing())
        assert turned.newest == (first.newest or 0) + 1
        assert (turned.held, turned.turning) == ([first.newest, turned.newest], True)
        ring = await desk.store.journal(lambda journal: journal.payloads.seals.ring)
        assert ring is not None
        for key in ring.keys.values():
            assert key.hex() not in repr((first, turned))

    on_desk(tmp_path, test)


def test_what_is_to_be_taken_back_must_lie_in_quarantine(tmp_path: Path) -> None:
    """The refusal has a code of its own; a name with a path does not even get there."""

    async def test(desk: Desktop) -> None:
        asked = salvage.run(attended(desk), SalvageArgs(file="1-journal.db"))
        assert await code_of(asked) == "salvage.unknown"

    on_desk(tmp_path, test)


def test_without_a_daemon_nothing_is_changed(tmp_path: Path) -> None:
    """The answer says that it must be started."""

    async def test(desk: Desktop) -> None:
        alone = replace(desk.ports, mover=None)
        for asked in (
            acknowledge.run(alone, OneKey(key="a")),
            salvage.run(alone, SalvageArgs(file="x")),
            keys.show(alone, Nothing()),
            keys.rotate(alone, Nothing()),
            verify.run(alone, VerifyArgs()),
        ):
            with pytest.raises(OperatorError, match="not running"):
                await asked

    on_desk(tmp_path, test)


def test_each_is_for_those_it_is_for() -> None:
    """Payment apps acknowledge; technicians verify, take back and turn keys over."""
    assert BY_NAME["acknowledge"].roles == (Role.SUBMIT,)
    for name in ("verify", "salvage", "key_rotate"):
        assert BY_NAME[name].roles == (Role.TECHNICIAN,)
        assert BY_NAME[name].audited
