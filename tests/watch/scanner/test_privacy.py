"""A scanned code can be a payment code: none is in a reading, a log, or kept in memory."""

from __future__ import annotations

import asyncio
import gc
import logging
from pathlib import Path

import pytest

from agent.core.health.reading import NotObservable, Outcome, Reading, Unknown
from agent.sim.scanners.brains import VENDORS
from agent.watch.scanner.told import cleaned
from tests.watch.scanner.desk import Desk, at_desk, until

#: Written backwards, so that no constant of this file is what is looked for.
BACKWARDS = "731958240617395284"


def canary() -> bytes:
    return BACKWARDS[::-1].encode()


def kept_anywhere(fragment: bytes) -> list[object]:
    """Strings and bytes held by any living object that contain `fragment`."""
    text = fragment.decode()
    gc.collect()
    holders: list[object] = gc.get_objects()
    found: list[object] = []
    while holders:
        untracked: list[object] = []
        for held in gc.get_referents(*holders):
            if isinstance(held, str):
                found += [held] if text in held else []
            elif isinstance(held, bytes | bytearray):
                found += [held] if fragment in held else []
            elif isinstance(held, dict | tuple) and not gc.is_tracked(held):
                untracked.append(held)  # a dict of plain values is unknown to the collector
        holders = untracked
    return [one for one in found if one is not fragment and one is not text]


class Memory:
    """What holds a fragment now that did not when the test began.

    Six digits are anywhere by chance once ten thousand tests have left their reports: those are
    kept alive here, so that an address is not used again and they can be told apart.
    """

    def __init__(self, fragment: bytes) -> None:
        self.fragment = fragment
        self.before = kept_anywhere(fragment)

    def kept(self) -> list[object]:
        """At most five, lest a failure's own report fill the memory the next test looks through."""
        known = {id(one) for one in self.before}
        return [one for one in kept_anywhere(self.fragment) if id(one) not in known][:5]


def shown(outcome: Outcome) -> str:
    return repr(outcome)


@pytest.mark.parametrize(
    ("state", "open_"),
    [
        ("answers", "always"),
        ("answers", "when_free"),
        ("silent", "always"),
        ("garbage", "when_free"),
        ("other", "always"),
    ],
)
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_code_leaves_no_trace(
    vendor: str, state: str, open_: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Scanned before, during and between questions, whole and cut short: counted and gone."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="asyncio")
    outcomes: list[str] = []
    memory = Memory(canary()[:6])

    async def scenario(desk: Desk) -> None:
        outcomes.append(shown(await desk.read()))
        desk.sim.switch(
            silent=state == "silent", garbage=state == "garbage",
            answer="other" if state == "other" else "ok", slow_s=0.05,
        )  # fmt: skip
        for _ in range(2):
            desk.sim.scan(canary())
            asked = len(desk.sim.received)
            asking = asyncio.create_task(desk.read())
            await until(lambda: len(desk.sim.received) > asked)  # noqa: B023 - awaited here
            desk.sim.scan(canary())
            desk.sim._write(desk.sim.brain.code(canary())[:9])  # a code cut short
            outcomes.append(shown(await asking))
            desk.sim.scan(canary())
        outcomes.append(shown(await desk.read()))
        del asking
        assert not memory.kept()

    at_desk(tmp_path, scenario, vendor, answer_timeout_s=0.15, open=open_)
    # The first six digits would do: half a code is a code's half.
    everything = " ".join([*outcomes, caplog.text])
    assert canary()[:6].decode() not in everything
    assert canary()[:6].hex() not in everything
    assert canary()[:6].hex(" ") not in everything


def reports() -> list[Outcome]:
    """What a careless hook or app might say."""
    code = canary().decode()
    return [
        Reading(
            {"connected": True, "data": code, "last_code": int(code), "error": f"bad {code}"},
            {"barcode": code, "error": f"read {code}"},
        ),
        Unknown(f"service died after {code}"),
        NotObservable(f"closed {code}"),
    ]


def test_nothing_unknown_comes_in_from_others(tmp_path: Path) -> None:
    """What a hook or the app adds of its own accord is dropped, and digits in texts struck out."""
    memory = Memory(canary()[:6])

    async def scenario(desk: Desk) -> None:
        for report in reports():
            desk.watcher.feed(report)
            outcome = await desk.read()
            assert type(outcome) is type(report)
            assert canary()[:6].decode() not in shown(outcome)
            del report
        assert not memory.kept()

    at_desk(tmp_path, scenario, dialect="hook")


def test_what_is_kept_would_be_found() -> None:
    """The search through memory does find a code that somebody keeps."""
    old = [b"a report with " + canary()]
    memory = Memory(canary()[:6])
    careless = [{"last": bytearray(b"x" + canary())}]
    assert memory.kept() == [b"x" + canary()]
    careless.clear()
    assert not memory.kept()
    assert len(memory.before) >= len(old)


def test_error_numbers_survive_and_codes_do_not() -> None:
    """Five digits are an error number; more are struck out; control characters become spaces."""
    assert cleaned("error 10061\x1b[2J") == "error 10061 [2J"
    assert cleaned("got 6901234567892!") == "got …!"
    assert len(cleaned("x" * 500)) == 200


def test_a_code_is_not_even_measured(tmp_path: Path) -> None:
    """A code instead of an answer is silence: nothing tells how long it was."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(silent=True)
        asking = asyncio.create_task(desk.read())
        await until(lambda: bool(desk.sim.received))
        desk.sim.scan(canary())
        outcome = await asking
        assert isinstance(outcome, Unknown)
        assert set(outcome.evidence) == {"device", "finding"}

    at_desk(tmp_path, scenario, answer_timeout_s=0.5)
