"""What the reference host answers: the receiver contract as decisions, without a socket.

Reads a post from its headers, decides new, repeat, mismatch or in progress, and words the answer;
also how a fault spoils an answer. Called by `agent.sim.host` alone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from agent.core.moment import at_ms
from agent.core.money.transaction import KEY_PATTERN, MAX_AMOUNT_MINOR, Kind, Posting
from agent.http.message import Hangup, Request, Response
from agent.sim import ledger as books
from agent.sim.host_faults import NOTHING, Fault
from agent.sim.host_faults import Kind as FaultKind
from agent.sim.ledger import Asked, Ledger

AMOUNT = re.compile(r"(0|[1-9][0-9]{0,15}) ([A-Z]{3})")
JSON = {"content-type": "application/json"}


class Refused(Exception):  # noqa: N818  an answer, not an error
    """The request is answered without looking at the ledger."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Desk:
    """Takes posts and status questions and answers them by the contract."""

    def __init__(
        self, ledger: Ledger, now_ms: Callable[[], int], *,
        ignore_keys: bool, decline_minor: int | None = None,
    ) -> None:  # fmt: skip
        self.ledger = ledger
        self.seen: Counter[str] = Counter()
        self.working: set[tuple[str, str]] = set()
        self.postponed: dict[tuple[str, str], tuple[Asked, int, int]] = {}
        self._now_ms = now_ms
        self._ignore_keys = ignore_keys
        self._decline_minor = decline_minor
        self._tasks: set[asyncio.Task[Response]] = set()

    async def close(self) -> None:
        """Drop the work in progress, as a crash would."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def early_answer(self, asked: Asked) -> Response | None:
        """What can be answered without posting: a repeat, a mismatch, work in progress."""
        if self._ignore_keys:
            return None
        found = self.ledger.find(asked.terminal_id, asked.key)
        if found is not None:
            if found.fingerprint != asked.fingerprint():
                return json_answer(422, {"key": asked.key, "status": "mismatch"})
            return _result(found, repeat=True)
        if (asked.terminal_id, asked.key) in self.working:
            return in_progress(asked.terminal_id, asked.key)
        return None

    def start(self, asked: Asked, attempt: int, fault: Fault) -> asyncio.Task[Response]:
        """Post a payment that is new here; the task's result answers with what was stored."""
        # Marked before anything is awaited: a repeat arriving now must find it in progress.
        self.working.add((asked.terminal_id, asked.key))
        task = asyncio.create_task(self._post(asked, attempt, fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _post(self, asked: Asked, attempt: int, fault: Fault) -> Response:
        try:
            if fault.delay_s and not fault.after:
                await asyncio.sleep(fault.delay_s)
            return self._book(asked, attempt, fault)
        finally:
            self.working.discard((asked.terminal_id, asked.key))

    def postpone(self, asked: Asked, attempt: int, tries: int) -> None:
        self.postponed.setdefault((asked.terminal_id, asked.key), (asked, attempt, tries))

    def still_postponed(self, terminal_id: str, key: str) -> bool:
        """One more question about postponed work; posts it when its tries are used up."""
        work = self.postponed.get((terminal_id, key))
        if work is None:
            return False
        asked, attempt, tries = work
        if tries > 0:
            self.postponed[terminal_id, key] = (asked, attempt, tries - 1)
            return True
        del self.postponed[terminal_id, key]
        self._book(asked, attempt, NOTHING)
        return False

    def status(self, terminal_id: str, key: str) -> Response:
        found = self.ledger.find(terminal_id, key)
        if found is not None:
            return _result(found, repeat=True, status=200)
        if (terminal_id, key) in self.working:
            return json_answer(
                200, {"key": key, "terminal_id": terminal_id, "status": "in_progress"}
            )
        return json_answer(404, {"key": key, "terminal_id": terminal_id, "status": "not_found"})

    def _book(self, asked: Asked, attempt: int, fault: Fault) -> Response:
        unloved = asked.amount_minor is not None and asked.amount_minor == self._decline_minor
        declined = fault.kind is FaultKind.DECLINE or unloved
        seq, now_ms = self.ledger.next_seq, self._now_ms()
        posting = books.Posting(
            seq=seq,
            terminal_id=asked.terminal_id,
            key=asked.key,
            merchant_id=asked.merchant_id,
            kind=asked.kind,
            posting=asked.posting,
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            fingerprint=asked.fingerprint(),
            status="declined" if declined else "posted",
            reference=f"SIM-{seq:08d}",
            response_code=fault.code if declined else "00",
            rrn=f"{seq:012d}",
            posted_at=at_ms(now_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            posted_wall_ms=now_ms,
            attempt=attempt,
            text="declined by the simulated host" if declined else None,
        )
        self.ledger.append(posting)
        return _result(posting, repeat=False)


def read_post(request: Request) -> tuple[Asked, int]:
    """The payment and its attempt number; raises the 400 the contract prescribes."""
    key = request.headers.get("idempotency-key", "")
    if not re.fullmatch(KEY_PATTERN, key):
        raise Refused(
            error_answer(400, "key.missing", "Idempotency-Key must be 1-64 of A-Za-z0-9_-")
        )
    named = {
        name: request.headers.get(name, "")
        for name in ("terminal-id", "merchant-id", "content-type")
    }
    for name, value in named.items():
        if not value:
            raise Refused(error_answer(400, "header.missing", f"the header {name} is missing"))
    kind = request.headers.get("transaction-kind", "")
    posting = request.headers.get("transaction-posting", "")
    if kind not in set(Kind) or posting not in set(Posting):
        raise Refused(
            error_answer(
                400, "header.invalid", "Transaction-Kind or Transaction-Posting is unknown"
            )
        )
    amount_minor, currency = _amount(request.headers.get("transaction-amount"))
    attempt = request.headers.get("attempt", "1")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", attempt):
        raise Refused(
            error_answer(400, "header.invalid", "Attempt must be a positive whole number")
        )
    asked = Asked(
        terminal_id=named["terminal-id"],
        key=key,
        merchant_id=named["merchant-id"],
        kind=kind,
        posting=posting,
        amount_minor=amount_minor,
        currency=currency,
        content_type=named["content-type"],
        body=request.body,
    )
    return asked, int(attempt)


def _amount(text: str | None) -> tuple[int | None, str | None]:
    if text is None:
        return None, None
    found = AMOUNT.fullmatch(text)
    if found is None or int(found[1]) > MAX_AMOUNT_MINOR:
        raise Refused(
            error_answer(400, "amount.invalid", 'Transaction-Amount must read like "1250 CNY"')
        )
    return int(found[1]), found[2]


def _result(posting: books.Posting, *, repeat: bool, status: int | None = None) -> Response:
    body: dict[str, Any] = {
        "key": posting.key,
        "terminal_id": posting.terminal_id,
        "status": posting.status,
        "amount_minor": posting.amount_minor,
        "currency": posting.currency,
        "reference": posting.reference,
        "response_code": posting.response_code,
        "rrn": posting.rrn,
        "posted_at": posting.posted_at,
    }
    if posting.posted_amount_minor is not None:
        body["posted_amount_minor"] = posting.posted_amount_minor
    if posting.text is not None:
        body["text"] = posting.text
    if repeat and status is None:
        body["duplicate"] = True
    if status is None:
        status = 402 if posting.status == "declined" else 200 if repeat else 201
    return json_answer(status, body)


def in_progress(terminal_id: str, key: str) -> Response:
    body = {"key": key, "terminal_id": terminal_id, "status": "in_progress"}
    answer = json_answer(409, body)
    return Response(status=409, headers={**answer.headers, "retry-after": "1"}, body=answer.body)


def spoilt(response: Response, fault: Fault) -> Response:
    whole = response.body
    assert isinstance(whole, bytes)
    length = {**response.headers, "content-length": str(len(whole))}
    match fault.kind:
        case FaultKind.MALFORMED:
            broken = b"<html>" + whole[:20]
            return Response(status=response.status, headers=response.headers, body=broken)
        case FaultKind.EMPTY:
            return Response(status=response.status, headers=response.headers, body=b"")
        case FaultKind.TRUNCATED:
            return Response(status=response.status, headers=length, body=_half(whole))
        case FaultKind.DRIP:
            return Response(status=response.status, headers=length, body=_drops(whole))
        case FaultKind.WRONG_ECHO:
            fields = json.loads(whole)
            was = fields.get(fault.echo)
            fields[fault.echo] = was + 1 if isinstance(was, int) else f"{was}X"
            return json_answer(response.status, fields)
        case _:
            return response


async def _half(whole: bytes) -> AsyncIterator[bytes]:
    yield whole[: len(whole) // 2]
    raise Hangup


async def _drops(whole: bytes) -> AsyncIterator[bytes]:
    for at in range(len(whole)):
        yield whole[at : at + 1]
        await asyncio.sleep(1.0)


def json_answer(status: int, body: object) -> Response:
    return Response(
        status=status, headers=JSON, body=json.dumps(body, ensure_ascii=False).encode() + b"\n"
    )


def fault_answer(fault: Fault, elsewhere: str) -> Response:
    """The answer of a host, gateway or proxy that did not do what was asked."""
    answer = error_answer(fault.status, "sim.fault", "switched on at the simulator")
    headers = dict(answer.headers)
    if fault.retry_after_s is not None:
        headers["retry-after"] = str(fault.retry_after_s)
    if 300 <= fault.status < 400:
        headers["location"] = elsewhere
    return Response(status=fault.status, headers=headers, body=answer.body)


def error_answer(status: int, code: str, what: str) -> Response:
    return json_answer(status, {"error": {"code": code, "what": what}})
