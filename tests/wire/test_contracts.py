"""The contracts on paper are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from agent.core.money.transaction import Kind
from agent.wire import contracts
from agent.wire.api import OPERATIONS
from agent.wire.problem import CODES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "contracts"


def test_the_openapi_document_is_current() -> None:
    """`python -m agent.wire.contracts docs/contracts` was run after the last change."""
    assert (DOCS / "openapi.json").read_bytes() == contracts.openapi()


def test_it_can_be_written_again(tmp_path: Path) -> None:
    """The command writes the very same bytes."""
    contracts.main(str(tmp_path))
    assert (tmp_path / "openapi.json").read_bytes() == contracts.openapi()


def test_every_operation_and_every_reference_is_there() -> None:
    """Nothing of the table is left out and nothing points nowhere."""
    document = contracts.document()
    ids = {op["operationId"] for path in document["paths"].values() for op in path.values()}
    assert ids == {operation.name for operation in OPERATIONS}
    names = set(document["components"]["schemas"])
    assert set(re.findall(r'"#/components/schemas/([A-Za-z]+)"', json.dumps(document))) <= names


@pytest.mark.parametrize(
    ("changes", "fits"),
    [({}, True), ({"amount_minor": 1.5}, False), ({"pan": "x"}, False), ({"key": "a b"}, False)],
)
def test_the_schema_of_a_hand_over_is_as_strict_as_the_check(
    changes: dict[str, object], fits: bool
) -> None:
    """Developers can check their requests against the document before they meet the agent."""
    document = contracts.document()
    schema = {"$ref": "#/components/schemas/TransactionIn", "components": document["components"]}
    example = {
        "key": "k", "terminal_id": "T", "merchant_id": "M", "kind": Kind.SALE.value,
        "posting": "advice", "occurred_at": "2026-11-02T14:05:09+08:00", "amount_minor": 1,
        "currency": "CNY", "payload": {"content_type": "a/b", "text": "x"},
    }  # fmt: skip
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({**example, **changes}) is fits


def test_the_page_for_developers_has_every_code_with_its_status() -> None:
    """docs/contracts/api.md lists exactly the codes there are."""
    page = (DOCS / "api.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| (\d{3}) \|", page, re.MULTILINE))
    assert {code: str(row.status) for code, row in CODES.items()}.items() <= listed.items()


def test_sentences_of_the_code_are_in_the_schema() -> None:
    """What is written below a field is read by whoever writes a client."""
    shapes = contracts.document()["components"]["schemas"]
    assert "in doubt" in shapes["TransactionIn"]["properties"]["attempts"]["description"]
    assert shapes["TransactionIn"]["properties"]["posting"]["allOf"]


def test_without_sources_only_the_sentences_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without .py files serves the same document, less described."""

    def gone(_shape: object) -> str:
        raise OSError

    monkeypatch.setattr(contracts.inspect, "getsource", gone)
    shapes = contracts.document()["components"]["schemas"]
    assert "description" not in shapes["TransactionIn"]["properties"]["attempts"]
