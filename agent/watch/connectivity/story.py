"""What a reading says beside the layers: names, addresses, reasons, days, milliseconds.

Pure. Also decides whom a refused certificate speaks against: a wrong clock comes before a wrong
certificate, because it makes every certificate look wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent.config.network import Connectivity
from agent.core.health.reading import Value
from agent.core.moment import Moment
from agent.watch.connectivity import names as dns
from agent.watch.connectivity.look import Look
from agent.watch.connectivity.rounds import Found
from agent.watch.connectivity.target import FAILED, NOT_NEEDED, OK, Reach
from agent.watch.layers import Interface

CLOCK_WRONG, HOST_EXPIRED, UNTRUSTED = (
    "clock.wrong",
    "tls.host_certificate_expired",
    "tls.untrusted",
)
#: A clock that far off another host's is wrong; certificates forgive less than people think.
CLOCK_OFF_S = 300
_VALIDITY = (CLOCK_WRONG, HOST_EXPIRED, "tls.ca_expired", "tls.client_certificate_expired")


def told_values(
    *,
    config: Connectivity,
    found: Found,
    states: Mapping[str, str],
    seen: Look,
    active: Interface | None,
    gateway_state: str,
    name: str,
    now: Moment,
) -> dict[str, Value]:
    """Everything but the states themselves."""
    route = seen.route_of(active.name) if active is not None else None
    values: dict[str, Value] = {
        "interface": active.name if active else ",".join(config.interfaces),
        "link_up": active.link if active else False,
        "ip_address": " ".join(active.usable or active.addresses) if active else "",
        "gateway_address": route.gateway if route else "",
        "gateway_state": gateway_state,
        "default_routes": len(seen.routes),
        "hosts": len(found.reached),
        "slow_ms": config.slow_ms,
        "certificate_warn_days": config.certificate_warn_days,
        **_names(found, seen, name),
        **_tunnels(config.tunnels, seen, found.reached.values(), states),
    }
    if found.portal.kind not in ("off", "not_tried"):
        where = found.portal.location or f"{config.portal_url.partition('?')[0]}"
        values["portal"] = f"{where} ({found.portal.status})" if found.portal.status else where
        if found.portal.date_offset_s is not None:
            values["http_date_offset_s"] = found.portal.date_offset_s
    if found.references:
        values["references_reached"] = sum(one.answered for one in found.references)
        values["references"] = len(found.references)
    return values | _hosts(found, now)


def _names(found: Found, seen: Look, name: str) -> dict[str, Value]:
    told = found.names
    values: dict[str, Value] = {
        "dns_name": told.name or name,
        "dns_servers": " ".join(seen.servers),
        "dns_reason": told.reason,
        "dns_kind": told.kind,
        "dns_silent": " ".join(
            one.server for one in told.told if one.kind in (dns.NO_ANSWER, dns.UNREACHABLE)
        ),
    }
    if told.took_ms is not None and told.state == OK:
        values["dns_ms"] = told.took_ms
    return values


def _hosts(found: Found, now: Moment) -> dict[str, Value]:
    reached = list(found.reached.values())
    values: dict[str, Value] = {"hosts_reached": sum(one.tcp == OK for one in reached)}
    slowest = max((one.connect_ms for one in reached if one.connect_ms is not None), default=None)
    if slowest is not None:
        values["connect_ms"] = slowest
    dated = [(one.expires_at, one.target) for one in reached if one.expires_at and one.tls == OK]
    if dated and now.trusted:
        expires_at, target = min(dated, key=lambda one: one[0])
        values |= {
            "certificate_of": str(target),
            "certificate_days": (expires_at - now.at).days,
            "expires_at": expires_at.date().isoformat(),
        }
    worst = _worst(reached)
    if worst is None:
        return values
    code = certificate_cause(worst, now, found.portal.date_offset_s)
    values |= {
        "host": str(worst.target),
        "tcp_reason": worst.tcp_reason or ("" if worst.tls_code else worst.tls_reason),
        "tcp_code": worst.tcp_code,
        "tcp_refused": worst.refused,
        "tls_reason": worst.tls_reason,
        "tls_code": code,
        "subject": worst.subject,
        "issuer": worst.issuer,
        "intercepted": _intercepted(reached, code),
    }
    if worst.tls == FAILED and worst.expires_at is not None:
        values["expires_at"] = worst.expires_at.date().isoformat()
    return values


def _worst(reached: Sequence[Reach]) -> Reach | None:
    """The one to be shown: without TCP before without TLS before the first."""
    for one in reached:
        if one.tcp == FAILED:
            return one
    return next((one for one in reached if one.tls == FAILED), next(iter(reached), None))


def certificate_cause(reach: Reach, now: Moment, date_offset_s: int | None) -> str:
    """Whom a refused certificate speaks against."""
    if reach.tls_code not in _VALIDITY:
        return reach.tls_code
    if not now.trusted or (date_offset_s is not None and abs(date_offset_s) > CLOCK_OFF_S):
        return CLOCK_WRONG
    if reach.tls_code == CLOCK_WRONG and date_offset_s is not None:
        return UNTRUSTED  # not valid yet, and another host says that our clock is right
    return reach.tls_code


def _intercepted(reached: Sequence[Reach], code: str) -> bool:
    """Several hosts showing certificates of one unknown issuer: somebody sits in between."""
    if code != UNTRUSTED:
        return False
    seen = [one for one in reached if one.tls == FAILED and one.issuer]
    hosts = {one.target.host for one in seen}
    return len(hosts) > 1 and len({one.issuer for one in seen}) == 1


def _tunnels(
    wanted: Sequence[str], seen: Look, reached: Iterable[Reach], states: Mapping[str, str]
) -> dict[str, Value]:
    """Private lines this terminal needs: the first that is down, or leads nowhere."""
    if not wanted:
        return {"vpn": NOT_NEEDED}
    by_name = {one.name: one for one in seen.seen}
    for name in wanted:
        one = by_name.get(name)
        # Drivers of tunnels leave operstate at "unknown": having an address is being up.
        if one is None or not (one.link or one.operstate == "unknown") or not one.usable:
            return {"vpn": FAILED, "tunnel": name}
    through: dict[str, list[Reach]] = {}
    for reach in reached:
        if reach.via in wanted and reach.tcp in (OK, FAILED):
            through.setdefault(reach.via, []).append(reach)
    for name, hosts in sorted(through.items()):
        if all(one.silent for one in hosts) and states.get("internet") == OK:
            return {"vpn": FAILED, "tunnel": name}
    return {"vpn": OK}
