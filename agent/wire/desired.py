"""How the terminals of a group should be, as it travels: the payload of a signed envelope.

Decides form and bounds only. The envelope is `agent.wire.signed`, whether a statement comes into
force `agent.core.fleet.desired`. Called by `agent.telemetry.desired` and by the fleet's tools,
which make the payload with `payload_of`. Never raises anything but DocumentError on garbage.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from agent.core.fleet.commands import Key, Role
from agent.core.fleet.desired import Statement
from agent.record import dataclass
from agent.wire.manifest import manifest_from
from agent.wire.signed import DocumentError, converted

#: Of the whole payload. A retained message this large reaches a terminal with every connection.
MAX_BYTES = 32_768
#: Tables of the configuration are two deep; what nests deeper is none.
MAX_DEPTH = 6
MAX_SETTINGS = 200

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
KeyId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Version = Annotated[int, Meta(ge=1, le=9_007_199_254_740_992)]
Ms = Annotated[int, Meta(ge=0, le=9_007_199_254_740_992)]


class StageIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the group takes it."""

    percent: Annotated[int, Meta(ge=0, le=100)] = 100
    release: Annotated[str, Meta(max_length=64)] = ""
    """Statements of one release take the same terminals first; empty: this version alone."""
    halted: bool = False
    """No terminal that does not have it yet takes it."""
    reject_percent: Annotated[int, Meta(ge=0, le=100)] = 5
    """For the fleet's console: it halts the release when more of those who tried it refused it."""


class TrialIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a terminal takes it back by itself."""

    seconds: Annotated[int, Meta(ge=60, le=86_400)] = 600
    """Within this it must be well, or what was before is restored."""
    failures: Annotated[int, Meta(ge=1, le=100)] = 3
    """Bad checks in a row that end the trial early; one every ten seconds."""
    crashes: Annotated[int, Meta(ge=1, le=10)] = 2
    """Starts that came to no end within the trial."""


class FleetKeyIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may sign commands and statements."""

    id: KeyId
    public_key: Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{64}$")]
    """Ed25519, in hexadecimal, as in `[[fleet_key]]`."""
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=3)] = (Role.READ,)


class DesiredIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is signed, once for the group. What is absent stays as it is."""

    tenant: Identifier
    group: Identifier
    version: Version
    """Grows with every statement to this group, a wider stage and a halt included."""
    issued_ts: Ms | None = None
    stage: StageIn = StageIn()
    trial: TrialIn = TrialIn()
    config: dict[str, Any] | None = None
    """Tables laid over the terminal's own file; `{}` takes all of them away."""
    software: dict[str, Any] | None = None
    """The manifest of required software, as `agent.wire.manifest` knows its payload."""
    keys: Annotated[tuple[FleetKeyIn, ...], Meta(min_length=1, max_length=8)] | None = None
    """The keys taught so far give way to these; configured ones stay unless they are revoked."""
    revoked: Annotated[tuple[KeyId, ...], Meta(max_length=256)] = ()
    """Key ids never believed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A statement of the right form, not yet believed."""

    said: DesiredIn
    digest: str
    """SHA-256 of the signed bytes: whether two of the same version are the same."""
    content: str
    """SHA-256 of what it changes, without number and stage: what was tried and refused."""

    def statement(self) -> Statement:
        """As the core judges it."""
        said = self.said
        return Statement(
            tenant=said.tenant,
            group=said.group,
            version=said.version,
            digest=self.digest,
            content=self.content,
            issued_ms=said.issued_ts,
            percent=said.stage.percent,
            release=said.stage.release,
            halted=said.stage.halted,
            seconds=said.trial.seconds,
            failures=said.trial.failures,
            crashes=said.trial.crashes,
            config=said.config,
            manifest=self.software,
            keys=None if said.keys is None else tuple(map(_key, said.keys)),
            revoked=said.revoked,
        )

    @property
    def software(self) -> bytes | None:
        """The manifest, in the same bytes on every terminal."""
        told = self.said.software
        return None if told is None else msgspec.json.encode(told, order="deterministic")


def desired_from(payload: bytes) -> Decoded:
    """The statement these bytes make. Raises DocumentError."""
    if len(payload) > MAX_BYTES:
        raise DocumentError(f"larger than {MAX_BYTES} bytes")
    try:
        said = msgspec.json.decode(payload, type=DesiredIn)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise DocumentError(str(error)[:200]) from None
    if said.config is not None and _settings(said.config, 1) > MAX_SETTINGS:
        raise DocumentError(f"more than {MAX_SETTINGS} settings")
    names = [one.id for one in said.keys or ()]
    if len(set(names)) < len(names):
        raise DocumentError("a key stands in it twice")
    if set(names) & set(said.revoked):
        raise DocumentError("a key is both given and revoked")
    if said.keys is not None and not any(Role.ADMINISTER in one.roles for one in said.keys):
        raise DocumentError("none of the keys may administer: nobody could say the next")
    return Decoded(said=said, digest=hashlib.sha256(payload).hexdigest(), content=_content(said))


def payload_of(said: DesiredIn) -> bytes:
    """The bytes to sign. Raises DocumentError when no terminal would take them."""
    payload = msgspec.json.encode(said)
    decoded = desired_from(payload)
    if decoded.software is not None:
        manifest_from(decoded.software)
    return payload


def desired_in(whole: object) -> DesiredIn:
    """A statement from a person's JSON or TOML. Raises DocumentError."""
    return converted(whole, DesiredIn)


def _key(one: FleetKeyIn) -> Key:
    return Key(key_id=one.id, public=bytes.fromhex(one.public_key), roles=frozenset(one.roles))


def _content(said: DesiredIn) -> str:
    parts = (said.config, said.software, said.keys, said.revoked)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _settings(table: dict[str, Any], depth: int) -> int:
    """How many settings there are in it."""
    if depth > MAX_DEPTH:
        raise DocumentError(f"nested deeper than {MAX_DEPTH}")
    count = 0
    for name, given in table.items():
        if not 0 < len(name) <= 100:
            raise DocumentError("the name of a setting is empty or too long")
        count += _settings(given, depth + 1) if isinstance(given, dict) else 1
    return count
