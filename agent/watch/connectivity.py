"""Watches the way from this terminal to its hosts, layer by layer.

carrier -> address -> route -> gateway -> DNS -> TCP -> TLS. It names the lowest broken layer and
keeps *failed* apart from *not tried*. Proof beats inference: a host that answers clears every layer
below it, whatever the tables look like, and a layer no configured host needs (all of them on this
machine) is reported but never blamed. It sends nothing to a host beyond opening and closing a
connection; payments and their answers are the uplink's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from agent.clock import Clock
from agent.config import AnyUplink, Connectivity, Uplink
from agent.core.health.reading import Outcome, Reading, Value
from agent.core.moment import Moment
from agent.errors import AgentError
from agent.link.dial import DialError
from agent.link.tls import peer_expires_at
from agent.watch import layers
from agent.watch.layers import Addresses, Interface, Route

T = TypeVar("T")
Trust = Callable[[str, str, str], ssl.SSLContext]

OK, FAILED, NOT_TRIED, NOT_NEEDED = "ok", "failed", "not_tried", "not_needed"
LAYERS = ("carrier", "address", "route", "gateway", "dns", "tcp", "tls")

#: While nothing is wrong, hosts are tried only every so many rounds: one TCP connection a minute
#: is 25 MB a month, and the uplink notices a dead host anyway as soon as there is money to send.
PROBE_EVERY_ROUNDS = 5
#: A handshake costs about 5 kB; certificates do not age faster than this.
TLS_EVERY_S = 3_600.0
FACTS_DEADLINE_S = 2.0
DROPS_WINDOW_S = 3_600.0


class Blocking(Protocol):
    """Runs a call that may hang, off the loop."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T: ...


