"""The simulated fleet side: a broker that starts, ends and comes back, and who listens to it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agent.errors import OperatorError, RemoteError
from agent.sim import broker as sim
from agent.sim.broker import Broker, Heard, ServerTls, Watcher


def published(port: int, count: int) -> None:
    """Somebody else publishes."""
    from paho.mqtt import publish

    publish.multiple(
        [
            {"topic": f"pos/1/a/b/{kind}", "payload": b'{"n":1}', "qos": 1}
            for kind in ["event"] * count
        ],
        port=port,
    )


def in_thread(port: int, count: int) -> threading.Thread:
    thread = threading.Thread(target=published, args=(port, count))
    thread.start()
    return thread


@pytest.mark.broker
def test_mosquitto_starts_on_a_free_port_and_leaves_nothing() -> None:
    """A broker is there when start returns, gone when stop returns, with its directory."""

    async def story() -> None:
        broker = Broker(kind="mosquitto")
        assert broker.v5
        port = await broker.start()
        assert broker.url == f"mqtt://127.0.0.1:{port}"
        process, directory = broker._process, broker._directory
        assert process is not None
        assert directory is not None
        await broker.stop()
        assert process.returncode is not None
        assert not Path(directory.name).exists()
        await broker.stop()

    asyncio.run(story())


@pytest.mark.broker
def test_a_broker_comes_back_on_its_port() -> None:
    """Killed and started again: the same address, as after a power cut."""

    async def story() -> None:
        async with Broker() as broker:
            port = broker.port
            await broker.kill()
            assert await broker.start() == port

    asyncio.run(story())


@pytest.mark.broker
def test_a_broken_configuration_says_why() -> None:
    """A broker that does not start tells its last words."""

    async def story() -> None:
        broker = Broker(tls=ServerTls(cert_file="/nowhere", key_file="/nowhere"))
        with pytest.raises(RemoteError, match="nowhere"):
            await broker.start()
        await broker.stop()

    asyncio.run(story())


@pytest.mark.broker
def test_a_watcher_hears_and_waits() -> None:
    """`wait` blocks a thread, `expect` a coroutine; both end with the message or the time."""
    ready, over = threading.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        async with Broker() as broker:
            ports.append(broker.port)
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.01)

    server = threading.Thread(target=lambda: asyncio.run(serve()))
    server.start()
    assert ready.wait(10)
    seen: list[Heard] = []
    watcher = Watcher(ports[0], on_message=seen.append)
    watcher.start()
    try:
        assert watcher.wait(lambda: watcher.subscribed)
        published(ports[0], 2)
        assert watcher.wait(lambda: len(watcher.of("event")) == 2)
        assert not watcher.wait(lambda: False, 0.01)
        assert not asyncio.run(watcher.expect(lambda: False, 0.01))
        assert asyncio.run(watcher.expect(lambda: len(seen) == 2))
        assert seen[0].fields == {"n": 1}
    finally:
        watcher.close()
        over.set()
        server.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_amqtt_stands_in_where_mosquitto_is_missing() -> None:
    """The demo needs no installed broker: amqtt, in this process, MQTT 3.1.1."""
    pytest.importorskip("amqtt")

    async def story() -> None:
        async with Broker(kind="amqtt") as broker:
            assert not broker.v5
            watcher = Watcher(broker.port, v5=False)
            watcher.start()
            try:
                assert await watcher.expect(lambda: watcher.subscribed)
                thread = in_thread(broker.port, 1)
                assert await watcher.expect(lambda: len(watcher.messages) == 1)
                thread.join()
            finally:
                watcher.close()

    asyncio.run(story())


def test_amqtt_cannot_do_tls() -> None:
    """Said plainly instead of listening without TLS."""
    pytest.importorskip("amqtt")
    broker = Broker(kind="amqtt", tls=ServerTls(cert_file="x", key_file="y"))
    with pytest.raises(OperatorError, match="TLS needs mosquitto"):
        asyncio.run(broker.start())


def test_a_missing_mosquitto_is_an_operator_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the real broker hears that it is not installed."""
    monkeypatch.setattr(sim, "mosquitto", lambda: None)
    with pytest.raises(OperatorError, match="not installed"):
        Broker(kind="mosquitto")
