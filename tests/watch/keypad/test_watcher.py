"""The keypad watcher over the real read loop: what it tells, and what it does in trouble."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from agent.config.devices import Keypad
from agent.core.health.reading import NotObservable, Reading, Unknown
from agent.core.health.standard import STANDARD
from agent.watch.drivers.evdev import KeyClass
from agent.watch.keypad import build, tested, watcher
from agent.watch.keypad.node import Node, NoKeypadError
from agent.watch.keypad.tested import GuidedTest
from agent.watch.keypad.watcher import KeypadWatcher
from tests.watch.keypad.desk import Desk, Inline, until

T = TypeVar("T")

NODE = "/dev/input/event7"


def raised(values: dict[str, object]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by("keypad") if sign.judge(values)}  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [24, 16])
def test_a_healthy_keypad_in_use(tmp_path: Path, size: int) -> None:
    """Present, nothing stuck, nothing bounces; presses are counted by class, after a while."""

    async def run() -> None:
        async with Desk(tmp_path, size=size) as desk:
            first = await desk.values()
            assert first == {
                "present": True,
                "stuck": "no",
                "bounces_last_minute": 0,
                "losses": 0,
                "digit_presses": 0,
                "function_presses": 0,
                "navigation_presses": 0,
                "other_presses": 0,
            }
            for name in ("1", "2", "3", "enter", "up", "dot"):
                desk.keypad.tap(name)
                desk.time.pass_(1)
            await desk.settled()
            assert await desk.values() == first  # not yet: a count this fresh would be a time
            desk.time.pass_(899)
            told = await desk.values()
            assert (told["digit_presses"], told["function_presses"]) == (3, 1)
            assert (told["navigation_presses"], told["other_presses"]) == (1, 1)
            assert raised(told) == set()

    asyncio.run(run())


def test_a_stuck_key_is_told_by_its_class(tmp_path: Path) -> None:
    """Ten seconds: suspected; thirty: confirmed; freed: over."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            await desk.values()
            desk.keypad.stick("7")
            await desk.settled()
            desk.time.pass_(9.9)
            assert (await desk.values())["stuck"] == "no"
            desk.time.pass_(0.1)
            told = await desk.values()
            assert (told["stuck"], told["key_class"]) == ("suspected", "digit")
            assert raised(told) == {"keypad.stuck_key"}
            desk.time.pass_(20)
            assert (await desk.values())["stuck"] == "confirmed"
            desk.keypad.free()
            await desk.settled()
            told = await desk.values()
            assert told["stuck"] == "no"
            assert "key_class" not in told
            assert raised(told) == set()

    asyncio.run(run())


def test_a_key_stuck_before_we_came_is_found(tmp_path: Path) -> None:
    """The driver says at the opening which keys are down."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            desk.driver.down = frozenset({28})
            await desk.values()
            desk.time.pass_(10)
            told = await desk.values()
            assert (told["stuck"], told["key_class"]) == ("suspected", "function")

    asyncio.run(run())


def test_chatter_is_three_bounces_in_a_minute(tmp_path: Path) -> None:
    """Two may be chance; the third raises the condition; a minute later it no longer holds."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            await desk.values()
            desk.keypad.chatter = True
            for presses in (1, 2, 3):
                desk.keypad.tap("4")
                await desk.settled()
                desk.time.pass_(1)
                told = await desk.values()
                assert told["bounces_last_minute"] == presses
                assert raised(told) == ({"keypad.chatter"} if presses == 3 else set())
            assert (told["key_class"], told["count"]) == ("digit", 3)
            desk.time.pass_(70)
            assert raised(await desk.values()) == set()

    asyncio.run(run())


