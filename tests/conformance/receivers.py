"""Receivers that break the contract in one way each, and an examination of them in milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from agent.conformance import Report, Target, Verdict, Ways, examine
from agent.http.client import Origin
from agent.http.message import Limits, Request, Response
from agent.http.server import Server
from agent.link.dial import Dialer
from agent.sim.host import HostOptions, ReferenceHost
from agent.sim.host_answers import Refused, error_answer, in_progress, json_answer, read_post
from agent.sim.ledger import Asked

PATH = "/v1/transactions"
DECLINED_MINOR = 5105
#: Each breaks one rule; the number is the requirement that has to notice.
FLAWS = {
    "keeps_no_keys": 10,
    "says_201_again": 10,
    "unmarked_repeats": 10,
    "new_reference_on_repeats": 10,
    "drifting_time": 10,
    "trusts_attempt": 12,
    "doubts_attempt": 12,
    "status_for_everybody": 13,
    "ignores_content": 14,
    "posts_other_content": 14,
    "other_content_wins": 14,
    "looks_before_it_inserts": 15,
    "errors_under_load": 15,
    "in_progress_for_ever": 16,
    "409_for_known_keys": 16,
    "posts_late_and_unmarked": 17,
    "status_lags": 19,
    "status_has_other_reference": 19,
    "no_status": 19,
    "bare_404": 20,
    "asking_reserves_the_key": 20,
    "forgets_declines": 21,
    "declines_anew": 21,
    "500_on_bad_input": 22,
    "posts_bad_input": 22,
    "bad_input_uses_the_key_up": 23,
    "stores_500": 24,
    "retry_after_soon": 25,
    "no_retry_after": 26,
    "no_declaration": 27,
    "forgets_after_a_day": 28,
    "no_zone": 9,
    "no_reference": 9,
    "redirects": 5,
    "closes": 6,
    "echoes_another_terminal": 8,
}


class Receiver:
    """A receiver that keeps the contract but for its flaw."""

    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw
        self.effects: list[tuple[str, str]] = []
        self.port = 0
        self._stored: dict[tuple[str, str], tuple[Asked, dict[str, Any]]] = {}
        self._working: set[tuple[str, str]] = set()
        self._counts: dict[str, int] = {}
        self._used: set[str] = set()
        self._server = Server(self._answer, Limits(max_connections=64))

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = await self._server.start_tcp("127.0.0.1", 0, tls)

    async def close(self) -> None:
        await self._server.close(0.0)

    async def _answer(self, request: Request) -> Response:
        response = await self._decided(request)
        if self.flaw == "closes":
            return Response(
                status=response.status,
                headers={**response.headers, "connection": "close"},
                body=response.body,
            )
        return response

    async def _decided(self, request: Request) -> Response:
        if self.flaw == "redirects" and self._once("redirect", 9):
            return Response(status=307, headers={"location": f"{PATH}-new"}, body=b"")
        try:
            match request.method, request.path:
                case "GET", path if path == PATH:
                    return self._declared()
                case "GET", _:
                    return self._status(request)
                case "POST", path if path == PATH:
                    return await self._posted(request)
                case _:
                    return error_answer(405, "method", "no")
        except Refused as refused:
            if self.flaw == "500_on_bad_input":
                return error_answer(500, "oops", "a traceback")
            if self.flaw == "posts_bad_input" and "idempotency-key" in request.headers:
                return json_answer(201, {"key": request.headers["idempotency-key"]})
            self._used.add(request.headers.get("idempotency-key", ""))
            return refused.response

    def _once(self, what: str, at: int = 1) -> bool:
        self._counts[what] = self._counts.get(what, 0) + 1
        return self._counts[what] == at

    def _declared(self) -> Response:
        if self.flaw == "no_declaration":
            return error_answer(404, "path", "nothing here")
        window_s = 86_400 if self.flaw == "forgets_after_a_day" else 180 * 86_400
        return json_answer(200, {"contract": 1, "key_window_s": window_s, "in_flight_s": 1})

    # -- posting -----------------------------------------------------------------------------

    async def _posted(self, request: Request) -> Response:
        asked, attempt = read_post(request)
        flaw, key = self.flaw, (asked.terminal_id, asked.key)
        if flaw == "retry_after_soon" and self._once("busy", 4):
            return self._busy({"retry-after": "soon"})
        if flaw == "no_retry_after" and self._once("busy", 4):
            return self._busy({})
        if flaw == "bad_input_uses_the_key_up" and asked.key in self._used:
            return json_answer(422, {"key": asked.key, "status": "mismatch"})
        if flaw == "stores_500" and self._once("post", 6):
            self._stored[key] = (asked, {"status": 500})
        known = self._known(asked, attempt)
        if known is not None:
            return known
        if flaw == "in_progress_for_ever" and self._once("new", 3):
            self._working.add(key)
            return in_progress(*key)
        if flaw in ("looks_before_it_inserts", "posts_late_and_unmarked"):
            late = flaw == "posts_late_and_unmarked" and self._once(asked.key)
            await asyncio.sleep(0.3 if late else 0.01)
            return self._book(asked)
        self._working.add(key)
        try:
            await asyncio.sleep(0)
            return self._book(asked)
        finally:
            self._working.discard(key)

    def _known(self, asked: Asked, attempt: int) -> Response | None:
        flaw, key = self.flaw, (asked.terminal_id, asked.key)
        if flaw == "keeps_no_keys" or (flaw == "trusts_attempt" and attempt == 1):
            return None
        if flaw == "doubts_attempt" and attempt > 1 and key not in self._stored:
            return json_answer(200, {**self._result(asked, 0, "posted"), "duplicate": True})
        found = self._stored.get(key)
        if found is None:
            if key not in self._working:
                return None
            if flaw == "errors_under_load":
                return error_answer(500, "deadlock", "a database that was asked twice")
            return in_progress(*key)
        before, stored = found
        if stored["status"] == 500:
            return error_answer(500, "oops", "the stored answer")
        if flaw == "409_for_known_keys":
            return in_progress(*key)
        if before.fingerprint() != asked.fingerprint():
            if flaw == "posts_other_content":
                return None
            if flaw == "other_content_wins":
                self._stored[key] = (asked, self._result(asked, len(self.effects), "posted"))
            if flaw != "ignores_content":
                return json_answer(422, {"key": asked.key, "status": "mismatch"})
        if stored["status"] == "declined" and flaw == "forgets_declines":
            return None
        return self._repeat(stored)

    def _repeat(self, stored: dict[str, Any]) -> Response:
        told = {**stored, "duplicate": True}
        declined = stored["status"] == "declined"
        match self.flaw:
            case "says_201_again":
                return json_answer(201, stored)
            case "unmarked_repeats":
                del told["duplicate"]
            case "new_reference_on_repeats":
                told["reference"] += "b"
            case "drifting_time":
                told["posted_at"] = "2026-11-21T10:00:01Z"
            case "declines_anew" if declined:
                told["reference"] = f"D{len(self._counts)}{self._once('declined')}"
        return json_answer(402 if declined else 200, told)

    def _book(self, asked: Asked) -> Response:
        declined = asked.amount_minor == DECLINED_MINOR
        forgotten = (asked.terminal_id, asked.key) in self._stored and declined
        status = "declined" if declined and not forgotten else "posted"
        if status == "posted":
            self.effects.append((asked.terminal_id, asked.key))
        stored = self._result(asked, len(self.effects), status)
        self._stored[asked.terminal_id, asked.key] = (asked, stored)
        told = dict(stored)
        if self.flaw == "echoes_another_terminal":
            told["terminal_id"] = "T9999999"
        return json_answer(402 if status == "declined" else 201, told)

    def _result(self, asked: Asked, number: int, status: str) -> dict[str, Any]:
        at = "2026-11-21T10:00:00"
        return {
            "key": asked.key,
            "terminal_id": asked.terminal_id,
            "status": status,
            "amount_minor": asked.amount_minor,
            "currency": asked.currency,
            "reference": "" if self.flaw == "no_reference" else f"R{number}-{asked.key}",
            "response_code": "00" if status == "posted" else "51",
            "rrn": f"{number:012d}",
            "posted_at": at if self.flaw == "no_zone" else f"{at}Z",
        }

    def _busy(self, headers: dict[str, str]) -> Response:
        return Response(status=429, headers=headers, body=b"{}")

    # -- questions ---------------------------------------------------------------------------

    def _status(self, request: Request) -> Response:
        key = request.path.removeprefix(f"{PATH}/")
        terminal_id = request.headers.get("terminal-id", "")
        if not terminal_id or not key.replace("-", "").replace("_", "").isalnum():
            raise Refused(error_answer(400, "key", "no"))
        if self.flaw == "no_status":
            return error_answer(405, "method", "no questions")
        found = self._stored.get((terminal_id, key))
        if self.flaw == "status_for_everybody":
            found = next((one for (_, k), one in self._stored.items() if k == key), None)
        if (terminal_id, key) in self._working:
            body = {"key": key, "terminal_id": terminal_id, "status": "in_progress"}
            return json_answer(200, body)
        lags = self.flaw == "status_lags"
        if found is not None and found[1]["status"] != 500 and not lags:
            told = dict(found[1])
            if self.flaw == "status_has_other_reference":
                told["reference"] = "S1"
            return json_answer(200, told)
        if self.flaw == "asking_reserves_the_key":
            self._working.add((terminal_id, key))
        if self.flaw == "bare_404":
            return error_answer(404, "path", "nothing here")
        return json_answer(404, {"key": key, "terminal_id": terminal_id, "status": "not_found"})


class Forgetful:
    """Another receiver for every connection: what one was told, the next does not know."""

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._receivers: list[Receiver] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for receiver in self._receivers:
            await receiver.close()

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver = Receiver()
        await receiver.start()
        self._receivers.append(receiver)
        onward = await asyncio.open_connection("127.0.0.1", receiver.port)
        self._writers += [writer, onward[1]]
        await asyncio.gather(_piped(reader, onward[1]), _piped(onward[0], writer))


async def _piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


class NoBlocking:
    """Tests dial addresses: a blocking call would be a mistake."""

    async def call(self, name: str, function: object, deadline_s: float) -> object:
        raise AssertionError(f"blocking call {name}")


def target(port: int, *, scheme: str = "http", **changes: Any) -> Target:
    settings: dict[str, Any] = {
        "origin": Origin(scheme=scheme, host="127.0.0.1", port=port),  # type: ignore[arg-type]
        "path": PATH,
        "terminal_id": "T0000001",
        "merchant_id": "M1",
        "answer_timeout_s": 10.0,
        "in_flight_s": 0.6,
        "decline_amount_minor": DECLINED_MINOR,
    }
    return Target(**{**settings, **changes})


async def examined(port: int, ways: Ways | None = None, **changes: Any) -> Report:
    ways = ways or Ways(dial=Dialer(NoBlocking()))  # type: ignore[arg-type]
    return await examine(target(port, **changes), ways, "test")


def examine_flaw(flaw: str, **changes: Any) -> tuple[Report, Receiver]:
    async def scene() -> tuple[Report, Receiver]:
        receiver = Receiver(flaw)
        await receiver.start()
        try:
            return await examined(receiver.port, **changes), receiver
        finally:
            await receiver.close()

    return asyncio.run(scene())


@contextlib.asynccontextmanager
async def reference(**options: Any) -> AsyncIterator[ReferenceHost]:
    """The reference host, with an amount it declines."""
    options = {"sync": False, "decline_minor": DECLINED_MINOR, **options}
    host = ReferenceHost(HostOptions(**options))
    await host.start()
    try:
        yield host
    finally:
        await host.close()


def examine_reference(
    prepare: Callable[[ReferenceHost], Awaitable[None]] | None = None,
    answer_timeout_s: float = 10.0,
    **options: Any,
) -> tuple[Report, ReferenceHost]:
    async def scene() -> tuple[Report, ReferenceHost]:
        async with reference(**options) as host:
            if prepare is not None:
                await prepare(host)
            return await examined(host.port, answer_timeout_s=answer_timeout_s), host

    return asyncio.run(scene())


def numbers(report: Report, verdict: Verdict) -> list[int]:
    return [one.requirement.number for one in report.findings if one.verdict is verdict]


def said(report: Report) -> str:
    """Everything that was found, for a failing test's message."""
    return json.dumps(report.as_plain("en"), indent=1)


def files(tmp_path: Path) -> Any:
    from agent.sim.certificates import make_certificates

    return make_certificates(tmp_path / "tls")
