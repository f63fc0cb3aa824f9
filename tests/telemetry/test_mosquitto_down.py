"""What the real mosquitto sends down, and what it does when we are not alone or not welcome."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.core.fleet.session import DUPLICATE_ID
from agent.link.tls import client_context
from agent.sim.broker import Broker, ServerTls
from agent.telemetry import Credentials
from tests.telemetry.rig import Rig, quick, rigged, running
from tests.telemetry.test_receiving import CMD, Inbox

pytestmark = pytest.mark.broker


class Sender:
    """Somebody who may publish."""

    def __init__(self, broker: Broker, client_id: str = "sender", **options: Any) -> None:
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.connect(
            "127.0.0.1", broker.port, clean_start=options.pop("clean_start", True), **options
        )
        self.client.loop_start()

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


async def listening(rig: Rig) -> None:
    await rig.until(lambda: rig.part._figures.subscribed is True)


#: What makes mosquitto name every packet.
TELLS = ("log_type debug",)


async def acknowledged(broker: Broker, rig: Rig, count: int) -> None:
    """The broker has so many of our PUBACKs: what it got none for comes again, and should."""
    await rig.until(lambda: sum("Received PUBACK from" in line for line in broker.lines) >= count)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_commands_and_wishes_arrive(protocol: str) -> None:
    """Retained or not, online or away for a while, in order and once."""

    async def story() -> None:
        async with Broker(extra=TELLS) as broker:
            sender = Sender(broker)
            inbox = Inbox()
            sender.say("pos/1/acme/T-1/desired", b"wish", retain=True)
            try:
                rig = rigged(quick([broker.url], protocol=protocol), inbox=inbox)
                async with running(rig):
                    await listening(rig)
                    sender.say(CMD + "a", b"one")
                    sender.say("pos/1/acme/T-2/cmd/b", b"for another")
                    await rig.until(lambda: len(inbox.taken) == 2)
                    await acknowledged(broker, rig, 2)
                for name in ("c", "d"):
                    sender.say(CMD + name, name.encode())
                rig = rigged(quick([broker.url], protocol=protocol), inbox=inbox)
                async with running(rig):
                    await rig.until(lambda: len(inbox.taken) == 5)
            finally:
                sender.close()
            names = [name for name, _, _ in inbox.taken]
            assert names[:2] == ["desired", "a"]
            assert [name for name in names[2:] if name != "desired"] == ["c", "d"]

    asyncio.run(story())


def test_a_command_that_is_retained_shows_it_while_we_listen() -> None:
    """Not only to who subscribes later: MQTT 5 is asked to pass the mark on as it was published."""

    async def story() -> None:
        async with Broker() as broker:
            sender, inbox = Sender(broker), Inbox()
            try:
                rig = rigged(quick([broker.url]), inbox=inbox)
                async with running(rig):
                    await listening(rig)
                    sender.say(CMD + "a", b"kept", retain=True)
                    sender.say(CMD + "b", b"said")
                    await rig.until(lambda: len(inbox.taken) == 2)
            finally:
                sender.close()
            assert inbox.taken == [("a", b"kept", True), ("b", b"said", False)]

    asyncio.run(story())


def test_a_wish_costs_its_kilobytes_once() -> None:
    """On a reconnect MQTT 5 is asked not to send again what was retained."""

    async def story() -> None:
        async with Broker(extra=TELLS) as broker:
            sender, inbox = Sender(broker), Inbox()
            sender.say("pos/1/acme/T-1/desired", b"wish" * 1_000, retain=True)
            try:
                rig = rigged(quick([broker.url]), inbox=inbox)
                async with running(rig):
                    await rig.until(lambda: len(inbox.taken) == 1)
                    await acknowledged(broker, rig, 1)
                    rig.part.moved()
                    await rig.until(lambda: rig.counters.connects == 2)
                    await listening(rig)
                    sender.say(CMD + "a", b"after")
                    await rig.until(lambda: len(inbox.taken) == 2)
            finally:
                sender.close()
            assert [name for name, _, _ in inbox.taken] == ["desired", "a"]

    asyncio.run(story())


def test_killed_between_delivery_and_inbox_it_comes_again() -> None:
    """No PUBACK before the inbox has it: the agent dies there, the broker sends it again."""

    async def story() -> None:
        async with Broker() as broker:
            sender, held, inbox = Sender(broker), Inbox(), Inbox()
            held.gate = asyncio.Event()
            try:
                rig = rigged(quick([broker.url]), inbox=held)
                task = asyncio.create_task(rig.part.run(asyncio.Event()))
                await listening(rig)
                sender.say(CMD + "a", b"one")
                await rig.until(lambda: held.at_once == 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                rig.db.close()
                assert held.taken == []
                rig = rigged(quick([broker.url]), inbox=inbox)
                async with running(rig):
                    await rig.until(lambda: len(inbox.taken) == 1)
            finally:
                sender.close()
            assert inbox.taken == [("a", b"one", False)]

    asyncio.run(story())


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_twin_is_told(protocol: str) -> None:
    """Two terminals with one id: mosquitto ends the older without a word; it is found out."""

    async def story() -> None:
        async with Broker() as broker:
            rigs = [rigged(quick([broker.url], protocol=protocol), inbox=Inbox()) for _ in range(2)]
            rigs[1].counters.connects = 40
            async with running(rigs[0]):
                await listening(rigs[0])
                async with running(rigs[1]):
                    await rigs[0].until(
                        lambda: any(rig.part.view().alarm == DUPLICATE_ID for rig in rigs)
                    )
                    assert any((rig.part.standing() or {})["duplicate_id"] for rig in rigs)

    asyncio.run(story())


def test_a_broker_that_was_restarted_is_no_twin() -> None:
    """Ended without a word and back again, alone: no alarm, and the question is not kept."""

    async def story() -> None:
        async with Broker() as broker:
            rig = rigged(quick([broker.url]), inbox=Inbox())
            async with running(rig):
                for _ in range(3):
                    await listening(rig)
                    await rig.until(lambda: not rig.part._conversation._wire.twin._asked)  # type: ignore[union-attr]
                    assert rig.part.view().alarm == ""
                    count = rig.counters.connects
                    await broker.kill()
                    await broker.start()
                    await rig.until(lambda n=count: rig.counters.connects > n)
                    await rig.until(lambda: rig.part.view().connected)

    asyncio.run(story())


# Certificates


def pair(authority: trustme.CA, folder: Path, name: str, suffix: str = "") -> None:
    issued = authority.issue_cert("T-1@example.org", common_name=name)
    (folder / f"t.pem{suffix}").write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    (folder / f"t.key{suffix}").write_bytes(issued.private_key_pem.bytes())


def secured(tmp_path: Path) -> tuple[trustme.CA, ServerTls, Credentials]:
    authority = trustme.CA()
    ca, server = tmp_path / "ca.pem", authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(ca))
    chain, key = tmp_path / "server.pem", tmp_path / "server.key"
    chain.write_bytes(b"".join(one.bytes() for one in server.cert_chain_pems))
    server.private_key_pem.write_to_path(str(key))
    pair(authority, tmp_path, "T-1")
    tls = ServerTls(cert_file=str(chain), key_file=str(key), client_ca_file=str(ca))
    paths = (str(ca), str(tmp_path / "t.pem"), str(tmp_path / "t.key"))
    return authority, tls, Credentials(client_context, *paths)


def test_a_renewed_certificate_replaces_the_old_after_a_connack(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The new pair is shown, and put in the old one's place only when it was accepted."""
    caplog.set_level("INFO")

    async def story() -> None:
        authority, tls, credentials = secured(tmp_path)
        async with Broker(tls=tls) as broker:
            rig = rigged(quick([broker.url]), credentials=credentials)
            async with running(rig):
                await rig.until(lambda: rig.part.view().connected)
                pair(authority, tmp_path, "T-1", ".new")
                renewed = (tmp_path / "t.pem.new").read_bytes()
                assert rig.part.view().new_certificate == "trial"
                rig.part.renewed()
                await rig.until(lambda: (tmp_path / "t.pem").read_bytes() == renewed)
                await rig.until(lambda: rig.part.view().connected)
                assert rig.part.view().new_certificate == ""
                assert not list(tmp_path.glob("*.new"))

    asyncio.run(story())
    assert "event=certificate_renewed" in caplog.text


def test_a_refused_new_certificate_leaves_the_old_one_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Issued by somebody else: said, kept aside, not tried again; the line comes back at once."""

    async def story() -> None:
        _, tls, credentials = secured(tmp_path)
        old = (tmp_path / "t.pem").read_bytes()
        async with Broker(tls=tls) as broker:
            rig = rigged(quick([broker.url]), credentials=credentials)
            async with running(rig):
                await rig.until(lambda: rig.part.view().connected)
                pair(trustme.CA(), tmp_path, "T-1", ".new")
                rig.part.renewed()
                await rig.until(lambda: rig.part.view().new_certificate == "refused")
                await rig.until(lambda: rig.part.view().connected)
                count = rig.counters.connects
                rig.part.renewed()
                await rig.until(lambda: rig.counters.connects == count + 1)
                await rig.until(lambda: rig.part.view().connected)
                assert (rig.part.standing() or {})["not_authorised"] is False
        assert (tmp_path / "t.pem").read_bytes() == old

    asyncio.run(story())
    assert caplog.text.count("event=certificate_refused") == 1
