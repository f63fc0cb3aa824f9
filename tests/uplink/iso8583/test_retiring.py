"""Another way to the acquirer: no question goes down the old line any more."""

from __future__ import annotations

import asyncio

from agent.core.money.delivery import Answer
from agent.sim.acquirer_faults import Fault
from tests.uplink.iso8583.till import till, until


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
