"""What was decided of the fleet's wishes, as it lies in `state_dir`.

One file, replaced whole: whoever reads it finds the state before a step or the one after it.
Decides form only; a file that is none raises DocumentError, and its reader goes on without.
Called by `agent.telemetry.desired` and by `agent.main.overlay` before anything runs.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from agent.core.fleet.commands import Key, Role
from agent.core.fleet.desired import Held, Rejected, State, Trial
from agent.wire.signed import DocumentError

FORMAT = 1


class _Key(Struct, frozen=True, kw_only=True):
    key_id: str
    public: bytes
    roles: frozenset[Role]


class _Trial(Struct, frozen=True, kw_only=True):
    version: int
    salt: str
    content: str
    config: dict[str, Any]
    seconds: int
    failures: int
    crashes: int
    starts: int
    connected: bool
    alarms: frozenset[str]
    manifest: bytes | None
    signed_by: str


class _Rejected(Struct, frozen=True, kw_only=True):
    version: int
    content: str
    code: str
    what: str


class _Held(Struct, frozen=True, kw_only=True):
    format: int
    state: State
    group: str
    version: int
    digest: str
    seen: dict[str, int]
    good: dict[str, Any]
    good_version: int
    content: str
    salt: str
    trial: _Trial | None
    rejected: tuple[_Rejected, ...]
    code: str
    what: str
    manifest: bytes | None
    manifest_by: str
    keys: tuple[_Key, ...] | None
    revoked: tuple[str, ...]
    keys_by: str


def encode(held: Held) -> bytes:
    """The file's content."""
    fields = {name: getattr(held, name) for name in _Held.__struct_fields__ if name != "format"}
    if held.trial is not None:
        fields["trial"] = _plain(held.trial, _Trial)
    if held.keys is not None:
        fields["keys"] = [_plain(one, _Key) for one in held.keys]
    fields["rejected"] = [_plain(one, _Rejected) for one in held.rejected]
    return msgspec.json.format(msgspec.json.encode({"format": FORMAT, **fields}))


def decode(given: bytes) -> Held:
    """What the file says. Raises DocumentError."""
    try:
        one = msgspec.json.decode(given, type=_Held)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise DocumentError(str(error)[:200]) from None
    if one.format != FORMAT:
        raise DocumentError(f"format {one.format} is not known here")
    fields = {name: getattr(one, name) for name in _Held.__struct_fields__ if name != "format"}
    trial = one.trial
    if trial is not None:
        fields["trial"] = Trial(**_plain(trial, _Trial))
    fields["keys"] = _keys(one.keys)
    fields["rejected"] = tuple(
        Rejected(version=each.version, content=each.content, code=each.code, what=each.what)
        for each in one.rejected
    )
    return Held(**fields)


def _keys(given: tuple[_Key, ...] | None) -> tuple[Key, ...] | None:
    if given is None:
        return None
    return tuple(Key(key_id=one.key_id, public=one.public, roles=one.roles) for one in given)


def _plain(one: object, shape: type[Struct]) -> dict[str, Any]:
    return {name: getattr(one, name) for name in shape.__struct_fields__}