class Dial(Protocol):
    """Opens connections; `agent.link.dial.Dialer` is one."""

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A host to reach; `files` are (CA, certificate, key) where it speaks TLS."""

    host: str
    port: int
    files: tuple[str, str, str] | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything this watcher asks of the world, so that tests can answer for it."""

    blocking: Blocking
    dial: Dial
    trust: Trust
    clock: Clock
    root: Path = Path("/")
    addresses: Callable[[], Addresses] = layers.local_addresses
    resolve: Callable[[str], list[str]] = layers.resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the files say in this round."""

    seen: tuple[Interface, ...]
    chosen: tuple[Interface, ...]
    route: Route | None
    resolvers: tuple[str, ...]

    @property
    def best(self) -> Interface | None:
        """The interface that gets furthest."""
        order = sorted(self.chosen, key=lambda one: (not one.link, not one.usable))
        return order[0] if order else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """How far one target could be reached."""

    target: Target
    tcp: str = NOT_TRIED
    tls: str = NOT_TRIED
    dns_reason: str = ""
    tcp_reason: str = ""
    tls_reason: str = ""
    tls_code: str = ""
    connect_ms: int | None = None
    expires_at: datetime | None = None


@dataclass(slots=True)
class _Memory:
    """What is carried from round to round."""

    rounds: int = 0
    facts: _Facts | None = None
    dns: tuple[str, str] = (NOT_TRIED, "")
    reached: dict[Target, _Reach] = field(default_factory=dict)
    handshake_ms: dict[Target, int] = field(default_factory=dict)
    changes: deque[tuple[int, str, int]] = field(default_factory=lambda: deque(maxlen=500))

    @property
    def fine(self) -> bool:
        return self.dns[0] in (OK, NOT_NEEDED) and all(
            one.tcp == OK and one.tls in (OK, NOT_NEEDED) for one in self.reached.values()
        )


class ConnectivityWatcher:
    """One reading of all layers."""

    component = "connectivity"

    def __init__(self, config: Connectivity, targets: Sequence[Target], ports: Ports) -> None:
        self.period_s = config.period_s
        self.deadline_s = FACTS_DEADLINE_S * 2 + config.timeout_s * 3 + 1.0
        self._config = config
        self._targets = tuple(targets)
        self._name = config.dns_name or next(
            (one.host for one in targets if not (layers.literal(one.host) or _local(one))), ""
        )
        #: With nothing to reach beyond this machine, no network is no trouble.
        self._needed = bool(config.interfaces or self._name) or not all(map(_local, targets))
        self._ports = ports
        self._memory = _Memory()

    async def read(self) -> Outcome:
        """The layers as they are now."""
        now, memory = self._ports.clock.now(), self._memory
        facts = await self._ports.blocking.call("connectivity.facts", self._look, FACTS_DEADLINE_S)
        best = facts.best
        reachable = best is not None and best.link and bool(best.usable)
        changed = memory.facts is None or _way(facts) != _way(memory.facts)
        if changed or not memory.fine or memory.rounds % PROBE_EVERY_ROUNDS == 0:
            await self._probe(beyond=reachable)
        memory.rounds += 1
        memory.facts = facts
        gateway_state = ""
        if facts.route is not None and facts.route.gateway:
            # After the probes: they made the kernel ask for its gateway.
            gateway_state = await self._ports.blocking.call(
                "connectivity.neighbour",
                partial(layers.neighbour, self._ports.root, facts.route.gateway),
                FACTS_DEADLINE_S,
            )
        states = self._states(facts, gateway_state)
        values: dict[str, Value] = {
            **states,
            "lowest_broken": next((name for name in LAYERS if states[name] == FAILED), ""),
            **self._way_values(facts, gateway_state, now),
            **self._host_values(now),
        }
        evidence = {one.name: str(one) for one in facts.seen}
        return Reading(values, evidence)

    def _look(self) -> _Facts:
        root = self._ports.root
        seen = layers.interfaces(root, self._ports.addresses)
        route = layers.default_route(root)
        return _Facts(
            seen=tuple(seen),
            chosen=tuple(layers.watched(seen, self._config.interfaces, route)),
            route=route,
            resolvers=tuple(layers.resolvers(root)),
        )

    def _states(self, facts: _Facts, gateway_state: str) -> dict[str, str]:
        states = dict.fromkeys(LAYERS, NOT_TRIED)
        best = facts.best
        states["carrier"] = OK if best is not None and best.link else FAILED
        if best is not None and best.link:
            states["address"] = OK if best.usable else FAILED
        if states["address"] == OK:
            states["route"] = OK if facts.route is not None else FAILED
        if states["route"] == OK and facts.route is not None:
            states["gateway"] = _gateway(facts.route, gateway_state)
        reached = self._memory.reached.values()
        states["dns"] = self._memory.dns[0]
        states["tcp"] = _worst([one.tcp for one in reached])
        states["tls"] = _worst([one.tls for one in reached])
        proven = any(one.tcp == OK and not _local(one.target) for one in reached)
        for name in ("carrier", "address", "route", "gateway"):
            if not self._needed or (proven and states[name] == FAILED):
                states[name] = NOT_NEEDED
        return states

    def _way_values(self, facts: _Facts, gateway_state: str, now: Moment) -> dict[str, Value]:
        best = facts.best
        values: dict[str, Value] = {
            "interface": best.name if best else ",".join(self._config.interfaces),
            "link_up": best.link if best else False,
            "ip_address": " ".join(best.usable or best.addresses) if best else "",
            "gateway_address": facts.route.gateway if facts.route else "",
            "gateway_state": gateway_state,
            "dns_name": self._name,
            "dns_servers": " ".join(facts.resolvers),
            "dns_reason": self._memory.dns[1],
        }
        if best is not None and best.carrier_changes is not None:
            values["drops_last_hour"] = self._drops(best.name, best.carrier_changes, now)
        return values

    def _host_values(self, now: Moment) -> dict[str, Value]:
        reached = list(self._memory.reached.values())
        values: dict[str, Value] = {
            "hosts": len(self._targets),
            "hosts_reached": sum(one.tcp == OK for one in reached),
            "slow_ms": self._config.slow_ms,
            "certificate_warn_days": self._config.certificate_warn_days,
        }
        slowest = max(
            (one.connect_ms for one in reached if one.connect_ms is not None), default=None
        )
        if slowest is not None:
            values["connect_ms"] = slowest
        worst = next((one for one in reached if FAILED in (one.tcp, one.tls)), None)
        worst = worst or next(iter(reached), None)
        if worst is not None:
            values |= {
                "host": str(worst.target),
                "tcp_reason": worst.tcp_reason or ("" if worst.tls_code else worst.tls_reason),
                "tls_reason": worst.tls_reason,
                "tls_code": worst.tls_code,
            }
        dated = [(one.expires_at, one.target) for one in reached if one.expires_at is not None]
        if dated and now.trusted:
            expires_at, target = min(dated, key=lambda one: one[0])
            values |= {
                "certificate_of": str(target),
                "certificate_days": (expires_at - now.at).days,
                "expires_at": expires_at.date().isoformat(),
            }
        return values

    def _drops(self, interface: str, changes: int, now: Moment) -> int:
        """Links lost within the last hour. Every loss is two changes: down and up."""
        past = self._memory.changes
        if past and (past[-1][1] != interface or past[-1][2] > changes):
            past.clear()  # another interface, or its driver was reloaded
        if not past or past[-1][2] != changes:
            past.append((now.boot_ms, interface, changes))
        # The last count from before the window is what the window is measured against.
        while len(past) > 1 and now.boot_ms - past[1][0] > DROPS_WINDOW_S * 1000:
            past.popleft()
        return (changes - past[0][2] + 1) // 2

    async def _probe(self, *, beyond: bool) -> None:
        memory = self._memory
        memory.dns = await self._ask_name(beyond=beyond)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._try(one, possible=beyond or _local(one)))
                for one in self._targets
            ]
        memory.reached = {reach.target: reach for reach in (task.result() for task in tasks)}
        unresolved = [one.dns_reason for one in memory.reached.values() if one.dns_reason]
        if unresolved and memory.dns[0] != FAILED:
            memory.dns = (FAILED, unresolved[0])

    async def _ask_name(self, *, beyond: bool) -> tuple[str, str]:
        if not self._name:
            return NOT_NEEDED, ""
        if not beyond:
            return NOT_TRIED, ""
        try:
            found = await self._ports.blocking.call(
                "connectivity.dns",
                partial(self._ports.resolve, self._name),
                self._config.timeout_s,
            )
        except TimeoutError:
            return FAILED, f"no answer within {self._config.timeout_s:g} s"
        except (OSError, UnicodeError) as error:
            return FAILED, str(error)
        return (OK, "") if found else (FAILED, "the name has no address")

    async def _try(self, target: Target, *, possible: bool) -> _Reach:
        reach = _Reach(target=target, tls=NOT_TRIED if target.files else NOT_NEEDED)
        if not possible:
            return reach
        if self._memory.dns[0] == FAILED and target.host == self._name:
            return reach
        started_ms = self._ports.clock.now().boot_ms
        try:
            await self._open(target, None)
        except DialError as error:
            return _refused(reach, error)
        took_ms = self._ports.clock.now().boot_ms - started_ms
        reach = replace(reach, tcp=OK, connect_ms=took_ms)
        return reach if target.files is None else await self._handshake(target, reach)

    async def _handshake(self, target: Target, reach: _Reach) -> _Reach:
        before = self._memory.reached.get(target)
        now_ms = self._ports.clock.now().boot_ms
        shaken_ms = self._memory.handshake_ms.get(target)
        if (
            before is not None
            and before.tls == OK
            and shaken_ms is not None
            and now_ms - shaken_ms < TLS_EVERY_S * 1000
        ):
            return replace(reach, tls=OK, expires_at=before.expires_at)
        try:
            context = self._ports.trust(*(target.files or ("", "", "")))
            expires_at = await self._open(target, context)
        except DialError as error:
            return _refused(reach, error)
        except (AgentError, OSError) as error:  # ssl.SSLError is an OSError
            return replace(reach, tls=FAILED, tls_reason=f"TLS cannot be set up: {error}")
        self._memory.handshake_ms[target] = now_ms
        return replace(reach, tls=OK, expires_at=expires_at)

    async def _open(self, target: Target, tls: ssl.SSLContext | None) -> datetime | None:
        """Open and close; when the peer's certificate expires, if it showed one."""
        _, writer = await self._ports.dial.open(
            target.host, target.port, tls, self._config.timeout_s
        )
        expires_at = peer_expires_at(writer)
        writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
        return expires_at


