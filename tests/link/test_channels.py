"""Channels at work over a scripted network: cut, probed, switched, refused, and never raising."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.config.channels import Channel, Channels
from agent.core.network.choosing import State, Switch
from agent.link import channel_ways, dial
from agent.link.bound import Hold, Way
from agent.link.channel_build import reaching
from agent.link.channel_facts import Wire, fact
from agent.link.channel_ways import Maker
from agent.link.channels import ChannelsPart, Ports
from agent.link.contact import Contact
from agent.link.dial import Dialer, DialError, Reached
from agent.link.fault import cause_of, tcp_fault
from tests.link.ends import Threads, left, listening

QUICK = Channels(
    quiet_s=0.3, quiet_max_s=5.0, grace_s=0.1, probe_s=0.1, recheck_s=0.1, probe_timeout_s=0.5,
    doubt_after_s=0.1, select_timeout_s=1.0,
)  # fmt: skip
LO = socket.if_nametoindex("lo")


def wire(name: str, index: int = LO, **changes: Any) -> Wire:
    told: dict[str, Any] = {
        "index": index, "name": name, "up": True, "carrier": True,
        "addresses": ("127.0.0.1",), "routes": frozenset({socket.AF_INET}),
    }  # fmt: skip
    return Wire(**(told | changes))


class Loose(Maker):
    """Binds nothing: the scripted interfaces do not exist."""

    def __init__(self) -> None:
        super().__init__(QUICK.doubt_after_s, Path("/nonexistent"))

    def hold(self, fact: object) -> Hold | None:
        del fact
        return Hold.SYSTEM


class World:
    """Interfaces that can be pulled and hosts that are there or not, by channel."""

    def __init__(
        self,
        *channels: Channel,
        select: Callable[..., Any] | None = None,
        maker: Maker | None = None,
    ) -> None:
        self.channels = channels or (
            Channel(name="main", interface="eth0"),
            Channel(name="spare", interface="wwan0", metered=True),
        )
        self.wires: list[Wire] | OSError = [wire("eth0"), wire("wwan0")]
        self.dead: set[str] = set()
        self.told: list[Contact] = []
        self.switches: list[Switch] = []
        ports = Ports(
            clock=SystemClock(),
            draw=lambda: 0.0,
            dialer=self,  # type: ignore[arg-type]
            maker=maker or Loose(),
            targets=[("192.0.2.1", 443)],
            select=select,
            told=self.told.append,
            read=self.read,
            listen=lambda: self._wake,
        )
        self.part = ChannelsPart(self.channels, QUICK, ports)
        self.part.subscribe(self.switches.append)

    def read(self) -> list[Wire]:
        if isinstance(self.wires, OSError):
            raise self.wires
        return self.wires

    async def reach(self, host: str, port: int, timeout_s: float, way: Way) -> Reached:
        """As a dialer: the channel's own world answers."""
        del timeout_s
        await asyncio.sleep(0)
        if way.channel in self.dead:
            raise tcp_fault(f"{host}:{port}", OSError(errno.EHOSTUNREACH, "no route"))
        if way.channel == "spare":
            raise tcp_fault(f"{host}:{port}", OSError(errno.ECONNREFUSED, "refused"))
        return Reached(socket.socket(), 3)

    def change(self, *wires: Wire) -> None:
        """The kernel tells of it."""
        self.wires = list(wires)
        self._bell.send(b"!")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ChannelsPart]:
        stop = asyncio.Event()
        self._wake, self._bell = socket.socketpair()
        self._wake.setblocking(False)
        task = asyncio.create_task(self.part.run(stop))
        try:
            yield self.part
        finally:
            stop.set()
            self._bell.close()
            async with asyncio.timeout(5):
                await task

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    def state(self, name: str) -> State:
        return next(one.state for one in self.part.seen() if one.name == name)


