"""Giving up a held payment over the local API: who may, and what the word must say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.http.message import Peer, Request
from tests.local.house import SALE, House, serve

WORD = {"outcome": "not_at_host", "reference": "ticket 4711", "said_by": "A. Wang"}


def test_a_technician_gives_up_a_held_payment(tmp_path: Path) -> None:
    """Held first, then given up; asked again it answers the same."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", SALE)
        order = {"key": "sale-1", "confirmation": WORD}
        status, refused, _ = await house.ask("POST", "/v1/queue/abandon", order)
        assert (status, refused["code"]) == (409, "record.not_held")
        await house.ask("POST", "/v1/queue/hold", {"key": "sale-1"})
        for _ in range(2):
            status, gone, _ = await house.ask("POST", "/v1/queue/abandon", order)
            assert (status, gone["state"]) == (200, "voided")
        _, shown, _ = await house.ask("GET", "/v1/transactions/sale-1?history=true")
        assert f"uid:{os.getuid()}" in shown["history"][-1]["note"]

    serve(tmp_path, test)


@pytest.mark.parametrize(
    ("confirmation", "code", "field"),
    [
        (None, "request.missing_field", "confirmation"),
        ({**WORD, "outcome": "lost"}, "request.bad_field", "confirmation.outcome"),
        ({**WORD, "reference": ""}, "request.bad_field", "confirmation.reference"),
        ({"outcome": "not_at_host"}, "request.missing_field", "confirmation.reference"),
        (
            {**WORD, "reference": "card 6222021234567890128"},
            "card.clear_data",
            "confirmation.reference",
        ),
    ],
)
def test_a_word_without_proof_is_refused(
    tmp_path: Path, confirmation: object, code: str, field: str
) -> None:
    """The outcome is one of three, the reference and the name are there, and no card is in them."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", SALE)
        await house.ask("POST", "/v1/queue/hold", {"key": "sale-1"})
        order: dict[str, object] = {"key": "sale-1"}
        if confirmation is not None:
            order["confirmation"] = confirmation
        status, problem, _ = await house.ask("POST", "/v1/queue/abandon", order)
        assert status in (400, 422)
        assert (problem["code"], problem["field"]) == (code, field)
        _, shown, _ = await house.ask("GET", "/v1/transactions/sale-1")
        assert shown["state"] == "held"

    serve(tmp_path, test)


def test_only_technicians_may(tmp_path: Path) -> None:
    """The payment app, readers and firmware are refused."""

    async def test(house: House) -> None:
        stranger = Peer(uid=54_321, gid=os.getegid(), pid=1)
        asked = Request(
            method="POST",
            path="/v1/queue/abandon",
            query={},
            headers={"content-type": "application/json"},
            body=b"{}",
            peer=stranger,
        )
        answer = await house.api.answer(asked)
        assert answer.status == 403
        assert isinstance(answer.body, bytes)
        assert b"role.missing" in answer.body

    serve(tmp_path, test)
