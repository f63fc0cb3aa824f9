"""May I take this payment now? Asked over the socket, and met again when it is handed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.core.money.limits import Ground, Limit, Policy, Rules
from agent.errors import StoreError
from agent.store.checks import Checks
from agent.wire import contracts
from tests.local.house import SALE, House, serve

RULES = Rules(
    limits=(Limit(currency="CNY", total_minor=2000),),
    duplicate_window_s=60,
    trace_window_s=60,
    future_s=300,
    policies={Ground.LIMIT: Policy.REFUSE, Ground.DUPLICATE: Policy.HOLD},
)
#: What is known before the customer pays.
ASK: dict[str, Any] = {
    name: SALE[name]
    for name in ("terminal_id", "merchant_id", "kind", "posting", "amount_minor", "currency")
}
REQUEST = {**SALE, "posting": "request"}


def test_yes_no_and_look_again(tmp_path: Path) -> None:
    """One word for the program, sentences in both languages for the people, by the contract."""

    async def test(house: House) -> None:
        status, answer, _ = await house.ask("POST", "/v1/check", ASK)
        assert (status, answer["answer"], answer["findings"]) == (200, "take", [])
        traced = {**SALE, "stan": "000123", "batch": "000001", "occurred_at": answer["at"]}
        await house.ask("POST", "/v1/transactions", traced)
        _, answer, _ = await house.ask("POST", "/v1/check", ASK)
        assert answer["answer"] == "refuse"
        (finding,) = answer["findings"]
        assert (finding["code"], finding["cause"]) == ("limit.total", "queue.limit_reached")
        assert (finding["level"], finding["owner"]) == ("refuse", "merchant")
        assert finding["reason"]["en"].startswith("With this payment CNY 25.00 are unsent")
        assert finding["reason"]["zh"].startswith("连同这笔")
        twin = {**ASK, "kind": "sale", "stan": "000123", "batch": "000001"}
        _, answer, _ = await house.ask("POST", "/v1/check", twin)
        assert [one["code"] for one in answer["findings"]] == ["limit.total", "duplicate.suspected"]
        document = contracts.document()
        schema = {"$ref": "#/components/schemas/CheckOut", "components": document["components"]}
        jsonschema.validate(answer, schema)

    serve(tmp_path, test, rules=RULES)


def test_what_the_cashier_confirmed_is_not_asked_again(tmp_path: Path) -> None:
    """The same question with `confirmed` is answered take."""

    async def test(house: House) -> None:
        card = {"masked": "622202******0123"}
        _, answer, _ = await house.ask("POST", "/v1/check", ASK)
        sale = {**SALE, "card": card, "amount_minor": 100, "occurred_at": answer["at"]}
        await house.ask("POST", "/v1/transactions", sale)
        asked = {**ASK, "card": card, "amount_minor": 100}
        _, answer, _ = await house.ask("POST", "/v1/check", asked)
        assert answer["answer"] == "confirm"
        confirmed = {**asked, "confirmed": ["duplicate.suspected"]}
        _, answer, _ = await house.ask("POST", "/v1/check", confirmed)
        assert answer["answer"] == "take"

    serve(tmp_path, test, rules=RULES)


def test_a_refused_request_says_why_and_was_not_recorded(tmp_path: Path) -> None:
    """A problem with a stable code, the same findings, and its status."""

    async def test(house: House) -> None:
        late = {**REQUEST, "amount_minor": 2001}
        status, document, _ = await house.ask("POST", "/v1/transactions", late)
        assert (status, document["code"], document["recorded"]) == (429, "limit.total", "no")
        assert document["findings"][0]["step"]["zh"] == "暂时只收联机付款，等未上送的交易清空"
        status, _, _ = await house.ask("GET", f"/v1/transactions/{SALE['key']}")
        assert status == 404
        status, taken, _ = await house.ask(
            "POST", "/v1/transactions", {**late, "posting": "advice"}
        )
        assert (status, taken["flags"]) == (201, ["date.future", "limit.total"])

    serve(tmp_path, test, rules=RULES)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": None}, "amount.missing"),
        ({"terminal_id": "4111111111111111"}, "card.clear_data"),
        ({"pan": "x"}, "card.clear_data"),
        ({"kind": "gift"}, "request.bad_field"),
        ({"confirmed": ["X"]}, "request.bad_field"),
    ],
)
def test_a_question_is_checked_like_a_hand_over(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    """Bounds, names and card data as everywhere."""

    async def test(house: House) -> None:
        asked = {k: v for k, v in {**ASK, **changes}.items() if v is not None}
        _, document, _ = await house.ask("POST", "/v1/check", asked)
        assert document["code"] == code

    serve(tmp_path, test)


def test_a_full_store_is_an_answer_and_a_broken_one_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment that cannot be kept must not be taken."""

    async def test(house: House) -> None:
        async def full(_self: Checks, _t: object) -> None:
            raise StoreError("store.full", "no space left")

        monkeypatch.setattr(Checks, "examine", full)
        status, answer, _ = await house.ask("POST", "/v1/check", ASK)
        assert (status, answer["answer"]) == (200, "refuse")
        assert answer["findings"][0]["cause"] == "queue.store_full"

        async def broken(_self: Checks, _t: object) -> None:
            raise StoreError("store.unavailable", "read-only")

        monkeypatch.setattr(Checks, "examine", broken)
        status, document, _ = await house.ask("POST", "/v1/check", ASK)
        assert (status, document["code"]) == (503, "store.unavailable")

    serve(tmp_path, test)
