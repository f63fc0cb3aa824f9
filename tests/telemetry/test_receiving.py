"""What the fleet sends down: taken one at a time, acknowledged when taken, refused when a lie."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.fleet import keepalive
from agent.core.fleet.keepalive import Network
from agent.core.fleet.messages import StateMessage
from agent.core.fleet.session import DUPLICATE_ID, NOT_AUTHORISED
from agent.errors import StoreError
from agent.telemetry import incoming
from agent.telemetry.adapters import Packet
from agent.telemetry.adapters.native import Native
from agent.telemetry.client import MAX_PACKET_BYTES, MAX_WAITING
from tests.telemetry.liar import Call, framed, lying
from tests.telemetry.rig import Rig, quick, rigged, running
from tests.telemetry.strict_broker import StrictBroker

CMD = "pos/1/acme/T-1/cmd/"


class Inbox:
    """Writes down what it is given."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes, bool]] = []
        self.gate: asyncio.Event | None = None
        self.refusals = 0
        self.at_once = 0
        self.most_at_once = 0

    async def command(self, cmd_id: str, payload: bytes, *, retained: bool) -> None:
        await self._take(cmd_id, payload, retained=retained)

    async def desired(self, payload: bytes) -> None:
        await self._take("desired", payload, retained=False)

    async def _take(self, name: str, payload: bytes, *, retained: bool) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if self.refusals:
                self.refusals -= 1
                raise StoreError("store.full", "no room", "")
            self.taken.append((name, payload, retained))
        finally:
            self.at_once -= 1


async def subscribed(call: Call, *codes: int) -> None:
    """CONNACK, then the answer to SUBSCRIBE."""
    call.connack()
    body = await call.expect(8)
    call.suback(body[:2], *(codes or (1, 1)))


def story(
    script: Callable[[Call], Awaitable[None]],
    tell: Callable[[Rig, list[Call], Inbox], Awaitable[None]],
    *,
    protocol: str = "5",
) -> Inbox:
    """A terminal that listens, and a broker that follows a script."""
    inbox = Inbox()

    async def main() -> None:
        async with lying(script) as liar:
            rig = rigged(quick([liar.url], protocol=protocol), inbox=inbox)
            async with running(rig):
                await tell(rig, liar.calls, inbox)

    asyncio.run(main())
    return inbox


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_command_is_acknowledged_when_the_inbox_has_it(protocol: str) -> None:
    """PUBACK only after the inbox returned, in order, one at a time; both versions."""
    acked: list[int] = []

    async def script(call: Call) -> None:
        await subscribed(call)
        call.publish(CMD + "a", b"one", 11)
        call.publish(CMD + "b", b"two", 12, retain=True)
        call.publish("pos/1/acme/T-1/desired", b"wish", 13, retain=True)
        call.publish("pos/1/acme/T-1/cmd/x/y", b"not ours", 14)
        while True:
            acked.append(int.from_bytes((await call.expect(4))[:2], "big"))

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        inbox.gate = asyncio.Event()
        await rig.until(lambda: inbox.at_once == 1)
        assert acked == []
        inbox.gate.set()
        await rig.until(lambda: len(acked) == 4)

    inbox = story(script, tell, protocol=protocol)
    assert inbox.taken == [
        ("a", b"one", False),
        ("b", b"two", True),
        ("desired", b"wish", False),
    ]
    assert inbox.most_at_once == 1
    assert acked == [11, 12, 13, 14]


def test_connect_says_how_much_is_taken() -> None:
    """Maximum Packet Size and a small Receive Maximum stand in CONNECT; SUBSCRIBE is QoS 1."""
    asked: list[bytes] = []

    async def script(call: Call) -> None:
        call.connack()
        asked.append(await call.expect(8))
        await call.listen()

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        await rig.until(lambda: bool(asked))
        assert b"\x27" + MAX_PACKET_BYTES.to_bytes(4, "big") in calls[0].connect
        assert b"\x21\x00\x08" in calls[0].connect

    story(script, tell)
    for topic in (b"pos/1/acme/T-1/cmd/+", b"pos/1/acme/T-1/desired"):
        assert topic + b"\x09" in asked[0], "QoS 1, retain as published"


