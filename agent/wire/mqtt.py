"""The messages of the fleet contract as bytes: flat JSON objects, and their JSON Schemas.

Decides the encoding only; what a message says is `core.fleet.messages`, when it is sent is
`telemetry`. The structs below are the single source of the schemas in the contract.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from agent.core.fleet import messages, plain
from agent.core.fleet.messages import MAX_RESULT_BYTES, Kind

#: A message may not be larger: half of what the smallest brokers take is still 200 readings.
MAX_BYTES = 16_384
DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: One message of history: small enough to lose on a bad line and send again.
MAX_HIST_BYTES = 8_192


class State(Struct, kw_only=True, omit_defaults=True):
    """state: is the terminal connected. Retained; also the Will."""

    state: Literal["online", "offline", "lost"]
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
    capabilities: tuple[str, ...] = ()
    config_version: str | UnsetType = UNSET
    desired_version: int | UnsetType = UNSET
    profile: str | UnsetType = UNSET
    heartbeat_s: int | UnsetType = UNSET


class Health(Recorded, kw_only=True, omit_defaults=True):
    """health: readings as `component` and `component_value`, all or those that moved."""

    full: bool
    alarms: tuple[str, ...] | UnsetType = UNSET
    acknowledged: tuple[str, ...] | UnsetType = UNSET


class Backlog(Recorded, kw_only=True, omit_defaults=True):
    """backlog: unsent money; sums as `…amount_minor_<currency>`. Retained."""

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
    channel: str | UnsetType = UNSET


class Event(Recorded, kw_only=True, omit_defaults=True):
    """event: an alarm became visible or went away; its arguments as `arg_…`."""

    code: str
    component: str
    severity: Literal["critical", "major", "minor", "warning"]
    active: bool
    since_ts: int
    flaps: int | UnsetType = UNSET
    suppressed_by: str | UnsetType = UNSET
    count: int | UnsetType = UNSET


class Res(Recorded, kw_only=True, omit_defaults=True):
    """res/{cmd_id}: what became of a command. `result` is the only field that is not flat."""

    cmd_id: str
    op: str
    status: Literal["accepted", "running", "ok", "failed", "rejected", "expired"]
    code: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    progress_percent: int | UnsetType = UNSET
    result: Any | UnsetType = UNSET
    result_bytes: int | UnsetType = UNSET


class HistEntry(Struct, kw_only=True):
    """Readings of one time in the past."""

    ts: int
    values: dict[str, str | int | float | bool | None]


class Hist(Recorded, kw_only=True, omit_defaults=True):
    """hist: readings of an outage, told afterwards, the oldest first."""

    entries: tuple[HistEntry, ...]


STRUCTS: dict[Kind, type[Struct]] = {
    Kind.STATE: State,
    Kind.INFO: Info,
    Kind.HEALTH: Health,
    Kind.BACKLOG: Backlog,
    Kind.EVENT: Event,
    Kind.HIST: Hist,
    Kind.RES: Res,
}
_KINDS: dict[type[messages.Message], Kind] = {
    messages.StateMessage: Kind.STATE,
    messages.InfoMessage: Kind.INFO,
    messages.HealthMessage: Kind.HEALTH,
    messages.BacklogMessage: Kind.BACKLOG,
    messages.EventMessage: Kind.EVENT,
    messages.HistMessage: Kind.HIST,
    messages.ResMessage: Kind.RES,
}
_WORDS = frozenset(str(kind) for kind in Kind)
#: Kinds whose field names depend on the terminal, and what such a name looks like.
_ANYTHING: dict[str, Any] = {
    "type": ["string", "number", "boolean", "null"],
    "maxLength": plain.MAX_CHARS,
}
_OPEN: dict[Kind, str] = {
    Kind.INFO: "^[a-z][a-z0-9_]*_(make|model|firmware|serial|interface|driver|usb_id|since_ts)$",
    Kind.HEALTH: "^[a-z][a-z0-9_]*$",
    Kind.BACKLOG: "^(held_|in_doubt_)?amount_minor_[a-z]{3}$",
    Kind.EVENT: "^arg_[a-z][a-z0-9_]*$",
}
_VALUES: dict[Kind, dict[str, Any]] = {
    Kind.INFO: {"type": ["string", "integer"], "maxLength": plain.MAX_CHARS},
    Kind.BACKLOG: {"type": "integer"},
    Kind.EVENT: _ANYTHING,
}
_REQUIRED = {
    kind: frozenset(one.name for one in msgspec.structs.fields(struct) if one.required)
    for kind, struct in STRUCTS.items()
}
_NAMES = {kind: re.compile(pattern) for kind, pattern in _OPEN.items()}


def kind_of(message: messages.Message) -> Kind:
    """Which kind a message is."""
    return _KINDS[type(message)]


def tail_of(message: messages.Message) -> str:
    """The end of its topic, and its kind in the outbox: the kind, with what belongs behind it."""
    kind = kind_of(message)
    return f"{kind}/{message.cmd_id}" if isinstance(message, messages.ResMessage) else str(kind)


def kind_in(tail: str) -> Kind | None:
    """The kind of what is sent on this end of a topic; None: not one of ours."""
    word, _, rest = tail.partition("/")
    if word not in _WORDS or (word == Kind.RES) is not bool(rest) or "/" in rest:
        return None
    return Kind(word)


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
    if isinstance(message, messages.HistMessage):
        fixed["entries"] = [
            {"ts": entry.ts, "values": dict(entry.values)} for entry in message.entries
        ]
    result = fixed.pop("result", None)
    body = msgspec.to_builtins(msgspec.convert(fixed, struct)) | _result(result)
    return msgspec.json.encode(dict(getattr(message, "fields", {})) | body)


def _result(result: bytes | None) -> dict[str, Any]:
    """A result as it is told; one that is too large or no JSON is told by its size."""
    if result is None:
        return {}
    try:
        told: object = msgspec.json.decode(result)
    except (ValueError, RecursionError):
        told = None
    if told is None or len(again := msgspec.json.encode(told)) > MAX_RESULT_BYTES:
        return {"result_bytes": len(result)}
    return {"result": msgspec.Raw(again)}


def stamp(body: bytes, seq: int, outbox_id: str) -> bytes:
    """The body as it is sent: number and outbox first, the recorded bytes untouched behind."""
    return b'{"seq":%d,"outbox_id":%s,' % (seq, msgspec.json.encode(outbox_id)) + body[1:]


def decode(payload: bytes) -> dict[str, Any]:
    """A message as a reader of the contract sees it. Raises ValueError if it is no object."""
    return msgspec.json.decode(payload, type=dict[str, Any])


def written(told: object) -> bytes:
    """Decoded fields as bytes again."""
    return msgspec.json.encode(told)


def fixed(kind: Kind, name: str) -> bool:
    """Whether every terminal's message of this kind may have this field."""
    return name in STRUCTS[kind].__struct_fields__


