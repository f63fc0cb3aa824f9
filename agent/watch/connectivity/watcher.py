"""The watcher: when to look, when to test, and what the reading says. See the package's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from agent.config.network import Connectivity
from agent.core.health.reading import Outcome, Reading, Value
from agent.core.moment import Moment
from agent.link.contact import Contact
from agent.watch.connectivity import probes
from agent.watch.connectivity.calls import Calls
from agent.watch.connectivity.changes import Changes
from agent.watch.connectivity.look import Look, look
from agent.watch.connectivity.memory import FRESH_MS
from agent.watch.connectivity.probes import Ports
from agent.watch.connectivity.rounds import Found, Plan, Round, unreached
from agent.watch.connectivity.story import told_values
from agent.watch.connectivity.target import FAILED, NOT_NEEDED, NOT_TRIED, OK, Reach, Target
from agent.watch.connectivity.verdict import LAYERS, Names, Portal, Seen, judge, lowest
from agent.watch.connectivity.way import Memory, Way
from agent.watch.layers import Interface

FACTS_DEADLINE_S = 2.0
#: One symptom seldom comes alone: one test answers all that come within this.
LEAST_DOUBT_S = 3.0
#: What is known to be broken is tested again no sooner than this when the day's bytes are spent.
SPENT_PACE_S = 300.0
#: Of the day's bytes, what connections and what handshakes may take while nothing is wrong.
CONNECT_SHARE, HANDSHAKE_SHARE = 0.3, 0.65
LEAST_IDLE_S = 900.0
#: A way out that is broken and not in use is tried again this often, to know when it heals.
HEALING_S = 60.0
ECHO_MS = 3_600_000
#: What is wrong with what this terminal shows of itself.
OURS = ("tls.client_certificate_expired", "config.credential_expired")
#: An uplink's causes that are the host's own: everything below them held.
_HOSTS_OWN = ("host.", "issuer.", "platform.")


class Channel(Protocol):
    """One uplink, as far as it tells whether its host's application answers."""

    @property
    def state(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def last_success_at(self) -> datetime | None: ...


class ConnectivityWatcher:
    """One reading of all layers, of every way out."""

    component = "connectivity"

    def __init__(
        self,
        config: Connectivity,
        targets: Sequence[Target],
        ports: Ports,
        *,
        in_use: Callable[[], str] = str,
        answers: Callable[[], Sequence[Channel]] = tuple,
        recovered: Callable[[], object] = lambda: None,
    ) -> None:
        """`in_use`: the interface of the channel that carries now, "" for the system's choice;
        `answers`: the uplinks, for the host's echo; `recovered` is called when what was broken
        below TLS holds again.
        """
        self.period_s = config.period_s
        # Names, connection and handshake one after the other, and a kernel that takes its time.
        self.deadline_s = FACTS_DEADLINE_S * 2 + config.timeout_s * 4 + 6.0
        self._config = config
        self._ports = ports
        self._targets = tuple(targets)
        self._in_use = in_use
        self._answers = answers
        self._recovered = recovered
        self._memory = Memory(config, targets)
        self._calls = Calls()

    @property
    def _wanted(self) -> tuple[str, ...]:
        return self._config.interfaces

    # -- others tell ------------------------------------------------------------------------------

    def heed(self, poke: Callable[[], None]) -> None:
        """`poke` has this watcher read soon; from now on it listens for reasons to."""
        self._calls.poke = poke
        self._calls.changes = Changes(self._calls.soon, root=self._ports.root)

    def heard(self, contact: Contact) -> None:
        """Somebody's connection held or failed. Never blocks, never raises."""
        if contact.purpose == "probe":
            return
        memory = self._memory
        memory.told.take(contact, self._ports.clock.now().boot_ms)
        if contact.layer in ("dns", "tcp", "tls"):
            memory.doubt = True
            self._calls.soon(f"{contact.layer} failed")
        elif memory.broken:
            memory.healing = True
            self._calls.soon("a connection held")

    async def close(self) -> None:
        """Stop listening."""
        self._calls.close()

    # -- the reading ------------------------------------------------------------------------------

    async def read(self) -> Outcome:
        """The layers as they are now."""
        self._calls.began()
        now, memory = self._ports.clock.now(), self._memory
        used = self._in_use()
        seen = await self._ports.blocking.call(
            "connectivity.facts",
            partial(
                look,
                self._ports.root,
                self._ports.addresses,
                self._wanted or ((used,) if used else ()),
                last=memory.main,
                aside=self._config.tunnels,
                ask_kernel=self._ports.netlink,
            ),
            FACTS_DEADLINE_S,
        )
        if seen.route is not None:
            memory.main = seen.route.interface
        if memory.way is not None and memory.way != seen.way:
            memory.told.forget()
            memory.changed_ms = now.boot_ms
        symptoms = (memory.doubt, memory.way != seen.way, memory.broken != "", _lost(seen))
        doubt = any(symptoms)
        memory.way, memory.failed, memory.doubt = seen.way, memory.doubt, False
        for interface in self._chosen(seen):
            await self._tested(interface, seen, doubt=doubt, now=now)
        active = self._active(seen)
        memory.healing = False
        way = memory.ways.get(active.name if active else "", Way())
        if memory.broken in LAYERS[: LAYERS.index("tls")] and not way.broken:
            self._recovered()
        memory.broken = way.broken
        self._calls.again(memory.broken != "" and not memory.spent(now.boot_ms))
        return self._reading(seen, active, way)

    def _chosen(self, seen: Look) -> list[Interface | None]:
        """The ways worth testing: those configured, else the one that gets furthest."""
        return list(seen.watched) if self._wanted else [seen.best]

    def _active(self, seen: Look) -> Interface | None:
        """The way that gets furthest; among equals the system's own."""
        ways = self._memory.ways
        route = seen.route.interface if seen.route is not None else ""

        def depth(one: Interface) -> tuple[bool, int, bool]:
            states = ways[one.name].states if one.name in ways else {}
            broken = lowest(states)
            height = list(states).index(broken) if broken else 0
            return (broken != "", -height, one.name != route)

        return min(seen.watched, key=depth, default=None) if self._wanted else seen.best

    async def _tested(
        self, interface: Interface | None, seen: Look, *, doubt: bool, now: Moment
    ) -> None:
        """Test one way as far as it is due, and judge it."""
        memory = self._memory
        way = memory.ways.setdefault(interface.name if interface else "", Way())
        known = self._heard_of(interface, way, seen, now)
        usable = interface is not None and interface.link and bool(interface.usable)
        plan = self._plan(interface, way, seen, known, doubt=doubt, now=now) if usable else None
        here = [one for one in self._targets if one.local]
        if plan is None and (not usable or doubt) and here:
            plan = self._plan_here(here)
        if plan is not None:
            way.began_ms = now.boot_ms
            found = await Round(plan, self._ports, seen, memory.addresses).run()
            after_ms = self._ports.clock.now().boot_ms
            memory.budget.charge(found.spent, after_ms)
            way.tried_ms = after_ms
            self._keep(way, found, plan.route.gateway if plan.route else "", after_ms)
        elif not usable:
            way.found = Found(reached=unreached(self._targets))
        if plan is None and known:
            way.found.reached |= known
            if any(one.name == way.found.names.name != "" for one in known):
                way.found.names = Names(state=OK, name=way.found.names.name)
            if len(known) == len(self._targets):
                way.tried_ms = now.boot_ms  # by others
        way.states = judge(self._seen(interface, way, seen, now))

    def _keep(self, way: Way, found: Found, gateway: str, now_ms: int) -> None:
        """Take in what a round found; a certificate seen earlier still stands."""
        for target, reach in found.reached.items():
            before = way.found.reached.get(target)
            if reach.tls in (OK, FAILED):
                way.tls_ms[target] = now_ms
            elif reach.tcp == OK and before is not None and before.tls == OK:
                found.reached[target] = replace(
                    reach,
                    tls=OK,
                    expires_at=before.expires_at,
                    subject=before.subject,
                    issuer=before.issuer,
                )
        found.reached = unreached(self._targets) | found.reached
        way.found = found
        if found.gateway_spoke is not None:
            way.gateway_spoke[gateway] = found.gateway_spoke

    def _heard_of(
        self, interface: Interface | None, way: Way, seen: Look, now: Moment
    ) -> dict[Target, Reach]:
        """The targets others have reached over this way since it was last tested."""
        last_ms = -1 if way.tried_ms is None else way.tried_ms
        since_ms = max(now.boot_ms - FRESH_MS, self._memory.changed_ms, last_ms + 1)
        names = self._names_of(interface, seen)
        known: dict[Target, Reach] = {}
        for target in self._targets:
            before = way.found.reached.get(target)
            if before is not None and before.tls_code in OURS:
                continue  # under TLS 1.3 a handshake holds before the host looks at what we showed
            proof = self._memory.told.proof(names, target.host, target.port, since_ms)
            if proof is not None and (proof.tls or target.files is None):
                known[target] = Reach(
                    target=target,
                    tcp=OK,
                    tls=NOT_NEEDED if target.files is None else OK,
                    connect_ms=proof.connect_ms,
                    expires_at=proof.expires_at,
                )
        return known

    def _names_of(self, interface: Interface | None, seen: Look) -> tuple[str, ...]:
        """Under which names others speak of this way: its own, and none for the system's."""
        name = interface.name if interface else ""
        # The dialer keeps to the channel in use by itself.
        by_system = seen.route is None or seen.route.interface == name or not self._wanted
        return ("", name) if by_system else (name,)

    # -- what is due ------------------------------------------------------------------------------

    def _plan(
        self,
        interface: Interface | None,
        way: Way,
        seen: Look,
        known: Mapping[Target, Reach],
        *,
        doubt: bool,
        now: Moment,
    ) -> Plan | None:
        """What to try on this way now; None: nothing is due."""
        if interface is None:
            return None
        memory, budget = self._memory, self._memory.budget
        by_system = "" in self._names_of(interface, seen)
        unproven = [one for one in self._targets if one not in known]
        age_ms = None if way.tried_ms is None else now.boot_ms - way.tried_ms
        if not unproven and (way.states and not way.broken):
            return None
        if doubt and age_ms is not None:
            pace_s = LEAST_DOUBT_S
            if way.broken and not memory.healing:  # only whether it has healed is open
                pace_s = SPENT_PACE_S if memory.spent(now.boot_ms) else LEAST_DOUBT_S
            pace_s = max(pace_s, 0.0 if by_system else HEALING_S)
            if age_ms < pace_s * 1000 and not memory.way_changed(now.boot_ms):
                return None
        cost = self._cost(unproven)
        if not doubt:
            pace_ms = budget.pace_ms(cost, CONNECT_SHARE)
            if pace_ms is None or budget.left(now.boot_ms) < cost:
                return None
            if age_ms is not None and age_ms < max(pace_ms, LEAST_IDLE_S * 1000):
                return None
        return Plan(
            interface=interface,
            bound="" if by_system else interface.name,
            route=seen.route_of(interface.name),
            targets=self._targets if doubt else unproven,
            name=memory.aims.name,
            references=memory.aims.references,
            portal_url=self._config.portal_url,
            timeout_s=self._config.timeout_s,
            handshakes=self._handshakes(way, now, doubt=doubt) if by_system else frozenset(),
            dig=True,
            gateway_spoke=way.gateway_spoke.get(self._gateway_of(interface, seen)),
            failed=memory.failed,
            portal_again=way.states.get("captive_portal") == FAILED,
        )

    def _plan_here(self, here: Sequence[Target]) -> Plan:
        """Hosts on this machine need no network."""
        return Plan(
            interface=Interface(name="lo", link=True, operstate="up"),
            bound="",
            route=None,
            targets=here,
            name="",
            references=(),
            portal_url="",
            timeout_s=self._config.timeout_s,
            handshakes=frozenset(one for one in here if one.files is not None),
            dig=False,
        )

    def _handshakes(self, way: Way, now: Moment, *, doubt: bool) -> frozenset[Target]:
        """A handshake costs about 5 kB, and certificates do not age faster than a day."""
        secure = [one for one in self._targets if one.files is not None]
        pace_ms = self._memory.budget.pace_ms(probes.HANDSHAKE_BYTES * len(secure), HANDSHAKE_SHARE)
        due: set[Target] = set()
        for one in secure:
            reach, shaken_ms = way.found.reached.get(one), way.tls_ms.get(one)
            doubted = doubt and (reach is None or reach.tls != OK or way.broken != "")
            aged = pace_ms is not None and now.boot_ms - (shaken_ms or 0) >= pace_ms
            if shaken_ms is None or doubted or aged:
                due.add(one)
        return frozenset(due)

    def _cost(self, targets: Sequence[Target]) -> int:
        names = {one.name for one in targets if one.name}
        return probes.CONNECT_BYTES * len(targets) + probes.NAME_BYTES * len(names)

    # -- what is said -----------------------------------------------------------------------------

    def _seen(self, interface: Interface | None, way: Way, seen: Look, now: Moment) -> Seen:
        found, memory = way.found, self._memory
        by_system = "" in self._names_of(interface, seen)
        route = seen.route if by_system else seen.route_of(interface.name if interface else "")
        # What held before a test that failed proves nothing any more.
        since_ms = now.boot_ms - FRESH_MS if found.fine else way.began_ms
        since_ms = max(since_ms, memory.changed_ms)
        return Seen(
            interface=interface,
            route=route,
            routes_told=seen.routes_told,
            gateway_state=found.gateway_state or self._neighbour(interface, seen, route),
            gateway_answers=found.gateway_answers,
            names=found.names if memory.aims.name else Names(state=NOT_NEEDED),
            portal=_looked_for(found.portal, self._config.portal_url),
            references=found.references,
            reached=list(found.reached.values()),
            others_held=memory.told.held_since(self._names_of(interface, seen), since_ms),
            echo=self._echo(now),
            needed=self._needed,
        )

    @staticmethod
    def _gateway_of(interface: Interface, seen: Look) -> str:
        route = seen.route_of(interface.name)
        return "" if route is None else route.gateway

    @staticmethod
    def _neighbour(interface: Interface | None, seen: Look, route: object) -> str:
        gateway = getattr(route, "gateway", "")
        return seen.neighbour(interface, gateway) if gateway else ""

    @property
    def _needed(self) -> bool:
        """With nothing to reach beyond this machine, no network is no trouble."""
        named = bool(self._config.interfaces or self._memory.aims.name)
        return named or not all(one.local for one in self._targets)

    def _echo(self, now: Moment) -> str:
        """Whether the hosts' applications answer, from what the uplinks have found."""
        channels = self._answers()
        if any(one.cause.startswith(_HOSTS_OWN) and one.state != "ok" for one in channels):
            return FAILED
        lately = (
            one.last_success_at is not None
            and abs((now.at - one.last_success_at).total_seconds()) * 1000 < ECHO_MS
            for one in channels
        )
        return OK if any(lately) else NOT_TRIED

    def _reading(self, seen: Look, active: Interface | None, way: Way) -> Reading:
        now, memory = self._ports.clock.now(), self._memory
        drops: int | None = None
        if active is not None and active.carrier_changes is not None:
            drops = memory.drops.count(active.name, active.carrier_changes, now.boot_ms)
        states = way.states or judge(self._seen(active, way, seen, now))
        values: dict[str, Value] = {
            **states,
            "lowest_broken": lowest(states),
            **told_values(
                config=self._config,
                found=way.found,
                states=states,
                seen=seen,
                active=active,
                gateway_state=way.found.gateway_state
                or self._neighbour(active, seen, seen.route_of(active.name) if active else None),
                name=memory.aims.name,
                now=now,
            ),
            "bytes_spent": memory.budget.spent(now.boot_ms),
            "bytes_limit": self._config.probe_bytes_per_day,
            "probing": "slower" if memory.spent(now.boot_ms) else "normal",
            "noticing": self._calls.how,
        }
        if drops is not None:
            values["drops_last_hour"] = drops
        if self._wanted and len(seen.watched) > 1:
            known = {one.name: memory.ways.get(one.name, Way()) for one in seen.watched}
            values["ways"] = " ".join(f"{n}={w.broken or 'ok'}" for n, w in known.items())
        return Reading(values, {one.name: str(one) for one in seen.seen})


def _lost(seen: Look) -> bool:
    """Whether the kernel itself asks in vain for the gateway."""
    route = seen.route
    if route is None or not route.gateway:
        return False
    one = next((one for one in seen.watched if one.name == route.interface), None)
    return seen.neighbour(one, route.gateway) in ("failed", "incomplete")


def _looked_for(found: Portal, url: str) -> Portal:
    """Not tried is not switched off."""
    return replace(found, kind="not_tried") if url and found.kind == "off" else found
