"""The payment app reports stages over the socket; a technician settles what it did not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.wire import contracts
from tests.local.house import SALE, House, serve

BY_APP = {**SALE, "delivery": "app", "batch": "000007"}
STAGES = f"/v1/transactions/{SALE['key']}/stages"
AT = "2026-12-01T14:05:10+08:00"


def stage(n: int, name: str, **more: Any) -> dict[str, Any]:
    return {"n": n, "stage": name, "at": AT, **more}


APPROVED = stage(2, "answered", outcome="approved", rrn="030614000123", response_code="00")


def test_from_captured_to_batch_closed(tmp_path: Path) -> None:
    """Each report moves the verdict one stage on; everything can be read again."""

    async def proven(house: House) -> str:
        _, verdict, _ = await house.ask("GET", f"/v1/transactions/{SALE['key']}/explain")
        return str(verdict["stages"]["proven"])

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", BY_APP)
        assert await proven(house) == "stored"
        _, answer, _ = await house.ask("POST", STAGES, {"stages": [stage(1, "sent")]})
        assert answer["transaction"]["state"] == "sending"
        assert await proven(house) == "sent"
        status, answer, _ = await house.ask(
            "POST", STAGES, {"stages": [stage(1, "sent"), APPROVED]}
        )
        assert (status, answer["transaction"]["state"]) == (200, "posted")
        assert answer["transaction"]["result"]["rrn"] == "030614000123"
        assert [one["effect"] for one in answer["stages"]] == ["moved", "moved"]
        assert await proven(house) == "host_answered"
        closed = {"batch": "000007", "closed": True, "agreed": True, "count": 1,
                  "by_currency": {"CNY": 1250}}  # fmt: skip
        told = {"terminal_id": SALE["terminal_id"], "at": AT, "signed_on": True, "batch": closed}
        status, answer, _ = await house.ask("POST", "/v1/app/state", told)
        assert (status, answer["signed_on"], answer["batch"]["agreed"]) == (200, True, True)
        assert await proven(house) == "batch_closed"
        status, answer, _ = await house.ask("GET", STAGES)
        assert (status, len(answer["stages"]), answer["batch"]["count"]) == (200, 2, 1)
        document = contracts.document()
        schema = {"$ref": "#/components/schemas/ReportedOut", "components": document["components"]}
        jsonschema.validate(answer, schema)

    serve(tmp_path, test)


@pytest.mark.parametrize(
    ("stages", "code"),
    [
        ([], "request.bad_field"),
        ([stage(0, "sent")], "request.bad_field"),
        ([stage(1, "posted")], "request.bad_field"),
        ([stage(1, "answered")], "stage.bad"),
        ([stage(1, "sent", outcome="approved")], "stage.bad"),
        ([stage(1, "sent", batch="1")], "stage.bad"),
        ([stage(1, "sent"), stage(1, "captured")], "stage.bad"),
        ([stage(1, "sent", rrn="4111111111111111")], "card.clear_data"),
        ([stage(1, "sent", pan="x")], "card.clear_data"),
        ([{**stage(1, "sent"), "at": "2026-12-01T14:05:10"}], "request.bad_field"),
    ],
)
def test_reports_that_make_no_sense(tmp_path: Path, stages: list[Any], code: str) -> None:
    """Refused with the field, and nothing is kept."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", BY_APP)
        _, problem, _ = await house.ask("POST", STAGES, {"stages": stages})
        assert problem["code"] == code
        _, answer, _ = await house.ask("GET", STAGES)
        assert answer["stages"] == []

    serve(tmp_path, test)


def test_refusals_have_their_codes(tmp_path: Path) -> None:
    """Another report under a number, a payment of the agent's, none at all."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", BY_APP)
        await house.ask("POST", STAGES, {"stages": [stage(1, "sent")]})
        status, problem, _ = await house.ask("POST", STAGES, {"stages": [stage(1, "captured")]})
        assert (status, problem["code"]) == (422, "stage.mismatch")
        await house.ask("POST", "/v1/transactions", {**SALE, "key": "agents"})
        agents = "/v1/transactions/agents/stages"
        status, problem, _ = await house.ask("POST", agents, {"stages": [stage(1, "sent")]})
        assert (status, problem["code"]) == (409, "record.by_agent")
        status, answer, _ = await house.ask("GET", agents)
        assert (status, answer["stages"], answer["batch"]) == (200, [], None)
        status, problem, _ = await house.ask("GET", "/v1/transactions/nobody/stages")
        assert (status, problem["code"]) == (404, "transaction.unknown")
        bad = {"terminal_id": "T1", "at": AT, "batch": {"batch": "1", "closed": True,
               "by_currency": {"XXX": 1}}}  # fmt: skip
        _, problem, _ = await house.ask("POST", "/v1/app/state", bad)
        assert problem["code"] == "currency.bad"

    serve(tmp_path, test)


def test_a_persons_word_needs_evidence_and_stays_in_the_history(tmp_path: Path) -> None:
    """Who settled it and why can be read by whoever asks later."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", BY_APP)
        await house.ask("POST", STAGES, {"stages": [stage(1, "no_answer")]})
        resolve = f"/v1/transactions/{SALE['key']}/resolve"
        _, problem, _ = await house.ask("POST", resolve, {"outcome": "posted"})
        assert problem["code"] == "request.missing_field"
        word = {"outcome": "posted", "evidence": "acquirer's list of 1 December", "rrn": "1"}
        status, answer, _ = await house.ask("POST", resolve, word)
        assert (status, answer["state"], answer["in_doubt"]) == (200, "posted", False)
        shown = f"/v1/transactions/{SALE['key']}?history=true"
        _, answer, _ = await house.ask("GET", shown)
        assert "acquirer's list of 1 December" in answer["history"][-1]["note"]
        assert "uid:" in answer["history"][-1]["note"]
        status, problem, _ = await house.ask("POST", resolve, {**word, "outcome": "declined"})
        assert (status, problem["code"]) == (409, "record.final")

    serve(tmp_path, test)


def test_the_contract_shows_what_goes_into_the_body() -> None:
    """An address with a key in it still has a body, without the key."""
    paths = contracts.document()["paths"]
    body = paths["/v1/transactions/{key}/stages"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == ["stages"]
    assert schema["required"] == ["stages"]
    assert "requestBody" not in paths["/v1/transactions/{key}/void"]["post"]
