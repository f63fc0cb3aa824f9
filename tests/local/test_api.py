"""The local API over a real unix socket, a real server and a real journal."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.config import Api, Config
from agent.core.health.tracker import Change, What
from agent.core.money.journal import Change as Move
from agent.core.money.journal import Event, IllegalMoveError
from agent.errors import StoreError
from agent.http.message import Peer, Request
from agent.local import LocalApi, build
from agent.local.events import LISTENERS, Hub
from agent.local.roles import Roles
from agent.wire.api import Nothing
from tests.local.house import ALARM, NOW, SALE, Health, House, serve


def test_a_payment_is_recorded_once(tmp_path: Path) -> None:
    """201 the first time, 200 with the same state for a repeat, 422 for other content (L1-L3)."""

    async def test(house: House) -> None:
        status, first, _ = await house.ask("POST", "/v1/transactions", SALE)
        assert (status, first["state"], first["key"]) == (201, "queued", "sale-1")
        status, again, _ = await house.ask("POST", "/v1/transactions", {**SALE, "attempts": 1})
        assert (status, again["seq"], again["attempts"]) == (200, first["seq"], 0)
        status, other, headers = await house.ask(
            "POST", "/v1/transactions", {**SALE, "amount_minor": 9}
        )
        assert (status, other["code"]) == (422, "key.mismatch")
        assert headers["content-type"] == "application/problem+json"
        assert other["type"] == "urn:posagent:problem:key.mismatch"
        assert (await house.store.backlog()).total.count == 1

    serve(tmp_path, test)


def test_what_is_refused_is_not_stored(tmp_path: Path) -> None:
    """A clear card number is answered with its field, and the key stays usable."""

    async def test(house: House) -> None:
        bad = {**SALE, "payload": {"content_type": "text/plain", "text": "4111111111111111"}}
        status, problem, _ = await house.ask("POST", "/v1/transactions", bad)
        assert (status, problem["code"], problem["field"]) == (422, "card.clear_data", "payload")
        assert problem["recorded"] == "no"
        assert "4111" not in json.dumps(problem)
        assert await house.store.record("sale-1") is None
        status, _, _ = await house.ask("POST", "/v1/transactions", SALE)
        assert status == 201

    serve(tmp_path, test)


@pytest.mark.parametrize(
    ("ask", "document", "headers", "answer"),
    [
        ("POST /v1/transactions", b"{", {}, "400 request.not_json"),
        ("POST /v1/transactions", None, {}, "400 request.not_json"),
        ("POST /v1/transactions", SALE, {"content_type": "text/plain"}, "415 request.media_type"),
        ("POST /v1/transactions", b"x" * (1024 * 1024 + 1), {}, "413 request.body_too_large"),
        ("POST /v1/transactions", {**SALE, "amount_minor": -5}, {}, "400 amount.bad"),
        ("POST /v1/transactions", {**SALE, "uplink": "x"}, {}, "422 uplink.unknown"),
        ("GET /v1/nowhere", None, {}, "404 route.unknown"),
        ("GET /v1/transactions/", None, {}, "400 key.bad"),
        ("GET /v1/transactions/a%20b", None, {}, "400 key.bad"),
        ("GET /v1/transactions/none", None, {}, "404 transaction.unknown"),
        ("GET /v1/transactions/none?key=other", None, {}, "400 request.unknown_field"),
        ("GET /v1/transactions?state=odd", None, {}, "400 request.bad_field"),
        ("GET /v1/transactions?limit=0", None, {}, "400 request.bad_field"),
        ("GET /v1/transactions?colour=red", None, {}, "400 request.unknown_field"),
        ("GET /v1/backlog?4111111111111111=1", None, {}, "422 card.clear_data"),
        ("POST /v1/queue/hold", {"key": "none"}, {}, "404 transaction.unknown"),
        ("POST /v1/queue/release", {}, {}, "400 request.missing_field"),
        ("POST /v1/queue/retry", {"uplink": "x"}, {}, "422 uplink.unknown"),
    ],
)  # fmt: skip
def test_every_refusal_is_a_problem(
    tmp_path: Path, ask: str, document: object, headers: dict[str, str], answer: str
) -> None:
    """Whatever is wrong comes back as a problem document with its status and stable code."""

    async def test(house: House) -> None:
        method, target = ask.split(" ", 1)
        status, problem, received = await house.ask(method, target, document, **headers)
        assert f"{status} {problem['code']}" == answer
        assert received["content-type"] == "application/problem+json"

    serve(tmp_path, test)


def test_a_wrong_method_names_the_right_one(tmp_path: Path) -> None:
    """405 carries Allow."""

    async def test(house: House) -> None:
        status, problem, headers = await house.ask("POST", "/v1/backlog", {})
        assert (status, problem["code"], headers["allow"]) == (405, "route.method", "GET")

    serve(tmp_path, test)


def test_a_payment_can_be_looked_up_and_explained(tmp_path: Path) -> None:
    """Its state, its history on request, and a verdict with one next step."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", SALE)
        _, plain, _ = await house.ask("GET", "/v1/transactions/sale-1")
        assert (plain["state"], plain["history"]) == ("queued", None)
        _, full, _ = await house.ask("GET", "/v1/transactions/sale-1?history=true")
        assert [step["event"] for step in full["history"]] == ["submitted"]
        assert "payload" not in full
        status, verdict, _ = await house.ask("GET", "/v1/transactions/sale-1/explain")
        assert (status, verdict["key"], verdict["advice"]["retry"]) == (
            200, "sale-1", "will_be_sent",
        )  # fmt: skip
        status, verdict, _ = await house.ask("GET", "/v1/explain")
        assert (status, verdict["key"]) == (200, None)
        assert verdict["headline"]["zh"]
        status, verdict, _ = await house.ask("GET", "/v1/transactions/none/explain")
        assert status == 200

    serve(tmp_path, test)


