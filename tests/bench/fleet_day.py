"""One terminal's day on a counted wire, in a network namespace of its own. Child of `fleet_bytes`.

The part `telemetry` as the daemon has it – recorder, outbox in SQLite, session, paho over TLS 1.3 –
talks to a real mosquitto that wants client certificates; only its clock and the one scheduler are
driven from here, and the terminal's readings. After each step the wire must fall silent before the
clock goes on, so that every exchange costs what it costs alone.

    python -m tests.bench.fleet_day FOLDER WHAT

WHAT is default, default-4h, default-quiet, eco, naive, sparkplug or collectd. Prints one JSON
object.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import trustme

from agent.config.telemetry import Telemetry
from agent.core.fleet.session import Origin
from agent.core.health.reading import Reading
from agent.core.health.tracker import ComponentState, What
from agent.link.tls import client_context
from agent.sim.broker import Broker, ServerTls
from tests.bench import fleet_peers as peers
from tests.bench.fleet_terminal import ALARMS, BREAKS, READINGS, flat, quarters
from tests.bench.wire_count import Count, Sniffer, alone
from tests.fakes import FakeClock
from tests.telemetry import rig as telemetry_rig

#: A delayed ACK comes 40 ms after what it acknowledges.
SILENT_S = 0.06
MINUTES = 1_440
CLEARED_AFTER = 5


def certificates(folder: Path) -> ServerTls:
    """P-256, leaf and intermediate on both sides; the root is only trusted, never sent."""
    root = trustme.CA(organization_name="posagent bench")
    below = root.create_child_ca()
    host = below.issue_cert("localhost")
    terminal = below.issue_cert("T-0042.terminal.invalid", common_name="T-0042")
    (folder / "ca.pem").write_bytes(root.cert_pem.bytes())
    for name, one in (("host", host), ("terminal", terminal)):
        chain = b"".join(blob.bytes() for blob in one.cert_chain_pems)
        (folder / f"{name}.pem").write_bytes(chain)
        (folder / f"{name}.key").write_bytes(one.private_key_pem.bytes())
        (folder / f"{name}.key").chmod(0o600)
    return ServerTls(
        cert_file=str(folder / "host.pem"),
        key_file=str(folder / "host.key"),
        client_ca_file=str(folder / "ca.pem"),
    )


def trust(folder: Path) -> ssl.SSLContext:
    """The daemon's own context; TLS 1.3 is asserted, not asked for."""
    return client_context(
        str(folder / "ca.pem"), str(folder / "terminal.pem"), str(folder / "terminal.key")
    )


def states(quarter: dict[tuple[str, str], Any]) -> list[ComponentState]:
    """What the watchers say now."""
    said = []
    for component, values in READINGS.items():
        now = {name: quarter.get((component, name), value) for name, value in values.items()}
        said.append(
            ComponentState(
                component=component,
                outcome=Reading(now),
                at=FakeClock().now().at,
                duration_ms=3,
                success=True,
            )
        )
    return said


