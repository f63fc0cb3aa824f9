"""The fleet's contract on paper: current, well-formed, and true of what is sent."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.core.fleet import messages
from agent.core.fleet.commands import OPS
from agent.core.fleet.messages import Kind
from agent.wire import asyncapi, contracts, mqtt
from agent.wire.command import CommandPayload
from agent.wire.signed import Document, envelope

DOCS = Path(__file__).resolve().parents[2] / "docs" / "contracts"
#: AsyncAPI 3.0.0: the fields each object may have, as far as this document has such objects.
FIELDS: dict[str, frozenset[str]] = {
    "root": frozenset(
        {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations"}
        | {"components"}
    ),
    "info": frozenset(
        {"title", "version", "description", "termsOfService", "contact", "license", "tags"}
        | {"externalDocs"}
    ),
    "server": frozenset(
        {"host", "protocol", "protocolVersion", "pathname", "description", "title", "summary"}
        | {"variables", "security", "tags", "externalDocs", "bindings"}
    ),
    "channel": frozenset(
        {"address", "messages", "title", "summary", "description", "servers", "parameters"}
        | {"tags", "externalDocs", "bindings"}
    ),
    "operation": frozenset(
        {"action", "channel", "title", "summary", "description", "security", "tags"}
        | {"externalDocs", "bindings", "traits", "messages", "reply"}
    ),
    "message": frozenset(
        {"headers", "payload", "correlationId", "contentType", "name", "title", "summary"}
        | {"description", "tags", "externalDocs", "bindings", "examples", "traits"}
    ),
    "parameter": frozenset({"enum", "default", "description", "examples", "location"}),
}
#: The MQTT bindings, version 0.2.0.
BINDINGS: dict[str, frozenset[str]] = {
    "server": frozenset(
        {"clientId", "cleanSession", "lastWill", "keepAlive", "sessionExpiryInterval"}
        | {"maximumPacketSize", "bindingVersion"}
    ),
    "operation": frozenset({"qos", "retain", "messageExpiryInterval", "bindingVersion"}),
    "message": frozenset(
        {"payloadFormatIndicator", "correlationData", "contentType", "responseTopic"}
        | {"bindingVersion"}
    ),
}


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="no YAML reader here")
    found: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text("utf-8"))
    return found


def refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(ref := node.get("$ref"), str):
            yield ref
        for inner in node.values():
            yield from refs(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from refs(inner)


def pointed(document: dict[str, Any], ref: str) -> Any:
    assert ref.startswith("#/"), ref
    found: Any = document
    for part in ref[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def test_the_files_are_current() -> None:
    """`python -m agent.wire.contracts docs/contracts` was run after the last change."""
    made = asyncapi.files()
    there = {path.relative_to(DOCS).as_posix() for path in (DOCS / "mqtt").iterdir()}
    assert there == {name for name in made if name.startswith("mqtt/")}
    for name, content in made.items():
        assert (DOCS / name).read_bytes() == content, name


def test_the_command_writes_them(tmp_path: Path) -> None:
    """One command writes all contracts that are made from code."""
    contracts.main(str(tmp_path))
    for name, content in asyncapi.files().items():
        assert (tmp_path / name).read_bytes() == content


def test_the_yaml_says_what_the_document_says(written: dict[str, Any]) -> None:
    """Any YAML reader gets the document the types make, value for value."""
    assert written == json.loads(json.dumps(asyncapi.document()))


def test_every_object_has_the_fields_asyncapi_3_knows(written: dict[str, Any]) -> None:
    """Required ones are there, unknown ones are not, bindings are those of MQTT 0.2.0."""
    assert written["asyncapi"] == "3.0.0"
    assert set(written) <= FIELDS["root"]
    assert {"title", "version"} <= set(written["info"]) <= FIELDS["info"]
    for server in written["servers"].values():
        assert {"host", "protocol"} <= set(server) <= FIELDS["server"]
        bound(server, "server")
    for channel in written["channels"].values():
        assert set(channel) <= FIELDS["channel"]
    for operation in written["operations"].values():
        assert {"action", "channel"} <= set(operation) <= FIELDS["operation"]
        assert operation["action"] in ("send", "receive")
        assert set(operation.get("reply", ())) <= {"address", "channel", "messages"}
        bound(operation, "operation")
    for message in written["components"]["messages"].values():
        assert set(message) <= FIELDS["message"]
        bound(message, "message")
    for parameter in written["components"]["parameters"].values():
        assert set(parameter) <= FIELDS["parameter"]


def bound(node: dict[str, Any], kind: str) -> None:
    assert set(node["bindings"]) == {"mqtt"}
    assert set(node["bindings"]["mqtt"]) <= BINDINGS[kind]
    assert node["bindings"]["mqtt"]["bindingVersion"] == "0.2.0"


def test_every_reference_points_at_something(written: dict[str, Any]) -> None:
    """Nothing outside the document is needed to read it, and nothing in it is left over."""
    used = set(refs(written))
    for ref in used:
        assert isinstance(pointed(written, ref), dict), ref
    for section, parts in written["components"].items():
        for name in parts:
            inside = name.endswith("Payload") or re.match(r"(?:Command|Desired)Payload", name)
            assert inside or f"#/components/{section}/{name}" in used, f"{name} is used nowhere"


def test_operations_channels_and_messages_fit_together(written: dict[str, Any]) -> None:
    """An operation's messages are its channel's, an address's parameters are declared, all used."""
    operated = set()
    for name, operation in written["operations"].items():
        for part in (operation, operation.get("reply")):
            if part is None:
                continue
            channel = part["channel"]["$ref"]
            operated.add(channel)
            for message in part["messages"]:
                assert message["$ref"].startswith(f"{channel}/messages/"), name
    assert operated == {f"#/channels/{name}" for name in written["channels"]}
    for channel in written["channels"].values():
        assert set(channel["parameters"]) == set(re.findall(r"{(\w+)}", channel["address"]))
    addresses = [channel["address"] for channel in written["channels"].values()]
    assert len(set(addresses)) == len(addresses)


