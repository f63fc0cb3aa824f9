"""Another way to the acquirer: no question goes down the old line any more."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from typing import Any

import pytest

from agent.core.money.delivery import Answer
from agent.sim.acquirer_faults import Fault
from tests.uplink.iso8583.till import Dial, till, until


def test_the_next_question_takes_another_line_and_the_one_under_way_keeps_its_own() -> None:
    """Idle: closed at once. Waiting for its answer: left in peace, then replaced."""

    async def story() -> None:
        async with till() as t:
            t.uplink.retire()
            assert (await t.post(*t.advice("k0"))).answer is Answer.POSTED
            t.uplink.retire()
            assert (await t.post(*t.advice("k1"))).answer is Answer.POSTED
            assert t.dial.opened == 2
            await t.acquirer.apply(Fault.named("delay", delay_s=0.3, times=1))
            asked = asyncio.create_task(t.post(*t.advice("k2")))
            await until(lambda: t.committed == 3, "sent")
            t.uplink.retire()
            assert (await asked).answer is Answer.POSTED
            assert t.dial.opened == 2
            assert (await t.post(*t.advice("k3"))).answer is Answer.POSTED
            assert t.dial.opened == 3

    asyncio.run(story())


def test_a_line_that_was_being_opened_carries_one_question_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was dialled on the way that is left: the next question takes the new one."""

    async def story() -> None:
        async with till() as t:
            plain = Dial.open

            async def moved_meanwhile(dial: Dial, *place: Any) -> tuple[StreamReader, StreamWriter]:
                t.uplink.retire()
                return await plain(dial, *place)

            with monkeypatch.context() as patched:
                patched.setattr(Dial, "open", moved_meanwhile)
                assert (await t.post(*t.advice("k0"))).answer is Answer.POSTED
            assert (await t.post(*t.advice("k1"))).answer is Answer.POSTED
            assert t.dial.opened == 2

    asyncio.run(story())
