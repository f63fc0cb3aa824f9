"""The messages of the fleet contract as bytes: flat JSON objects, and their JSON Schemas.

Decides the encoding only; what a message says is `core.fleet.messages`, when it is sent is
`telemetry`. The structs below are the single source of the schemas in the contract.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from agent.core.fleet import messages
from agent.core.fleet.messages import Kind

#: A message may not be larger: half of what the smallest brokers take is still 200 readings.
MAX_BYTES = 16_384


class State(Struct, kw_only=True, omit_defaults=True):
    """state: is the terminal connected. Retained; also the Will."""

    state: str
    connects: int
    ts: int | UnsetType = UNSET


class Recorded(Struct, kw_only=True, omit_defaults=True):
    """What every message from the outbox carries. `seq` and `outbox_id` are stamped on sending."""

    seq: int | UnsetType = UNSET
    outbox_id: str | UnsetType = UNSET
    ts: int
    clock_suspect: bool | UnsetType = UNSET


class Info(Recorded, kw_only=True, omit_defaults=True):
    """info: what the terminal is, and its devices as `component_fact`. Retained."""

    contract: int
    agent_version: str = ""
    site: str = ""
    os: str = ""
    model: str = ""
    firmware: str = ""
    terminal_ids: tuple[str, ...] = ()
    merchant_ids: tuple[str, ...] = ()
    uplinks: tuple[str, ...] = ()


class Health(Recorded, kw_only=True, omit_defaults=True):
    """health: readings as `component` and `component_value`, all or those that moved."""

    full: bool
    alarms: tuple[str, ...] | UnsetType = UNSET


class Backlog(Recorded, kw_only=True, omit_defaults=True):
    """backlog: unsent money; sums as `…amount_minor_<currency>`."""

    count: int
    oldest_age_s: int | UnsetType = UNSET
    queued_count: int
    sending_count: int
    waiting_count: int
    held_count: int
    in_doubt_count: int
    quarantined_count: int | None
    cause: str | UnsetType = UNSET
    cause_count: int | UnsetType = UNSET
    next_attempt_ts: int | UnsetType = UNSET


class Event(Recorded, kw_only=True, omit_defaults=True):
    """event: an alarm became visible or went away; its arguments as `arg_…`."""

    code: str
    component: str
    severity: str
    active: bool
    since_ts: int
    flaps: int | UnsetType = UNSET
    suppressed_by: str | UnsetType = UNSET


STRUCTS: dict[Kind, type[Struct]] = {
    Kind.STATE: State,
    Kind.INFO: Info,
    Kind.HEALTH: Health,
    Kind.BACKLOG: Backlog,
    Kind.EVENT: Event,
}
_KINDS: dict[type[messages.Message], Kind] = {
    messages.StateMessage: Kind.STATE,
    messages.InfoMessage: Kind.INFO,
    messages.HealthMessage: Kind.HEALTH,
    messages.BacklogMessage: Kind.BACKLOG,
    messages.EventMessage: Kind.EVENT,
}
#: Kinds whose field names depend on the terminal, and what such a name looks like.
_ANYTHING: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_OPEN: dict[Kind, str] = {
    Kind.INFO: "^[a-z][a-z0-9_]*_(make|model|firmware|serial|interface|driver|usb_id|since_ts)$",
    Kind.HEALTH: "^[a-z][a-z0-9_]*$",
    Kind.BACKLOG: "^(held_|in_doubt_)?amount_minor_[a-z]{3}$",
    Kind.EVENT: "^arg_[a-z][a-z0-9_]*$",
}


def kind_of(message: messages.Message) -> Kind:
    """Which topic a message belongs on."""
    return _KINDS[type(message)]


def encode(message: messages.Message) -> bytes:
    """The body, without `seq` and `outbox_id`; the struct's own fields win over dynamic ones."""
    struct = STRUCTS[kind_of(message)]
    fixed: dict[str, Any] = {}
    for name in struct.__struct_fields__:
        value = getattr(message, name, None)
        if value is not None:
            fixed[name] = value
    if isinstance(message, messages.BacklogMessage):
        # Unknown is not absent here: null says "records were put aside, nobody knows how many".
        fixed["quarantined_count"] = message.quarantined_count
    body = msgspec.to_builtins(msgspec.convert(fixed, struct))
    return msgspec.json.encode(dict(getattr(message, "fields", {})) | body)


def stamp(body: bytes, seq: int, outbox_id: str) -> bytes:
    """The body as it is sent: number and outbox first, the recorded bytes untouched behind."""
    return b'{"seq":%d,"outbox_id":%s,' % (seq, msgspec.json.encode(outbox_id)) + body[1:]


def decode(payload: bytes) -> dict[str, Any]:
    """A message as a reader of the contract sees it. Raises ValueError if it is no object."""
    return msgspec.json.decode(payload, type=dict[str, Any])


def schemas() -> dict[str, dict[str, Any]]:
    """One JSON Schema per kind of message, as they are sent."""
    made: dict[str, dict[str, Any]] = {}
    for kind, struct in STRUCTS.items():
        schema: dict[str, Any] = msgspec.json.schema_components([struct])[1][struct.__name__]
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        if issubclass(struct, Recorded):
            schema["required"] = ["seq", "outbox_id", *schema["required"]]
        schema["additionalProperties"] = False
        if kind is Kind.HEALTH:
            # A pattern for readings would match the fixed names too: they are "the rest" instead.
            schema["additionalProperties"] = _ANYTHING
        elif kind in _OPEN:
            schema["patternProperties"] = {_OPEN[kind]: _ANYTHING}
        made[str(kind)] = schema
    return made


def problems(kind: Kind, payload: bytes) -> list[str]:
    """What is wrong with a received message; empty: it keeps the contract."""
    try:
        message = msgspec.json.decode(payload, type=STRUCTS[kind])
        fields = decode(payload)
    except msgspec.DecodeError as error:
        return [str(error)]
    found: list[str] = []
    if isinstance(message, Recorded):
        found += [f"no {name}" for name in ("seq", "outbox_id") if name not in fields]
    known = set(STRUCTS[kind].__struct_fields__)
    pattern = re.compile(_OPEN.get(kind, "(?!)"))
    for name, value in fields.items():
        if name in known:
            continue
        if pattern.search(name) is None:
            found.append(f"unknown field {name}")
        elif isinstance(value, dict | list):
            found.append(f"{name} is not flat")
    return found