def test_after_lost_events_the_driver_is_asked_what_is_down(tmp_path: Path) -> None:
    """A release that was lost leaves no key stuck; a press that was lost is found."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            await desk.values()
            desk.keypad.press("1")
            await desk.settled()
            desk.time.pass_(5)
            desk.driver.down = frozenset({103})  # 1 is up, arrow up is down
            desk.keypad.drop()
            await desk.settled()
            desk.time.pass_(6)
            told = await desk.values()
            assert (told["stuck"], told["losses"]) == ("no", 1)
            desk.time.pass_(4)
            told = await desk.values()
            assert (told["stuck"], told["key_class"]) == ("suspected", "navigation")

    asyncio.run(run())


def test_a_pulled_plug_shows_at_once_and_its_return_within_two_seconds(tmp_path: Path) -> None:
    """Gone: told to the runner without waiting; looked for every second until it is back."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            desk.count_changes()
            await desk.values()
            desk.keypad.stick("7")
            await desk.settled()
            desk.driver.unplug()
            await until(lambda: desk.changes == 1)
            told = await desk.values()
            assert told == {"present": False}
            assert raised(told) == {"keypad.disconnected"}
            looked_for = desk.watcher._absence._timer
            assert looked_for is not None
            assert looked_for.when() - asyncio.get_running_loop().time() < 2.0
            desk.driver.present = True
            await until(lambda: desk.changes >= 2)
            told = await desk.values()
            assert told["present"] is True
            desk.time.pass_(60)
            assert (await desk.values())["stuck"] == "no"  # what was down then is not down now
            assert desk.watcher._absence._timer is None

    asyncio.run(run())


def test_nobody_looks_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten minutes the looking ends; every read still tries."""
    monkeypatch.setattr(watcher, "LOOK_EVERY_S", 0.001)

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            desk.count_changes()
            desk.driver.present = False
            assert await desk.values() == {"present": False}
            assert desk.watcher._absence._timer is not None
            desk.time.pass_(601)
            await until(lambda: desk.watcher._absence._timer is None)
            assert desk.changes == 0
            desk.driver.present = True
            assert (await desk.values())["present"] is True

    asyncio.run(run())


def test_garbage_is_an_interface_mismatch_and_not_a_key(tmp_path: Path) -> None:
    """Bytes no kernel sends: unknown with the reason, left alone for a minute, then tried again."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            await desk.values()
            desk.keypad.garbage()
            await until(lambda: desk.watcher._reader is None)
            told = await desk.watcher.read()
            assert isinstance(told, Unknown)
            assert told.code == "device.interface_mismatch"
            assert desk.driver.opened == 1
            desk.time.pass_(60)
            assert (await desk.values())["present"] is True
            assert desk.driver.opened == 2

    asyncio.run(run())


def test_a_missing_right_is_unknown_and_says_what_is_needed(tmp_path: Path) -> None:
    """Not a fault of the keypad: nothing of it is raised, and the sentence names the group."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            desk.count_changes()
            desk.driver.refuses = NoKeypadError("permission", "no right to read: group input")
            told = await desk.watcher.read()
            assert isinstance(told, Unknown)
            assert "input" in told.reason
            assert told.code == ""
            assert told.evidence == {"device": NODE, "finding": "permission"}
            silence = STANDARD.silence("keypad", told.code)
            assert silence is not None
            assert silence.code == "software.agent_degraded"
            # udev sets the group a moment after the device appears: tried again soon.
            desk.driver.refuses = None
            await until(lambda: desk.changes)
            assert (await desk.values())["present"] is True

    asyncio.run(run())


def test_a_pin_pad_is_not_observable(tmp_path: Path) -> None:
    """It is there and is never read: neither a fault nor unknown."""

    async def run() -> None:
        config = Keypad(device=NODE, read="never")
        async with Desk(tmp_path, config) as desk:
            desk.driver.refuses = NoKeypadError("pin_pad", f"PINs are entered on {NODE}")
            told = await desk.watcher.read()
            assert isinstance(told, NotObservable)
            assert "never read" in told.why
            assert desk.driver.opened == 0

    asyncio.run(run())


def test_while_the_pause_file_is_there_not_a_byte_is_taken_in(tmp_path: Path) -> None:
    """The descriptor is closed unread; when the file is gone the keypad is opened anew."""
    hide = tmp_path / "pin-entry"

    async def run() -> None:
        config = Keypad(device=NODE, pause_file=str(hide))
        async with Desk(tmp_path, config) as desk:
            desk.count_changes()
            await desk.values()
            reader = desk.watcher._reader
            assert reader is not None
            hide.touch()
            desk.keypad.tap(*"482915")
            await until(lambda: desk.watcher._reader is None)
            assert not any(reader._buffer)
            assert desk.watcher._fold.summary(desk.time()).presses == {}
            told = await desk.values()
            assert told == {"present": True, "paused": True}
            assert raised(told) == set()
            assert desk.driver.opened == 1
            changes = desk.changes
            hide.unlink()
            await until(lambda: desk.changes > changes)
            assert (await desk.values())["stuck"] == "no"
            assert desk.driver.opened == 2

    asyncio.run(run())


def test_dead_keys_are_those_of_the_last_guided_test_of_this_keypad(tmp_path: Path) -> None:
    """Found within a minute of the test; nothing is said where none was made."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            assert "dead_keys" not in await desk.values()
            asked = {KeyClass.DIGIT: 10, KeyClass.FUNCTION: 3}
            tested.keep(tmp_path, GuidedTest(device=NODE, asked=asked, dead={KeyClass.DIGIT: 2}))
            desk.time.pass_(60)
            told = await desk.values()
            assert (told["tested_keys"], told["dead_keys"]) == (13, 2)
            assert (told["key_class"], told["count"]) == ("digit", 2)
            assert raised(told) == {"keypad.dead_keys"}
            desk.keypad.stick("up")
            await desk.settled()
            desk.time.pass_(10)
            told = await desk.values()
            assert "key_class" not in told  # two troubles, two classes: neither is claimed
            tested.keep(tmp_path, GuidedTest(device=NODE, asked=asked))
            desk.time.pass_(60)
            assert (await desk.values())["dead_keys"] == 0

    asyncio.run(run())


