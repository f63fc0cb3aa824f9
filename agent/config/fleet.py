"""The tables about the fleet: who may send this terminal commands, and how many."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Identifier, Section


class FleetKey(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[fleet_key]]: a key whose signature counts on commands and on what the fleet wants."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    public_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    """Ed25519, in hexadecimal."""
    roles: Annotated[
        tuple[Literal["read", "operate", "administer"], ...], Meta(min_length=1, max_length=3)
    ] = ("read",)
    """read: look; operate: move what waits; administer: software, keys, configuration too."""


class Fleet(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[fleet]: commands from the fleet, and the trail of who did what."""

    group: Identifier = "default"
    """Of terminals that are meant to be alike: whose `desired` this one takes."""
    commands_per_hour: Annotated[int, Meta(ge=1, le=3_600)] = 60
    """Of all keys together; one key may send half of them."""
    idle_s: Annotated[float, Meta(ge=0, le=3_600)] = 60.0
    """A disruptive command needs a terminal at which nothing was paid for so long."""
    audit_days: Annotated[int, Meta(ge=30, le=3_650)] = 365
    """How long the trail of who did what is kept."""
