"""Keys held together ask for a slip; which keys they were stays in the read loop."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.config.devices import Keypad
from agent.watch.keypad.combination import Combination
from agent.watch.keypad.guide import POSITIONS
from tests.watch.keypad.desk import Desk, until


def code(name: str) -> int:
    return min(POSITIONS[name])


def test_two_keys_held_ask_once(tmp_path: Path) -> None:
    """Held long enough they ask, once, until they were let go; the reading says nothing of it."""

    async def run() -> None:
        asked: list[int] = []
        async with Desk(tmp_path) as desk:
            desk.watcher.combined(("cancel", "enter"), 0.02, lambda: asked.append(1))
            before = await desk.values()
            for _ in range(2):
                desk.keypad.stick("cancel")
                desk.keypad.stick("enter")
                await desk.settled()
                count = len(asked)
                await until(lambda count=count: len(asked) == count + 1)
                desk.keypad.free()
                await desk.settled()
            assert len(asked) == 2
            assert set(await desk.values()) == set(before)

    asyncio.run(run())


def test_other_keys_and_short_presses_do_not() -> None:
    """One of them, a third beside them, or let go too early: nobody asked."""

    async def run() -> None:
        asked: list[int] = []
        down: set[int] = set()
        one = Combination(("cancel", "f1"), 0.03, lambda: down, lambda: asked.append(1))
        for held in (
            {code("cancel")},
            {code("cancel"), code("f1"), code("enter")},
            {code("cancel"), code("f2")},
            {code("cancel"), code("1")},
        ):
            down.clear()
            down.update(held)
            one.moved()
            assert one._timer is None
        down.clear()
        down.update({code("cancel"), code("f1")})
        one.moved()
        assert one._timer is not None
        down.clear()
        one.moved()
        assert one._timer is None
        await asyncio.sleep(0.05)
        assert asked == []

    asyncio.run(run())


def test_while_a_pin_is_entered_nobody_asks(tmp_path: Path) -> None:
    """The pause file ends the reading, and with it what was held."""

    async def run() -> None:
        asked: list[int] = []
        pause = tmp_path / "pin"
        config = Keypad(device="/dev/input/event7", pause_file=str(pause))
        async with Desk(tmp_path, config) as desk:
            desk.watcher.combined(("cancel", "enter"), 0.03, lambda: asked.append(1))
            await desk.values()
            desk.keypad.stick("cancel")
            await desk.settled()
            pause.touch()
            desk.keypad.stick("enter")
            await until(lambda: desk.watcher._reader is None)
            await asyncio.sleep(0.05)
            assert asked == []

    asyncio.run(run())
