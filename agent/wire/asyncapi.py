"""The fleet's contract on paper: AsyncAPI 3.0 with MQTT bindings, and one JSON Schema a message.

The types of `wire.mqtt`, `wire.command`, `wire.desired` and the rules of `core.fleet.messages` are
the only source. Never loaded by the daemon: `python -m agent.wire.contracts FOLDER` writes the
files and a test says when they are stale.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from agent import __version__
from agent.core.fleet import messages
from agent.core.fleet.commands import OPS
from agent.core.fleet.messages import CONTRACT, Kind
from agent.wire import mqtt, signed
from agent.wire.command import CommandPayload
from agent.wire.desired import DesiredIn

_BINDING = {"bindingVersion": "0.2.0"}
_ID = "[A-Za-z0-9_-]{1,64}"

#: When each kind is sent; what its fields mean is docs/contracts/mqtt.md.
_WHEN: Mapping[Kind, str] = {
    Kind.STATE: "After every CONNACK, before a clean DISCONNECT, and by the broker as the Will.",
    Kind.INFO: "After a start and when something in it changed.",
    Kind.HEALTH: "Readings: all of them periodically, in between those that moved.",
    Kind.BACKLOG: "Unsent money: at once when it gets stuck, worse, better or is gone; repeated.",
    Kind.EVENT: "At once when an alarm becomes visible or goes away.",
    Kind.HIST: "After an outage: the readings that could not be sent.",
    Kind.RES: "Each step of a command.",
}
_EXAMPLES: Mapping[Kind, dict[str, Any]] = {
    Kind.STATE: {"state": "online", "connects": 17, "ts": 1795000000000},
    Kind.INFO: {
        "seq": 910, "outbox_id": "5f0c9a1be2d4", "printer_model": "P80", "ts": 1795000001000,
        "contract": CONTRACT, "agent_version": "0.1.0", "site": "S7",
        "terminal_ids": ["00000042"], "capabilities": ["report"], "profile": "default",
        "heartbeat_s": 960,
    },
    Kind.HEALTH: {
        "seq": 911, "outbox_id": "5f0c9a1be2d4", "printer": "ok", "printer_paper": "low",
        "ts": 1795000002000, "full": False,
    },
    Kind.BACKLOG: {
        "seq": 913, "outbox_id": "5f0c9a1be2d4", "amount_minor_cny": 5000, "ts": 1795000080000,
        "count": 4, "oldest_age_s": 75, "queued_count": 0, "sending_count": 0, "waiting_count": 4,
        "held_count": 0, "in_doubt_count": 0, "quarantined_count": 0,
        "cause": "network.dns_failed", "cause_count": 4, "channel": "cellular",
    },
    Kind.EVENT: {
        "seq": 912, "outbox_id": "5f0c9a1be2d4", "arg_port": "/dev/ttyS1", "ts": 1795000012000,
        "code": "printer.paper_out", "component": "printer", "severity": "major", "active": True,
        "since_ts": 1795000000000, "count": 1,
    },
    Kind.HIST: {
        "seq": 914, "outbox_id": "5f0c9a1be2d4", "ts": 1795000090000,
        "entries": [{"ts": 1794990000000, "values": {"system_battery_percent": 81}}],
    },
    Kind.RES: {
        "seq": 915, "outbox_id": "5f0c9a1be2d4", "ts": 1795000095000, "cmd_id": "4711",
        "op": "forward_now", "status": "ok", "result": {"changed": 4},
    },
}  # fmt: skip
_ENVELOPES: Mapping[signed.Document, str] = {
    signed.Document.COMMAND: "A signed command for this terminal; never retained.",
    signed.Document.DESIRED: "How the terminals of the group should be: signed once, retained.",
}


def files() -> dict[str, bytes]:
    """The contract's files by name."""
    made = {
        f"mqtt/{name}.schema.json": (json.dumps(schema, ensure_ascii=False, indent=1) + "\n")
        for name, schema in schemas().items()
    }
    made["asyncapi.yaml"] = "".join(f"{line}\n" for line in _yaml(document()))
    return {name: text.encode() for name, text in made.items()}


