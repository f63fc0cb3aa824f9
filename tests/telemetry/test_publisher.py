"""The part `telemetry` against brokers that behave, misbehave and vanish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest

from agent.core.fleet.session import NOT_AUTHORISED, Policy
from agent.core.health.tracker import What
from agent.core.money.journal import Amounts, Backlog
from agent.errors import OperatorError, StoreError
from agent.telemetry import line
from agent.telemetry.publisher import STUCK_MS
from tests.fakes import FakeClock
from tests.telemetry.rig import EMPTY, Rig, quick, rigged, running
from tests.telemetry.strict_broker import StrictBroker


@contextlib.asynccontextmanager
async def strict(**switches: object) -> AsyncIterator[StrictBroker]:
    broker = StrictBroker(**switches)  # type: ignore[arg-type]
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def url(broker: StrictBroker) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


def stuck(rig: Rig, count: int) -> Backlog:
    return Backlog(
        total=Amounts(count=count, by_currency={"CNY": 1_250 * count}),
        by_state={},
        in_doubt=Amounts(),
        held=Amounts(),
        quarantined=Amounts(),
        oldest_at=rig.clock.now().at - timedelta(seconds=100),
        by_cause={"network.dns_failed": count},
    )


def test_window_is_kept_against_a_strict_slow_broker_and_nothing_is_lost() -> None:
    """300 queued, Receive Maximum 10, 10 ms per PUBACK: one connection, no violation, no loss."""

    async def story() -> None:
        async with strict(receive_maximum=10, puback_after_s=0.01) as broker:
            rig = rigged(quick([url(broker)], window=64))
            rig.events(300)
            async with running(rig):
                await broker.until(lambda: len(set(broker.seqs())) == 300)
                await rig.until(lambda: rig.outbox.drained)
            assert broker.violations == 0
            assert broker.most_unacknowledged <= 10
            assert len(broker.connects) == 1
            assert sorted(broker.seqs()) == list(range(1, 301))
            assert len({body.get("outbox_id") for _, body in broker.received[1:-1]}) == 1

    asyncio.run(story())


def test_configured_window_is_kept_where_the_broker_allows_more() -> None:
    """At most eight by default, whatever the broker would take."""

    async def story() -> None:
        async with strict(receive_maximum=1000, puback_after_s=0.005) as broker:
            rig = rigged(quick([url(broker)]))
            rig.events(60)
            async with running(rig):
                await rig.until(lambda: rig.outbox.drained and len(broker.seqs()) == 60)
            assert broker.most_unacknowledged <= 8

    asyncio.run(story())


def test_what_was_in_flight_is_sent_again_with_the_same_number() -> None:
    """A connection that dies before the PUBACK costs a repeat, recognisable by its number."""

    async def story() -> None:
        async with strict(hold_pubacks=True) as broker:
            rig = rigged(quick([url(broker)]))
            rig.events(3)
            async with running(rig):
                await broker.until(lambda: broker.seqs() == [1, 2, 3])
                broker.hold_pubacks = False
                broker.hang_up()
                await broker.until(lambda: len(broker.seqs()) == 6)
                await rig.until(lambda: rig.outbox.drained)
            assert broker.seqs() == [1, 2, 3, 1, 2, 3]
            states = [body for topic, body in broker.received if topic.endswith("/state")]
            assert [(body["state"], body["connects"]) for body in states] == [
                ("online", 1),
                ("online", 2),
                ("offline", 2),
            ]
            assert broker.goodbyes == 1

    asyncio.run(story())


def test_silence_after_publishing_drops_the_socket() -> None:
    """No PUBACK in time: the connection is torn down by us and the rows are sent again."""

    async def story() -> None:
        async with strict(hold_pubacks=True) as broker:
            rig = rigged(quick([url(broker)], puback_timeout_s=0.2))
            rig.events(1)
            async with running(rig):
                await broker.until(lambda: len(broker.connects) >= 2)
                broker.hold_pubacks = False
                await rig.until(lambda: rig.outbox.drained)
                assert rig.outbox.stats.lost == 0

    asyncio.run(story())


@pytest.mark.parametrize("how", ["connack", "hang_up"])
def test_a_broker_without_v5_is_spoken_to_in_3_1_1(how: str) -> None:
    """The fallback needs no configuration, whichever way the broker says no."""

    async def story() -> None:
        async with strict(v311_only=how) as broker:
            rig = rigged(quick([url(broker)]))
            rig.events(5)
            async with running(rig):
                await rig.until(lambda: rig.outbox.drained and len(broker.seqs()) == 5)
                assert rig.part.view().protocol == "3.1.1"
            assert [each["version"] for each in broker.connects] == [5, 4]

    asyncio.run(story())


def test_a_broker_that_never_answers_v5_is_spoken_to_in_3_1_1(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Silence after the CONNECT is a no as well, and is said as such."""
    monkeypatch.setattr(line, "Policy", partial(Policy, connack_timeout_s=1.0))

    async def story() -> None:
        async with strict(v311_only="silence") as broker:
            rig = rigged(quick([url(broker)]))
            rig.events(5)
            async with running(rig):
                await rig.until(lambda: rig.outbox.drained and len(broker.seqs()) == 5)
                assert rig.part.view().protocol == "3.1.1"
                # What stood in the view between the two is too short to be looked for.
                told = [line for line in caplog.messages if "event=telemetry_disconnected" in line]
                assert "error=broker.no_answer" in told[0]
                assert "reason='connack timeout'" in told[0]
                # The broker is updated and restarts: 5 is tried again.
                broker.v311_only = ""
                broker.hang_up()
                await rig.until(lambda: rig.part.view().protocol == "5")
                await rig.until(lambda: rig.part.view().connected)
            assert [each["version"] for each in broker.connects] == [5, 4, 5]

    asyncio.run(story())


