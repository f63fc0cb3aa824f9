"""The conditions of the way to the hosts, as data: network, certificates, host answers.

Values are those of the watcher `connectivity` and of `uplink`, which reports what keeps payments
from leaving. See `standard` for the rest and for how the delays were chosen.
"""

from __future__ import annotations

from agent.core.health.conditions import (
    Condition,
    Severity,
    Sign,
    Values,
    at_least,
    either,
    number,
    reaches,
    says,
    word,
)

#: Each layer follows from the one below it, and through that from all the others.
_LINK = ("network.no_link",)
_ADDRESS = ("network.no_address",)
_GATEWAY = ("network.no_gateway",)
_NAMES = ("network.dns_failed",)
#: A wrong date breaks certificates before anything else does.
_TLS = ("clock.wrong",)

_UPLINK_ARGS = ("channel", "host", "answer", "http_status", "reason", "subject", "retry_at")
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
    if tls == "failed" and not word(values, "tls_code"):
        return True  # the port opens, but nobody there completes a handshake
    return None if tcp in (None, "not_tried") else tcp == "failed"


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
        visible_after_s=15,
        clear_after_s=5,
    ),
    Condition(
        code="network.no_address",
        severity=Severity.MAJOR,
        signs=(_layer("address", "ip_address"),),
        depends_on=_LINK,
        visible_after_s=30,  # a DHCP exchange on weak Wi-Fi takes its time
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
        visible_after_s=30,
        clear_after_s=10,
    ),
    Condition(
        code="network.dns_failed",
        severity=Severity.MAJOR,
        signs=(
            _layer("dns", "dns_name", "dns_servers", "dns_reason"),
            _blocked_by("network.dns_failed"),
        ),
        depends_on=_GATEWAY,
        visible_after_s=30,
        clear_after_s=10,
    ),
    Condition(
        code="network.host_unreachable",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="connectivity",
                judge=_unreachable,
                args=("interface", "host", "tcp_reason"),
            ),
            _blocked_by("network.host_unreachable"),
        ),
        depends_on=_NAMES,
        visible_after_s=30,
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
                judge=reaches("connect_ms", "slow_ms"),
                args=("host", "connect_ms", "slow_ms"),
            ),
        ),
        depends_on=_NAMES,
        visible_after_s=180,
        clear_after_s=120,
    ),
)


def _tls(code: str, severity: Severity = Severity.MAJOR) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=(_handshake(code), _blocked_by(code)),
        depends_on=_TLS,
        visible_after_s=10,
        clear_after_s=5,
    )


TLS = (
    _tls("tls.client_certificate_expired"),
    _tls("tls.host_certificate_expired"),
    _tls("tls.ca_expired"),
    _tls("tls.untrusted"),
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
        depends_on=(*_TLS, "tls.host_certificate_expired"),
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
    _host("config.credential_expired", Severity.MAJOR, 5),
    _host("config.merchant_mismatch", Severity.MAJOR, 5),
    _host("config.device_unregistered", Severity.MAJOR, 5),
    Condition(
        # Also what a watcher says that may not open its port.
        code="config.permission_denied",
        severity=Severity.MAJOR,
        signs=(_blocked_by("config.permission_denied"),),
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
