"""The `https` uplink: one payment as one POST, and what the host's answer is worth.

It translates between the receiver contract (docs/contracts/receiver.md) and the core's words, and
binds answers to payments: an answer that does not echo key, terminal, amount and currency is no
answer. It never retries, never decides what happens next (core.money.delivery), never logs a body.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, urlsplit

from agent.core.money.delivery import Answer, Reply
from agent.core.money.journal import HostResult, Record
from agent.core.money.transaction import Payload
from agent.http.client import Answered, NotSent, Outcome, Unanswered
from agent.wire.host import HostAnswer, host_answer

log = logging.getLogger(__name__)

#: HTTP status -> answer, where the body is not needed to tell. 2xx and 402 are read.
STATUS: Mapping[int, Answer] = {
    400: Answer.REJECTED,
    401: Answer.UNAUTHORISED,
    403: Answer.UNAUTHORISED,
    404: Answer.REJECTED,
    405: Answer.REJECTED,
    406: Answer.REJECTED,
    407: Answer.UNAUTHORISED,
    408: Answer.BUSY,
    409: Answer.IN_PROGRESS,
    410: Answer.REJECTED,
    411: Answer.REJECTED,
    413: Answer.REJECTED,
    414: Answer.REJECTED,
    415: Answer.REJECTED,
    422: Answer.MISMATCH,
    425: Answer.BUSY,
    429: Answer.BUSY,
    431: Answer.REJECTED,
    503: Answer.BUSY,
}

#: Words an installer may use in `outcomes`, for hosts that differ.
NAMED: Mapping[str, Answer] = {
    "declined": Answer.DECLINED,
    "rejected": Answer.REJECTED,
    "busy": Answer.BUSY,
    "error": Answer.ERROR,
    "in_progress": Answer.IN_PROGRESS,
    "mismatch": Answer.MISMATCH,
    "unauthorised": Answer.UNAUTHORISED,
}

#: Causes that are plainer than the outcome's own.
CAUSES: Mapping[int, str] = {
    401: "config.credential_expired",
    403: "config.permission_denied",
    407: "network.config_invalid",
    503: "host.maintenance",
}


class Requests(Protocol):
    """The HTTP client, as far as it is needed here (`agent.http.client.Client`)."""

    async def request(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        before_first_byte: Callable[[], Awaitable[None]] | None = None,
        answer_timeout_s: float,
    ) -> Outcome: ...

    def retire(self) -> None: ...
    async def close(self) -> None: ...


class HttpsUplink:
    """One host, over one client."""

    #: A host answers status queries or it does not; the payment makes no difference.
    asks_by_record = False

    def __init__(
        self, url: str, client: Requests, *,
        answer_timeout_s: float, outcomes: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._status_path = (parts.path or "/").rstrip("/")
        self._client = client
        self._answer_timeout_s = answer_timeout_s
        self._named = {int(code): NAMED[word] for code, word in (outcomes or {}).items()}

    async def post(
        self, record: Record, payload: Payload, attempt: int,
        before_first_byte: Callable[[], Awaitable[None]],
    ) -> Reply:  # fmt: skip
        """Send it once. `before_first_byte` commits `sending` (money rule 1)."""
        outcome = await self._client.request(
            "POST",
            self._path,
            _headers(record, payload, attempt),
            payload.body,
            before_first_byte=before_first_byte,
            answer_timeout_s=self._answer_timeout_s,
        )
        if not isinstance(outcome, Answered):
            return _silent(outcome)
        return await self._heeded(record, self._posted(record, outcome))

    def _posted(self, record: Record, outcome: Answered) -> Reply:
        answer = self._named.get(outcome.status) or STATUS.get(outcome.status)
        if 200 <= outcome.status < 300:
            return _judged(record, outcome)
        if outcome.status == 402 or answer is Answer.DECLINED:
            reply = _judged(record, outcome)
            if reply.answer in (Answer.POSTED, Answer.DUPLICATE):
                note = f"the host answered {outcome.status} and says that it posted it"
                return Reply(answer=Answer.UNREADABLE, note=note)
            return reply
        return _by_status(outcome, answer)

    async def _heeded(self, record: Record, reply: Reply) -> Reply:
        """U5: whose connection answers for another payment, its next answer is another's too."""
        if reply.answer is Answer.FOREIGN:
            log.warning("event=foreign_answer seq=%s reason=%r", record.seq, reply.note)
            await self._client.close()
        return reply

    async def query(self, record: Record) -> Reply:
        """Ask what became of it."""
        outcome = await self._client.request(
            "GET",
            f"{self._status_path}/{quote(record.key, safe='')}",
            [("Terminal-Id", record.transaction.terminal_id), ("Accept", "application/json")],
            b"",
            answer_timeout_s=self._answer_timeout_s,
        )
        if not isinstance(outcome, Answered):
            return _silent(outcome)
        return await self._heeded(record, self._found(record, outcome))

    def _found(self, record: Record, outcome: Answered) -> Reply:
        if 200 <= outcome.status < 300:
            return _judged(record, outcome)
        if outcome.status in (404, 405, 501):
            # Only a body that names this payment makes a 404 authoritative; a proxy's or a wrong
            # path's 404 says nothing about anybody's money.
            found = host_answer(outcome.body) if outcome.status == 404 else ""
            if isinstance(found, HostAnswer) and found.status == "not_found":
                if found.key == record.key and found.terminal_id == record.transaction.terminal_id:
                    return Reply(answer=Answer.NOT_FOUND, note="the host does not know the payment")
                return Reply(answer=Answer.FOREIGN, note="the host spoke of another payment")
            return Reply(
                answer=Answer.UNSUPPORTED,
                note=f"the host answers no status query ({outcome.status})",
            )
        return _by_status(outcome, self._named.get(outcome.status) or STATUS.get(outcome.status))

    def exclusive(self, record: Record) -> str:
        """Nothing: the key of each keeps two payments apart."""
        del record
        return ""

    def retire(self) -> None:
        self._client.retire()

    async def close(self) -> None:
        await self._client.close()