def test_refused_credentials_raise_an_alarm_and_stop_the_hammering(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """0x87 in the CONNACK: one attempt, an alarm, everything kept."""

    async def story() -> None:
        async with strict(refuse=0x87) as broker:
            rig = rigged(quick([url(broker)]))
            rig.events(2)
            async with running(rig):
                await rig.until(lambda: rig.part.view().alarm == NOT_AUTHORISED)
                view = rig.part.view()
                assert view.last_error == "broker.refused"
                assert not view.connected
                await rig.until(lambda: rig.part.view().queued == 2)
            assert len(broker.connects) == 1

    with caplog.at_level(logging.INFO, "agent.telemetry"):
        asyncio.run(story())
    assert "event=telemetry_alarm code=broker.not_authorised" in caplog.text


def test_a_takeover_is_told_as_a_duplicate_id() -> None:
    """DISCONNECT 0x8E: another terminal uses our id."""

    async def story() -> None:
        async with strict() as broker:
            rig = rigged(quick([url(broker)]))
            async with running(rig):
                await rig.until(lambda: rig.part.view().connected)
                broker.goodbye(0x8E)
                await rig.until(lambda: rig.part.view().alarm == "broker.duplicate_id")
            assert len(broker.connects) == 1

    asyncio.run(story())


def test_a_message_the_broker_will_never_take_is_given_up() -> None:
    """PUBACK 0x99: counted as lost, the rest goes on."""

    async def story() -> None:
        async with strict(puback_code=0x99) as broker:
            rig = rigged(quick([url(broker)]))
            rig.events(2)
            async with running(rig):
                await rig.until(lambda: rig.outbox.stats.lost == 2)
                assert rig.part.view().connected

    asyncio.run(story())


def test_a_message_too_large_for_the_broker_is_not_sent() -> None:
    """The broker's Maximum Packet Size is respected: it would hang up on us for ever."""

    async def story() -> None:
        async with strict(max_packet_bytes=120) as broker:
            rig = rigged(quick([url(broker)]))
            rig.events(2)
            async with running(rig):
                await rig.until(lambda: rig.outbox.stats.lost == 2)
            assert broker.seqs() == []

    asyncio.run(story())


def test_the_second_endpoint_is_used_when_the_first_is_dead() -> None:
    """A list of endpoints is a failover list."""

    async def story() -> None:
        async with strict() as broker:
            with socket.socket() as dead:
                dead.bind(("127.0.0.1", 0))
                nobody = f"mqtt://127.0.0.1:{dead.getsockname()[1]}"
                rig = rigged(quick([nobody, url(broker)]))
                rig.events(1)
                async with running(rig):
                    await rig.until(lambda: rig.outbox.drained and broker.seqs() == [1])
                    assert rig.part.view().endpoint == url(broker)

    asyncio.run(story())


def test_an_unreachable_broker_is_logged_once_and_stopping_is_quick(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """First failure WARNING, repeats DEBUG; the rig checks that stopping takes under 2 s."""

    async def story() -> None:
        with socket.socket() as dead:
            dead.bind(("127.0.0.1", 0))
            rig = rigged(quick([f"mqtt://127.0.0.1:{dead.getsockname()[1]}"]))
            async with running(rig):
                await rig.until(lambda: rig.counters.connects >= 3)
                assert rig.part.view().last_error == "broker.unreachable"

    with caplog.at_level(logging.DEBUG, "agent.telemetry"):
        asyncio.run(story())
    failures = [each for each in caplog.records if "telemetry_disconnected" in each.message]
    assert [each.levelname for each in failures].count("WARNING") == 1
    assert len(failures) >= 2


def test_stopping_does_not_wait_for_a_hanging_connect() -> None:
    """A server that accepts and says nothing, during TLS: gone within two seconds."""

    async def story() -> None:
        import ssl

        async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.set()
            await ended.wait()
            writer.close()

        reached, ended = asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        rig = rigged(quick([f"mqtts://127.0.0.1:{port}"]), tls=ssl.create_default_context)
        async with running(rig):
            await asyncio.wait_for(reached.wait(), 5)
        ended.set()
        server.close()
        await server.wait_closed()

    asyncio.run(story())


def test_broken_tls_files_are_a_configuration_error_and_nothing_is_lost() -> None:
    """A missing certificate is named; telemetry keeps recording."""

    def broken() -> object:
        raise OperatorError("tls.unreadable", "cert_file /x cannot be read")

    async def story() -> None:
        rig = rigged(quick(["mqtts://localhost:1"]), tls=broken)  # type: ignore[arg-type]
        rig.events(1)
        async with running(rig):
            await rig.until(lambda: rig.part.view().last_error == "broker.configuration")
            assert "cert_file" in rig.part.view().last_reason
            await rig.until(lambda: rig.part.view().queued == 1)

    asyncio.run(story())


def test_without_an_endpoint_everything_is_recorded_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No broker configured is a normal way to live; paho is never even needed."""

    async def story() -> None:
        rig = rigged(quick())
        async with running(rig):
            rig.events(2)
            await rig.until(lambda: rig.outbox.stats.rows == 2)
            await rig.timers.fire()
            view = rig.part.view()
            assert (view.configured, view.connected, view.queued) == (False, False, 4)
            assert rig.part.beat(10**9) == ""

    with caplog.at_level(logging.INFO, "agent.telemetry"):
        asyncio.run(story())
    assert [each.message for each in caplog.records].count(
        "event=telemetry_local reason=no_endpoint_configured"
    ) == 1


def test_paho_is_loaded_only_with_an_endpoint() -> None:
    """A terminal without a broker does not pay 2.9 MB for one."""
    import subprocess

    code = (
        "import sys, agent.telemetry; sys.exit('paho' in sys.modules or 'paho.mqtt' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reports_follow_the_facts() -> None:
    """info once, readings full then by exception, backlog at its edges and periodically."""

    async def story() -> None:
        clock = FakeClock()
        async with strict() as broker:
            rig = rigged(
                quick([url(broker)], health_period_s=60, backlog_period_s=600, full_period_s=600),
                clock=clock,
            )
            rig.health.says("printer", paper="ok")
            kinds: list[str] = []

            async def look(*, news: int) -> list[dict[str, object]]:
                before = len(broker.seqs())
                await rig.timers.fire()
                await rig.until(lambda: rig.outbox.drained)
                new = [(t, b) for t, b in broker.received if "seq" in b][before:]
                assert len(new) == news, new
                kinds.extend(topic.rpartition("/")[2] for topic, _ in new)
                return [body for _, body in new]

            async with running(rig):
                info, backlog = await look(news=2)
                assert (info["site"], backlog["count"]) == ("S7", 0)
                clock.advance(60)
                (full,) = await look(news=1)
                assert (full["full"], full["printer_paper"], full["alarms"]) == (True, "ok", [])
                clock.advance(60)
                (sign,) = await look(news=1)
                assert set(sign) == {"seq", "outbox_id", "ts", "full"}, "nothing moved: a sign"
                rig.health.says("printer", paper="out")
                clock.advance(60)
                (delta,) = await look(news=1)
                assert delta["printer_paper"] == "out"
                assert "printer" not in delta
                assert "alarms" not in delta
                rig.backlog = stuck(rig, 4)
                clock.advance(60)
                (edge,) = await look(news=1)
                assert (edge["count"], edge["amount_minor_cny"]) == (4, 5_000)
                assert edge["cause"] == "network.dns_failed"
                clock.advance(540)
                both = await look(news=1)
                assert both[0]["full"] is True
                clock.advance(60)
                (periodic,) = await look(news=1)
                assert periodic["count"] == 4
                rig.backlog = EMPTY
                clock.advance(60)
                (cleared,) = await look(news=1)
                assert cleared["count"] == 0
            assert kinds == [
                "info",
                "backlog",
                "health",
                "health",
                "health",
                "backlog",
                "health",
                "backlog",
                "backlog",
            ]

    asyncio.run(story())


def test_a_store_that_refuses_loses_no_alarm() -> None:
    """Events wait in memory until state.db takes them again; the part keeps running."""

    async def story() -> None:
        async with strict() as broker:
            rig = rigged(quick([url(broker)]))
            async with running(rig):
                await rig.until(lambda: rig.part.view().connected)
                rig.db.broken = StoreError("store.full", "disk full")
                rig.health.change(rig.clock, "printer.paper_out")
                await rig.timers.fire()
                assert broker.seqs() == []
                rig.db.broken = None
                rig.health.change(rig.clock, "printer.paper_out", What.CLEARED)
                await broker.until(lambda: len(broker.seqs()) == 3)
                await rig.until(lambda: rig.outbox.drained)
                told = [body["seq"] for topic, body in broker.received if topic.endswith("event")]
                assert told == [1, 2]  # and the backlog, which could not be told either

    asyncio.run(story())


def test_an_unwritable_connect_counter_prevents_the_connect() -> None:
    """Without a persisted number a late Will could pass for the newest word."""

    async def story() -> None:
        async with strict() as broker:
            rig = rigged(quick([url(broker)]))
            rig.counters.broken = StoreError("store.unavailable", "counters cannot be written")
            async with running(rig):
                await rig.until(lambda: rig.part.view().last_error == "store.unavailable")
                assert broker.connects == []
                rig.counters.broken = None
                await rig.until(lambda: rig.part.view().connected)

    asyncio.run(story())


def test_identity_changes_are_introduced_again() -> None:
    """A terminal that moves to another site tells so at the next look."""

    async def story() -> None:
        from dataclasses import replace

        async with strict() as broker:
            rig = rigged(quick([url(broker)]))
            async with running(rig):
                await rig.timers.fire()
                await rig.timers.fire()
                identity = rig.part.identity
                rig.part.introduce(replace(identity, site="S8"))
                await rig.timers.fire()
                await rig.until(lambda: rig.outbox.drained)
            infos = [body for topic, body in broker.received if topic.endswith("/info")]
            assert [body["site"] for body in infos][-1] == "S8"

    asyncio.run(story())


def test_the_part_can_be_run_again_after_it_stopped() -> None:
    """`supervise` restarts a part by calling run once more; nothing is registered twice."""

    async def story() -> None:
        async with strict() as broker:
            rig = rigged(quick([url(broker)]))
            for number in (1, 2):
                stop = asyncio.Event()
                task = asyncio.create_task(rig.part.run(stop))
                await rig.until(lambda: rig.part.view().connected)
                rig.health.change(rig.clock, "printer.paper_out")
                await broker.until(lambda n=number: len(broker.seqs()) == n)
                stop.set()
                await asyncio.wait_for(task, 2)
            assert broker.seqs() == [1, 2]
            rig.db.close()

    asyncio.run(story())


def test_beat_tells_a_step_that_does_not_end() -> None:
    """The watchdog hears which part hangs and for how long."""

    async def story() -> None:
        rig = rigged(quick(["mqtt://127.0.0.1:1"]))
        hanging = asyncio.Event()

        async def never() -> bool:
            return await hanging.wait()

        rig.part._recorder.flush = never  # type: ignore[method-assign]
        task = asyncio.create_task(rig.part.run(asyncio.Event()))
        await rig.until(lambda: rig.part._conversation is not None)
        await rig.until(lambda: rig.part._conversation.busy_since_ms is not None)  # type: ignore[union-attr]
        now_ms = rig.clock.now().boot_ms
        assert rig.part.beat(now_ms) == ""
        assert "telemetry: one step has taken" in rig.part.beat(now_ms + STUCK_MS + 5_000)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        rig.db.close()

    asyncio.run(story())
