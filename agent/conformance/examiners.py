"""The examiners: what is sent to find out about each requirement of the contract.

Each takes an examination and either leaves notes in it or raises Stuck. They say what is sent and
which requirement it shows; sending, waiting and the rules for every answer are the exam's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

from agent.conformance import sights
from agent.conformance.exam import Exam, Stuck
from agent.conformance.payment import Payment
from agent.core.why.text import Text
from agent.http.client import Answered, Outcome, Unanswered
from agent.wire.host import HostAnswer, host_answer

#: Posts of one key at the same moment, and how often that is tried.
AT_ONCE = 8
ROUNDS = 3
KEY_WINDOW_S = 180 * 86_400


async def repeats(exam: Exam) -> None:
    """10, 11, 12, 16: the same key again, and over another connection, and counted anew."""
    payment = exam.payment()
    first = (await exam.new(payment)).answer
    await exam.repeat(payment, first, sights.REPEAT, 10)
    await exam.repeat(payment, first, sights.REPEAT, 10, attempt=3)
    await exam.client.close()
    await exam.repeat(payment, first, sights.RECONNECTED, 11)
    await exam.repeat(payment, first, sights.RECOUNTED, 12, attempt=1)
    late = exam.payment()
    result = await exam.result(late, sights.LATE_COUNT, 12, attempt=7)
    if result.status == 201 or result.waited:
        exam.notes.holds(12)
    else:
        exam.notes.breaks(
            12, sights.ANSWERED, request=sights.LATE_COUNT, status=result.status, wanted="201"
        )
    found = await exam.ask(payment, sights.STATUS)
    if exam.same(first, found, sights.STATUS, 19):
        exam.notes.holds(19)


async def mismatches(exam: Exam) -> None:
    """14: the same key with other content is neither the old payment nor a new one."""
    payment = exam.payment()
    first = (await exam.new(payment)).answer
    target = exam.target
    other = "request" if target.posting == "advice" else "advice"
    for request, changed in (
        (sights.OTHER_BODY, payment.longer()),
        (sights.OTHER_AMOUNT, Payment.of(target, payment.key, payment.amount_minor + 1)),
        (sights.OTHER_POSTING, Payment.of(replace(target, posting=other), payment.key)),
    ):
        outcome = await exam.post(changed, request, attempt=2)
        if not isinstance(outcome, Answered):
            continue
        found = host_answer(outcome.body)
        if outcome.status != 422:
            exam.notes.breaks(
                14, sights.ANSWERED, request=request, status=outcome.status, wanted="422"
            )
        elif isinstance(found, str):
            exam.notes.breaks(14, sights.UNREADABLE, request=request, status=422, why=found)
        elif (found.key, found.status) != (payment.key, "mismatch"):
            exam.notes.breaks(
                14, sights.STATUS_WORD, request=request, was=found.status, wanted="mismatch"
            )
        else:
            exam.notes.holds(14)
    await exam.repeat(payment, first, sights.REPEAT, 14)
    found = await exam.ask(payment, sights.STATUS_CHANGED)
    exam.same(first, found, sights.STATUS_CHANGED, 14)


async def at_once(exam: Exam) -> None:
    """15: eight posts of one key over eight connections at the same moment."""
    known = exam.payment()
    await exam.new(known)
    for _ in range(ROUNDS):
        # Eight connections stand before the first post leaves: the posts meet at the host.
        questions = [
            exam.question(known.key, sights.STATUS, known.terminal_id) for _ in range(AT_ONCE)
        ]
        await asyncio.gather(*questions)
        payment = exam.payment()
        outcomes = await asyncio.gather(
            *(exam.post(payment, sights.AT_ONCE, attempt) for attempt in range(1, AT_ONCE + 1))
        )
        last = (await exam.result(payment, sights.AT_ONCE, 15)).answer
        _judge_at_once(exam, payment, outcomes, last)
        await exam.repeat(payment, last, sights.AT_ONCE, 15)


def _judge_at_once(exam: Exam, payment: Payment, outcomes: list[Outcome], last: HostAnswer) -> None:
    references = {last.reference or "-"}
    new = 0
    for outcome in outcomes:
        if not isinstance(outcome, Answered):
            continue
        if outcome.status in (200, 201, 402):
            new += outcome.status == 201
            found = host_answer(outcome.body)
            if isinstance(found, HostAnswer) and found.key == payment.key:
                references.add(found.reference or "-")
                if found.status == "posted":
                    exam.remember(payment, found)
        elif outcome.status not in (408, 409, 425, 429, 503):
            exam.notes.breaks(
                15, sights.ANSWERED, request=sights.AT_ONCE, status=outcome.status,
                wanted="201 / 200 / 409",
            )  # fmt: skip
    if new > 1 or len(references) > 1:
        exam.notes.breaks(
            15, sights.REFERENCES, request=sights.AT_ONCE, count=new,
            references=", ".join(sorted(references)),
        )  # fmt: skip


async def other_terminals(exam: Exam) -> None:
    """13: what one terminal posted is not another's."""
    payment = exam.payment()
    first = (await exam.new(payment)).answer
    last = payment.terminal_id[-1]
    stranger = payment.terminal_id[:-1] + ("2" if last != "2" else "3")
    outcome = await exam.question(payment.key, sights.STATUS_FOREIGN, stranger)
    if isinstance(outcome, Answered):
        if outcome.status < 300:
            exam.notes.breaks(
                13, sights.LEAKED, request=sights.STATUS_FOREIGN, status=outcome.status
            )
        else:
            exam.notes.holds(13)
    if exam.target.other_terminal_id:
        target = replace(exam.target, terminal_id=exam.target.other_terminal_id)
        twin = Payment.of(target, payment.key)
        answer = (await exam.new(twin, sights.OTHER_TERMINAL, 13)).answer
        if answer.reference == first.reference:
            exam.notes.breaks(
                13, sights.FIELD, request=sights.OTHER_TERMINAL, field="reference",
                was=answer.reference or "-",
            )  # fmt: skip