def test_nobody_listens_nothing_is_subscribed() -> None:
    """Without an inbox there is no SUBSCRIBE, and a delivery all the same is acknowledged away."""
    acked: list[bytes] = []

    async def script(call: Call) -> None:
        call.connack()
        call.publish(CMD + "a", b"one", 11)
        acked.append(await call.expect(4))
        assert all(command >> 4 != 8 for command, _ in call.heard)
        await call.listen()

    async def main() -> None:
        async with lying(script) as liar:
            rig = rigged(quick([liar.url]))
            async with running(rig):
                await rig.until(lambda: bool(acked))

    asyncio.run(main())


def test_what_the_inbox_could_not_keep_is_kept_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusing store: no PUBACK, the same message again, in its place, then the next."""
    monkeypatch.setattr(incoming, "STORE_RETRY_S", 0.02)
    acked: list[int] = []

    async def script(call: Call) -> None:
        await subscribed(call)
        call.publish(CMD + "a", b"one", 11)
        call.publish(CMD + "b", b"two", 12)
        while True:
            acked.append(int.from_bytes((await call.expect(4))[:2], "big"))

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        inbox.refusals = 3
        await rig.until(lambda: len(acked) == 2)

    inbox = story(script, tell)
    assert [name for name, _, _ in inbox.taken] == ["a", "b"]
    assert acked == [11, 12]


def test_a_connection_that_ends_takes_its_queue_along() -> None:
    """What was not acknowledged comes again on the next connection; nothing is taken twice here."""
    late: list[int] = []

    async def script(call: Call) -> None:
        await subscribed(call)
        call.publish(CMD + "a", b"one", 11)
        call.publish(CMD + "b", b"two", 12)
        if call.version and not late:
            late.append(0)
            await call.writer.drain()
            await asyncio.sleep(0.05)
            return
        while True:
            late.append(int.from_bytes((await call.expect(4))[:2], "big"))

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        inbox.gate = asyncio.Event()
        await rig.until(lambda: len(calls) > 1)
        inbox.gate.set()
        await rig.until(lambda: late[1:] == [11, 12])

    inbox = story(script, tell)
    assert [name for name, _, _ in inbox.taken].count("b") == 1, "dropped with its connection"


def test_a_fault_in_the_inbox_ends_the_part() -> None:
    """It is restarted, and said; the message is not acknowledged."""

    class Broken(Inbox):
        async def command(self, cmd_id: str, payload: bytes, *, retained: bool) -> None:
            raise RuntimeError("a bug")

    async def script(call: Call) -> None:
        await subscribed(call)
        call.publish(CMD + "a", b"one", 11)
        await call.listen()

    async def main() -> None:
        async with lying(script) as liar:
            rig = rigged(quick([liar.url]), inbox=Broken())
            with pytest.raises(RuntimeError, match="a bug"):
                await asyncio.wait_for(rig.part.run(asyncio.Event()), 10)
            rig.db.close()

    asyncio.run(main())


# Rows that become several packets


class Chatty(Native):
    """Two packets for an event, none for anything else."""

    def state(self, message: StateMessage) -> tuple[Packet, ...]:
        return tuple(Packet(topic=f"state/{number}", payload=b'{"state":1}') for number in range(2))

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> tuple[Packet, ...]:
        if kind != "event":
            return ()
        return tuple(
            Packet(topic=f"{kind}/{number}", payload=b'{"seq":%d}' % seq) for number in range(2)
        )


def test_a_row_is_told_when_all_its_packets_are() -> None:
    """Two packets a row through a window of one: in order, none lost, the row kept meanwhile."""

    async def main() -> None:
        broker = StrictBroker(receive_maximum=1, hold_pubacks=True)
        await broker.start()
        try:
            rig = rigged(quick([f"mqtt://127.0.0.1:{broker.port}"]), scheme=Chatty("acme", "T-1"))
            rig.events(3)
            async with running(rig):
                await broker.until(lambda: len(broker.received) == 1)
                assert rig.outbox.stats.rows >= 3
                broker.hold_pubacks = False
                broker.hang_up()
                await rig.until(lambda: rig.outbox.drained)
        finally:
            await broker.stop()
        assert broker.violations == 0
        topics = [topic for topic, _ in broker.received if topic.startswith("event")]
        assert topics == ["event/0", "event/1"] * 3

    asyncio.run(main())


# Lies

TOO_LARGE = framed(0x32, b"")[:1] + b"\x80\xad\xe2\x04"  # 10 MB announced


async def _ten_megabytes(call: Call) -> None:
    await subscribed(call)
    call.send(TOO_LARGE)
    for _ in range(160):
        call.send(b"\0" * 65_536)
        await call.writer.drain()


async def _floods(call: Call) -> None:
    await subscribed(call)
    for number in range(4_000):
        call.publish("some/where", b"x" * 100, qos=0)
        if number % 100 == 0:
            await call.writer.drain()
    await call.listen()


async def _qos_2(call: Call) -> None:
    await subscribed(call)
    for mid in range(1, 100):
        call.publish(CMD + "a", b"x", mid, qos=2)
    await call.listen()


async def _two_greetings(call: Call) -> None:
    await subscribed(call)
    call.connack()
    await call.listen()


async def _delivers_before_the_greeting(call: Call) -> None:
    call.publish(CMD + "a", b"x")
    await call.listen()


async def _bad_topic(call: Call) -> None:
    await subscribed(call)
    call.send(framed(0x32, b"\0\x02\xff\xfe\0\x01\0hello"))
    await call.listen()


async def _short_puback(call: Call) -> None:
    await subscribed(call)
    call.send(framed(0x40, b"\0"))
    await call.listen()


async def _truncated_publish(call: Call) -> None:
    await subscribed(call)
    call.send(framed(0x32, b"\0\x20ab"))
    await call.listen()


async def _no_packet_at_all(call: Call) -> None:
    await subscribed(call)
    call.send(framed(0xF0, b"abc"))
    await call.listen()


async def _endless_length(call: Call) -> None:
    await subscribed(call)
    call.send(b"\x32\xff\xff\xff\xff\xff")
    await call.listen()


async def _strange_properties(call: Call) -> None:
    call.send(framed(0x20, b"\0\0\x03\x7f\x7f\x7f"))
    await call.listen()


async def _unknown_answer(call: Call) -> None:
    call.send(framed(0x20, b"\0\x55\0"))
    await call.listen()


async def _hangs_up_after_connect(call: Call) -> None:
    return


async def _hangs_up_after_connack(call: Call) -> None:
    call.connack()
    await call.writer.drain()


LIES = {
    "bad_topic": (_bad_topic, "broker.protocol"),
    "delivers_before_the_greeting": (_delivers_before_the_greeting, "broker.protocol"),
    "endless_length": (_endless_length, "broker.protocol"),
    "floods": (_floods, "broker.flood"),
    "hangs_up_after_connack": (_hangs_up_after_connack, "broker.closed"),
    "hangs_up_after_connect": (_hangs_up_after_connect, "broker.closed"),
    "no_packet_at_all": (_no_packet_at_all, "broker.protocol"),
    "qos_2": (_qos_2, "broker.protocol"),
    "short_puback": (_short_puback, "broker.protocol"),
    "strange_properties": (_strange_properties, "broker.protocol"),
    "ten_megabytes": (_ten_megabytes, "broker.oversize"),
    "truncated_publish": (_truncated_publish, "broker.protocol"),
    "two_greetings": (_two_greetings, "broker.protocol"),
    "unknown_answer": (_unknown_answer, "broker.protocol"),
}


def ours() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "telemetry-mqtt"]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_lie_ends_the_connection_with_its_word(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has its event, is survived again and again, and leaves no thread and no socket."""
    script, word = LIES[name]
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with lying(script) as liar:
            rig = rigged(quick([liar.url], protocol="5"), inbox=Inbox())
            async with running(rig):
                await rig.until(lambda: rig.part.view().last_error == word)
                before = descriptors()
                await rig.until(lambda: len(liar.calls) >= 4)
                await rig.until(lambda: rig.part.view().last_error == word)
                assert len(ours()) <= 2
                assert descriptors() <= before + 8
            await rig.until(lambda: not ours())

    asyncio.run(main())
    said = [each.getMessage() for each in caplog.records]
    assert any(f"error={word}" in each for each in said), said
    assert not [each for each in caplog.records if each.exc_info], "a lie is no bug of ours"