def _headers(record: Record, payload: Payload, attempt: int) -> list[tuple[str, str]]:
    t = record.transaction
    headers = [
        ("Idempotency-Key", t.key),
        ("Content-Type", payload.content_type),
        ("Accept", "application/json"),
        ("Terminal-Id", t.terminal_id),
        ("Merchant-Id", t.merchant_id),
        ("Transaction-Kind", t.kind.value),
        ("Transaction-Posting", t.posting.value),
        # Counted over the app's own attempts too: 2 or more tells the host it may be a repeat.
        ("Attempt", str(attempt + t.attempts)),
    ]
    if t.amount_minor is not None and t.currency is not None:
        headers.append(("Transaction-Amount", f"{t.amount_minor} {t.currency}"))
    return headers


def _silent(outcome: NotSent | Unanswered) -> Reply:
    if isinstance(outcome, NotSent):
        return Reply(answer=Answer.NOT_SENT, cause=outcome.code, note=outcome.reason)
    return Reply(answer=Answer.NO_ANSWER, cause=outcome.code, note=outcome.reason)


def _by_status(outcome: Answered, answer: Answer | None) -> Reply:
    status = outcome.status
    if answer is None:
        if 300 <= status < 400:
            answer = Answer.REDIRECT
        elif status >= 500:
            answer = Answer.ERROR
        else:
            answer = Answer.UNREADABLE
    return Reply(
        answer=answer,
        cause=CAUSES.get(status, ""),
        note=f"the host answered {status}",
        retry_after_s=_retry_after_s(outcome.headers),
    )


def _judged(record: Record, outcome: Answered) -> Reply:
    """A body that claims to know: bound to this payment, or no answer at all (U3-U6, U11)."""
    found = host_answer(outcome.body)
    if isinstance(found, str):
        return Reply(
            answer=Answer.UNREADABLE, note=f"the host answered {outcome.status} with {found}"
        )
    t = record.transaction
    if found.key != record.key:
        return Reply(answer=Answer.FOREIGN, note="the host answered for another payment")
    if found.status == "in_progress":
        return Reply(
            answer=Answer.IN_PROGRESS,
            note="the host is still working on it",
            retry_after_s=_retry_after_s(outcome.headers),
        )
    if found.status not in ("posted", "declined"):
        return Reply(
            answer=Answer.UNREADABLE,
            note=f"status {found.status} does not go with {outcome.status}",
        )
    echo = (found.terminal_id, found.amount_minor, found.currency)
    if echo != (t.terminal_id, t.amount_minor, t.currency):
        return Reply(
            answer=Answer.FOREIGN,
            note="the host's answer echoes another terminal, amount or currency",
        )
    posted_at = found.posted_at
    result = HostResult(
        reference=_clipped(found.reference),
        # A wallet's platform answers in words: ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR.
        response_code=_clipped(found.response_code, 48),
        rrn=_clipped(found.rrn),
        posted_amount_minor=found.posted_amount_minor,
        # Without a zone nobody can say when that was; it must not cost the payment its proof.
        posted_at=None if posted_at is None or posted_at.tzinfo is None else posted_at,
        text=_clipped(found.text, 120),
    )
    if found.status == "declined":
        code = f" ({result.response_code})" if result.response_code else ""
        return Reply(answer=Answer.DECLINED, note=f"the host declined it{code}", result=result)
    if found.duplicate:
        note = "the host had it already; this is its first result"
        return Reply(answer=Answer.DUPLICATE, note=note, result=result)
    return Reply(answer=Answer.POSTED, result=result)


def _clipped(text: str | None, most: int = 64) -> str | None:
    """Plain text of bounded length: it is stored, shown and sent to the fleet."""
    if text is None:
        return None
    return "".join(c if c.isprintable() else " " for c in text[:most])


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds. A date is read against the host's own Date, never our clock."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), 10**6))
    until, sent = _http_date(text), _http_date(headers.get("date", ""))
    if until is None or sent is None:
        return None
    return max(0.0, (until - sent).total_seconds())


def _http_date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # 0.6 MB, and hosts rarely name a date

    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
