"""Writes the contracts from the code: OpenAPI 3.1 of the local API, and those of the fleet.

The operations table and the message types are the only source; `docs/contracts/openapi.json` is a
print of them and a test says when it is stale. Run as `python -m agent.wire.contracts FOLDER`;
the daemon serves the same bytes at /v1/openapi.json.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agent import __version__
from agent.wire.api import OPERATIONS, Operation
from agent.wire.events import HealthEvent
from agent.wire.inspection import InspectionEvent
from agent.wire.inventory import DeviceChangeOut
from agent.wire.problem import CODES, MEDIA_TYPE, Problem
from agent.wire.software import SoftwareChangeOut
from agent.wire.views import BacklogOut, TransactionOut

REF = "#/components/schemas/{name}"
#: What any operation may answer.
EVERYWHERE = ("role.missing", "route.method", "internal")


def openapi() -> bytes:
    """The document, indented, ending in a newline."""
    return (json.dumps(document(), ensure_ascii=False, indent=1) + "\n").encode()


def document() -> dict[str, Any]:
    """OpenAPI 3.1 of the local API."""
    shapes = _shapes()
    _, components = msgspec.json.schema_components(shapes, ref_template=REF)
    described(components, shapes)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, components
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "posagent local API",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "HTTP/1.1 on the unix socket /run/posagent/api.sock. Who may ask is "
            "decided by the kernel's word of the peer (SO_PEERCRED) and the [api] table of the "
            "configuration. Every refusal is a problem document (RFC 9457) with a stable `code`.",
        },
        "servers": [{"url": "http://localhost", "description": "over the unix socket"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items()))},
    }


def described(components: dict[str, Any], shapes: Iterable[Any]) -> None:
    """Put the strings below the fields of these message types into their schemas."""
    for shape in _reachable(shapes):
        _describe(components, shape)


def _shapes() -> list[type[Struct]]:
    found: dict[str, type[Struct]] = {
        shape.__name__: shape
        for shape in (
            Problem,
            HealthEvent,
            DeviceChangeOut,
            InspectionEvent,
            SoftwareChangeOut,
            BacklogOut,
            TransactionOut,
        )
    }
    for operation in OPERATIONS:
        if operation.result is not None:
            found[operation.result.__name__] = operation.result
        found[operation.arguments.__name__] = operation.arguments
    return list(found.values())


def _operation(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    arguments = components[operation.arguments.__name__]
    in_path = set(re.findall(r"\{([a-z_]+)\}", operation.path))
    parameters = [
        _parameter(name, schema, name in in_path, name in arguments.get("required", ()))
        for name, schema in arguments.get("properties", {}).items()
        if name in in_path or not operation.changes
    ]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Roles: {', '.join(operation.roles)} (any of them).",
        "x-roles": list(operation.roles),
        "x-disruptive": operation.disruptive,
        "x-audited": operation.audited,
        "responses": _responses(operation),
    }
    if parameters:
        described["parameters"] = parameters
    if operation.changes and (schema := _body(operation, arguments, in_path)):
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _body(operation: Operation, arguments: dict[str, Any], in_path: set[str]) -> dict[str, Any]:
    """The schema of the body: the arguments without those that stand in the path."""
    if not in_path:
        return _ref(operation.arguments)
    properties = {
        name: schema for name, schema in arguments["properties"].items() if name not in in_path
    }
    if not properties:
        return {}
    required = [name for name in arguments.get("required", ()) if name not in in_path]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _parameter(name: str, schema: Any, in_path: bool, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path" if in_path else "query",
        "required": in_path or required,
        "schema": schema,
    }


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    words = {200: "Done", 201: "Recorded: on disk, with its history"}
    for status in operation.statuses:
        responses[str(status)] = {
            "description": "Known already, same content: its present state"
            if status == 200 and 201 in operation.statuses
            else words[status],
            "content": _content(operation),
        }
    by_status: dict[int, list[str]] = {}
    for code in (*operation.problems, *EVERYWHERE):
        by_status.setdefault(CODES[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {CODES[code].title}" for code in codes),
            "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
        }
    return responses


def _content(operation: Operation) -> dict[str, Any]:
    if operation.result is not None:
        return {"application/json": {"schema": _ref(operation.result)}}
    if operation.name == "events":
        return {
            "text/event-stream": {
                "schema": {"type": "string"},
                "x-events": {
                    "transaction": _ref(TransactionOut),
                    "health": _ref(HealthEvent),
                    "device": _ref(DeviceChangeOut),
                    "software": _ref(SoftwareChangeOut),
                    "backlog": _ref(BacklogOut),
                },
            }
        }
    return {"application/json": {"schema": {"type": "object"}}}


def _ref(shape: type[Struct]) -> dict[str, str]:
    return {"$ref": REF.format(name=shape.__name__)}


def _reachable(shapes: Iterable[Any]) -> list[type[Struct]]:
    """The message types themselves and those of their fields."""
    found: dict[str, type[Struct]] = {}
    todo: list[Any] = list(shapes)
    while todo:
        shape = todo.pop()
        if isinstance(shape, type) and issubclass(shape, Struct):
            if shape.__name__ not in found:
                found[shape.__name__] = shape
                todo += [field.type for field in msgspec.structs.fields(shape)]
        else:
            todo += getattr(shape, "__args__", ())
    return list(found.values())


def _describe(components: dict[str, Any], shape: type[Struct]) -> None:
    """Puts the strings below the fields of a message type into its schema."""
    properties = components[shape.__name__].get("properties", {})
    try:
        source = textwrap.dedent(inspect.getsource(shape))
    except OSError:
        return  # installed without sources: the same document without these sentences
    body = ast.parse(source).body[0]
    if not isinstance(body, ast.ClassDef):
        return
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ) if name in properties:
                old = properties[name]
                # A sibling of $ref is allowed in 3.1, but generators of clients overlook it.
                new = {"allOf": [old]} if "$ref" in old else old
                properties[name] = {**new, "description": " ".join(words.split())}
            case _:
                continue


def main(folder: str) -> None:
    """Write the contracts into a folder."""
    # The daemon serves OpenAPI from this file and never loads the fleet's document.
    from agent.wire import asyncapi

    for name, content in {"openapi.json": openapi(), **asyncapi.files()}.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1])