def build(
    config: Connectivity,
    uplinks: Sequence[AnyUplink],
    *,
    clock: Clock,
    blocking: Blocking,
    dial: Dial,
    trust: Trust,
) -> ConnectivityWatcher:
    """The watcher of the real network."""
    ports = Ports(blocking=blocking, dial=dial, trust=trust, clock=clock)
    return ConnectivityWatcher(config, targets(config, uplinks), ports)


def targets(config: Connectivity, uplinks: Iterable[AnyUplink]) -> list[Target]:
    """The hosts of the configuration; without any, those of the uplinks that are switched on."""
    of_uplinks = {
        (one.host, one.port): one for one in (_of_uplink(link) for link in uplinks if link.enabled)
    }
    found = [_target(text, ("", "", "")) for text in config.hosts]
    # A host that is also an uplink's is trusted, and greeted, as that uplink does it.
    known = [
        of_uplinks.get((one.host, one.port), one) if one.files is not None else one for one in found
    ]
    return list(dict.fromkeys(known or of_uplinks.values()))


def _of_uplink(link: AnyUplink) -> Target:
    files = (link.ca_file, link.cert_file, link.key_file)
    if isinstance(link, Uplink):
        return _target(link.url, files)
    return Target(host=link.host, port=link.port, files=files if link.tls else None)


def _target(text: str, files: tuple[str, str, str]) -> Target:
    parts = urlsplit(text if "://" in text else f"tcp://{text}")
    secure = parts.scheme == "https"
    return Target(
        host=parts.hostname or "",
        port=parts.port or (80 if parts.scheme == "http" else 443),
        files=files if secure else None,
    )


def _refused(reach: _Reach, error: DialError) -> _Reach:
    match error.layer:
        case "dns":
            return replace(reach, dns_reason=error.reason)
        case "tls":
            return replace(reach, tls=FAILED, tls_reason=error.reason, tls_code=error.code)
        case _:
            return replace(reach, tcp=FAILED, tcp_reason=error.reason, connect_ms=None)


def _gateway(route: Route, state: str) -> str:
    if not route.gateway:
        return NOT_NEEDED
    return {"complete": OK, "permanent": OK, "incomplete": FAILED}.get(state, NOT_TRIED)


def _worst(states: Sequence[str]) -> str:
    for state in (FAILED, NOT_TRIED, OK):
        if state in states:
            return state
    return NOT_NEEDED


def _way(facts: _Facts) -> tuple[object, ...]:
    """What makes an old probe worthless when it changes."""
    return (
        facts.route,
        tuple((one.name, one.link, one.addresses) for one in facts.chosen),
    )


def _local(target: Target) -> bool:
    return layers.loopback(target.host)
