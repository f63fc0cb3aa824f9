"""Examiners of the line itself: TLS, kept connections, and lines that are cut at the worst moment.

They open connections by hand, because the client never leaves one in the middle of a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass

from agent.conformance import sights
from agent.conformance.exam import Exam
from agent.conformance.payment import raw_post
from agent.errors import OperatorError, RemoteError
from agent.http.client import Answered, Client, Dial

CONNECT_TIMEOUT_S = 15.0
LATE_S = 3.0
#: For the host to notice the end of a line, and to do what it then does.
SETTLE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How this target is reached."""

    dial: Dial
    tls: ssl.SSLContext | None = None
    #: Offers nothing newer than TLS 1.1; None where this machine cannot.
    outdated: ssl.SSLContext | None = None
    #: Shows no client certificate; None where none is used at all.
    bare: ssl.SSLContext | None = None


async def kept_open(exam: Exam) -> None:
    """6: the connection of an answered request can carry another."""
    payment = exam.payment()
    await exam.new(payment)
    if exam.client.idle_connections:
        exam.notes.holds(6)
    else:
        exam.notes.breaks(6, sights.CLOSED)


async def tls_versions(exam: Exam, ways: Ways) -> None:
    """2: nothing older than TLS 1.2 is spoken."""
    if ways.tls is None:
        exam.notes.unseen(2, sights.PLAIN_HTTP)
        return
    if ways.outdated is None:
        exam.notes.unseen(2, sights.TLS_NOT_TRIED)
        return
    origin = exam.target.origin
    try:
        _, writer = await ways.dial.open(origin.host, origin.port, ways.outdated, CONNECT_TIMEOUT_S)
    except RemoteError as error:
        if getattr(error, "layer", "") == "tls":
            exam.notes.holds(2)
        return
    spoken = writer.get_extra_info("ssl_object")
    exam.notes.breaks(2, sights.OLD_TLS, version=spoken.version() if spoken else "TLS")
    writer.transport.abort()


async def certificates(exam: Exam, ways: Ways) -> None:
    """3: without a certificate nothing is told."""
    if ways.bare is None:
        text = sights.PLAIN_HTTP if ways.tls is None else sights.WITHOUT_CERT
        exam.notes.unseen(3, text)
        return
    client = Client(exam.target.origin, ways.dial, tls=ways.bare)
    path = f"{exam.target.path.rstrip('/')}/{exam.key()}"
    try:
        outcome = await client.request(
            "GET",
            path,
            [*exam.target.headers, ("Terminal-Id", exam.target.terminal_id)],
            answer_timeout_s=exam.target.answer_timeout_s,
        )
    finally:
        await client.close()
    exam.notes.requests += 1
    # Some let everybody in and refuse by status: that is a refusal as well.
    if isinstance(outcome, Answered) and outcome.status not in (400, 401, 403, 495, 496):
        exam.notes.breaks(3, sights.NO_CERTIFICATE, status=outcome.status)
    else:
        exam.notes.holds(3)


async def cut_after(exam: Exam, ways: Ways) -> None:
    """17: the line ends between the request and its answer."""
    payment = exam.payment()
    raw = raw_post(exam.target, payment)
    await _cut(exam, ways, raw)
    found = await exam.seen(payment, sights.STATUS_CUT)
    unknown = found is None or found.status == "not_found"
    if found is None or unknown:
        found = (await exam.result(payment, sights.AFTER_CUT, 17)).answer
    await exam.repeat(payment, found, sights.AFTER_CUT, 17)
    if unknown:
        # What was cut may still lie in a queue behind the host, and must not come out of it.
        await asyncio.sleep(min(exam.in_flight_s, LATE_S))
    again = await exam.ask(payment, sights.STATUS_CUT)
    exam.same(found, again, sights.STATUS_CUT, 17)


async def cut_within(exam: Exam, ways: Ways) -> None:
    """18: the line ends in the middle of the body."""
    payment = exam.payment()
    raw = raw_post(exam.target, payment)
    await _cut(exam, ways, raw[: -(len(payment.body) + 1) // 2])
    found = await exam.seen(payment, sights.STATUS_HALF)
    if found is not None and found.status != "not_found":
        exam.notes.breaks(
            18, sights.STATUS_WORD, request=sights.STATUS_HALF, was=found.status,
            wanted="not_found",
        )  # fmt: skip
        return
    await exam.new(payment, sights.AFTER_HALF, 18)


async def _cut(exam: Exam, ways: Ways, raw: bytes) -> None:
    origin = exam.target.origin
    _, writer = await ways.dial.open(origin.host, origin.port, ways.tls, CONNECT_TIMEOUT_S)
    with contextlib.suppress(OSError):
        writer.write(raw)
        await writer.drain()
    exam.notes.requests += 1
    writer.transport.abort()
    await asyncio.sleep(SETTLE_S)


def outdated_context() -> ssl.SSLContext | None:
    """Offers TLS 1.1 and older only; None where this machine's library will not."""
    from agent.link.tls import outdated

    try:
        return outdated()
    except OperatorError:
        return None