async def unknown_keys(exam: Exam) -> None:
    """20: a key never used is not found, says a body that names it; asking leaves no trace."""
    payment = exam.payment()
    for _ in range(2):
        found = await exam.ask(payment, sights.STATUS_UNKNOWN)
        if found.status != "not_found":
            exam.notes.breaks(
                20, sights.STATUS_WORD, request=sights.STATUS_UNKNOWN, was=found.status,
                wanted="not_found",
            )  # fmt: skip
            raise Stuck
        exam.notes.holds(20)
    await exam.new(payment, sights.AFTER_ASKING, 20)


async def declines(exam: Exam) -> None:
    """21: a refusal is a result like any other."""
    amount_minor = exam.target.decline_amount_minor
    if amount_minor is None:
        exam.notes.unseen(21, sights.WITHOUT_DECLINE)
        return
    payment = exam.payment(amount_minor)
    result = await exam.result(payment, sights.TO_DECLINE, 21)
    if result.status != 402:
        exam.notes.breaks(21, sights.NOT_DECLINED, request=sights.TO_DECLINE, status=result.status)
        return
    first = result.answer
    await exam.repeat(payment, first, sights.REPEAT, 21)
    await exam.client.close()
    await exam.repeat(payment, first, sights.RECONNECTED, 21)
    found = await exam.ask(payment, sights.STATUS_DECLINED)
    if exam.same(first, found, sights.STATUS_DECLINED, 21):
        exam.notes.holds(21)


async def declaration(exam: Exam) -> None:
    """27, 28: what the host says about itself."""
    headers = {"Accept": "application/json", "Terminal-Id": exam.target.terminal_id}
    outcome = await exam.send("GET", exam.target.path, headers, b"", sights.DECLARATION)
    if not isinstance(outcome, Answered):
        return
    window_s, in_flight_s = _declared(outcome)
    if window_s is None or in_flight_s is None:
        exam.notes.breaks(27, sights.NO_DECLARATION, status=outcome.status)
        exam.notes.unseen(28, sights.UNDECLARED)
        return
    exam.notes.holds(27)
    exam.in_flight_s = min(exam.in_flight_s, in_flight_s)
    if window_s < KEY_WINDOW_S:
        exam.notes.breaks(28, sights.WINDOW, seconds=str(round(window_s)))
    else:
        exam.notes.holds(28)