def test_a_lost_carrier_cuts_what_is_open_and_moves_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections and dials on the main end at once with the reason; new ones take the spare."""
    # The only host there is in a test stands for one beyond the channel.
    monkeypatch.setattr(dial, "stays_here", lambda _host, _interface: False)

    async def scene() -> None:
        world = World()
        async with world.running() as part, listening(silent=True) as port:
            old = part.way()
            reader, writer = await Dialer(Threads(), ways=part).open("127.0.0.1", port, None, 5)
            waiting = asyncio.create_task(reader.read(1))

            async def endless() -> None:
                async with old.dialling(30):
                    await asyncio.sleep(30)

            dialling = asyncio.create_task(endless())
            await world.until(lambda: old.connections == 2)
            world.change(wire("eth0", carrier=False), wire("wwan0"))
            with pytest.raises(OSError, match="given up: eth0 has no carrier") as ended:
                await waiting
            assert cause_of(ended.value) == "network.no_link", "never the host's doing"
            with pytest.raises(DialError) as caught:
                await dialling
            assert (caught.value.code, caught.value.layer) == ("network.no_link", "tcp")
            assert part.way().channel == "spare"
            assert part.thrifty
            assert [(one.left, one.to, one.cut) for one in world.switches] == [
                ("main", "spare", True)
            ]
            with pytest.raises(DialError, match="the channel main was given up"):
                async with old.dialling(5):
                    await asyncio.sleep(5)
            await left(writer)

    asyncio.run(scene())


def test_the_healed_main_is_taken_again_uncut() -> None:
    """After the quiet time; what is open on the backup may end in peace."""

    async def scene() -> None:
        world = World()
        async with world.running() as part:
            world.change(wire("wwan0"))
            await world.until(lambda: part.way().channel == "spare")
            backup = part.way()
            world.change(wire("eth0"), wire("wwan0"))
            await world.until(lambda: part.way().channel == "main")
            assert backup.given_up == ""
            assert part.switches == 2
            assert part.probe_bytes > 0
            assert not part.thrifty

    asyncio.run(scene())


def test_failed_contacts_lead_to_probes_and_probes_to_the_backup() -> None:
    """One failed upload, probes that fail too, a backup where somebody refuses: that one."""

    async def scene() -> None:
        world = World()
        async with world.running() as part:
            world.dead = {"main"}
            part.heard(Contact(purpose="uplink", host="h", port=1, channel="main", layer="tcp"))
            await world.until(lambda: part.way().channel == "spare")
            assert world.state("main") is State.BROKEN
            seen = {one.name: one for one in part.seen()}
            assert "no route to the host" in seen["main"].reason
            assert {one.purpose for one in world.told} == {"probe"}
            assert all(one.bytes_spent for one in world.told)

    asyncio.run(scene())


def test_what_says_nothing_of_the_channel_is_not_held_against_it() -> None:
    """A refusal, a bad certificate, our own lack of files, another channel: no failure."""

    async def scene() -> None:
        world = World()
        contact = Contact(purpose="uplink", host="h", port=1, channel="main")
        world.part.heard(contact)
        assert world.state("main") is State.OK
        for layer, reason in (("tls", "its certificate"), ("tcp", "h:1 refused the connection")):
            world.part.heard(
                Contact(
                    purpose="mqtt", host="h", port=1, channel="main", layer=layer, reason=reason
                )
            )
        world.part.heard(Contact(purpose="uplink", host="h", port=1, channel="main", layer="local"))
        world.part.heard(Contact(purpose="uplink", host="h", port=1, layer="tcp"))
        assert world.state("main") is State.OK

    asyncio.run(scene())


def test_a_dial_that_takes_long_is_looked_into() -> None:
    """Long before it fails, the channel is doubted and probed."""

    async def scene() -> None:
        world = World()
        async with world.running() as part:
            asked = len(world.told)
            async with part.way().dialling(5):
                await world.until(lambda: len(world.told) > asked)
            await world.until(lambda: world.state("main") is State.OK)

    asyncio.run(scene())


@pytest.mark.parametrize("trouble", ["", "no SIM"])
def test_the_vendor_is_asked_where_he_switches(trouble: str) -> None:
    """Done: the channel is used. Refused or failed: a state with its reason, and no crash."""
    asked: list[tuple[str, float]] = []

    async def select(name: str, deadline_s: float) -> str:
        asked.append((name, deadline_s))
        return trouble

    async def scene() -> None:
        channels = (Channel(name="main", interface="eth0"), Channel(name="sim2", select=True))
        world = World(*channels, select=select)
        async with world.running() as part:
            world.change()
            if trouble:
                await world.until(lambda: world.state("sim2") is State.REFUSED)
                assert part.way().channel == "main"
                seen = {one.name: one for one in part.seen()}
                assert seen["sim2"].reason == trouble
            else:
                await world.until(lambda: part.way().channel == "sim2")
        assert asked[0] == ("sim2", 1.0)

    asyncio.run(scene())


def test_interfaces_that_cannot_be_read_are_unknown_and_used() -> None:
    """No right to read them: no fault, the main is used, the reason is told."""

    async def scene() -> None:
        world = World()
        world.wires = PermissionError(errno.EACCES, "Permission denied")
        async with world.running() as part:
            reason = "the interfaces cannot be read: Permission denied"
            await world.until(lambda: part.seen()[0].reason == reason)
            assert world.state("main") in (State.OK, State.UNTRIED)
            assert part.way().channel == "main"

    asyncio.run(scene())


def test_a_new_address_ends_what_the_old_one_held_and_one_more_does_not() -> None:
    """DHCP gave another address: old connections are dead; an added one harms nobody."""

    async def scene() -> None:
        world = World()
        async with world.running() as part:
            old = part.way()
            world.change(wire("eth0", addresses=("127.0.0.1", "127.0.0.9")), wire("wwan0"))
            world.change(wire("eth0", addresses=("127.0.0.9",)), wire("wwan0"))
            await world.until(lambda: part.way() is not old)
            assert old.given_up == "its network changed"
            assert part.switches == 0

    asyncio.run(scene())


def test_what_stays_on_this_machine_is_not_bound() -> None:
    """A proxy beside the agent is reached whatever channel is in use, and blames none."""

    async def scene() -> None:
        way = Way(channel="main", interface="none0", hold=Hold.DEVICE)
        heard: list[Contact] = []

        class Ways:
            def way(self) -> Way:
                return way

        async with listening() as port:
            dialer = Dialer(Threads(), ways=Ways(), told=heard.append)
            _, writer = await dialer.open("127.0.0.1", port, None, 5)
            await left(writer)
            part = World().part
            part._way = way
            sock, channel, interface = await reaching(part, dialer)("127.0.0.1", port, 5.0)
            sock.close()
            assert (channel, interface) == ("", "")
        assert [one.channel for one in heard] == [""]

    asyncio.run(scene())


def test_sockets_are_bound_to_the_device() -> None:
    """The real kernel: a connection over `lo` is bound to it, needing no right."""

    async def scene() -> None:
        way = Way(channel="main", interface="lo", hold=Hold.DEVICE)

        class Ways:
            def way(self) -> Way:
                return way

        async with listening() as port:
            _, writer = await Dialer(Threads(), ways=Ways()).open("127.0.0.1", port, None, 5)
            sock = writer.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)[:2] == b"lo"
            assert way.connections == 1
            await left(writer)
            dialer = Dialer(Threads(), purpose="mqtt")
            part = World().part
            part._way = way
            sock, channel, interface = await reaching(part, dialer)("127.0.0.1", port, 5.0)
            sock.close()
            assert (channel, interface) == ("main", "lo")
        gone = Way(channel="main", interface="none0", hold=Hold.DEVICE)
        with pytest.raises(DialError) as caught:
            await Dialer(Threads()).reach("127.0.0.1", 1, 5, gone)
        assert caught.value.layer == "tcp"

    asyncio.run(scene())


def test_names_are_asked_where_the_channel_says() -> None:
    """Not the system's resolver: the way's, and its failure is the name layer's."""

    async def resolve(name: str, timeout_s: float) -> list[str]:
        del timeout_s
        return ["127.0.0.1", "odd"] if name == "host.test" else []

    async def scene() -> None:
        threads = Threads()
        way = Way(channel="main", interface="lo", hold=Hold.DEVICE, resolve=resolve)
        async with listening() as port:
            reached = await Dialer(threads).reach("host.test", port, 5, way)
            assert reached.sock.getpeername()[1] == port
            reached.sock.close()
        with pytest.raises(DialError) as caught:
            await Dialer(threads).reach("none.test", 1, 5, way)
        assert caught.value.layer == "dns"
        assert threads.names == []

    asyncio.run(scene())