def schemas() -> dict[str, dict[str, Any]]:
    """All JSON Schemas (2020-12): the messages up and down, and what is inside the signed ones."""
    made = mqtt.schemas()
    for kind, (title, struct) in {
        "command": ("The signed payload of a command.", CommandPayload),
        "desired": ("The signed payload of `desired`.", DesiredIn),
    }.items():
        shapes = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")[1]
        payload = {"$schema": mqtt.DRAFT, **shapes.pop(struct.__name__), "description": title}
        made[f"{kind}.payload"] = payload | ({"$defs": shapes} if shapes else {})
    # One stanza per operation would say the same; the closed list is what matters.
    made["command.payload"]["properties"]["op"] = {"type": "string", "enum": sorted(OPS)}
    for document, text in _ENVELOPES.items():
        made[f"{document}.envelope"] = _envelope(document, text)
    return made


def _envelope(document: signed.Document, text: str) -> dict[str, Any]:
    base64 = {"type": "string", "contentEncoding": "base64"}
    return {
        "$schema": mqtt.DRAFT,
        "title": f"Signed {document}",
        "description": f"{text} Ed25519 over the line `posagent {document} {signed.FORMAT}`, a "
        "newline and the exact bytes of the payload.",
        "type": "object",
        "properties": {
            str(document): {"const": signed.FORMAT},
            "key_id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            "signature": {**base64, "maxLength": 100},
            "payload": {
                **base64,
                "contentMediaType": "application/json",
                "description": f"The bytes of {document}.payload.schema.json in base64.",
            },
        },
        "required": [str(document), "key_id", "signature", "payload"],
        "additionalProperties": False,
    }