def _declared(outcome: Answered) -> tuple[float | None, float | None]:
    if outcome.status != 200:
        return None, None
    try:
        said = json.loads(outcome.body)
    except (ValueError, RecursionError):
        return None, None
    match said:
        case {
            "contract": 1,
            "key_window_s": int() | float() as window_s,
            "in_flight_s": int() | float() as in_flight_s,
        }:
            return float(window_s), float(in_flight_s)
        case _:
            return None, None


async def bad_input(exam: Exam) -> None:
    """22, 23: what cannot be read is refused, posts nothing and uses no key up."""
    for what, changes in _bad_headers(exam).items():
        payment = exam.payment()
        headers = payment.headers(1)
        for name, value in changes.items():
            if value is None:
                del headers[name]
            else:
                headers[name] = value
        path = exam.target.path
        await _refused(exam, what, ("POST", path), headers, payment.body)
        if changes.keys().isdisjoint({"Idempotency-Key", "Terminal-Id"}):
            found = await exam.seen(payment, sights.STATUS_REFUSED)
            if found is not None and found.status != "not_found":
                exam.notes.breaks(
                    23, sights.STATUS_WORD, request=sights.STATUS_REFUSED, was=found.status,
                    wanted="not_found",
                )  # fmt: skip
                continue
        if what in (sights.MAJOR_UNITS, sights.NO_MERCHANT):
            await exam.new(payment, sights.AFTER_REFUSAL, 23)
    for method, what in (("PUT", sights.PUT), ("DELETE", sights.DELETE)):
        payment = exam.payment()
        order = (method, exam.target.path)
        await _refused(exam, what, order, payment.headers(1), payment.body)
    terminal = {"Terminal-Id": exam.target.terminal_id, "Accept": "application/json"}
    status = exam.target.path.rstrip("/")
    await _refused(exam, sights.STATUS_STRANGE, ("GET", f"{status}/a%25b"), terminal)
    del terminal["Terminal-Id"]
    await _refused(exam, sights.STATUS_BARE, ("GET", f"{status}/{exam.key()}"), terminal)


async def _refused(
    exam: Exam, what: Text, order: tuple[str, str], headers: Mapping[str, str], body: bytes = b""
) -> None:
    """`order` is method and path."""
    outcome = await exam.send(*order, headers, body, what, well_formed=False)
    if isinstance(outcome, Answered):
        if 400 <= outcome.status < 500:
            exam.notes.holds(22)
        else:
            exam.notes.breaks(22, sights.BAD_INPUT, what=what, status=outcome.status)
    elif isinstance(outcome, Unanswered):
        await exam.client.close()


def _bad_headers(exam: Exam) -> Mapping[Text, Mapping[str, str | None]]:
    currency = exam.target.currency
    return {
        sights.NO_KEY: {"Idempotency-Key": None},
        sights.LONG_KEY: {"Idempotency-Key": "k" * 65},
        sights.STRANGE_KEY: {"Idempotency-Key": "conf 100%"},
        sights.NO_TERMINAL: {"Terminal-Id": None},
        sights.NO_MERCHANT: {"Merchant-Id": None},
        sights.MAJOR_UNITS: {"Transaction-Amount": f"12.50 {currency}"},
        sights.NEGATIVE: {"Transaction-Amount": f"-1 {currency}"},
        sights.NO_CURRENCY: {"Transaction-Amount": "1250"},
        sights.HUGE: {"Transaction-Amount": f"{'9' * 20} {currency}"},
        sights.STRANGE_KIND: {"Transaction-Kind": "donation"},
        sights.STRANGE_POSTING: {"Transaction-Posting": "perhaps"},
    }
