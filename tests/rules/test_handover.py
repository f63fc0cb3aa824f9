"""The edges of the hand-over (L) and the money rules about it, over the real API and store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.limits import Ground, Limit, Policy, Rules
from agent.store import Store
from agent.store.journal import Journal
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.local.house import SALE, House, serve
from tests.store.stores import opened
from tests.store.test_journal import at
from tests.store.test_opening import crash
from tests.store.test_thread import failing, let_go

CARD = "6222021234567890128"
RULES = Rules(
    limits=(Limit(currency="CNY", total_minor=2000),),
    duplicate_window_s=60,
    trace_window_s=60,
    policies={Ground.LIMIT: Policy.REFUSE, Ground.DUPLICATE: Policy.REFUSE},
)


async def submit(house: House, **changes: Any) -> tuple[int, Any]:
    body = {name: value for name, value in {**SALE, **changes}.items() if value is not None}
    status, answer, _ = await house.ask("POST", "/v1/transactions", body)
    return status, answer


async def stored(house: House) -> list[str]:
    return [record.key for record in await house.store.page(limit=500)]


def test_edge_l4_no_key_is_ever_made_up(tmp_path: Path) -> None:
    """Without a key, or with a bad one: 400, and nothing in the journal."""

    async def test(house: House) -> None:
        for key, code in ((None, "key.missing"), ("", "key.bad"), ("a b", "key.bad")):
            status, problem = await submit(house, key=key)
            assert (status, problem["code"], problem["recorded"]) == (400, code, "no")
        assert await stored(house) == []

    serve(tmp_path, test)


def test_edge_l5_a_commit_that_fails_is_unknown_and_the_store_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 "unknown: repeat with the same key"; after a restart the repeat is recorded once."""
    broken: list[Store] = []

    def no_sync(*_: object) -> None:
        raise failing("SQLITE_IOERR_FSYNC")

    async def test(house: House) -> None:
        broken.append(house.store)
        with monkeypatch.context() as flash:
            flash.setattr(Journal, "append", no_sync)
            status, problem = await submit(house)
        assert (status, problem["code"], problem["recorded"]) == (503, "store.unknown", "unknown")
        status, problem = await submit(house, key="other")
        assert (status, problem["code"], problem["recorded"]) == (503, "store.unavailable", "no")

    async def again(house: House) -> None:
        assert (await submit(house))[0] == 201
        assert (await submit(house))[0] == 200
        assert await stored(house) == ["sale-1"]

    serve(tmp_path, test)
    let_go(broken[0])
    serve(tmp_path, again)


def test_edge_l6_without_room_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """507 while the storage is full, 201 under the same key when it is not."""

    def full(*_: object) -> None:
        raise failing("SQLITE_FULL")

    async def test(house: House) -> None:
        with monkeypatch.context() as flash:
            flash.setattr(Journal, "append", full)
            status, problem = await submit(house)
        assert (status, problem["code"], problem["recorded"]) == (507, "store.full", "no")
        assert (await submit(house))[0] == 201

    serve(tmp_path, test)


def test_edge_l7_a_crash_before_the_answer_is_repeated_into_the_same_record(tmp_path: Path) -> None:
    """Committed and not answered: the app repeats and hears of what is there."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            first = await store.append(submission("k1", **at(clock)))
            left = crash(tmp_path)  # the power goes here; nobody has heard anything
        async with opened(left, clock) as store:
            repeated = await store.append(submission("k1", **at(clock)))
            assert not repeated.created
            assert repeated.record.seq == first.record.seq
            assert (await store.backlog()).total.count == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rrn": CARD}, "rrn"),
        ({"pan": "x"}, "pan"),
        ({"payload": {"content_type": "application/json", "text": f'{{"n":"{CARD}"}}'}}, "payload"),
    ],
)
def test_edge_l8_card_data_is_refused_by_name_and_the_key_stays_usable(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    """422 naming the field and never the value; the same key is taken without it."""

    async def test(house: House) -> None:
        status, problem = await submit(house, **changes)
        assert (status, problem["code"], problem["recorded"]) == (422, "card.clear_data", "no")
        assert problem["field"].startswith(field)
        assert CARD not in str(problem)
        assert (await submit(house))[0] == 201

    serve(tmp_path, test)


def test_edge_l9_the_same_business_under_another_key_is_a_suspected_twin(tmp_path: Path) -> None:
    """A request is refused with the code; what was approved already is recorded and flagged."""

    async def test(house: House) -> None:
        traced = {"stan": "000123", "batch": "000001", "amount_minor": 100}
        assert (await submit(house, **traced))[0] == 201
        status, problem = await submit(house, **traced, key="twin", posting="request")
        assert (status, problem["code"]) == (409, "duplicate.suspected")
        status, taken = await submit(house, **traced, key="approved", customer_saw="approved")
        assert (status, taken["key"]) == (201, "approved")
        record = await house.store.record("approved")
        assert record is not None
        assert record.flags
        assert await stored(house) == ["sale-1", "approved"]

    serve(tmp_path, test, rules=RULES)


def test_edge_l10_only_what_nobody_can_have_is_withdrawn(tmp_path: Path) -> None:
    """Voided from queued; in doubt 409, because only a reversal takes that back."""

    async def test(house: House) -> None:
        await submit(house)
        await submit(house, key="doubtful", attempts=1)
        for _ in range(2):
            status, gone, _ = await house.ask("POST", "/v1/transactions/sale-1/void")
            assert (status, gone["state"]) == (200, "voided")
        status, problem, _ = await house.ask("POST", "/v1/transactions/doubtful/void")
        assert (status, problem["code"]) == (409, "record.in_doubt")

    serve(tmp_path, test)


def test_money_rule_3_what_the_customer_saw_approved_is_taken_whatever_speaks_against_it(
    tmp_path: Path,
) -> None:
    """Over the limit: the request is refused by name, the approved advice recorded and flagged."""

    async def test(house: House) -> None:
        assert (await submit(house))[0] == 201
        status, problem = await submit(house, key="request", posting="request")
        assert (status, problem["code"], problem["recorded"]) == (429, "limit.total", "no")
        status, taken = await submit(house, key="advice", customer_saw="approved")
        assert (status, taken["state"]) == (201, "queued")
        record = await house.store.record("advice")
        assert record is not None
        assert record.flags

    serve(tmp_path, test, rules=RULES)


def test_money_rule_10_a_refused_card_number_is_in_no_file(tmp_path: Path) -> None:
    """Whatever field it came in: after the refusals the store holds nothing of it."""

    async def test(house: House) -> None:
        for changes in ({"stan": CARD}, {"app": {"name": CARD}}, {CARD: "1"}, {"track2": CARD}):
            status, problem = await submit(house, **changes)
            assert status in (400, 422), changes
            assert CARD not in str(problem)
        assert (await submit(house))[0] == 201

    serve(tmp_path, test)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if CARD.encode() in file.read_bytes()]
