"""The channels of this terminal at work: watched, probed, switched, and handed to who connects.

Performs what `core.network.choosing` decides: reads the kernel's facts when the kernel says that
something changed, probes over a channel's own interface, asks the vendor where the vendor switches,
and cuts what is still open on a channel that broke. It never touches the system's routes. A part of
the daemon, built only where [[channel]] is configured; the first choice stands before any traffic.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from datetime import datetime

from agent.clock import Clock
from agent.config.channels import Channel
from agent.config.channels import Channels as Numbers
from agent.core.moment import Moment, at_ms
from agent.core.network.choosing import Choosing, Link, Probe, State, Switch, Terms
from agent.link import channel_facts as facts
from agent.link import netlink
from agent.link.bound import NO_LINK, Hold, Way
from agent.link.channel_facts import Fact, Wire
from agent.link.channel_probe import Prober, answered
from agent.link.channel_ways import Maker
from agent.link.contact import Contact, Told
from agent.link.dial import Dialer
from agent.link.fault import UNREACHABLE
from agent.record import dataclass

log = logging.getLogger(__name__)

TARGETS_MAX = 3
#: The kernel tells of every change; this is for the case that it could not.
LOOK_S = 30.0
#: Where the kernel does not tell.
DEAF_LOOK_S = 1.0
#: The least between two looks: the kernel may tell of a hundred changes in one breath.
BREATH_S = 0.02
STUCK_MS = 60_000

#: Name and deadline in seconds -> "" when it was done, else why not.
Select = Callable[[str, float], Awaitable[str]]
Moved = Callable[[Switch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the channels ask of the world."""

    clock: Clock
    draw: Callable[[], float]
    dialer: Dialer  #: one that tells nobody: what a probe met is told here
    maker: Maker
    targets: Sequence[tuple[str, int]] = ()
    select: Select | None = None
    told: Told | None = None
    read: Callable[[], list[Wire]] = facts.read
    listen: Callable[[], socket.socket] = netlink.listen


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSeen:
    """One channel as a person sees it."""

    name: str
    kind: str
    interface: str
    metered: bool
    state: State
    reason: str
    since_at: datetime
    in_use: bool
    held_by: str


@dataclass(slots=True)
class _Own:
    """What is kept of one channel beside the machine."""

    config: Channel
    targets: tuple[tuple[str, int], ...]
    fact: Fact = field(default_factory=lambda: Fact(link=Link.UNKNOWN))
    hold: Hold | None = Hold.SYSTEM
    way: Way | None = None  #: for its probes
    probing: bool = False

    @property
    def blind(self) -> bool:
        """Whether nothing can be found out about it unless it is used."""
        return not self.config.interface or not self.targets