def test_the_terminal_at_a_glance(tmp_path: Path) -> None:
    """Status, backlog and health answer with the journal, the alarms and the channels."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", SALE)
        _, backlog, _ = await house.ask("GET", "/v1/backlog")
        assert backlog["total"] == {"count": 1, "by_currency": {"CNY": 1250}}
        assert backlog["blocking_cause"] == "network.no_link"
        _, health, _ = await house.ask("GET", "/v1/health")
        assert health["alarms"][0]["title"]["en"] == "out of paper"
        assert health["components"][0]["values"] == {"free_mb": 512}
        _, status, _ = await house.ask("GET", "/v1/status")
        assert status["daemon_alive"] is True
        assert status["channels"][0]["state"] == "backing_off"
        assert status["store"]["path"].endswith("journal.db")
        _, page, _ = await house.ask("GET", "/v1/transactions?limit=1")
        assert [item["key"] for item in page["items"]] == ["sale-1"]

    serve(tmp_path, test)


def test_a_payment_is_withdrawn_before_anything_was_sent(tmp_path: Path) -> None:
    """Void works from queued, answers the same again, and never once in doubt (L10)."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", SALE)
        for _ in range(2):
            status, voided, _ = await house.ask("POST", "/v1/transactions/sale-1/void")
            assert (status, voided["state"]) == (200, "voided")
        await house.ask("POST", "/v1/transactions", {**SALE, "key": "sale-2", "attempts": 1})
        status, problem, _ = await house.ask("POST", "/v1/transactions/sale-2/void")
        assert (status, problem["code"]) == (409, "record.in_doubt")
        record = await house.store.record("sale-1")
        assert record is not None
        assert (await house.store.steps(record.seq))[-1].event == "void"

    serve(tmp_path, test)


