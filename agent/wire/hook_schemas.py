"""Prints the hook contract as JSON Schemas.

The types in `agent.wire.hooks` are the only source. `python -m agent.wire.hook_schemas FOLDER`
writes one schema per message; a test says when those in firmware_hooks/contract/ are stale. Never
loaded by the daemon.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent.wire import hooks as contract
from agent.wire.contracts import described
from agent.wire.hook_table import HOOKS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """File name without `.json` -> schema, for every message of the contract."""
    found = {"readings.push": _schema("readings.push", contract.ReadingsIn)}
    for hook in HOOKS:
        base = hook.name.partition(".<")[0]
        found[f"{base}.request"] = _schema(f"{base}.request", hook.request)
        found[hook.answer_schema] = _schema(hook.answer_schema, hook.answer)
    return dict(sorted(found.items()))


def files() -> Mapping[str, bytes]:
    """The schema files as they should stand in firmware_hooks/contract/v1/."""
    return {
        f"{name}.json": (json.dumps(schema, ensure_ascii=False, indent=1) + "\n").encode()
        for name, schema in schemas().items()
    }


def _schema(name: str, shape: Any) -> dict[str, Any]:
    shapes = [shape, *contract.STATES.values()] if _has_readings(shape) else [shape]
    (top, *_), components = msgspec.json.schema_components(shapes, ref_template="#/$defs/{name}")
    described(components, shapes)
    if "HookReading" in components:
        components["HookReading"]["allOf"] = [
            {
                "if": {"properties": {"component": {"const": component}}},
                "then": {"properties": {"state": {"$ref": f"#/$defs/{state.__name__}"}}},
            }
            for component, state in contract.STATES.items()
        ]
    return {
        "$schema": DIALECT,
        "$id": f"urn:posagent:hooks:{contract.VERSION}:{name}",
        "title": name,
        **top,
        "$defs": dict(sorted(components.items())),
    }


def _has_readings(shape: Any) -> bool:
    return shape in (contract.AnyReading, contract.ReadingsIn)


def main(folder: str) -> None:
    """Write the schemas into a folder."""
    for name, text in files().items():
        Path(folder, name).write_bytes(text)


if __name__ == "__main__":
    main(sys.argv[1])
