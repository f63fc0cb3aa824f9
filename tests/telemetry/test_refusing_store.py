"""A store that refuses for a while, seen from the wire: nothing is forgotten, nothing overtakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent.core.fleet.messages import EventMessage
from agent.core.money.journal import Amounts
from agent.errors import StoreError
from tests.fakes import FakeClock
from tests.telemetry.rig import EMPTY, Rig, StateDb, quick, rigged, running
from tests.telemetry.strict_broker import StrictBroker

FULL = StoreError("store.full", "disk full")


def soon(monkeypatch: Any) -> None:
    """A refusing store is asked again at once."""
    monkeypatch.setattr("agent.telemetry.conversation.STORE_RETRY_S", 0.02)


def scripted(refused: Callable[[str], bool]) -> StateDb:
    """A store that refuses some kinds of work; the kind is the method of the outbox."""

    class Refusing(StateDb):
        async def state(self, work: Any) -> Any:
            if refused(work.__qualname__.split(".")[1]):
                raise FULL
            return await super().state(work)

    return Refusing()


def test_a_connection_lost_while_the_store_refuses_is_let_go(monkeypatch: Any) -> None:
    """What was on the old wire is sent again on the next one, in order; what was acknowledged is
    deleted once the store takes it."""
    soon(monkeypatch)

    async def story() -> None:
        broker = StrictBroker(hold_pubacks=True)
        await broker.start()
        refusing = [False]
        rig = rigged(
            quick([f"mqtt://127.0.0.1:{broker.port}"], window=4),
            db=scripted(lambda what: refusing[0] and what in ("_remove", "put", "take")),
        )
        rig.events(8)
        async with running(rig):
            await broker.until(lambda: len(broker.seqs()) == 3)  # and our state: four
            refusing[0] = True
            (writer,) = broker._writers
            for mid in (1, 2):  # the state, and the first row or two
                broker._puback(writer, mid, 5, set())
            broker.hold_pubacks = False
            await asyncio.sleep(0.05)
            broker.hang_up()
            await broker.until(lambda: len(broker.connects) == 2)
            # The fleet hears that we are there although no row can be deleted.
            await broker.until(lambda: states(broker) == 2)
            refusing[0] = False
            await rig.until(lambda: rig.outbox.drained)
        first = list(dict.fromkeys(broker.seqs()))
        assert first == sorted(first) == list(range(1, 9))
        assert len(broker.connects) == 2
        assert rig.outbox.stats.lost == 0
        await broker.stop()

    asyncio.run(story())


def states(broker: StrictBroker) -> int:
    return sum(topic.endswith("/state") for topic, _ in broker.received)


def test_rows_taken_together_all_leave_though_one_cannot_be_given_up(monkeypatch: Any) -> None:
    """One is too large for the broker and the store refuses to forget it: the others still go."""
    soon(monkeypatch)

    async def story() -> None:
        broker = StrictBroker(max_packet_bytes=600)
        await broker.start()
        refusing = [True]
        rig = rigged(
            quick([f"mqtt://127.0.0.1:{broker.port}"]),
            db=scripted(lambda what: refusing[0] and what == "_remove"),
        )
        event = EventMessage(
            ts=1, clock_suspect=None, code="a.b", component="a", severity="minor", active=True,
            since_ts=1, flaps=None, suppressed_by=None,
        )  # fmt: skip
        assert await rig.part.tell(replace(event, fields={"arg_text": "x" * 800}))
        for _ in range(3):
            assert await rig.part.tell(event)
        async with running(rig):
            await broker.until(lambda: broker.seqs() == [2, 3, 4])
            refusing[0] = False
            await rig.until(lambda: rig.outbox.drained)
            assert rig.outbox.stats.lost == 1
            assert len(broker.connects) == 1
        await broker.stop()

    asyncio.run(story())


def test_an_alarm_leaves_soon_after_the_store_recovered(monkeypatch: Any) -> None:
    """Nobody has to wake anybody, and no timer has to fire."""
    soon(monkeypatch)

    async def story() -> None:
        broker = StrictBroker()
        await broker.start()
        rig = rigged(quick([f"mqtt://127.0.0.1:{broker.port}"]))
        async with running(rig):
            await rig.until(lambda: rig.part.view().connected)
            rig.db.broken = FULL
            rig.events(1)
            await asyncio.sleep(0.05)
            rig.db.broken = None
            await broker.until(lambda: broker.seqs() == [1], 5)
        await broker.stop()

    asyncio.run(story())


def test_unsent_money_is_told_soon_after_the_store_recovered(monkeypatch: Any) -> None:
    """The look that could not be kept is made again."""
    soon(monkeypatch)
    monkeypatch.setattr("agent.telemetry.money.TOGETHER_S", 0.0)

    async def story() -> None:
        broker = StrictBroker()
        await broker.start()
        rig = rigged(quick([f"mqtt://127.0.0.1:{broker.port}"]))
        async with running(rig):
            await rig.timers.fire()
            await broker.until(lambda: backlogs(broker) == [0])
            rig.db.broken = FULL
            rig.backlog = stuck(rig, 3)
            rig.part.money()
            await asyncio.sleep(0.05)
            rig.db.broken = None
            await broker.until(lambda: backlogs(broker) == [0, 3], 5)
        await broker.stop()

    asyncio.run(story())


def backlogs(broker: StrictBroker) -> Sequence[object]:
    return [body["count"] for topic, body in broker.received if topic.endswith("/backlog")]


def stuck(rig: Rig, count: int) -> Any:
    amounts = Amounts(count=count)
    at = rig.clock.now().at - timedelta(hours=1)
    return replace(EMPTY, total=amounts, held=amounts, oldest_at=at)


def test_two_looks_at_the_money_tell_it_once_and_never_backwards() -> None:
    """The timer and the connection look at the same moment: one message, with the newer facts."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(), clock=clock)
        await rig.timers.fire()
        rig.backlog = stuck(rig, 3)
        money = rig.part._recorder._money
        await asyncio.gather(money.look(clock.now()), money.look(clock.now()))
        rows = await rig.outbox.take(9)
        assert [b'"count":3' in row.body for row in rows if row.kind == "backlog"] == [False, True]
        rig.db.close()

    asyncio.run(story())


def test_an_event_told_does_not_overtake_those_that_still_wait_for_the_store() -> None:
    """Alarms raised before it have the smaller numbers."""

    async def story() -> None:
        rig = rigged(quick())
        rig.events(2)
        told = EventMessage(
            ts=1, clock_suspect=None, code="z.z", component="a", severity="minor", active=True,
            since_ts=1, flaps=None, suppressed_by=None,
        )  # fmt: skip
        assert await rig.part.tell(told)
        assert [b'"z.z"' in row.body for row in await rig.outbox.take(9)] == [False, False, True]
        rig.db.broken = FULL
        rig.events(1)
        assert not await rig.part.tell(told)
        rig.db.close()

    asyncio.run(story())