def test_ten_megabytes_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a byte of an oversized packet is read: the largest read asked for is a packet's."""
    from agent.telemetry.client import CheckedClient, Client

    asked: list[int] = []
    original = Client._sock_recv

    def recorded(self: CheckedClient, bufsize: int) -> bytes:
        asked.append(bufsize)
        return original(self, bufsize)

    monkeypatch.setattr(Client, "_sock_recv", recorded)

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        await rig.until(lambda: rig.part.view().last_error == "broker.oversize")

    story(_ten_megabytes, tell)
    assert asked
    assert max(asked) <= MAX_PACKET_BYTES


def test_a_puback_for_nothing_is_told_once_and_survived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ids never sent: one warning a connection, the connection stays, nothing is deleted."""

    async def script(call: Call) -> None:
        await subscribed(call)
        for mid in range(9_000, 9_050):
            call.send(framed(0x40, mid.to_bytes(2, "big")))
        call.publish(CMD + "a", b"still here", 1)
        await call.listen()

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        rig.events(2)
        await rig.until(lambda: bool(inbox.taken))
        assert rig.outbox.stats.rows >= 2
        assert len(calls) == 1

    story(script, tell)
    assert sum("puback_for_nothing" in each.getMessage() for each in caplog.records) == 1


@pytest.mark.parametrize(("protocol", "code"), [("3.1.1", 0x80), ("5", 0x87)])
def test_a_refused_subscription_is_an_alarm_and_telemetry_goes_on(
    protocol: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No rights to hear: told to the terminal, and readings still leave."""

    async def script(call: Call) -> None:
        await subscribed(call, code, code)
        while True:
            body = await call.expect(3)
            size = int.from_bytes(body[:2], "big")
            call.send(framed(0x40, body[2 + size : 4 + size]))

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        await rig.until(lambda: (rig.part.standing() or {})["not_authorised"] is True)
        rig.events(2)
        await rig.part._recorder.flush()
        await rig.until(lambda: rig.outbox.drained)
        assert (rig.part.standing() or {})["connected"] is True
        assert len(calls) == 1

    story(script, tell, protocol=protocol)
    assert "subscription_refused" in caplog.text