def test_a_technician_moves_the_queue(tmp_path: Path) -> None:
    """Hold, release by cause and retry change the record and wake the uploader."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", SALE)
        _, held, _ = await house.ask("POST", "/v1/queue/hold", {"key": "sale-1"})
        assert (held["moved"], held["items"][0]["state"]) == (1, "held")
        _, freed, _ = await house.ask("POST", "/v1/queue/release", {"cause": "queue.held"})
        assert (freed["moved"], freed["items"][0]["state"]) == (1, "waiting")
        _, tried, _ = await house.ask("POST", "/v1/queue/retry", {"key": "sale-1"})
        assert tried["moved"] == 1
        assert house.lines.kicked == ["main", "main"]

    serve(tmp_path, test)


def test_the_contract_is_served(tmp_path: Path) -> None:
    """The OpenAPI document of this very version comes from the socket."""

    async def test(house: House) -> None:
        status, document, _ = await house.ask("GET", "/v1/openapi.json")
        assert (status, document["openapi"]) == (200, "3.1.0")

    serve(tmp_path, test)


class BrokenStore:
    """A journal that cannot write."""

    def __init__(self, error: StoreError) -> None:
        self._error = error

    async def append(self, submission: object) -> Any:
        raise self._error

    def on_change(self, sink: object) -> None:
        pass


@pytest.mark.parametrize(
    ("code", "status", "recorded"),
    [
        ("store.full", 507, "no"),
        ("store.unavailable", 503, "no"),
        ("store.unknown", 503, "unknown"),
        ("store.strange", 503, "no"),
    ],
)
def test_a_payment_is_never_said_to_be_recorded_when_it_is_not(
    tmp_path: Path, code: str, status: int, recorded: str
) -> None:
    """A failing store answers 507 or 503 with the reason and what is known (L5, L6)."""
    store = BrokenStore(StoreError(code, "the flash says no"))

    async def do(name: str, arguments: object, actor: str) -> Any:
        raise AssertionError

    api = build(Config(), journal=store, do=do, health=Health())
    request = Request(
        method="POST", path="/v1/transactions", body=json.dumps(SALE).encode(),
        headers={"content-type": "application/json"}, peer=Peer(uid=0, gid=0, pid=1),
    )  # fmt: skip
    response = asyncio.run(api.answer(request))
    assert isinstance(response.body, bytes)
    problem = json.loads(response.body)
    assert (response.status, problem["code"], problem["recorded"]) == (status, code, recorded)
    assert "the flash says no" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "api", "allowed"),
    [
        ("POST", "/v1/transactions", Api(submit=("12345",)), True),
        ("POST", "/v1/transactions", Api(read=("12345",)), False),
        ("GET", "/v1/transactions/none", Api(submit=("12345",)), True),
        ("GET", "/v1/status", Api(submit=("12345",)), False),
        ("GET", "/v1/status", Api(read=("@54321",)), True),
        ("POST", "/v1/queue/hold", Api(submit=("12345",), read=("12345",)), False),
        ("POST", "/v1/queue/hold", Api(technician=("12345",)), True),
        ("POST", "/v1/transactions", Api(technician=("12345",)), False),
        ("GET", "/v1/openapi.json", Api(report=("12345",)), True),
        ("GET", "/v1/openapi.json", Api(), False),
    ],
)
def test_roles_are_asked_for_on_every_request(
    tmp_path: Path, method: str, path: str, api: Api, allowed: bool
) -> None:
    """Without the role the answer is 403, naming the role that is needed."""

    async def test(house: House) -> None:
        request = Request(
            method=method, path=path, body=b"{}" if method == "POST" else b"",
            headers={"content-type": "application/json"},
            peer=Peer(uid=12345, gid=54321, pid=1),
        )  # fmt: skip
        response = await house.api.answer(request)
        assert (response.status != 403) is allowed
        if not allowed:
            assert isinstance(response.body, bytes)
            problem = json.loads(response.body)
            assert problem["code"] == "role.missing"
            assert "needs the role" in problem["detail"]

    serve(tmp_path, test, api=api)


def test_who_is_turned_away_from_what_is_audited_is_told_on() -> None:
    """Name and operation, for the trail; looking where one may not is not worth a line."""
    told: list[tuple[str, str]] = []

    async def never(name: str, arguments: object, actor: str) -> Any:
        raise AssertionError(name)

    api = build(
        Config(), journal=BrokenStore(StoreError("x.y", "")), do=never, health=Health(),
        denied=lambda operation, actor: told.append((operation, actor)),
    )  # fmt: skip
    stranger = Peer(uid=54_321, gid=54_321, pid=1)
    for method, path in (("POST", "/v1/queue/hold"), ("GET", "/v1/status")):
        asked = Request(
            method=method, path=path, body=b"{}" if method == "POST" else b"", peer=stranger,
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert asyncio.run(api.answer(asked)).status == 403
    assert told == [("queue_hold", "uid:54321")]


def test_nobody_without_a_name_gets_in() -> None:
    """Where the kernel does not say who asks, nothing is allowed."""

    async def do(name: str, arguments: object, actor: str) -> Any:
        raise AssertionError

    api = build(Config(), journal=BrokenStore(StoreError("x.y", "")), do=do, health=Health())
    response = asyncio.run(api.answer(Request(method="GET", path="/v1/backlog")))
    assert response.status == 403


@pytest.mark.parametrize(("api", "mode"), [(Api(), 0o660), (Api(read=("1",)), 0o666)])
def test_the_socket_lets_in_whom_a_role_is_given(tmp_path: Path, api: Api, mode: int) -> None:
    """Closed to strangers unless the configuration names somebody outside the agent's group."""

    async def test(house: House) -> None:
        assert house.api.path.stat().st_mode & 0o777 == mode

    serve(tmp_path, test, api=api)


async def _event(reader: asyncio.StreamReader, name: str) -> Any:
    """The next event of this name."""
    marker = f"event: {name}\ndata: "
    while True:
        block = (await reader.readuntil(b"\n\n")).decode()
        if marker in block:
            return json.loads(block.split(marker, 1)[1])


