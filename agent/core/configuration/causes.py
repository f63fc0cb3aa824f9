"""Which cause a wrong setting is, and under which names its finding is told.

Known settings have a kind and a cause of their own; a profile may say otherwise and may name
settings nobody has heard of. Called by `compare`, the profile's reader and the conditions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from agent.core.money.currencies import EXPONENT
from agent.record import dataclass


class Kind(StrEnum):
    """How two values of a setting are compared."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"  #: in a currency
    SET = "set"  #: the same members in any order
    BOOLEAN = "boolean"
    MODE = "mode"  #: live, test, training, in the words people use for them
    HOST = "host"  #: names, addresses, URLs: case and a last dot do not count


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One cause as `configuration` tells it: `<prefix>count` and its first finding."""

    code: str
    prefix: str
    args: tuple[str, ...] = ("setting", "expected", "found", "source")


#: Worst first: the order in which findings are shown.
GROUPS: tuple[Group, ...] = (
    Group(
        code="config.merchant_mismatch",
        prefix="mismatch_",
        args=("setting", "expected", "found", "source", "merchant_id", "terminal_id"),
    ),
    Group(
        code="config.wrong_mode",
        prefix="mode_",
        args=("setting", "expected", "found", "source", "terminal_id"),
    ),
    Group(code="config.permission_denied", prefix="denied_", args=("subject", "reason")),
    Group(code="config.credential_expired", prefix="expired_", args=("subject", "expired_at")),
    Group(
        code="config.limit_wrong",
        prefix="limit_",
        args=(
            "setting", "expected", "found", "source", "currency", "merchant_id", "terminal_id",
        ),
    ),
    Group(code="network.config_invalid", prefix="network_"),
    Group(code="config.not_signed_on", prefix="sign_on_"),
    Group(code="config.not_activated", prefix="set_up_", args=("gap", "setting")),
    # What was agreed with the acquirer and the bank, where the payment app shows it.
    Group(
        code="settlement.not_realtime_mode",
        prefix="payout_",
        args=("mode", "expected", "found"),
    ),
    Group(code="settlement.account_limit", prefix="account_"),
)  # fmt: skip
CODES = tuple(group.code for group in GROUPS)
#: Of a difference in a setting no other cause fits.
OTHERWISE = "config.not_activated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """What is known of a setting by its name."""

    kind: Kind = Kind.TEXT
    code: str = OTHERWISE
    secret: bool = False
    currency: str = ""


_KNOWN: Mapping[str, tuple[Kind, str]] = {
    "merchant_id": (Kind.TEXT, "config.merchant_mismatch"),
    "terminal_id": (Kind.TEXT, "config.merchant_mismatch"),
    "merchant_name": (Kind.TEXT, "config.merchant_mismatch"),
    "check_merchant_ids": (Kind.SET, "config.merchant_mismatch"),
    "check_terminal_ids": (Kind.SET, "config.merchant_mismatch"),
    "mode": (Kind.MODE, "config.wrong_mode"),
    "training": (Kind.BOOLEAN, "config.wrong_mode"),
    "signed_on": (Kind.BOOLEAN, "config.not_signed_on"),
    "activated": (Kind.BOOLEAN, "config.not_activated"),
    "payout_mode": (Kind.TEXT, "settlement.not_realtime_mode"),
    "account_class": (Kind.TEXT, "settlement.account_limit"),
    "host": (Kind.HOST, "config.wrong_mode"),
    "uplink_hosts": (Kind.SET, "config.wrong_mode"),
}
_NETWORK = frozenset(
    {"apn", "apn_user", "apn_auth", "proxy", "proxy_host", "proxy_port", "ip_method",
     "ip_address", "netmask", "gateway", "dns_servers", "vpn", "wifi_ssid", "dhcp", "vlan"}
)  # fmt: skip
_NETWORK_KINDS: Mapping[str, Kind] = {
    "dns_servers": Kind.SET,
    "dhcp": Kind.BOOLEAN,
    "proxy_port": Kind.NUMBER,
    "vlan": Kind.NUMBER,
}
#: Names whose value is nobody's business.
_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|passcode|pass|pwd|pw|secret|token|pin|psk|key|apikey|tmk|"
    r"credential|ssid|bssid|imei|imsi|iccid|msisdn)(_|$)"
)
#: `limit_single_cny`, `offline_total_cny`, `limit_count_cny`, `limit_count`.
_LIMIT = re.compile(r"^(?:limit|offline)_(.*)$")
_COUNTED = re.compile(r"(^|_)(count|number|age|percent|s|days)(_|$)")


def trait(name: str) -> Trait:
    """What a setting of this name is taken for."""
    secret = bool(_SECRET.search(name)) and not name.endswith(("_sha256", "_id", "_version"))
    if (limit := _LIMIT.match(name)) is not None:
        last = limit[1].rpartition("_")[2].upper()
        currency = last if last in EXPONENT else ""
        counted = _COUNTED.search(limit[1]) is not None
        if secret and not currency:
            return Trait(code="config.limit_wrong", secret=True)
        kind = Kind.NUMBER if counted or not currency else Kind.AMOUNT
        return Trait(kind=kind, code="config.limit_wrong", currency=currency)
    if name in _NETWORK:
        kind = _NETWORK_KINDS.get(name, Kind.HOST)
        return Trait(kind=kind, code="network.config_invalid", secret=secret)
    kind, code = _KNOWN.get(name, (Kind.TEXT, OTHERWISE))
    return Trait(kind=kind, code=code, secret=secret)
