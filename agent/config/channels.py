"""The tables about the ways out of this terminal: the main one and those behind it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Seconds, Section

#: As the hook contract names channels.
CHANNEL = r"^[a-z][a-z0-9_]{0,39}$"
INTERFACE = r"^[A-Za-z0-9_.:*?@-]{0,15}$"


class Channel(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[channel]]: one way out, in order of preference. Without any the system chooses."""

    name: Annotated[str, Meta(pattern=CHANNEL)]
    kind: Literal["ethernet", "wifi", "cellular", "vpn", "other"] = "other"
    interface: Annotated[str, Meta(pattern=INTERFACE)] = ""
    """Its interface, or a glob such as `wwan*`; empty only with `select`."""
    metered: bool = False
    """Paid by volume: as a backup it carries money and alarms, and readings wait."""
    resolvers: Annotated[tuple[Annotated[str, Meta(max_length=45)], ...], Meta(max_length=4)] = ()
    """Its name servers, as addresses; empty: those its network named."""
    probe: Annotated[str, Meta(max_length=300)] = ""
    """`host:port` tried to see whether it carries; empty: the hosts of uplinks and broker."""
    select: bool = False
    """The vendor switches: posagent-actions is asked with `network.select` before it is used."""


class Channels(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[channels]: when the next [[channel]] is taken, and when the better one is taken again."""

    failures: Annotated[int, Meta(ge=1, le=10)] = 2
    """Failed contacts in a row, nothing held in between, that prove a break."""
    grace_s: Annotated[float, Meta(ge=0, le=30)] = 3.0
    """How long a backup may take to prove itself before it is used unproven."""
    quiet_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 60.0
    """How long a better channel is well before it is used again; doubles with each relapse."""
    quiet_max_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 1_800.0
    calm_s: Annotated[float, Meta(ge=1, le=604_800)] = 3_600.0
    """A break so long after the return is no relapse."""
    probe_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 15.0
    """Between two probes of a better or broken channel while another is used."""
    recheck_s: Annotated[float, Meta(ge=0.1, le=60)] = 1.0
    """Between two probes of a channel in doubt."""
    spare_probe_s: Annotated[float, Meta(ge=0, le=604_800)] = 21_600.0
    """Between two probes of a backup while the main channel is well; 0: never."""
    probe_timeout_s: Annotated[float, Meta(ge=0.1, le=30)] = 2.5
    doubt_after_s: Annotated[float, Meta(ge=0.1, le=60)] = 3.0
    """A connection that takes longer raises a doubt, long before it fails."""
    select_timeout_s: Seconds = 30.0