class Day:
    """Runs our own part through a day."""

    def __init__(
        self, rig: telemetry_rig.Rig, clock: FakeClock, sniffer: Sniffer, *, quiet: bool = False
    ) -> None:
        """`quiet`: no reading moves and no alarm comes."""
        self._rig = rig
        self._still = quiet
        self._clock = clock
        self._sniffer = sniffer
        self.exchanged_min: list[int] = []
        self._quarters = list(quarters())

    async def live(self) -> dict[str, Any]:
        """Connect, settle, live a day; the bytes of each."""
        rig = self._rig
        rig.health.said = states({})
        await self._connected()
        for _ in range(3):
            await self._minute()
        first, conversation = self._sniffer.count, rig.part._conversation
        assert conversation is not None
        self.exchanged_min.append(0)
        broken = 0
        for minute in range(1, MINUTES + 1):
            before = self._sniffer.count
            if minute % 15 == 0 and not self._still:
                rig.health.said = states(self._quarters[minute // 15 - 1])
            for code, at in () if self._still else ALARMS:
                if minute in (at, at + CLEARED_AFTER):
                    shown = What.SHOWN if minute == at else What.CLEARED
                    rig.health.change(self._clock, code, shown)
            if minute in BREAKS:
                link = self._sniffer.count
                connection = conversation._wire.connection
                assert connection is not None
                connection.drop()
                conversation.session.closed(self._clock.now().boot_ms, 0, Origin.NETWORK, 0.5)
                conversation._wire.connection = None
                rig.outbox.release()
                await asyncio.sleep(0.1)  # its thread keeps the TLS ticket on its way out
                await self._connected()
                broken += (self._sniffer.count - link).total
                assert self._socket().session_reused, "the session was not resumed"
            await self._minute()
            if self._sniffer.count.packets != before.packets:
                self.exchanged_min.append(minute)
        day = self._sniffer.count - first
        return {
            "first": first.total,
            "day": day.total,
            "up": day.up,
            "down": day.down,
            "packets": day.packets,
            "reconnects": broken,
            "ping": await self._ping(),
            "exchanged_min": self.exchanged_min,
        }

    async def _minute(self) -> None:
        self._clock.advance(60)
        for _period_s, call in list(self._rig.timers.calls.values()):
            await call()
        await self._quiet()

    async def _quiet(self) -> None:
        """Everything told and acknowledged, and the wire silent."""
        rig = self._rig
        conversation = rig.part._conversation
        assert conversation is not None
        for _ in range(2_000):
            conversation.wake()
            await asyncio.sleep(0.002)
            if rig.outbox.drained and self._sniffer.silent_s > SILENT_S:
                return
            if not rig.outbox.drained:
                self._clock.advance(0.05)  # a drain rate lets nothing leave while time stands still
        raise AssertionError("the outbox did not drain")

    async def _connected(self) -> None:
        for _ in range(2_000):
            if self._rig.part.view().connected:
                await self._quiet()
                return
            conversation = self._rig.part._conversation
            if conversation is not None:
                conversation.wake()
            self._clock.advance(0.5)
            await asyncio.sleep(0.01)
        raise AssertionError("not connected")

    def _client(self) -> Any:
        conversation = self._rig.part._conversation
        assert conversation is not None
        connection = conversation._wire.connection
        assert connection is not None
        return connection._client

    def _socket(self) -> ssl.SSLSocket:
        sock: ssl.SSLSocket = self._client().socket()
        assert sock.version() == "TLSv1.3"
        return sock

    async def _ping(self) -> int:
        """One PINGREQ and its answer."""
        client = self._client()
        before = self._sniffer.count
        client._send_pingreq()
        client._sockpairW.send(b"\0")  # wakes paho's loop, as publish() does
        await asyncio.sleep(0.1)
        await self._quiet()
        return (self._sniffer.count - before).total


async def ours(folder: Path, what: str) -> dict[str, Any]:
    """The day in a profile; `-4h`: with a full report every four hours; `-quiet`: no news."""
    profile: Literal["default", "eco"] = "eco" if what == "eco" else "default"
    async with Broker(tls=certificates(folder), kind="mosquitto") as broker:
        counted = Counter[str]()
        clock = FakeClock()
        settings = Telemetry(
            endpoints=(broker.url,),
            profile=profile,
            full_period_s=14_400 if what.endswith("-4h") else None,
            boot_delay_s=0,
            reconnect_base_s=0.5,
        )
        rig = telemetry_rig.rigged(
            settings, tls=lambda: trust(folder), clock=clock, device_id="T-0042"
        )
        put = rig.outbox.put

        async def counting(items: Any) -> Any:
            for item in items:
                full = item.kind == "health" and b'"full":true' in item.body
                counted["health full" if full else item.kind] += 1
            return await put(items)

        rig.outbox.put = counting  # type: ignore[method-assign]
        with Sniffer(broker.port) as sniffer:
            async with telemetry_rig.running(rig):
                told = await Day(rig, clock, sniffer, quiet=what.endswith("-quiet")).live()
            told["goodbye"] = (sniffer.count).total - told["first"] - told["day"]
        tls = next((line for line in broker.lines if "TLSv1" in line), "")
        return {**told, "messages": dict(counted), "tls": tls}


# -- the others --------------------------------------------------------------------------------


async def others(folder: Path, what: str) -> dict[str, Any]:
    """The same day by another convention."""
    async with Broker(tls=certificates(folder), kind="mosquitto") as broker:
        with Sniffer(broker.port) as sniffer:

            def settled() -> None:
                while sniffer.silent_s < SILENT_S:
                    time.sleep(0.005)

            def connect(will: tuple[str, bytes] | None = None) -> peers.Peer:
                return peers.Peer(broker.port, lambda: trust(folder), settled, will)

            tell = {"naive": _naive, "sparkplug": _sparkplug, "collectd": _collectd}[what]
            result: list[dict[str, Any]] = []
            worker = threading.Thread(
                target=lambda: result.append(tell(connect, lambda: sniffer.count))
            )
            worker.start()
            while worker.is_alive():
                await asyncio.sleep(0.05)
    return result[0]


Connect = Callable[..., peers.Peer]
Counted = Callable[[], Count]


def _naive(connect: Connect, count: Counted) -> dict[str, Any]:
    """An hour of minutes and one connection are measured, a day has 24 and five."""
    before = count()
    peer = connect()
    connected = (count() - before).total
    readings, before = flat(), count()
    for minute in range(60):
        peer.send("devices/T-0042/telemetry", peers.naive(minute * 60_000 + _AT, readings), 1)
        peer.settle()
    hour = (count() - before).total
    peer.end()
    return {"day": 24 * hour + len(BREAKS) * connected, "connect": connected, "messages": MINUTES}


def _sparkplug(connect: Connect, count: Counted) -> dict[str, Any]:
    node, readings = peers.Sparkplug(), flat()
    alarms: dict[str, Any] = {f"alarm/{code}": False for code, _ in ALARMS}
    begun = count()
    peer = connect(node.death())
    peer.send(*node.birth(_AT, readings | alarms), 0)
    peer.settle()
    first, quarter, sent = (count() - begun).total, list(quarters()), 0
    before = count()
    for minute in range(1, MINUTES + 1):
        at_ms = _AT + minute * 60_000
        if minute in BREAKS:
            peer.end()
            peer = connect(node.death())
            peer.send(*node.birth(at_ms, readings | alarms), 0)
            sent += 1
        elif minute % 15 == 0:
            moved = {f"{part}_{name}": v for (part, name), v in quarter[minute // 15 - 1].items()}
            peer.send(*node.data(at_ms, moved), 0)
            sent += 1
        told = {
            f"alarm/{code}": minute == at
            for code, at in ALARMS
            if minute in (at, at + CLEARED_AFTER)
        }
        if told:
            peer.send(*node.data(at_ms, told), 0)
            sent += 1
        if told or minute in BREAKS or minute % 15 == 0:
            peer.settle()
    day = (count() - before).total
    peer.end()
    return {"day": day, "first": first, "messages": sent}


def _collectd(connect: Connect, count: Counted) -> dict[str, Any]:
    """Ten intervals and one connection are measured; a day has 8,640 of 10 s, or 1,440 of 60 s."""
    before = count()
    peer = connect()
    connected = (count() - before).total
    before, rounds, values = count(), 10, 0
    for number in range(rounds):
        batch = peers.collectd(_AT + number * 60_000, flat())
        values = len(batch)
        for topic, content in batch:
            peer.send(topic, content, 0)
        peer.settle()
    each = (count() - before).total / rounds
    peer.end()
    reconnects = len(BREAKS) * connected
    return {
        "day": round(MINUTES * each) + reconnects,
        "day_10s": round(6 * MINUTES * each) + reconnects,
        "messages": MINUTES * values,
        "connect": connected,
    }


_AT = FakeClock().wall_ms


def main(folder: str, what: str) -> None:
    """Measure one and print it."""
    alone()
    own = what.startswith(("default", "eco"))
    work = ours(Path(folder), what) if own else others(Path(folder), what)
    print(json.dumps(asyncio.run(work)))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        with tempfile.TemporaryDirectory(prefix="pb-") as made:
            main(made, sys.argv[1])
