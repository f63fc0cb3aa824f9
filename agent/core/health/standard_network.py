"""The conditions of the way to the hosts, as data: network, certificates, host answers.

Values are those of the watcher `connectivity` and of `uplink`, which reports what keeps payments
from leaving. See `standard` for the rest and for how the delays were chosen.
"""

from __future__ import annotations

from dataclasses import replace

from agent.core.health.conditions import (
    Condition,
    Severity,
    Sign,
    Values,
    at_least,
    either,
    holds,
    number,
    reaches,
    says,
    word,
)

#: Each layer follows from the one below it, and through that from all the others.
_LINK = ("network.no_link",)
_ADDRESS = ("network.no_address",)
_GATEWAY = ("network.no_gateway",)
_PORTAL = ("network.captive_portal",)
_INTERNET = ("network.no_internet",)
_NAMES = ("network.dns_failed",)
#: A host that refuses this terminal's certificate often just hangs up.
_HOST = ("network.dns_failed", "network.vpn_down", "tls.client_certificate_expired")
#: A wrong date breaks certificates before anything else does, and a sign-in page answers for
#: everybody with its own.
_TLS = ("clock.wrong", "network.captive_portal")
UNREACHABLE = "network.host_unreachable"

_UPLINK_ARGS = (
    *("channel", "host", "answer", "http_status", "reason", "subject", "retry_at"),
    *("tcp_reason", "dns_reason", "tls_reason"),
)
_PEER_ARGS = ("host", "tls_reason", "subject", "issuer", "expires_at")


def _blocked_by(code: str) -> Sign:
    """The uplink names `code` as what keeps payments from leaving."""

    def judge(values: Values) -> bool | None:
        state, cause = word(values, "state"), word(values, "cause")
        if state is None:
            return None
        return state in ("backing_off", "paused") and cause == code

    return Sign(component="uplink", judge=judge, args=_UPLINK_ARGS)


def _layer(name: str, *args: str) -> Sign:
    """The connectivity watcher found this layer broken, or fine."""

    def judge(values: Values) -> bool | None:
        # A layer that was not tried is not fine: nothing is known about it.
        told = word(values, name)
        return None if told in (None, "not_tried") else told == "failed"

    return Sign(component="connectivity", judge=judge, args=("interface", *args))


def _handshake(code: str) -> Sign:
    """The connectivity watcher's TLS handshake failed for this reason."""

    def judge(values: Values) -> bool | None:
        told = word(values, "tls")
        if told in (None, "not_tried"):
            return None
        return told == "failed" and word(values, "tls_code") == code

    return Sign(component="connectivity", judge=judge, args=_PEER_ARGS)


def _unreachable(values: Values) -> bool | None:
    tcp, tls = word(values, "tcp"), word(values, "tls")
    if tls == "failed" and word(values, "tls_code") in ("", UNREACHABLE):
        return True  # the port opens, but nobody there completes a handshake
    if tcp in (None, "not_tried"):
        return None
    # What this terminal forbids itself says nothing about the host.
    return tcp == "failed" and not (word(values, "tcp_code") or "").startswith(_OWN)


_OWN = ("config.", "software.")


def _forbidden(values: Values) -> bool | None:
    told = [word(values, name) for name in ("tcp", "tls")]
    if told[0] in (None, "not_tried"):
        return None
    codes = (word(values, "tcp_code"), word(values, "tls_code"))
    return "failed" in told and "config.permission_denied" in codes


def _slow(values: Values) -> bool | None:
    # Each by itself: a host given as an address has no time of its name.
    told = (reaches("connect_ms", "slow_ms")(values), reaches("dns_ms", "slow_ms")(values))
    return True if True in told else told[0] if told[0] is not None else told[1]


def _expiring(values: Values) -> bool | None:
    days, warn = number(values, "certificate_days"), number(values, "certificate_warn_days")
    if days is None or warn is None:
        return None
    return 0 <= days <= warn


