"""One round of tests over one way out: what is tried, in which order, and when to dig deeper.

First what a payment would do: the name, the connection, the handshake. Where that has not worked
after a second, everything that tells why is asked at the same time: the gateway on the wire, each
name server, the references, the address that answers 204. So the lowest broken layer is known
within one timeout, and on a good day nothing but the first step is paid for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import field, replace
from functools import partial
from urllib.parse import urlsplit

from agent.link.dial import DialError
from agent.record import dataclass
from agent.watch.connectivity import names as dns
from agent.watch.connectivity import probes
from agent.watch.connectivity.look import Look
from agent.watch.connectivity.memory import Addresses
from agent.watch.connectivity.names import Told
from agent.watch.connectivity.probes import Ports
from agent.watch.connectivity.target import FAILED, NOT_NEEDED, NOT_TRIED, OK, Reach, Target
from agent.watch.connectivity.verdict import Names, Portal, lie, names_verdict
from agent.watch.layers import Interface, Route, literal

#: A payment's own steps take less than this where all is well.
DOUBT_AFTER_S = 1.0
#: Of a connection that only tells a dead line from a dead host: two SYNs, one second apart.
WITNESS_S = 2.8
#: Each of two tries of a name server, each of three of a gateway.
SERVER_TRY_S = 1.2
GATEWAY_TRY_S = 0.6
GATEWAY_TRIES = 4  #: a router answers such things no more often than once a second
#: The kernel gives a neighbour up after three seconds, eight where it had heard of it before.
NEIGHBOUR_S = 3.6
NEIGHBOUR_LOOK_S = 0.3
SERVERS = 3  #: the system's resolver asks no more of resolv.conf
_OPEN_STATES = ("incomplete", "delay", "probe", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a round is to try."""

    interface: Interface
    bound: str  #: the interface to bind to; "" where the system takes this way by itself
    route: Route | None
    targets: Sequence[Target]
    name: str  #: to be resolved even if no target needs it
    references: Sequence[Target]
    portal_url: str
    timeout_s: float
    handshakes: frozenset[Target]  #: those whose TLS is due
    dig: bool  #: whether to find out why, where something does not work
    gateway_spoke: bool | None = None  #: when all was well; None: never asked
    failed: bool = False  #: somebody's connection has failed: nothing to wait for
    portal_again: bool = False  #: a sign-in was asked for: whether it still is


@dataclass(slots=True)
class Found:
    """What came out of it so far."""

    names: Names = field(default_factory=Names)
    portal: Portal = field(default_factory=Portal)
    references: list[Reach] = field(default_factory=list)
    reached: dict[Target, Reach] = field(default_factory=dict)
    gateway_answers: bool | None = None
    gateway_spoke: bool | None = None  #: asked while all was well
    gateway_state: str = ""
    spent: int = 0

    @property
    def fine(self) -> bool:
        return self.names.state in (OK, NOT_NEEDED) and all(
            one.fine for one in self.reached.values()
        )


