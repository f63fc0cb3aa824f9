"""Which cause is said first, and which ones are only consequences of another.

Two rules. A consequence stands under its root, never beside it. And what can be put right on this
terminal comes before what only others can: nobody is sent to the bank while the cable is out.
Called by `explain`; it knows codes, not payments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import IntEnum

from agent.core.why.causes import CATALOGUE, Owner
from agent.core.why.text import Arg, Line
from agent.core.why.verdict import Finding
from agent.record import dataclass


class Tier(IntEnum):
    """How near a cause is to the money that has not arrived."""

    STATE = 0  #: the payment's own state says it
    BLOCK = 1  #: stops money on this terminal or its way out
    DOUBT = 2  #: money whose outcome is open or that waits for a person
    REMOTE = 3  #: what runs payments here, then host, issuer, platform
    LIMP = 4  #: slows or endangers it, and stops nothing
    LISTED = 5  #: of other money, already sent, while some of ours is not
    ASIDE = 6  #: stands, but moves no money


#: Layers of the way to the host, lowest first: each breaks all that follow.
WAY: tuple[str, ...] = (
    "network.no_link",
    "network.no_address",
    "network.no_gateway",
    "network.captive_portal",
    "network.no_internet",
    "network.dns_failed",
    "network.vpn_down",
    "network.host_unreachable",
)

#: code -> roots it follows from when one of them stands, nearest to the ground first. Only what
#: the health tracker cannot know because it mixes sources (channel, journal, alarms).
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    **{code: WAY[:layer] for layer, code in enumerate(WAY)},
    "network.backup_unavailable": ("network.sim_problem",),
    "network.host_unreachable": (*WAY[:-1], "tls.client_certificate_expired"),
    "config.credential_expired": ("tls.client_certificate_expired",),
    "network.slow": (*WAY, "network.weak_signal"),
    "network.unstable": ("network.weak_signal",),
    "tls.client_certificate_expired": ("clock.wrong",),
    "tls.host_certificate_expired": ("clock.wrong", "tls.ca_expired"),
    "tls.ca_expired": ("clock.wrong",),
    "tls.certificate_expiring": ("clock.wrong", "tls.host_certificate_expired"),
    "tls.untrusted": ("network.captive_portal", "clock.wrong"),
    "config.permission_denied": ("config.credential_expired",),
    # A limit is reached because nothing goes out; what lapsed waited for the same.
    **dict.fromkeys(
        ("queue.limit_reached", "request.lapsed"),
        (
            "config.not_activated",
            *WAY,
            "tls.client_certificate_expired",
            "tls.host_certificate_expired",
            "tls.ca_expired",
            "tls.untrusted",
            "config.credential_expired",
            "config.permission_denied",
            "host.down",
            "host.maintenance",
            "host.busy",
        ),
    ),
    "printer.low_voltage": ("power.battery_low",),
    "software.app_stopped": ("software.app_crashing",),
    "queue.store_full": ("system.storage_worn", "system.storage_low"),
    "software.data_error": ("queue.quarantined",),
    "presettlement.missing_records": (
        "queue.quarantined",
        "software.data_error",
        "settlement.unknown_to_terminal",
    ),
    "presettlement.not_generated": (
        *(
            f"printer.{one}"
            for one in (
                "not_answering",
                "hardware_fault",
                "low_voltage",
                "cover_open",
                "paper_jam",
                "paper_out",
                "ink_out",
                "cutter_fault",
                "overheated",
                "offline",
            )
        ),
        "queue.quarantined",
        "software.data_error",
        "config.permission_denied",
        "software.app_crashing",
        "software.app_stopped",
    ),
}

#: Said first within a tier, in this order; the rest follow in the catalogue's order.
_FIRST: tuple[str, ...] = (
    "software.agent_degraded",
    "security.tampered",
    "queue.quarantined",
    "software.data_error",
    "config.not_activated",
    *WAY,
    "network.sim_problem",
    "clock.wrong",
    "queue.store_full",
    "host.no_reply",
    "queue.held",
)
_ORDER: Mapping[str, int] = {
    code: place
    for place, code in enumerate((*_FIRST, *(code for code in CATALOGUE if code not in _FIRST)))
}

_TIERS: Mapping[str, Tier] = {
    **dict.fromkeys(
        (
            "security.tampered",
            "queue.quarantined",
            "queue.store_full",
            "software.data_error",
        ),
        Tier.BLOCK,
    ),
    "config.invalid_parameter": Tier.DOUBT,
    "host.no_reply": Tier.DOUBT,
    **dict.fromkeys(
        (
            "network.weak_signal",
            "network.unstable",
            "network.slow",
            "network.backup_in_use",
            "power.battery_low",
            "power.unstable",
            "system.overheated",
            "system.storage_worn",
            "presettlement.missing_records",
            "presettlement.not_generated",
        ),
        Tier.LIMP,
    ),
    **dict.fromkeys(
        (
            "network.backup_unavailable",
            "tls.certificate_expiring",
            "software.outdated",
            "software.update_pending",
            "config.limit_wrong",
        ),
        Tier.ASIDE,
    ),
}
_PREFIXES: Mapping[str, Tier] = {
    **dict.fromkeys(("network", "tls", "clock", "config"), Tier.BLOCK),
    **dict.fromkeys(
        ("queue", "request", "reversal", "duplicate", "operator", "fraud", "preauth"), Tier.DOUBT
    ),
    "software": Tier.REMOTE,
    **dict.fromkeys(
        ("host", "issuer", "account", "card", "platform", "wallet", "settlement"), Tier.REMOTE
    ),
}
#: Whatever is wrong with these, payments still move.
BESIDE_THE_MONEY = frozenset({"printer", "scanner", "keypad"})


def own_tier(code: str) -> Tier:
    """The same for what a payment, its channel or somebody who looked into it names as cause:
    then it moves money, whatever it is otherwise."""
    tier = tier_of(code)
    return Tier.DOUBT if tier is Tier.ASIDE else tier


def tier_of(code: str, component: str = "") -> Tier:
    """How near `code`, told by `component`, is to the money."""
    if component in BESIDE_THE_MONEY:
        return Tier.ASIDE
    explicit = _TIERS.get(code)
    if explicit is not None:
        return explicit
    return _PREFIXES.get(code.partition(".")[0], Tier.ASIDE)


@dataclass(slots=True, kw_only=True)
class _Found:
    tier: Tier
    after: str
    since_at: datetime | None
    owner: Owner
    args: dict[str, Arg] = field(default_factory=dict)
    evidence: list[Line] = field(default_factory=list)


class Scales:
    """Collects what was found from all sources and puts it in order."""

    def __init__(self, references: Mapping[str, Arg]) -> None:
        """`references`: facts every text may name (TID, MID, STAN …)."""
        self._references = references
        self._found: dict[str, _Found] = {}
        #: Codes the catalogue does not have: an older program reading a newer store.
        self.strange: set[str] = set()

    def add(
        self,
        code: str,
        *,
        tier: Tier | None = None,
        since_at: datetime | None = None,
        args: Mapping[str, Arg] | None = None,
        evidence: Iterable[Line] = (),
        after: str = "",
        owner: Owner | None = None,
    ) -> None:
        """Put a cause in. The same cause from two sources is one finding with both evidences."""
        if code not in CATALOGUE:
            if code:
                self.strange.add(code)
            return
        place = tier_of(code) if tier is None else tier
        known = self._found.get(code)
        if known is None:
            known = self._found[code] = _Found(
                tier=place,
                after=after,
                since_at=since_at,
                owner=owner or CATALOGUE[code].owner,
            )
        known.tier = min(known.tier, place)
        if since_at is not None and (known.since_at is None or since_at < known.since_at):
            known.since_at = since_at
        for name, value in (args or {}).items():
            known.args.setdefault(name, value)
        known.evidence += [line for line in evidence if line not in known.evidence]

    def since(self, codes: Iterable[str]) -> datetime | None:
        """The earliest beginning among `codes`, as far as known."""
        times = [self._found[code].since_at for code in codes if code in self._found]
        return min((at for at in times if at is not None), default=None)

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(self._found)

    def findings(self, *, aside: bool) -> list[Finding]:
        """Roots in order, each with what follows from it. `aside`: also what moves no money."""
        following: dict[str, list[str]] = {}
        for code in sorted(self._found, key=_ORDER.__getitem__):
            root = self._root(code)
            if root != code:
                following.setdefault(root, []).append(code)
        roots = [
            code
            for code in self._found
            if self._root(code) == code and (aside or self._rank(code, following) is not Tier.ASIDE)
        ]
        roots.sort(key=lambda code: (self._rank(code, following), _ORDER[code]))
        return [self._finding(code, tuple(following.get(code, ()))) for code in roots]

    def _rank(self, code: str, following: Mapping[str, list[str]]) -> Tier:
        # A root is as near to the money as the nearest of what it causes.
        return min(self._found[one].tier for one in (code, *following.get(code, ())))

    def _finding(self, code: str, consequences: tuple[str, ...]) -> Finding:
        found = self._found[code]
        return Finding(
            code=code,
            owner=found.owner,
            since_at=found.since_at,
            args={**self._references, "since": found.since_at, **found.args},
            evidence=tuple(found.evidence),
            consequences=consequences,
        )

    def _root(self, code: str) -> str:
        seen = {code}
        while True:
            found = self._found[code]
            if found.tier is Tier.STATE:
                return code
            above = (found.after, *FOLLOWS.get(code, ()))
            root = next((one for one in above if one in self._found and one not in seen), None)
            if root is None:
                return code
            seen.add(root)
            code = root