NETWORK = (
    Condition(
        code="network.no_link",
        severity=Severity.MAJOR,
        signs=(_layer("carrier"),),
        visible_after_s=3,
        clear_after_s=5,
    ),
    Condition(
        code="network.no_address",
        severity=Severity.MAJOR,
        signs=(_layer("address", "ip_address"),),
        depends_on=_LINK,
        visible_after_s=8,  # a DHCP exchange takes some seconds
        clear_after_s=5,
    ),
    Condition(
        code="network.no_gateway",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="connectivity",
                judge=either(
                    _layer("route").judge,
                    _layer("gateway").judge,
                ),
                args=("interface", "gateway_address", "gateway_state"),
            ),
        ),
        depends_on=_ADDRESS,
        clear_after_s=10,
    ),
    Condition(
        code="network.captive_portal",
        severity=Severity.MAJOR,
        signs=(_layer("captive_portal", "portal"),),
        depends_on=_GATEWAY,
        clear_after_s=5,
    ),
    Condition(
        code="network.no_internet",
        severity=Severity.MAJOR,
        signs=(_layer("internet", "backup"),),
        depends_on=_PORTAL,
        clear_after_s=5,
    ),
    Condition(
        code="network.vpn_down",
        severity=Severity.MAJOR,
        signs=(_layer("vpn", "tunnel"),),
        depends_on=_INTERNET,
        visible_after_s=10,  # tunnels make a new key, and are away for that long
        clear_after_s=5,
    ),
    Condition(
        code="network.dns_failed",
        severity=Severity.MAJOR,
        signs=(
            _layer("dns", "dns_name", "dns_servers", "dns_reason"),
            _blocked_by("network.dns_failed"),
        ),
        depends_on=_INTERNET,
        visible_after_s=6,
        clear_after_s=10,
    ),
    Condition(
        code=UNREACHABLE,
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="connectivity",
                judge=_unreachable,
                args=("interface", "host", "tcp_reason"),
            ),
            _blocked_by(UNREACHABLE),
        ),
        depends_on=_HOST,
        visible_after_s=6,
        clear_after_s=5,
    ),
    Condition(
        code="network.unstable",
        severity=Severity.MINOR,
        signs=(
            Sign(
                component="connectivity",
                judge=at_least("drops_last_hour", 4),
                args=("interface", "drops_last_hour"),
            ),
        ),
        clear_after_s=600,
    ),
    Condition(
        code="network.slow",
        severity=Severity.WARNING,
        signs=(
            Sign(
                component="connectivity",
                judge=_slow,
                args=("host", "connect_ms", "slow_ms"),
            ),
        ),
        depends_on=_NAMES,
        visible_after_s=180,
        clear_after_s=120,
    ),
)


def _tls(code: str, *more: Sign) -> Condition:
    return Condition(
        code=code,
        severity=Severity.MAJOR,
        signs=(_handshake(code), _blocked_by(code), *more),
        depends_on=_TLS,
        visible_after_s=5,
        clear_after_s=5,
    )


TLS = (
    _tls("tls.client_certificate_expired"),
    _tls("tls.ca_expired"),
    # The uplink cannot tell whose certificate of the chain has expired; the watcher looks.
    replace(_tls("tls.host_certificate_expired"), depends_on=(*_TLS, "tls.ca_expired")),
    # Not valid yet, and others have confirmed this terminal's clock.
    _tls("tls.untrusted", Sign(component="clock", judge=holds("certificate_early"))),
    Condition(
        code="tls.certificate_expiring",
        severity=Severity.WARNING,
        signs=(
            Sign(
                component="connectivity",
                judge=_expiring,
                args=("host", "certificate_days", "certificate_of", "expires_at"),
            ),
        ),
        depends_on=("clock.wrong", "tls.host_certificate_expired"),
        clear_after_s=60,
    ),
)


def _host(code: str, severity: Severity, visible_s: float) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=(_blocked_by(code),),
        visible_after_s=visible_s,
        clear_after_s=5,
    )


UPLINK = (
    _host("host.down", Severity.MAJOR, 30),
    _host("host.busy", Severity.WARNING, 60),
    _host("host.maintenance", Severity.MINOR, 30),
    Condition(
        code="config.credential_expired",
        severity=Severity.MAJOR,
        signs=(
            _blocked_by("config.credential_expired"),
            _handshake("config.credential_expired"),
        ),
        depends_on=("tls.client_certificate_expired",),
        visible_after_s=5,
        clear_after_s=5,
    ),
    _host("config.merchant_mismatch", Severity.MAJOR, 5),
    _host("config.device_unregistered", Severity.MAJOR, 5),
    Condition(
        # Also what a watcher says that may not open its port.
        code="config.permission_denied",
        severity=Severity.MAJOR,
        signs=(
            _blocked_by("config.permission_denied"),
            Sign(
                component="connectivity",
                judge=_forbidden,
                args=("host", "tcp_reason", "tls_reason"),
            ),
        ),
        visible_after_s=5,
        clear_after_s=5,
    ),
    Condition(
        code="config.not_activated",
        severity=Severity.WARNING,
        signs=(
            Sign(component="uplink", judge=says("state", "disabled"), args=("channel", "state")),
        ),
    ),
)