def required(kind: Kind, name: str) -> bool:
    """Whether no message of this kind is one without this field."""
    return name in _REQUIRED[kind]


def allowed(kind: Kind, name: str) -> bool:
    """Whether a message of this kind may have this field."""
    return fixed(kind, name) or (kind in _NAMES and _NAMES[kind].search(name) is not None)


def schemas() -> dict[str, dict[str, Any]]:
    """One JSON Schema per kind of message, as they are sent."""
    made: dict[str, dict[str, Any]] = {}
    for kind, struct in STRUCTS.items():
        shapes = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")[1]
        schema: dict[str, Any] = {"$schema": DRAFT, **shapes.pop(struct.__name__)}
        if issubclass(struct, Recorded):
            schema["required"] = ["seq", "outbox_id", *schema["required"]]
        schema["additionalProperties"] = False
        if kind is Kind.HEALTH:
            # A pattern for readings would match the fixed names too: they are "the rest" instead.
            schema["propertyNames"] = {"pattern": _OPEN[kind]}
            schema["additionalProperties"] = _ANYTHING
        elif kind in _OPEN:
            schema["patternProperties"] = {_OPEN[kind]: _VALUES[kind]}
        if kind is Kind.HIST:
            values = shapes["HistEntry"]["properties"]["values"]
            values["propertyNames"] = {"pattern": _OPEN[Kind.HEALTH]}
            values["additionalProperties"] = _ANYTHING
        if shapes:
            schema["$defs"] = shapes
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
    for name, value in fields.items():
        if not allowed(kind, name):
            found.append(f"unknown field {name}")
        elif not fixed(kind, name) and isinstance(value, dict | list):
            found.append(f"{name} is not flat")
    return found