class Round:
    """One round; used once."""

    def __init__(self, plan: Plan, ports: Ports, look: Look, known: Addresses) -> None:
        self._plan = plan
        self._ports = ports
        self._look = look
        self._known = known
        self.found = Found()
        self._resolved: dict[str, tuple[str, ...]] = {}
        self._asking: dict[str, asyncio.Task[tuple[str, ...] | str]] = {}
        self._lost = asyncio.Event()  #: the gateway does not answer

    async def run(self) -> Found:
        """Try, and dig where it does not work."""
        first = asyncio.create_task(self._as_a_payment_would())
        lost = asyncio.create_task(self._lost.wait())
        deeper: asyncio.Task[None] | None = None
        try:
            await asyncio.wait({first}, timeout=0.1 if self._plan.failed else DOUBT_AFTER_S)
            if self._plan.dig and not (first.done() and self.found.fine):
                deeper = asyncio.create_task(self._why())
                await asyncio.wait({lost, first}, return_when=asyncio.FIRST_COMPLETED)
                if self._dead_end:
                    return self.found
            await first
            if deeper is not None:
                await asyncio.wait({lost, deeper}, return_when=asyncio.FIRST_COMPLETED)
                if self._dead_end:
                    return self.found
                await deeper
                await self._doubt_names()
            elif self._plan.portal_again:
                await self._portal()
            if self.found.fine and self._plan.gateway_spoke is None:
                await self._acquaint()
        finally:
            for task in (first, lost, deeper, *self._asking.values()):
                if task is not None:
                    task.cancel()
        return self.found

    @property
    def _dead_end(self) -> bool:
        """Whether the gateway is gone: nothing above it needs to be waited for."""
        return self._lost.is_set() and not any(
            one.answered and not one.target.local for one in self.found.reached.values()
        )

    # -- as a payment would -----------------------------------------------------------------------

    async def _as_a_payment_would(self) -> None:
        async with asyncio.TaskGroup() as group:
            for target in self._plan.targets:
                group.create_task(self._try(target))
            group.create_task(self._main_name())

    async def _main_name(self) -> None:
        """The name the layer is judged by: the configured one, else the first host's."""
        name = self._plan.name
        if not name:
            self.found.names = Names(state=NOT_NEEDED)
            return
        began_ms = self._ports.clock.now().boot_ms
        told = await self._ask(name)
        took_ms = self._ports.clock.now().boot_ms - began_ms
        if isinstance(told, str):
            self.found.names = Names(
                state=FAILED, kind=dns.NO_ANSWER, name=name, reason=told, took_ms=took_ms
            )
        elif (nonsense := lie(told, (), ())) != "":
            self.found.names = Names(
                state=FAILED, kind="lying", name=name, reason=nonsense, took_ms=took_ms
            )
        else:
            self.found.names = Names(state=OK, name=name, took_ms=took_ms)

    async def _try(self, target: Target) -> None:
        plan = self._plan
        addresses: Sequence[str] = (target.host,)
        if target.name:
            told = await self._ask(target.name)
            addresses = told if not isinstance(told, str) else self._known.of(target.name)
            # An answer that can be no host's must not have us knock at our own door.
            addresses = [one for one in addresses if not dns.nonsense(one)]
        elif target.host == "localhost" or target.host.endswith(".localhost"):
            addresses = ("127.0.0.1", "::1")
        bound = "" if target.local else plan.bound
        reach, spent = await probes.reach(self._ports, target, addresses, plan.timeout_s, bound)
        self.found.reached[target] = reach
        self.found.spent += spent
        if reach.tcp != OK:
            return
        self._known.keep(target.name, reach.address)
        if target in plan.handshakes:
            reach, spent = await probes.handshake(self._ports, reach, plan.timeout_s, bound)
            self.found.reached[target] = reach
            self.found.spent += spent

    async def _ask(self, name: str) -> tuple[str, ...] | str:
        """The addresses of a name by the system's resolver, else why there are none."""
        if literal(name):
            return (name,)
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.create_task(self._resolve(name))
        return await asyncio.shield(task)

    async def _resolve(self, name: str) -> tuple[str, ...] | str:
        self.found.spent += probes.NAME_BYTES
        limit_s = self._plan.timeout_s
        lookup = self._ports.lookup()
        began = asyncio.get_running_loop().time()
        try:
            if lookup is not None:
                async with asyncio.timeout(limit_s):
                    found = await lookup(name, limit_s)
            else:
                found = await self._ports.blocking.call(
                    f"connectivity.dns {name}", partial(self._ports.resolve, name), limit_s
                )
        except TimeoutError:
            if asyncio.get_running_loop().time() - began < limit_s / 2:
                # An earlier question still hangs in the system's resolver; the servers are asked.
                told = await self._ask_each(name)
                if found_now := [address for one in told for address in one.addresses]:
                    return tuple(found_now)
            return f"no answer within {limit_s:g} s"
        except DialError as error:
            return error.reason
        except (OSError, UnicodeError) as error:
            return str(getattr(error, "strerror", None) or error)
        # Most shops have no IPv6: what they have is tried first.
        return tuple(sorted(found, key=lambda one: ":" in one)) or "the name has no address"

    # -- why it does not work ---------------------------------------------------------------------

    async def _why(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._gateway())
            group.create_task(self._servers())
            for target in self._plan.references:
                group.create_task(self._reference(target))
            if self._plan.portal_url:
                group.create_task(self._portal())

    async def _gateway(self) -> None:
        plan = self._plan
        if plan.route is None or not plan.route.gateway:
            return
        source = next((one for one in plan.interface.usable if ":" not in one), "")
        answers, spent = await self._ports.wire.gateway_answers(
            plan.interface.name, plan.route.gateway, source, GATEWAY_TRY_S
        )
        self.found.spent += spent
        if answers is None:
            answers = await self._gateway_says(plan.route)
        self.found.gateway_answers = answers
        if answers is None and self._ports.netlink:
            await self._neighbour(plan.route)
        if answers is False or self.found.gateway_state in ("failed", "incomplete"):
            self._lost.set()

    async def _gateway_says(self, route: Route) -> bool | None:
        """What needs no right to ask; None: silent, and nobody knows whether it ever spoke."""
        plan, gateway = self._plan, route.gateway
        asking = self._ports.wire.gateway_speaks(
            plan.interface.name, gateway, GATEWAY_TRY_S, GATEWAY_TRIES
        )
        if gateway not in self._look.servers or not plan.name:
            speaks, spent = await asking
            self.found.spent += spent
            return True if speaks else False if plan.gateway_spoke else None
        # It is the name server as well: that it says nothing at all is a word too.
        (speaks, spent), told = await asyncio.gather(
            asking,
            self._ports.ask_server(
                gateway, plan.name, number=int.from_bytes(os.urandom(2), "big"), try_s=SERVER_TRY_S
            ),
        )
        self.found.spent += spent + told.bytes_spent
        return speaks or told.spoke

    async def _acquaint(self) -> None:
        """Learn from a gateway that is well whether its silence will mean anything."""
        route = self._plan.route
        if route is not None and route.gateway:
            spoke, spent = await self._ports.wire.gateway_speaks(
                route.interface, route.gateway, GATEWAY_TRY_S, tries=1
            )
            self.found.gateway_spoke = spoke
            self.found.spent += spent

    async def _neighbour(self, route: Route) -> None:
        """Have the kernel ask, and wait for what it makes of it."""
        self.found.spent += self._ports.wire.nudge(route.interface, route.gateway)
        loop = asyncio.get_running_loop()
        end = loop.time() + NEIGHBOUR_S
        while True:
            state = await self._ports.blocking.call(
                "connectivity.neighbour", partial(self._state_of, route.gateway), 2.0
            )
            self.found.gateway_state = state
            if state not in _OPEN_STATES or loop.time() >= end:
                return
            await asyncio.sleep(NEIGHBOUR_LOOK_S)

    def _state_of(self, gateway: str) -> str:
        from agent.watch.connectivity.look import look

        plan, ports = self._plan, self._ports
        now = look(ports.root, ports.addresses, (plan.interface.name,), ask_kernel=ports.netlink)
        return now.neighbour(now.best, gateway)

    async def _servers(self) -> None:
        """Ask each name server by itself, if the system's resolver did not help."""
        plan = self._plan
        if not plan.name:
            return
        began_ms = self._ports.clock.now().boot_ms
        told = await self._ask_each(plan.name)
        why = await self._ask(plan.name)
        if not isinstance(why, str):
            self.found.names = replace(self.found.names, told=tuple(told))
            return
        self.found.names = names_verdict(
            plan.name,
            told,
            servers=self._look.servers,
            reason=why,
            took_ms=self._ports.clock.now().boot_ms - began_ms,
        )

    async def _ask_each(self, name: str) -> list[Told]:
        six = not any(":" not in one for one in self._plan.interface.usable)
        asking = [
            self._ports.ask_server(
                server,
                name,
                number=int.from_bytes(os.urandom(2), "big"),
                try_s=SERVER_TRY_S,
                # Resolvers on this machine are not behind any interface.
                interface="" if dns.nonsense(server) else self._plan.bound,
                six=six,
            )
            for server in self._look.servers[:SERVERS]
        ]
        told = await asyncio.gather(*asking)
        self.found.spent += sum(one.bytes_spent for one in told)
        return list(told)

    @property
    def _witness_s(self) -> float:
        return min(self._plan.timeout_s, WITNESS_S)

    async def _reference(self, target: Target) -> None:
        addresses: Sequence[str] = (target.host,)
        if target.name:
            told = await self._ask(target.name)
            addresses = self._known.of(target.name) if isinstance(told, str) else told
        reach, spent = await probes.reach(
            self._ports, target, addresses, self._witness_s, self._plan.bound
        )
        if reach.tcp == OK:
            self._known.keep(target.name, reach.address)
        self.found.references.append(reach)
        self.found.spent += spent

    async def _portal(self) -> None:
        url = self._plan.portal_url
        host = urlsplit(url).hostname or ""
        told = await self._ask(host)
        addresses = self._known.of(host) if isinstance(told, str) else told
        portal, spent = await probes.portal(
            self._ports, url, addresses, self._witness_s, self._plan.bound
        )
        if portal.kind == "open":
            self._known.keep(host, addresses[0])
        self.found.portal = portal
        self.found.spent += spent

    async def _doubt_names(self) -> None:
        """A name that resolved, to a place where its host is not: was that the truth?"""
        found = self.found
        if found.names.state != OK or found.portal.kind == "portal":
            return
        wrong = [
            one
            for one in found.reached.values()
            if one.target.name and FAILED in (one.tcp, one.tls)
        ]
        if not wrong or any(one.fine for one in found.reached.values() if one.target.name):
            return
        invented = f"x{os.urandom(6).hex()}.invalid"
        told = await self._ask_each(invented)
        made_up = [address for one in told for address in one.addresses]
        for one in wrong:
            answers = await self._ask(one.target.name)
            if isinstance(answers, str):
                continue
            why = lie(answers, made_up, self._known.of(one.target.name))
            if why:
                found.names = replace(
                    found.names, state=FAILED, kind="lying", name=one.target.name, reason=why
                )
                return


def unreached(targets: Sequence[Target]) -> dict[Target, Reach]:
    """What is known of targets nobody tried."""
    return {
        one: Reach(target=one, tls=NOT_NEEDED if one.files is None else NOT_TRIED)
        for one in targets
    }
