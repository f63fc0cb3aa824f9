"""The guided key test: what is asked, what counts, what outlives it – and that it always ends."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.devices import Keypad
from agent.sim.keypad import KEYS, SimulatedKeypad
from agent.watch.drivers.evdev import KeyClass
from agent.watch.keypad import guide, tested
from agent.watch.keypad.guide import Findings, Step, positions, walk
from agent.watch.keypad.node import Node
from agent.watch.keypad.tested import GuidedTest
from tests.watch.keypad.canary import in_objects, numeric
from tests.watch.keypad.desk import Driver

NODE = "/dev/input/event7"


def walked(
    asked: list[str],
    pressed: Callable[[SimulatedKeypad, str], None],
    *,
    patience_s: float = 0.02,
    hidden: Callable[[], bool] = lambda: False,
) -> Findings:
    """The test, with somebody who does `pressed` when a key is asked for."""

    async def run() -> Findings:
        driver = Driver()
        keypad = SimulatedKeypad(driver)
        node = driver.open()
        assert node is not None
        steps: list[Step] = []
        try:
            found = await walk(
                node,
                asked,
                patience_s=patience_s,
                hidden=hidden,
                on_ask=lambda _number, position: pressed(keypad, position),
                on_step=steps.append,
            )
        finally:
            keypad.unplug()
            driver.close()
        assert steps == found.steps
        return found

    return asyncio.run(run())


def test_all_keys_work() -> None:
    """Each is seen when it is pressed, and nobody waits for the clock."""
    found = walked(list(guide.USUAL), lambda keypad, key: keypad.tap(key), patience_s=10)
    assert found.unseen == []
    assert found.ended == "complete"
    assert found.kept(NODE) == GuidedTest(
        device=NODE, asked={KeyClass.DIGIT: 10, KeyClass.FUNCTION: 3}, dead={}
    )


def test_dead_keys_are_named_by_position_and_kept_by_class() -> None:
    """The screen tells which; what is kept tells how many of which class."""

    def pressed(keypad: SimulatedKeypad, key: str) -> None:
        keypad.dead = {"4", "enter"}
        keypad.tap(key)

    found = walked(["1", "4", "5", "enter"], pressed)
    assert found.unseen == ["4", "enter"]
    assert found.kept(NODE).dead == {KeyClass.DIGIT: 1, KeyClass.FUNCTION: 1}


def test_another_key_is_told_by_its_class_only() -> None:
    """A key wired to the wrong place: the one asked for was not seen, a digit came instead."""
    found = walked(["1", "2"], lambda keypad, key: keypad.tap({"1": "9"}.get(key, key)))
    assert found.steps[0] == Step(position="1", seen=False, other=(KeyClass.DIGIT,))
    assert found.steps[1].seen


def test_nothing_of_the_keys_stays_in_the_guide() -> None:
    """Neither codes nor times are in what the test found."""
    start_us = 1_734_567_891_123_457
    canary = numeric("48172635", start_us)
    times = iter(canary.at_us)

    def pressed(keypad: SimulatedKeypad, key: str) -> None:
        at_us = next(times)
        keypad._now_us = lambda: at_us
        keypad.tap(f"n{key}")

    found = walked(list("48172635"), pressed, patience_s=10)
    assert found.unseen == []
    assert in_objects(canary, [found], own=1) == []


def test_a_keypad_nobody_presses_ends_the_test() -> None:
    """Three keys without a single event: the wrong device, or nobody there."""
    found = walked(list(guide.USUAL), lambda *_: None)
    assert found.ended == "silent"
    assert len(found.steps) == 3


def test_a_pulled_plug_ends_the_test() -> None:
    """What was found until then is no result."""

    async def run() -> Findings:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        node = Node(theirs.detach(), False, lambda *_: None)
        return await walk(
            node,
            ["1", "2"],
            patience_s=10,
            hidden=lambda: False,
            on_ask=lambda *_: ours.close(),
            on_step=lambda _step: None,
        )

    found = asyncio.run(run())
    assert (found.ended, found.steps) == ("gone", [])


def test_pin_entry_ends_the_test() -> None:
    """While the pause file is there the guide reads nothing either."""
    found = walked(["1"], lambda keypad, key: keypad.tap(key), patience_s=10, hidden=lambda: True)
    assert found.ended == "gone"


def test_what_is_asked_for() -> None:
    """What is configured, once each; else what is usual and the keypad has."""
    assert positions(Keypad(keys=("f1", "1", "f1")), frozenset({2})) == ["f1", "1"]
    assert positions(Keypad(), frozenset()) == list(guide.USUAL)
    assert positions(Keypad(), frozenset({79, 28, 30})) == ["1", "enter"]
    assert positions(Keypad(), frozenset({30})) == []


def test_every_position_is_one_key_of_one_class_and_can_be_simulated() -> None:
    """No code stands for two positions, and a position's codes are of one class."""
    codes = [code for position in guide.POSITIONS.values() for code in position]
    assert len(codes) == len(set(codes))
    for position, its in guide.POSITIONS.items():
        assert len({guide.class_of(code) for code in its}) == 1, position
        assert KEYS[position] in its
    (choices, _more) = get_args(get_type_hints(Keypad)["keys"])
    assert set(get_args(choices)) == guide.POSITIONS.keys()


# -- what is kept ----------------------------------------------------------------------------------


def test_kept_and_read_again(tmp_path: Path) -> None:
    """For the same keypad only; the file is for the agent and its group."""
    test = GuidedTest(device=NODE, asked={KeyClass.DIGIT: 10}, dead={KeyClass.DIGIT: 1})
    tested.keep(tmp_path, test)
    tested.keep(tmp_path, test)
    assert tested.read(tmp_path, NODE) == test
    assert tested.read(tmp_path, "/dev/input/event8") is None
    assert [path.name for path in tmp_path.iterdir()] == [tested.FILE]
    assert (tmp_path / tested.FILE).stat().st_mode & 0o137 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 3_000,
        '{"device": "/dev/input/event7"}',
        '{"device": "/dev/input/event7", "asked": {"digit": 1}, "dead": {"digit": true}}',
        '{"device": "/dev/input/event7", "asked": {"5": 1}, "dead": {}}',
        '{"device": "/dev/input/event7", "asked": {"digit": -1}, "dead": {}}',
        '{"device": "/dev/input/event7", "asked": {"digit": 1e99}, "dead": {}}',
        json.dumps({"device": NODE, "asked": {}, "dead": {}, "more": "x" * 9_000}),
    ],
)
def test_a_file_that_is_not_ours_is_no_test(tmp_path: Path, text: str) -> None:
    """Whatever lies there, nothing is claimed from it."""
    (tmp_path / tested.FILE).write_text(text, "utf-8")
    assert tested.read(tmp_path, NODE) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_no_test(tmp_path_factory: pytest.TempPathFactory, some: bytes) -> None:
    """Garbage is survived."""
    folder = tmp_path_factory.getbasetemp() / "garbage"
    folder.mkdir(exist_ok=True)
    (folder / tested.FILE).write_bytes(some)
    assert tested.read(folder, NODE) is None


def test_a_link_laid_in_its_way_is_not_followed(tmp_path: Path) -> None:
    """Root keeps the result of a test: nothing in the agent's directory leads it elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / tested.FILE).symlink_to(elsewhere)
    tested.keep(tmp_path, GuidedTest(device=NODE))
    assert elsewhere.read_text() == "precious"
    assert not (tmp_path / tested.FILE).is_symlink()
    with pytest.raises(OSError, match="No such file"):
        tested.keep(tmp_path / "missing", GuidedTest(device=NODE))
