"""The part `telemetry` with the real mosquitto: what a subscriber really sees."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
import trustme

from agent.core.fleet.messages import Kind
from agent.core.money.journal import Amounts
from agent.sim.broker import Broker, ServerTls, Watcher
from agent.wire import mqtt
from tests.telemetry.rig import EMPTY, Rig, quick, rigged, running

pytestmark = pytest.mark.broker
KEPT = {"state", "info", "backlog"}
STUCK = replace(
    EMPTY,
    total=Amounts(count=3, by_currency={"CNY": 4_200}),
    oldest_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@contextlib.asynccontextmanager
async def watched(broker: Broker, **options: Any) -> AsyncIterator[Watcher]:
    watcher = Watcher(broker.port, **options)
    watcher.start()
    try:
        assert await watcher.expect(lambda: watcher.subscribed)
        yield watcher
    finally:
        watcher.close()


def seqs(watcher: Watcher) -> set[int]:
    return {each.fields["seq"] for each in watcher.messages if "seq" in each.fields}


def states(watcher: Watcher) -> list[tuple[str, int]]:
    return [(each.fields["state"], each.fields["connects"]) for each in watcher.of("state")]


async def lived(rig: Rig, watcher: Watcher) -> None:
    """Everything a terminal tells in its first minutes."""
    rig.health.says("printer", paper="ok", cover_open=False)
    await rig.timers.fire()
    rig.health.change(rig.clock, "printer.paper_out")
    for _ in range(200):
        await rig.timers.fire()
        if rig.part._recorder._readings.fields:
            break
        await asyncio.sleep(0.02)
    kinds = {str(kind) for kind in Kind} - {Kind.HIST, Kind.RES}  # nothing waited, nobody asked
    assert await watcher.expect(lambda: {each.kind for each in watcher.messages} == kinds)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_subscriber_sees_every_kind_as_documented(protocol: Literal["5", "3.1.1"]) -> None:
    """state, info, health, backlog and event arrive, in both protocol versions, by contract."""

    async def story() -> None:
        async with Broker() as broker, watched(broker) as watcher:
            rig = rigged(quick([broker.url], protocol=protocol))
            async with running(rig):
                await lived(rig, watcher)
                assert rig.part.view().protocol == protocol
                await rig.until(lambda: rig.outbox.drained)
            assert await watcher.expect(lambda: states(watcher) == [("online", 1), ("offline", 1)])
            for each in watcher.messages:
                assert each.topic == f"pos/1/acme/T-1/{each.kind}"
                assert mqtt.problems(Kind(each.kind), each.payload) == []

    asyncio.run(story())


def test_a_late_subscriber_is_told_who_is_there_and_where_money_is() -> None:
    """A fleet manager who comes later sees that at once, and nothing stale: money that arrived
    meanwhile is gone from what the broker keeps."""

    async def story() -> None:
        async with Broker() as broker, watched(broker) as first:
            rig = rigged(quick([broker.url]))
            async with running(rig):
                await lived(rig, first)
                for stuck, count in ((STUCK, 3), (EMPTY, 0)):
                    rig.backlog = stuck
                    await rig.timers.fire()
                    await rig.until(lambda: rig.outbox.drained)
                    async with watched(broker) as late:
                        assert await late.expect(
                            lambda seen=late.messages: {each.kind for each in seen} == KEPT
                        )
                        assert all(each.retained for each in late.messages)
                        (kept,) = late.of("backlog")
                        assert kept.fields["count"] == count

    asyncio.run(story())


def test_the_will_tells_of_a_killed_agent() -> None:
    """No goodbye: the broker says `lost`, with the number of the connection that died."""

    async def story() -> None:
        async with Broker() as broker, watched(broker) as watcher:
            rig = rigged(quick([broker.url]))
            task = asyncio.create_task(rig.part.run(asyncio.Event()))
            assert await watcher.expect(lambda: states(watcher) == [("online", 1)])
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert await watcher.expect(lambda: states(watcher) == [("online", 1), ("lost", 1)])
            rig.db.close()

    asyncio.run(story())


def test_nothing_is_lost_over_an_outage_of_the_broker() -> None:
    """Killed, back on the same port: every number arrives, from before and from meanwhile."""

    async def story() -> None:
        async with Broker() as broker, watched(broker) as watcher:
            rig = rigged(quick([broker.url]))
            async with running(rig):
                rig.events(40, "before")
                assert await watcher.expect(lambda: len(seqs(watcher)) == 40)
                await broker.kill()
                await rig.until(lambda: not rig.part.view().connected)
                rig.events(60, "during")
                await rig.until(lambda: rig.part.view().queued >= 60)
                assert await watcher.expect(lambda: not watcher.subscribed)
                # The watcher must listen before the terminal talks: the broker forgot them both.
                hold = rig.counters.next_connect
                listening = asyncio.Event()

                async def after_the_watcher() -> int:
                    await listening.wait()
                    return await hold()

                rig.counters.next_connect = after_the_watcher  # type: ignore[method-assign]
                await broker.start()
                assert await watcher.expect(lambda: watcher.subscribed)
                listening.set()
                assert await watcher.expect(lambda: seqs(watcher) == set(range(1, 101)))
                await rig.until(lambda: rig.outbox.drained)
                assert rig.outbox.stats.lost == 0

    asyncio.run(story())


def test_a_restarted_agent_resumes_its_outbox(tmp_path: Path) -> None:
    """Rows recorded without a broker are sent by the next process, in the same outbox."""

    async def story() -> None:
        from tests.telemetry.rig import StateDb

        path = tmp_path / "state.db"
        offline = rigged(quick(), db=StateDb(path))
        async with running(offline):
            offline.events(30)
            await offline.until(lambda: offline.outbox.stats.rows == 30)
        async with Broker() as broker, watched(broker) as watcher:
            rig = rigged(quick([broker.url]), db=StateDb(path))
            async with running(rig):
                assert await watcher.expect(lambda: seqs(watcher) == set(range(1, 31)))
                await rig.until(lambda: rig.outbox.drained)
            names = {each.fields.get("outbox_id") for each in watcher.of("event")}
            assert names == {await_identity(path)}

    asyncio.run(story())


def await_identity(path: Path) -> str:
    """The outbox's name as a third process would compute it."""
    from agent.store.outbox import Outbox
    from tests.telemetry.rig import StateDb

    async def ask() -> str:
        db = StateDb(path)
        try:
            return await Outbox(db, max_rows=1, max_bytes=1).identity("c0ffee")
        finally:
            db.close()

    import threading

    answer: list[str] = []
    thread = threading.Thread(target=lambda: answer.append(asyncio.run(ask())))
    thread.start()
    thread.join()
    return answer[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def served(authority: trustme.CA, directory: Path, *, clients: bool) -> ServerTls:
    """A server certificate for localhost, on disk."""
    server = authority.issue_cert("localhost", "127.0.0.1")
    chain, key, ca = (directory / name for name in ("server.pem", "server.key", "ca.pem"))
    chain.write_bytes(b"".join(each.bytes() for each in server.cert_chain_pems))
    server.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    return ServerTls(
        cert_file=str(chain), key_file=str(key), client_ca_file=str(ca) if clients else ""
    )


def client_context(authority: trustme.CA, *, certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate:
        authority.issue_cert("T-1@example.org", common_name="T-1").configure_cert(context)
    return context


def test_tls_with_client_certificates_and_resumption(authority: trustme.CA, tmp_path: Path) -> None:
    """mTLS works, and a reconnect resumes the TLS session (2.6 kB less on a SIM card)."""

    async def story() -> None:
        tls = served(authority, tmp_path, clients=True)
        ours = client_context(authority, certificate=True)
        async with (
            Broker(tls=tls) as broker,
            watched(broker, host="localhost", tls=client_context(authority, certificate=True)) as w,
        ):
            rig = rigged(quick([broker.url]), tls=lambda: ours)
            async with running(rig):
                rig.events(20)
                assert await w.expect(lambda: len(seqs(w)) == 20)
                conversation = rig.part._conversation
                assert conversation is not None
                assert not rig.part.view().tls_resumed
                for _ in range(2):
                    count = rig.counters.connects
                    connection = conversation._wire.connection
                    assert connection is not None
                    connection.disconnect()
                    await rig.until(lambda n=count: rig.counters.connects > n)
                    await rig.until(lambda: rig.part.view().connected)
                assert rig.part.view().tls_resumed

    asyncio.run(story())


def test_a_missing_client_certificate_is_named_and_nothing_is_lost(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """The TLS alert of the broker reaches `status`; the rows stay."""

    async def story() -> None:
        tls = served(authority, tmp_path, clients=True)
        ours = client_context(authority, certificate=False)
        async with Broker(tls=tls) as broker:
            rig = rigged(quick([broker.url]), tls=lambda: ours)
            async with running(rig):
                rig.events(3)
                await rig.until(lambda: rig.part.view().last_error == "broker.certificate")
                await rig.until(lambda: rig.part.view().queued == 3)

    asyncio.run(story())


def test_an_untrusted_broker_gets_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    """A certificate of somebody else's authority: not one byte of MQTT, said plainly."""

    async def story() -> None:
        tls = served(authority, tmp_path, clients=False)
        ours = client_context(trustme.CA(), certificate=False)
        async with Broker(tls=tls) as broker:
            rig = rigged(quick([broker.url]), tls=lambda: ours)
            async with running(rig):
                await rig.until(lambda: rig.part.view().last_error == "broker.certificate")
                assert "CERTIFICATE_VERIFY_FAILED" in rig.part.view().last_reason
                assert not rig.part.view().connected

    asyncio.run(story())