def test_reads_cost_no_thread(tmp_path: Path) -> None:
    """Opening and the test's result go off the loop; a hundred reads in a minute add nothing."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            for _ in range(100):
                await desk.values()
            assert desk.blocking.calls == ["keypad.tested", "keypad.open"]

    asyncio.run(run())


def test_a_device_that_vanishes_between_opening_and_asking(tmp_path: Path) -> None:
    """Gone, with its descriptor closed."""

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            desk.driver.fails_to_tell = True
            before = len(list(Path("/proc/self/fd").iterdir()))
            assert await desk.values() == {"present": False}
            assert len(list(Path("/proc/self/fd").iterdir())) == before + 1  # the driver's end

    asyncio.run(run())


def test_an_open_that_hangs_is_given_up_and_closed_when_it_comes_back(tmp_path: Path) -> None:
    """Unknown with what to do; the late descriptor does not leak."""
    go, done = threading.Event(), threading.Event()
    closed: list[int] = []

    class Late(Node):
        def close(self) -> None:
            closed.append(self.fd)
            super().close()
            done.set()

    class Hanging:
        def there(self) -> bool:
            return True

        def open(self) -> Node:
            assert go.wait(10)
            reading, writing = os.pipe()
            os.close(writing)
            return Late(reading, False, lambda *_: None)

    class Threads(Inline):
        async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
            if name != "keypad.open":
                return await super().call(name, function, deadline_s)
            threading.Thread(target=function, daemon=True).start()
            raise TimeoutError

    async def run() -> None:
        one = KeypadWatcher(Keypad(device=NODE), tmp_path, Threads(), source=Hanging())
        told = await one.read()
        assert isinstance(told, Unknown)
        assert "hangs in its driver" in told.reason
        go.set()
        assert done.wait(10)
        await one.close()

    asyncio.run(run())
    assert len(closed) == 1


def test_a_full_descriptor_table_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real lookup and opening: what fails is said, and nothing of the keypad is claimed."""
    from agent.watch.keypad import node

    def full(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(node.os, "open", full)

    async def run() -> None:
        one = build(Keypad(device="/dev/null"), str(tmp_path), Inline())
        told = await one.read()
        assert isinstance(told, Unknown)
        assert "Too many open files" in told.reason
        gone = build(Keypad(name="no such keypad"), str(tmp_path), Inline())
        assert await gone.read() == Reading(
            values={"present": False}, evidence={"device": "name=no such keypad"}
        )

    asyncio.run(run())