def test_changes_are_told_as_they_happen(tmp_path: Path) -> None:
    """A listener sees the payment, the alarm and then the backlog."""

    async def test(house: House) -> None:
        async with house.events() as reader:
            await reader.readuntil(b": connected")
            await house.ask("POST", "/v1/transactions", SALE)
            transaction = await _event(reader, "transaction")
            assert (transaction["key"], transaction["state"]) == ("sale-1", "queued")
            backlog = await _event(reader, "backlog")
            assert backlog["total"]["count"] == 1
            change = Change(code=ALARM.code, what=What.SHOWN, at=NOW, alarm=ALARM)
            for sink in house.health.sinks:
                sink([change])
            shown = await _event(reader, "health")
            assert (shown["code"], shown["what"]) == ("printer.paper_out", "shown")

    serve(tmp_path, test)


def test_stopping_ends_open_streams(tmp_path: Path) -> None:
    """A listener does not keep the agent from stopping."""

    async def test(house: House) -> None:
        async with house.events() as reader:
            await reader.readuntil(b": connected")
            house.store.on_change(lambda _record: None)

    started = datetime.now(tz=UTC)
    serve(tmp_path, test)
    assert (datetime.now(tz=UTC) - started).total_seconds() < 10


def test_a_record_that_moved_meanwhile_is_a_conflict(tmp_path: Path) -> None:
    """Whoever loses the race against the uploader is told to look again."""

    async def test(house: House) -> None:
        await house.ask("POST", "/v1/transactions", SALE)
        record = await house.store.record("sale-1")
        assert record is not None
        await house.store.advance(record.seq, record.version, Move(event=Event.ATTEMPT))
        status, problem, _ = await house.ask("POST", "/v1/queue/hold", {"key": "sale-1"})
        assert (status, problem["code"]) == (409, "record.sending")
        status, problem, _ = await house.ask("POST", "/v1/transactions/sale-1/void")
        assert (status, problem["code"]) == (409, "record.sending")

    serve(tmp_path, test)


def test_the_actor_is_who_the_kernel_says(tmp_path: Path) -> None:
    """The history of a change names the uid that asked for it."""
    actors: list[str] = []

    async def do(name: str, arguments: object, actor: str) -> Any:
        actors.append(actor)
        raise StoreError("store.unavailable", "no")

    api = build(Config(), journal=BrokenStore(StoreError("x.y", "")), do=do, health=Health())
    peer = Peer(uid=os.geteuid(), gid=0, pid=1)
    asyncio.run(api.answer(Request(method="GET", path="/v1/backlog", peer=peer)))
    assert actors == [f"uid:{os.geteuid()}"]


def test_what_the_table_of_states_forbids_is_a_conflict() -> None:
    """A move the record cannot make any more is answered like any other lost race."""

    async def do(name: str, arguments: object, actor: str) -> Any:
        raise IllegalMoveError("no hold from posted")

    api = build(Config(), journal=BrokenStore(StoreError("x.y", "")), do=do, health=Health())
    request = Request(
        method="POST", path="/v1/queue/hold", body=b'{"key": "k"}',
        headers={"content-type": "application/json; charset=utf-8"},
        peer=Peer(uid=0, gid=0, pid=1),
    )  # fmt: skip
    response = asyncio.run(api.answer(request))
    assert isinstance(response.body, bytes)
    assert (response.status, json.loads(response.body)["code"]) == (409, "record.changed")
    assert api.beat(0) == ""


def test_only_so_many_may_listen(tmp_path: Path) -> None:
    """The seventeenth event stream is refused with 503."""

    async def test(house: House) -> None:
        async with AsyncExitStack() as streams:
            for _ in range(LISTENERS):
                reader = await streams.enter_async_context(house.events())
                await reader.readuntil(b": connected")
            status, problem, headers = await house.ask("GET", "/v1/events")
            assert (status, problem["code"]) == (503, "events.too_many")
            assert headers["retry-after"]

    serve(tmp_path, test)


def test_listeners_are_told_the_backlog_again_after_the_store_came_back() -> None:
    """A backlog that cannot be read is not told, and the stream goes on."""
    answers: list[Any] = [StoreError("store.unavailable", "no"), None]

    async def do(name: str, arguments: object, actor: str) -> Any:
        answer = answers.pop(0)
        if not answers:
            done.set()
        if isinstance(answer, StoreError):
            hub.stale.set()
            raise answer
        return Nothing()

    async def run() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(api._tell_backlog(stop))
        hub.stale.set()
        async with asyncio.timeout(20):
            await done.wait()
        stop.set()
        await task

    hub, done = Hub(), asyncio.Event()
    store = BrokenStore(StoreError("x.y", ""))
    api = LocalApi(Config(), journal=store, do=do, roles=Roles(Api()), hub=hub, pause_s=0.01)
    asyncio.run(run())
    assert answers == []
