"""The tables about software: whose word counts, what is read, and when updates may go."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agent.config.section import Identifier, Seconds, Section

KeyId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
PublicKey = Annotated[str, Meta(pattern=r"^([0-9a-fA-F]{64}|[A-Za-z0-9+/]{43}=)$")]
Hours = Annotated[
    str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$")
]


class Software(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[software]: what is installed against what should be."""

    manifest: Annotated[str, Meta(max_length=300)] = ""
    """A file naming required versions; empty: only what is installed is told."""
    period_s: Seconds = 300.0
    keys: dict[KeyId, PublicKey] = msgspec.field(default_factory=dict)
    """Key id -> Ed25519 public key of whoever may sign manifests; in base64 it is read, too."""
    require_signature: bool | None = None
    """Unset: as soon as there are keys."""
    model: Annotated[str, Meta(max_length=64)] = ""
    """Of this terminal, as manifests name it."""
    groups: tuple[Identifier, ...] = ()
    channel: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    auto_update: bool = False
    """Updates of the manifest in force begin by themselves."""
    update_hours: Hours = ""
    """Local time, such as 02:00-05:00; empty: at any hour."""
    update_unsent_max: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    """An update waits while more payments than this are unsent, or any is in doubt."""
    update_unsent_age_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 0.0
    """It waits, too, while the oldest of those is older than this; 0: any age."""
    update_unsent: Literal["wait", "refuse", "allow"] = "wait"
    """What unsent money does to an update: it waits, is given up at once, or goes on."""
    update_unsent_wait_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 0.0
    """Longer than this it does not wait for money but is given up; 0: for ever."""
    update_battery_percent: Annotated[float, Meta(ge=0, le=100)] = 30.0
    """Below this it waits for the charger."""
    commit_after_s: Annotated[float, Meta(ge=0, le=604_800)] = 600.0
    """A new version is kept once everything was well for so long."""
    rollback_after_s: Annotated[float, Meta(ge=0, le=604_800)] = 1_800.0
    """It is taken back when it is still not well after so long."""


class Component(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[component]]: one piece of software whose version is read."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")]
    installed_by: Literal[
        "dpkg", "opkg", "apk", "rpm", "python", "file", "hash", "module", "android", "property",
        "hook",
    ]  # fmt: skip
    package: Annotated[str, Meta(max_length=128)] = ""
    """Package, module, Android package or property; empty: the component's name."""
    path: Annotated[str, Meta(max_length=300)] = ""
    """file, hash: the file; python: the site-packages directory."""
    field: Annotated[str, Meta(max_length=64)] = ""
    """file: the name before the version inside it; empty: its first line is the version."""
    scheme: Literal["", "dpkg", "python", "semver", "dotted", "date", "opaque"] = ""
    """How its versions are counted; empty: as dpkg does."""