class ChannelsPart:
    """See the module docstring."""

    name = "channels"
    fatal = False

    def __init__(self, channels: Sequence[Channel], numbers: Numbers, ports: Ports) -> None:
        self._ports = ports
        self._numbers = numbers
        self._own = {
            one.name: _Own(one, _targets(one.probe) or tuple(ports.targets)[:TARGETS_MAX])
            for one in channels
        }
        self.machine = Choosing(
            list(self._own),
            _terms(numbers),
            self._now_ms(),
            blind=[name for name, own in self._own.items() if own.blind],
        )
        self.prober = Prober(ports.dialer, numbers.probe_timeout_s)
        self._moved: list[Moved] = []
        self._watching: list[Callable[[], object]] = []
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._selecting = ""
        self._busy_ms: int | None = None
        self._way = self._made(next(iter(self._own)))
        self._look()
        self._way = self._made(self.machine.begin())

    # For those who connect

    def way(self) -> Way:
        """The one in use now."""
        return self._way

    def heard(self, contact: Contact) -> None:
        """What became of a connection over a channel."""
        if contact.channel not in self._own or contact.layer == "local":
            return
        if contact.purpose == "probe":
            return  # ours is counted where it ends
        now_ms = self._now_ms()
        if contact.held or contact.layer in ("tls", "answer") or answered(contact.reason):
            self.machine.held(contact.channel, now_ms)
        else:
            self.machine.failed(contact.channel, contact.reason, now_ms)
            self._news.set()

    def doubt(self) -> None:
        """Something takes long, or went unanswered, on the channel in use: look closer."""
        self.machine.doubt(self.machine.in_use)
        self._news.set()

    def subscribe(self, moved: Moved) -> None:
        """Be told of each switch, after it."""
        self._moved.append(moved)

    def watch(self, changed: Callable[[], object]) -> None:
        """Be told when a channel's state changes; again with each look that finds it so."""
        self._watching.append(changed)

    # For those who look

    @property
    def thrifty(self) -> bool:
        """Whether only money and alarms should leave: on a backup that is paid by volume."""
        machine = self.machine
        return machine.in_use != machine.main and self._own[machine.in_use].config.metered

    @property
    def switches(self) -> int:
        """How often another one was taken since the start."""
        return self.machine.switches

    @property
    def probe_bytes(self) -> int:
        """What its probes have cost since the start."""
        return self.prober.spent_bytes

    def seen(self) -> list[ChannelSeen]:
        """Every channel, in order."""
        now = self._ports.clock.now()
        return [
            ChannelSeen(
                name=name,
                kind=own.config.kind,
                interface=own.fact.interface or own.config.interface,
                metered=own.config.metered,
                state=self.machine.standings[name].state,
                reason=self.machine.standings[name].reason,
                since_at=_wall(now, self.machine.standings[name].since_ms),
                in_use=name == self.machine.in_use,
                held_by="" if own.hold is None else own.hold.value,
            )
            for name, own in self._own.items()
        ]

    # The part

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        loop = asyncio.get_running_loop()

        def spoke(heard: socket.socket) -> None:
            try:
                facts.drain(heard)
            except OSError as error:  # it would be ready for ever: from now on we only look
                loop.remove_reader(heard)
                log.warning("event=channels_deaf reason=%r", error.strerror or str(error))
            self._news.set()

        stopped = asyncio.create_task(stop.wait())
        stopped.add_done_callback(lambda _: self._news.set())
        try:
            heard: socket.socket | None = self._ports.listen()
        except OSError as error:
            log.warning("event=channels_deaf reason=%r", error.strerror or str(error))
            heard = None
        if heard is not None:
            loop.add_reader(heard, spoke, heard)
        try:
            known = _standing(self.machine)
            while not stop.is_set():
                self._news.clear()
                self._busy_ms = self._now_ms()
                self._look()
                self._act()
                self._busy_ms = None
                before, known = known, _standing(self.machine)
                for changed in self._watching if known != before else ():
                    changed()
                await self._rest(deaf=heard is None)
        finally:
            stopped.cancel()
            if heard is not None:
                loop.remove_reader(heard)
                heard.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, stopped, return_exceptions=True)

    def beat(self, now_ms: int) -> str:
        if self._busy_ms is None or now_ms - self._busy_ms < STUCK_MS:
            return ""
        return f"channels: one look has taken {(now_ms - self._busy_ms) // 1000} s"

    async def _rest(self, *, deaf: bool) -> None:
        now_ms = self._now_ms()
        wake_ms = self.machine.wake_ms(now_ms)
        wait_s = DEAF_LOOK_S if deaf else LOOK_S
        if wake_ms is not None:
            wait_s = min(wait_s, (wake_ms - now_ms) / 1000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        await asyncio.sleep(BREATH_S)

    def _now_ms(self) -> int:
        return self._ports.clock.now().boot_ms

    # Facts

    def _look(self) -> None:
        """Hold what the kernel says against what was known."""
        try:
            wires = self._ports.read()
        except OSError as error:
            unreadable = f"the interfaces cannot be read: {error.strerror or error}"
            wires = None
        for name, own in self._own.items():
            if wires is None:
                told = Fact(link=Link.UNKNOWN, reason=unreadable)
            else:
                told = _fact(own.config, wires, in_use=name == self.machine.in_use)
            before, own.fact = own.fact, told
            if told.wire != before.wire or told.link is not before.link:
                self._changed(name, own)
            link, reason = own.fact.link, own.fact.reason
            if own.hold is None:
                link, reason = Link.DOWN, self._ports.maker.unbound(own.fact)
            self.machine.linked(name, link, reason, self._now_ms())

    def _changed(self, name: str, own: _Own) -> None:
        """Another interface, address or state: what was made for the old one is of no use."""
        own.way = None
        own.hold = self._ports.maker.hold(own.fact) if own.fact.link is Link.READY else Hold.SYSTEM
        way = self._way
        if own.fact.link is not Link.READY or name != way.channel:
            return
        same = way.interface == own.fact.interface and not way.given_up and own.hold is way.held_by
        if same and way.sources and set(way.sources) <= set(own.fact.sources):
            return  # one more address harms nobody, and what is open survives a short break
        self._way = self._made(name)
        way.cut("its network changed")

    def _made(self, name: str) -> Way:
        own = self._own[name]
        hold = own.hold or Hold.SYSTEM
        maker = self._ports.maker
        return maker.way(name, own.fact, hold, own.config.resolvers, doubted=self.doubt)

    # Acts

    def _act(self) -> None:
        for action in self.machine.tick(self._now_ms()):
            if isinstance(action, Probe):
                self._probe(action.name)
            elif not self._own[action.to].config.select or self._ports.select is None:
                self._take(action)
                return self._act()  # a switch changes what is to be probed
            elif not self._selecting:
                self._selecting = action.to
                self._task(self._ask_vendor(action, self._ports.select))
        return None

    def _take(self, switch: Switch) -> None:
        left = self._way
        self.machine.switched(switch, self._now_ms(), self._ports.draw())
        self._way = self._made(switch.to)
        log.warning(
            "event=channel_switched from=%s to=%s interface=%s reason=%r",
            switch.left, switch.to, self._way.interface, switch.why,
        )  # fmt: skip
        if switch.cut:
            gone = self.machine.standings[switch.left].state is State.DOWN
            left.cut(switch.why, NO_LINK if gone else UNREACHABLE)
        for moved in self._moved:
            moved(switch)

    async def _ask_vendor(self, switch: Switch, select: Select) -> None:
        """The vendor's own switch first; refused or failed is a state of that channel."""
        try:
            trouble = await select(switch.to, self._numbers.select_timeout_s)
        finally:
            self._selecting = ""
        if trouble:
            log.warning("event=channel_refused channel=%s reason=%r", switch.to, trouble)
            self.machine.refused(switch.to, trouble, self._now_ms())
        elif self.machine.in_use == switch.left:
            self._take(switch)
        self._news.set()

    def _probe(self, name: str) -> None:
        own = self._own[name]
        unasked = own.config.select and own.fact.link is Link.UNKNOWN
        if own.probing or own.hold is None or unasked:
            return
        own.probing = True
        self._task(self._probed(name, own))

    async def _probed(self, name: str, own: _Own) -> None:
        """Try what should be reachable there; one that answers proves the channel."""
        own.way = way = own.way or self._ports.maker.way(
            name, own.fact, own.hold or Hold.SYSTEM, own.config.resolvers
        )
        try:
            # Of one not in use nobody needs to hear but us.
            told = self._ports.told if name == self.machine.in_use else None
            trouble = await self.prober.carries(way, own.targets, told)
        finally:
            own.probing = False
        if trouble:
            self.machine.failed(name, trouble, self._now_ms())
        else:
            self.machine.held(name, self._now_ms())
        self._news.set()

    def _task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _fact(channel: Channel, wires: Sequence[Wire], *, in_use: bool) -> Fact:
    if not channel.interface:
        return Fact(link=Link.UNKNOWN, reason="the vendor's firmware switches it")
    told = facts.fact(channel.interface, wires)
    if channel.select and told.link is Link.DOWN and not in_use:
        return Fact(link=Link.UNKNOWN, reason=told.reason)  # asked for, it may come up
    return told


def _standing(machine: Choosing) -> tuple[object, ...]:
    return (machine.in_use, *(one.state for one in machine.standings.values()))


def _wall(now: Moment, boot_ms: int) -> datetime:
    return at_ms(now.wall_ms - (now.boot_ms - boot_ms))


def _targets(probe: str) -> tuple[tuple[str, int], ...]:
    host, colon, port = probe.rpartition(":")
    return ((host.strip("[]"), int(port)),) if colon and port.isdecimal() else ()


def _terms(numbers: Numbers) -> Terms:
    return Terms(
        failures=numbers.failures,
        grace_s=numbers.grace_s,
        quiet_s=numbers.quiet_s,
        quiet_max_s=numbers.quiet_max_s,
        calm_s=numbers.calm_s,
        probe_s=numbers.probe_s,
        recheck_s=numbers.recheck_s,
        spare_s=numbers.spare_probe_s,
    )