def test_where_binding_is_refused_it_falls_back_only_where_that_is_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A source address if a rule honours it, nothing if the system chooses it, else unusable."""

    def refuse(sock: socket.socket, interface: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(channel_ways, "bind_to_device", refuse)
    by: dict[str, int] = {}
    monkeypatch.setattr(
        channel_ways.facts, "leaves_by", lambda to, source="": by.get(source or "system")
    )
    maker = Maker(1.0)
    told = fact("eth0", [wire("eth0", index=7)])
    assert maker.hold(told) is None
    assert "cannot be kept on eth0" in maker.unbound(told)
    assert "CAP_NET_RAW" in maker.unbound(told)
    by["system"] = 7
    assert maker.hold(told) is Hold.SYSTEM
    by["127.0.0.1"] = 7
    assert maker.hold(told) is Hold.SOURCE
    way = maker.way("main", told, Hold.SOURCE)
    with socket.socket() as sock, socket.socket(socket.AF_INET6) as other:
        way.bind(sock)
        assert sock.getsockname()[0] == "127.0.0.1"
        with pytest.raises(OSError, match="no such address"):
            way.bind(other)


def test_a_channel_that_cannot_be_bound_is_not_used() -> None:
    """It stands as down with the right that is missing."""

    class Stuck(Loose):
        def hold(self, fact: Any) -> Hold | None:
            return None if fact.interface == "eth0" else Hold.DEVICE

    world = World(maker=Stuck())
    assert world.state("main") is State.DOWN
    assert "cannot be kept on eth0" in world.part.seen()[0].reason
