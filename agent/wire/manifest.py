"""The manifest of required software as it travels: the payload of a signed envelope.

Decides form only; the envelope is `agent.wire.signed`, and whether a manifest may come into force
`agent.core.software.manifest`. Called by the software watcher and by `posagent software`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.core.moment import to_ms
from agent.core.software.versions import MAX_CHARS, Scheme
from agent.core.software.wanted import Manifest, Offer, Wanted
from agent.wire.signed import DocumentError, converted, parsed

Version = Annotated[str, Meta(max_length=MAX_CHARS)]
Word = Annotated[str, Meta(min_length=1, max_length=64)]
ComponentName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")]
Sequence = Annotated[int, Meta(ge=1, le=9_007_199_254_740_992)]
At = Annotated[datetime, Meta(tz=True)]
#: How a version is read.
InstalledBy = Literal[
    "agent", "dpkg", "opkg", "apk", "rpm", "python", "file", "hash", "module", "android",
    "property", "hook",
]  # fmt: skip


class UpdateIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file that brings the component to its required version."""

    update: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """Names it for ever: an update is installed once."""
    file: Annotated[str, Meta(pattern=r"^/[^\0]*$", max_length=300)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Meta(ge=1, le=9_007_199_254_740_992)]
    package: Annotated[str, Meta(max_length=64)] = ""
    """As the hook knows it; empty: the component's name."""
    version: Annotated[str, Meta(max_length=64)] = ""
    """Empty: the required one."""


class ComponentIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One component as it should be."""

    component: ComponentName
    required: Version = ""
    min: Version = ""
    max: Version = ""
    wanted: Literal["installed", "absent"] = "installed"
    channel: Annotated[str, Meta(max_length=64)] = ""
    """Only for terminals of this channel; empty: for all."""
    optional: bool = False
    """A terminal that does not know the component leaves it out."""
    scheme: Literal["", "dpkg", "python", "semver", "dotted", "date", "opaque"] = ""
    installed_by: Literal[""] | InstalledBy = ""
    """How it is read, where the terminal's configuration does not say."""
    package: Annotated[str, Meta(max_length=128)] = ""
    path: Annotated[str, Meta(max_length=300)] = ""
    field: Annotated[str, Meta(max_length=64)] = ""
    update: UpdateIn | None = None


class AddressIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom it is; what is empty fits any."""

    tenant: Annotated[str, Meta(max_length=64)] = ""
    devices: Annotated[tuple[Word, ...], Meta(max_length=1_000)] = ()
    models: Annotated[tuple[Word, ...], Meta(max_length=100)] = ()
    groups: Annotated[tuple[Word, ...], Meta(max_length=100)] = ()


class ManifestIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed."""

    format: Literal[1]
    sequence: Sequence
    """Higher with every one issued; a lower one than that in force is refused."""
    components: Annotated[tuple[ComponentIn, ...], Meta(min_length=1, max_length=256)]
    address: AddressIn = AddressIn()
    valid_from: At | None = None
    expires: At | None = None


def is_bare(whole: object) -> bool:
    """Whether a JSON document means to be the payload of one, without a signature."""
    return isinstance(whole, dict) and "sequence" in whole and "components" in whole


def manifest_from(payload: bytes, key_id: str = "") -> Manifest:
    """The manifest these bytes say. Raises DocumentError."""
    one = converted(parsed(payload), ManifestIn)
    names = [(each.component, each.channel) for each in one.components]
    if len(set(names)) < len(names):
        raise DocumentError("a component stands in it twice")
    return Manifest(
        sequence=one.sequence,
        wanted=tuple(_wanted(each) for each in one.components),
        valid_from_ms=None if one.valid_from is None else to_ms(one.valid_from),
        expires_ms=None if one.expires is None else to_ms(one.expires),
        devices=one.address.devices,
        models=one.address.models,
        groups=one.address.groups,
        tenant=one.address.tenant,
        digest=hashlib.sha256(payload).hexdigest(),
        signed_by=key_id,
    )


def _wanted(one: ComponentIn) -> Wanted:
    absent = one.wanted == "absent"
    asked = bool(one.required or one.min or one.max)
    if absent == asked:
        raise DocumentError(f"{one.component}: either a required version, min or max, or absent")
    update = one.update
    version = "" if update is None else update.version or one.required
    if update is not None and not version:
        raise DocumentError(f"{one.component}: its update has no version")
    return Wanted(
        component=one.component,
        required=one.required,
        least=one.min,
        most=one.max,
        absent=absent,
        channel=one.channel,
        optional=one.optional,
        scheme=Scheme(one.scheme) if one.scheme else None,
        installed_by=one.installed_by,
        package=one.package,
        path=one.path,
        key=one.field,
        offer=None
        if update is None
        else Offer(
            update=update.update,
            package=update.package or one.component,
            version=version[:64],
            file=update.file,
            sha256=update.sha256,
            size_bytes=update.size_bytes,
        ),
    )
