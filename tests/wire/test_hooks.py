"""The hook contract: the schemas are those of the types, and say the same about every message."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire import hooks
from agent.wire.hook_schemas import files, schemas
from agent.wire.hook_table import (
    HOOKS,
    ContractError,
    answer_from,
    hook_named,
    reading_from,
    request_bytes,
    request_from,
)

CONTRACT = Path(__file__).resolve().parents[2] / "firmware_hooks/contract"

VALIDATOR = jsonschema.Draft202012Validator(schemas()["reading"])

GOOD: dict[str, list[dict[str, Any]]] = {
    "reading": [
        {"outcome": "reading", "component": "printer", "state": {}},
        {
            "outcome": "reading",
            "component": "printer",
            "state": {"paper_out": True, "cover_open": None, "head_temperature_c": 40},
            "raw": 240,
            "source": "IPrinter.getStatus",
            "confidence": "deduced",
            "facts": {"mode": "usb"},
            "about": {"model": "X1"},
            "age_s": 2,
        },
        {"outcome": "reading", "component": "system", "state": {"temperature_c": 41.5}},
        {"outcome": "unknown", "component": "printer", "reason": "code 77", "raw": 77},
        {"outcome": "not_fitted", "component": "scanner"},
        {"outcome": "not_observable", "component": "keypad", "reason": "no API"},
    ],
    "identity.answer": [{"outcome": "told", "serial": "A1"}, {"outcome": "unknown", "reason": "x"}],
    "inventory.answer": [{"outcome": "told", "items": [{"kind": "device", "name": "printer"}]}],
    "key.unwrap.answer": [{"outcome": "told", "key": "QUJDRA=="}],
    "event.answer": [{"outcome": "done"}],
    "action.answer": [
        {"outcome": "done", "restart": True},
        {"outcome": "refused", "reason": "busy"},
        {"outcome": "failed", "reason": "disk full", "changed": False},
    ],
}
BAD: dict[str, list[dict[str, Any]]] = {
    "reading": [
        {"outcome": "reading", "component": "printer"},
        {"outcome": "reading", "component": "printer", "state": {"paperout": True}},
        {"outcome": "reading", "component": "printer", "state": {"paper_out": "yes"}},
        {"outcome": "reading", "component": "printer", "state": {"paper_out": 1}},
        {"outcome": "reading", "component": "keypad", "state": {"stuck_keys": -1}},
        {"outcome": "reading", "component": "Printer", "state": {}},
        {"outcome": "reading", "component": "x", "state": {"a": [1]}},
        {"outcome": "reading", "component": "x", "state": {}, "raw": 1.5},
        {"outcome": "reading", "component": "x", "state": {}, "confidence": "sure"},
        {"outcome": "unknown", "component": "printer"},
        {"outcome": "fine", "component": "printer"},
        {"component": "printer", "state": {}},
        {"outcome": "not_fitted", "component": "printer", "state": {}},
        {"contract": 2, "outcome": "not_fitted", "component": "printer"},
    ],
    "identity.answer": [{"outcome": "told", "imei": "1"}],
    "inventory.answer": [{"outcome": "told"}, {"outcome": "told", "items": [{"name": "x"}]}],
    "key.unwrap.answer": [{"outcome": "told"}],
    "event.answer": [{"outcome": "told"}],
    "action.answer": [{"outcome": "refused"}, {"outcome": "done", "reason": "x"}],
}


def cases(table: dict[str, list[dict[str, Any]]]) -> list[Any]:
    return [
        pytest.param(name, {"contract": 1, **body}, id=f"{name}-{at}")
        for name, bodies in table.items()
        for at, body in enumerate(bodies)
    ]


def check(name: str, body: dict[str, Any]) -> Any:
    hook = next(one for one in HOOKS if one.answer_schema == name)
    return answer_from(hook, json.dumps(body).encode())


def test_the_schemas_in_the_repository_are_those_of_the_types() -> None:
    """`python -m agent.wire.hook_schemas firmware_hooks/contract/v1` would change nothing."""
    stored = {path.name: path.read_bytes() for path in (CONTRACT / "v1").iterdir()}
    assert stored == dict(files())


def test_every_schema_is_one_and_is_named_in_the_readme() -> None:
    """Each file is a valid JSON Schema; what a vendor reads names what there is."""
    readme = (CONTRACT / "README.md").read_text("utf-8")
    for name, schema in schemas().items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name in readme or name.removesuffix(".request") in readme, name
    for shape in hooks.STATES.values():
        for key in shape.__struct_fields__:
            assert f"`{key}`" in readme, key


@pytest.mark.parametrize(("name", "body"), cases(GOOD))
def test_what_is_right_passes_both(name: str, body: dict[str, Any]) -> None:
    """Schema and agent take the same messages."""
    jsonschema.validate(body, schemas()[name], cls=jsonschema.Draft202012Validator)
    assert check(name, body).contract == 1


@pytest.mark.parametrize(("name", "body"), cases(BAD))
def test_what_is_wrong_fails_both(name: str, body: dict[str, Any]) -> None:
    """Schema and agent refuse the same messages."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, schemas()[name], cls=jsonschema.Draft202012Validator)
    with pytest.raises(ContractError):
        check(name, body)