def test_a_takeover_is_told_and_not_fought() -> None:
    """DISCONNECT 0x8E: the reading says so, and nobody comes back soon."""

    async def script(call: Call) -> None:
        await subscribed(call)
        call.send(framed(0xE0, b"\x8e\0"))
        await call.listen()

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        await rig.until(lambda: rig.part.view().alarm == DUPLICATE_ID)
        standing = rig.part.standing()
        assert standing is not None
        assert standing["duplicate_id"] is True
        await asyncio.sleep(0.3)
        assert len(calls) == 1

    story(script, tell)


def test_a_silent_broker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes CONNECT and never answers: dropped after the wait, and said."""
    from functools import partial

    from agent.core.fleet.session import Policy
    from agent.telemetry import line

    monkeypatch.setattr(line, "Policy", partial(Policy, connect_timeout_s=0.2))

    async def script(call: Call) -> None:
        await call.listen()

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        await rig.until(lambda: len(calls) >= 3)
        assert rig.part.view().last_error == "broker.no_answer"
        assert len(ours()) <= 2

    story(script, tell)


def test_refused_credentials_show_in_the_reading() -> None:
    """0x87 in CONNACK: not authorised, until a CONNACK says yes."""

    async def script(call: Call) -> None:
        call.connack(code=0x87)
        await call.listen()

    async def tell(rig: Rig, calls: list[Call], inbox: Inbox) -> None:
        await rig.until(lambda: rig.part.view().alarm == NOT_AUTHORISED)
        standing = rig.part.standing()
        assert standing is not None
        assert standing["not_authorised"] is True

    story(script, tell)


def test_waiting_room_is_bounded_in_messages_and_bytes() -> None:
    """Both ends of the bound."""
    from agent.telemetry.client import MAX_WAITING_BYTES, Room

    room = Room()
    assert all(room.fill(0) for _ in range(MAX_WAITING))
    assert not room.fill(0)
    room.empty(0)
    assert room.fill(MAX_WAITING_BYTES)
    room.empty(MAX_WAITING_BYTES)
    assert room.fill(MAX_WAITING_BYTES - 1)
    room.empty(MAX_WAITING_BYTES - 1)
    assert not room.fill(MAX_WAITING_BYTES + 1)


# Silence


class Lessons:
    """What outlives the process."""

    def __init__(self) -> None:
        self.kept: dict[str, object] = {}
        self.saved = asyncio.Event()

    async def load(self, name: str) -> dict[str, object]:
        return dict(self.kept)

    async def save(self, name: str, kept: Mapping[str, object]) -> None:
        if name == "keepalive":
            self.kept = dict(kept)
            self.saved.set()


def test_what_is_learnt_about_silence_is_kept_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """CONNECT promises the longest step, pings come at the learnt one, a lesson is remembered."""
    monkeypatch.setattr(keepalive, "STEPS_S", (1, 2, 3, 4))
    pings: list[int] = []

    async def script(call: Call) -> None:
        call.connack()
        while True:
            await call.expect(12)
            pings.append(1)
            call.send(b"\xd0\0")

    async def main() -> None:
        async with lying(script) as liar:
            notes = Lessons()
            rig = rigged(
                quick([liar.url]),
                scheme=Chatty("acme", "T-1"),
                network=lambda: Network("46001", cellular=True),
                notes=notes,
            )
            monkeypatch.setattr(Chatty, "state", lambda self, message: ())
            async with running(rig):
                await asyncio.wait_for(notes.saved.wait(), 20)
                assert notes.kept == {"46001": 1}
                assert rig.part.view().keepalive_s == 2
            assert len(pings) >= 2
            assert liar.calls[0].connect[8:10] == b"\0\x04"

    asyncio.run(main())


@pytest.mark.parametrize(("configured", "said"), [("auto", 120), (60, 60)])
def test_what_connect_promises(configured: int | str, said: int) -> None:
    """On land two minutes, or what is configured; a shorter wish of the server is obeyed."""

    async def script(call: Call) -> None:
        call.connack(b"\x13\x00\x21")
        await call.listen()

    async def main() -> None:
        async with lying(script) as liar:
            rig = rigged(quick([liar.url], keepalive_s=configured))
            async with running(rig):
                await rig.until(lambda: rig.part.view().keepalive_s == 33)
            assert int.from_bytes(liar.calls[0].connect[8:10], "big") == said

    asyncio.run(main())


def test_an_unanswered_ping_ends_the_connection() -> None:
    """Asked and not answered within the wait for a PUBACK: dropped, and connected anew."""

    async def script(call: Call) -> None:
        call.connack(b"\x13\x00\x01")
        await call.listen()

    async def main() -> None:
        async with lying(script) as liar:
            rig = rigged(quick([liar.url], puback_timeout_s=0.3), scheme=Silent("acme", "T-1"))
            async with running(rig):
                await rig.until(lambda: len(liar.calls) > 1, 20)
                assert rig.part.view().last_error in ("", "broker.no_answer")

    asyncio.run(main())


class Silent(Native):
    """Says nothing by itself."""

    def state(self, message: StateMessage) -> tuple[Packet, ...]:
        return ()

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> tuple[Packet, ...]:
        return ()


@settings(max_examples=25, deadline=None)
@given(garbage=st.lists(st.binary(max_size=40), max_size=6), before=st.booleans())
def test_garbage_from_a_broker_never_crashes(garbage: list[bytes], before: bool) -> None:
    """Packets of random content, before or after the greeting: an end with a word at most."""

    async def script(call: Call) -> None:
        if not before:
            call.connack()
        for each in garbage:
            call.send(framed(each[0] if each else 0x30, each[1:]))
        await call.writer.drain()
        await asyncio.wait_for(call.listen(), 0.05)

    async def quietly(call: Call) -> None:
        with contextlib.suppress(TimeoutError):
            await script(call)

    async def main() -> None:
        async with lying(quietly) as liar:
            rig = rigged(quick([liar.url], protocol="5"), inbox=Inbox())
            async with running(rig):
                await rig.until(lambda: len(liar.calls) >= 2)
                assert rig.part.view().last_error != "broker.internal"

    asyncio.run(main())