def test_delivery_on_paper_is_delivery_in_code(written: dict[str, Any]) -> None:
    """QoS and retain of each operation are the rules messages are sent by."""
    for kind in Kind:
        binding = written["operations"][f"tell_{kind}"]["bindings"]["mqtt"]
        rule = messages.RULES[kind]
        assert (binding["qos"], binding["retain"]) == (rule.qos, rule.retained)
        address = written["channels"][str(kind)]["address"]
        assert address.startswith(messages.topic("{tenant}", "{device_id}", str(kind)))


@pytest.mark.parametrize("name", sorted(asyncapi.schemas()))
def test_every_schema_is_a_json_schema(name: str) -> None:
    """Of draft 2020-12, with references that resolve inside it."""
    schema = asyncapi.schemas()[name]
    assert schema["$schema"] == mqtt.DRAFT
    jsonschema.Draft202012Validator.check_schema(schema)
    for ref in refs(schema):
        pointed(schema, ref)


def test_the_schemas_in_the_document_are_draft_07_too(written: dict[str, Any]) -> None:
    """AsyncAPI's own dialect of schemas is a superset of draft 07."""
    for schema in written["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)


def test_the_examples_keep_the_contract(written: dict[str, Any]) -> None:
    """By their schema file, by the schema in the document, and by our own check."""
    for kind in Kind:
        message = written["components"]["messages"][str(kind)]
        (example,) = message["examples"]
        inside = {**message["payload"], "components": written["components"]}
        jsonschema.Draft7Validator(inside).validate(example["payload"])
        jsonschema.Draft202012Validator(asyncapi.schemas()[str(kind)]).validate(example["payload"])
        assert mqtt.problems(kind, json.dumps(example["payload"]).encode()) == []


def test_a_signed_command_fits_its_schemas() -> None:
    """The envelope as operators' tools make it, and the payload inside it."""
    payload = {
        "cmd_id": "4711", "tenant": "acme", "device_id": "T-1", "op": min(OPS), "args": {},
        "issued_ts": 1, "expires_ts": 2, "seq": 1,
    }  # fmt: skip
    whole = json.loads(envelope(Document.COMMAND, "k1", bytes(64), json.dumps(payload).encode()))
    schemas = asyncapi.schemas()
    jsonschema.Draft202012Validator(schemas["command.envelope"]).validate(whole)
    inner = json.loads(base64.b64decode(whole["payload"]))
    jsonschema.Draft202012Validator(schemas["command.payload"]).validate(inner)
    assert set(inner) == set(CommandPayload.__struct_fields__)
    for broken in ({**inner, "op": "shell"}, {**inner, "more": 1}):
        assert not jsonschema.Draft202012Validator(schemas["command.payload"]).is_valid(broken)


def test_keys_that_yaml_takes_for_something_else_are_quoted() -> None:
    """`on` is a switch to YAML 1.1, a pattern is no plain word."""
    yaml = pytest.importorskip("yaml", reason="no YAML reader here")
    tricky = {"on": 1, "^a: b$": [], "list": [{"a": [1, [2]]}, "x: y"], "empty": {}, "null": None}
    assert yaml.safe_load("\n".join(asyncapi._yaml(tricky))) == tricky