@pytest.mark.parametrize("told", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000, b'{"a":1}'])
def test_what_is_no_message_is_refused_with_a_reason(told: bytes) -> None:
    """Nothing a hook prints can raise anything but ContractError."""
    with pytest.raises(ContractError) as caught:
        reading_from(told)
    assert str(caught.value)


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_bytes_of_any_kind_are_a_message_or_a_contract_error(garbage: bytes) -> None:
    """No bytes at all raise anything else."""
    with contextlib.suppress(ContractError):
        reading_from(garbage)


PRINTABLE = st.text(st.characters(exclude_categories=("C",)), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | PRINTABLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ("contract", "outcome", "component", "state", "raw", "source", "reason", "code", "about",
     "age_s", "facts", "confidence", "x")
)  # fmt: skip
LIKELY = st.sampled_from(
    (1, 2, "reading", "unknown", "not_fitted", "printer", {}, {"paper_out": True}, "documented", 0)
)


@given(st.dictionaries(KEYS, LIKELY | JSON))
def test_what_the_agent_takes_the_schema_takes(body: dict[str, Any]) -> None:
    """Whatever passes the agent's check passes the schema, and the other way round."""
    text = json.dumps(body)
    try:
        reading_from(text.encode())
        taken = True
    except ContractError as error:
        taken = False
        if not error.is_json:
            return  # NaN and numbers beyond a double are no JSON
    assert VALIDATOR.is_valid(json.loads(text)) is taken


@pytest.mark.parametrize("text", ["x\n", "a\tb", "\x1b[31m", "\x7f"])
def test_no_text_holds_a_control_character(text: str) -> None:
    """Nothing that steers a terminal or adds a line to a log, an argument or a name comes in."""
    for body in (
        {"outcome": "not_fitted", "component": text},
        {"outcome": "unknown", "component": "printer", "reason": text},
        {"outcome": "reading", "component": "x", "state": {"a": text}},
        {"outcome": "reading", "component": "x", "state": {text: 1}},
    ):
        with pytest.raises(ContractError):
            check("reading", {"contract": 1, **body})
        with pytest.raises(ContractError):
            answer_from(
                hook_named("probe.x") or HOOKS[0],
                json.dumps({"contract": 1, **body}, ensure_ascii=False).encode(),
            )
    hook = hook_named("app.restart")
    assert hook is not None
    request = {"contract": 1, "agent_version": "1", "deadline_ms": 99, "hook": "app.restart"}
    with pytest.raises(ContractError):
        request_from(hook, json.dumps({**request, "app": f"pay{text}"}).encode())


def test_the_error_names_the_place() -> None:
    """A misspelt key of the state is named with where it stands."""
    with pytest.raises(ContractError, match=r"paperout.*state"):
        reading_from(
            b'{"contract":1,"outcome":"reading","component":"printer","state":{"paperout":true}}'
        )


def test_names_and_requests() -> None:
    """Every hook is found by its file name, and no other name is one."""
    names = ["probe.printer", "identity", "inventory", "key.unwrap", "event.queue.held", "print"]
    assert [hook_named(name) is not None for name in names] == [True] * len(names)
    for name in (
        "probe",
        "probe.",
        "probe.A",
        "event.held",
        "shell",
        "update",
        "print ",
        "print\n",
    ):
        assert hook_named(name) is None, name
    hook = hook_named("probe.printer")
    assert hook is not None
    request = hooks.ProbeRequest(
        contract=1, agent_version="1", deadline_ms=500, hook="probe.printer", component="printer"
    )
    assert request_bytes(request).count(b"\n") == 1
    assert request_from(hook, request_bytes(request)) == request