def document() -> dict[str, Any]:
    """AsyncAPI 3.0.0, seen from the terminal: it sends what goes up and receives what comes down.

    Self-contained: the schemas stand in it once more, as the dialect of AsyncAPI wants them.
    """
    return {
        "asyncapi": "3.0.0",
        "id": "urn:posagent:fleet",
        "info": {
            "title": "posagent fleet messages",
            "version": f"{CONTRACT}.0.0",
            "description": "What a payment terminal tells its fleet over MQTT and what it takes "
            "from it. All is QoS 1; a message from the outbox is known by (device_id, outbox_id, "
            f"seq). Written by posagent {__version__}; prose: docs/contracts/mqtt.md.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"fleet": _server()},
        "channels": {name: _channel(name, tail) for name, (tail, _) in _channels().items()},
        "operations": dict(_operations()),
        "components": {
            "messages": {name: _message(name) for name in _channels()},
            "schemas": _components(),
            "parameters": _parameters(),
        },
    }


def _channels() -> dict[str, tuple[str, str]]:
    """Name -> (end of the topic, what travels on it)."""
    up = {
        str(kind): (f"{kind}/{{cmd_id}}" if kind is Kind.RES else str(kind), str(kind))
        for kind in Kind
    }
    down = {"cmd": ("cmd/{cmd_id}", "command"), "desired": ("desired", "desired")}
    return {**up, **down}


def _server() -> dict[str, Any]:
    return {
        "host": "broker.example:8883",
        "protocol": "mqtts",
        "protocolVersion": "5",
        "description": "[telemetry] endpoints. MQTT 5 first, 3.1.1 where it is refused; TLS with a "
        "client certificate whose CN is the device id.",
        "bindings": {
            "mqtt": {
                "clientId": "T-0042",
                "cleanSession": False,
                "lastWill": {
                    "topic": messages.topic("acme", "T-0042", Kind.STATE),
                    "qos": 1,
                    "retain": True,
                    "message": '{"state":"lost","connects":17}',
                },
                "keepAlive": 120,
                "sessionExpiryInterval": 3600,
                **_BINDING,
            }
        },
    }


def _parameters() -> dict[str, Any]:
    return {
        "tenant": {"description": f"Who runs the fleet; {_ID}.", "examples": ["acme"]},
        "device_id": {
            "description": f"The terminal's hardware, its MQTT client id and CN; {_ID}.",
            "examples": ["T-0042"],
        },
        "cmd_id": {"description": f"Chosen by who sends the command; {_ID}.", "examples": ["4711"]},
    }


def _channel(name: str, tail: str) -> dict[str, Any]:
    address = messages.topic("{tenant}", "{device_id}", tail)
    return {
        "address": address,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {
            each: {"$ref": f"#/components/parameters/{each}"}
            for each in re.findall(r"{(\w+)}", address)
        },
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in Kind:
        rule = messages.RULES[kind]
        yield (
            f"tell_{kind}",
            {
                "action": "send",
                **_travels(str(kind)),
                "summary": _WHEN[kind],
                "bindings": {"mqtt": {"qos": rule.qos, "retain": rule.retained, **_BINDING}},
            },
        )
    yield (
        "take_command",
        {
            "action": "receive",
            **_travels("cmd"),
            "summary": _ENVELOPES[signed.Document.COMMAND],
            "bindings": {"mqtt": {"qos": 1, "retain": False, **_BINDING}},
            "reply": _travels("res"),
        },
    )
    yield (
        "take_desired",
        {
            "action": "receive",
            **_travels("desired"),
            "summary": _ENVELOPES[signed.Document.DESIRED],
            "bindings": {"mqtt": {"qos": 1, "retain": True, **_BINDING}},
        },
    )


def _travels(channel: str) -> dict[str, Any]:
    return {
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{channel}"}],
    }


def _message(channel: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": channel,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{_named(_file(channel))}"},
        "bindings": {"mqtt": dict(_BINDING)},
    }
    if channel in _channels_down():
        return told | {"summary": _ENVELOPES[_channels_down()[channel]]}
    kind = Kind(channel)
    words = inspect.getdoc(mqtt.STRUCTS[kind]) or ""
    return told | {
        "summary": " ".join(words.split()),
        "examples": [{"name": channel, "payload": _EXAMPLES[kind]}],
    }


def _channels_down() -> dict[str, signed.Document]:
    return {"cmd": signed.Document.COMMAND, "desired": signed.Document.DESIRED}


def _file(channel: str) -> str:
    down = _channels_down().get(channel)
    return f"{down}.envelope" if down else channel


def _named(file: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[._]", file))


def _components() -> dict[str, Any]:
    """The schemas without what only a file of its own needs, and with one place for references."""
    made: dict[str, Any] = {}
    for file, schema in schemas().items():
        one = _rooted(copy.deepcopy(schema), _named(file))
        one.pop("$schema")
        for name, inner in one.pop("$defs", {}).items():
            made[f"{_named(file)}{name}"] = inner
        made[_named(file)] = one
    return dict(sorted(made.items()))


def _rooted(node: Any, prefix: str) -> Any:
    match node:
        case dict():
            return {
                name: (
                    f"#/components/schemas/{prefix}{inner.removeprefix('#/$defs/')}"
                    if name == "$ref" and isinstance(inner, str)
                    else _rooted(inner, prefix)
                )
                for name, inner in node.items()
            }
        case list():
            return [_rooted(inner, prefix) for inner in node]
    return node


# -- YAML: block style, every text in quotes ---------------------------------------------------

_BARE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
#: What YAML 1.1 takes for something else than a text.
_NO_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def _yaml(node: Any, indent: str = "") -> Iterator[str]:
    """The lines of a document. JSON's scalars and empty lists are YAML as they are."""
    pairs: list[tuple[str, Any]]
    if isinstance(node, dict):
        pairs = [(f"{_key(name)}:", inner) for name, inner in node.items()]
    else:
        pairs = [("-", inner) for inner in node]
    for head, inner in pairs:
        if isinstance(inner, dict | list) and inner:
            below = list(_yaml(inner, indent + "  "))
            if head == "-":
                yield f"{indent}- {below[0].lstrip()}"
                yield from below[1:]
            else:
                yield f"{indent}{head}"
                yield from below
        else:
            yield f"{indent}{head} {json.dumps(inner, ensure_ascii=False)}"


def _key(name: str) -> str:
    plainly = _BARE.fullmatch(name) and name.lower() not in _NO_WORDS
    return name if plainly else json.dumps(name, ensure_ascii=False)
