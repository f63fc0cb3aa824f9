"""From what was seen to the layers: which holds, which is broken, which nobody knows about.

Pure. Proof beats inference: whatever answers clears all layers below it. A layer fails only on its
own evidence, never because one above it did; one that nobody tried is *not tried*, one that no host
needs is *not needed*. Called by the watcher once for each way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from agent.record import dataclass
from agent.watch.connectivity import names as dns
from agent.watch.connectivity.names import Told
from agent.watch.connectivity.target import FAILED, NOT_NEEDED, NOT_TRIED, OK, Reach
from agent.watch.layers import Interface, Route, literal

#: Lowest first: the first that failed is what is told.
LAYERS = (
    "carrier", "address", "route", "gateway", "captive_portal", "internet", "dns", "tcp", "tls",
    "echo",
)  # fmt: skip
#: A gateway the kernel has lately heard of; one it asks and does not hear; the rest is open.
_GATEWAY = {
    **dict.fromkeys(("reachable", "permanent", "noarp", "complete"), OK),
    **dict.fromkeys(("failed", "incomplete"), FAILED),
}
#: Answers that did come from a name server, not from a packet filter before it.
_FROM_SERVER = (dns.ANSWERED, dns.NXDOMAIN, dns.EMPTY, dns.SERVFAIL, dns.TRUNCATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What became of asking for names."""

    state: str = NOT_TRIED
    kind: str = ""  #: no_server, no_answer, refused, servfail, nxdomain, empty, lying, slow
    name: str = ""
    reason: str = ""
    took_ms: int | None = None
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """What the address that answers 204 answered."""

    kind: str = "off"  #: off, not_tried, open, portal, unclear, no_answer
    status: int = 0
    location: str = ""
    date_offset_s: int | None = None  #: this terminal's clock less that host's

    @property
    def tried(self) -> bool:
        return self.kind not in ("off", "not_tried")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All evidence about one way out, at one moment."""

    interface: Interface | None
    route: Route | None = None
    routes_told: bool = True  #: False: the routes may not be read here
    gateway_state: str = ""
    gateway_answers: bool | None = None  #: asked on the wire; None: not asked
    names: Names = field(default_factory=Names)
    portal: Portal = field(default_factory=Portal)
    references: Sequence[Reach] = ()
    reached: Sequence[Reach] = ()
    others_held: bool = False  #: a host that is no target of ours was lately reached
    echo: str = NOT_TRIED
    needed: bool = True  #: any host beyond this machine
    tunnels: Mapping[str, str] = field(default_factory=dict)  #: name -> what is wrong with it, ""


def judge(seen: Seen) -> dict[str, str]:
    """The state of every layer."""
    states = dict.fromkeys(LAYERS, NOT_TRIED)
    one = seen.interface
    if one is None or not one.link:
        states["carrier"] = FAILED if one is None or one.known else NOT_TRIED
    else:
        states["carrier"] = OK if one.known else NOT_TRIED
        states["address"] = OK if one.usable else FAILED
    if states["address"] == OK and seen.routes_told:
        states["route"] = OK if seen.route is not None else FAILED
        far = [one for one in seen.reached if beyond(one)]
        if seen.route is None and far and all(one.via for one in far):
            states["route"] = NOT_NEEDED  # a route of its own leads to each
    if states["route"] == OK and seen.route is not None:
        states["gateway"] = _gateway(seen)
    states["dns"] = seen.names.state
    states["tcp"] = _worst(reach.tcp for reach in seen.reached)
    states["tls"] = _worst(reach.tls for reach in seen.reached)
    states["echo"] = seen.echo
    states["captive_portal"] = _portal(seen)
    below = all(states[name] != FAILED for name in ("carrier", "address", "route", "gateway"))
    if below and states["captive_portal"] != FAILED:
        states["internet"] = _internet(seen)
    proven = _proven(seen)
    for name in ("carrier", "address", "route", "gateway"):
        if not seen.needed or (proven and states[name] == FAILED):
            states[name] = NOT_NEEDED
        elif proven and name == "gateway" and states[name] == NOT_TRIED and _behind(seen):
            states[name] = OK  # stale or forgotten, and what lies behind it answers
    if not seen.needed:
        states |= {"captive_portal": NOT_NEEDED, "internet": NOT_NEEDED}
    return states


def lowest(states: Mapping[str, str]) -> str:
    """The lowest broken layer; "" where none is."""
    return next((name for name in LAYERS if states.get(name) == FAILED), "")


def beyond(reach: Reach) -> bool:
    """Whether reaching it takes the network at all."""
    return not reach.target.local


def _proven(seen: Seen) -> bool:
    if seen.others_held or seen.portal.kind == "open":
        return True
    return any(one.answered and beyond(one) for one in (*seen.reached, *seen.references))


def _behind(seen: Seen) -> bool:
    return seen.route is not None and bool(seen.route.gateway)


def _gateway(seen: Seen) -> str:
    if seen.route is None or not seen.route.gateway:
        return NOT_NEEDED
    if seen.gateway_answers is not None:
        return OK if seen.gateway_answers else FAILED
    return _GATEWAY.get(seen.gateway_state, NOT_TRIED)


def _portal(seen: Seen) -> str:
    match seen.portal.kind:
        case "off":
            return NOT_NEEDED
        case "open":
            return OK
        case "portal":
            # It may answer anything as long as our hosts prove who they are.
            secured = [one for one in seen.reached if beyond(one) and one.target.files is not None]
            return NOT_NEEDED if secured and all(one.fine for one in secured) else FAILED
        case _:
            # Nobody between us and a host that proved who it is.
            proven = any(one.tls == OK and beyond(one) for one in seen.reached)
            return OK if proven else NOT_TRIED


def _internet(seen: Seen) -> str:
    """Beyond the shop's network: one answer proves it; silence takes two witnesses, or those the
    configuration named for this."""
    far = [one for one in seen.reached if beyond(one)]
    if not far:
        return NOT_NEEDED
    if _proven(seen) or any(_public(told) for told in seen.names.told if told.kind in _FROM_SERVER):
        return OK
    named = [one for one in seen.references if one.tcp != NOT_TRIED]
    if named or seen.portal.tried:
        silent = all(one.silent for one in named) and seen.portal.kind in (
            "off",
            "not_tried",
            "no_answer",
        )
        return FAILED if silent else NOT_TRIED
    witnesses = {one.address or str(one.target) for one in far if one.silent}
    # A name server is a witness when it is silent, and one inside the shop also when it is lost.
    witnesses |= {
        told.server
        for told in seen.names.told
        if not told.spoke or (told.kind == dns.SERVFAIL and not _public(told))
    }
    return FAILED if len(witnesses) > 1 and any(one.silent for one in far) else NOT_TRIED


def _public(told: Told) -> bool:
    return not (dns.private(told.server) or dns.nonsense(told.server))


def _worst(states: Iterable[str]) -> str:
    told = set(states)
    return next((one for one in (FAILED, NOT_TRIED, OK) if one in told), NOT_NEEDED)


def names_verdict(
    name: str,
    told: Sequence[Told],
    *,
    servers: Sequence[str],
    reason: str,
    took_ms: int | None = None,
) -> Names:
    """Why the system found no address for a name, from what each server said of it."""
    kinds = {one.kind for one in told}
    if not servers:
        kind, why = "no_server", "no name server is set"
    elif dns.ANSWERED in kinds:
        silent = ", ".join(one.server for one in told if one.kind != dns.ANSWERED)
        kind = dns.NO_ANSWER if silent else "slow"
        why = f"{silent} does not help, the others do" if silent else f"answered late ({reason})"
    elif told:
        order = (
            dns.NXDOMAIN, dns.EMPTY, dns.TRUNCATED, dns.REFUSED, dns.SERVFAIL, dns.GARBLED,
            dns.NO_ANSWER,
        )  # fmt: skip
        kind = next((one for one in order if one in kinds), dns.UNREACHABLE)
        where = ", ".join(one.server for one in told if one.kind == kind)
        why = f"{where} {_WORDS[kind].format(name=name)}"
    else:
        kind, why = dns.NO_ANSWER, reason
    return Names(state=FAILED, kind=kind, name=name, reason=why, told=tuple(told), took_ms=took_ms)


_WORDS = {
    dns.NXDOMAIN: "knows no name {name}",
    dns.EMPTY: "knows {name} but no address of it",
    dns.TRUNCATED: "answers only in part, and nothing over TCP",
    dns.REFUSED: "refuses to answer",
    dns.SERVFAIL: "cannot find out about {name}",
    dns.GARBLED: "answers nonsense",
    dns.NO_ANSWER: "does not answer",
    dns.UNREACHABLE: "cannot be reached from here",
}


def lie(addresses: Sequence[str], invented: Sequence[str], before: Iterable[str]) -> str:
    """Why these addresses are no true answer for a public host; "" where nothing speaks against.

    `invented`: what the same servers said of a name that cannot exist; `before`: addresses that
    held earlier. Private addresses alone prove nothing: acquirers behind private lines have them.
    """
    for address in addresses:
        if dns.nonsense(address):
            return f"{address} can be no host's address"
        if address in invented:
            return f"{address} is given for names that do not exist as well"
        earlier = [one for one in before if literal(one)]
        if dns.private(address) and earlier and not any(dns.private(one) for one in earlier):
            return f"{address} is an address inside some network; before it was {earlier[0]}"
    return ""
