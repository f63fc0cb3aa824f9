"""One examination under way: sends, waits as a terminal would, and notes what every answer shows.

Rules that hold for all answers (echo, redirects, whole answers, Retry-After) are looked at here,
whatever was being examined; which requests are sent, and in which order, the examiners decide.
`number` is the requirement that is broken if the answer is not the one wanted.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from agent.conformance import sights
from agent.conformance.payment import Payment, Target
from agent.conformance.report import Notes, Posted
from agent.core.why.text import Text
from agent.http.client import Answered, Client, NotSent, Outcome
from agent.wire.host import HostAnswer, host_answer

#: A busy host is asked again so often, a failing one so often.
BUSY_TRIES = 5
FAILED_TRIES = 3
#: Retry-After is honoured up to here: nobody watches an examination for an hour.
LONGEST_PAUSE_S = 5.0
PAUSE_S = 0.25

#: What a stored result may not change from one answer to the next.
STORED = (
    "status", "amount_minor", "currency", "reference", "response_code", "rrn", "posted_at",
    "posted_amount_minor",
)  # fmt: skip
_SECONDS = re.compile(r"[0-9]{1,9}")


class Stuck(Exception):  # noqa: N818 - not an error: this part of the examination is over
    """What the host did leaves nothing more to learn here; it is noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The host's result for a payment."""

    status: int
    answer: HostAnswer
    waited: bool  #: earlier tries were lost or in progress, so 200 is as good as 201


class Exam:
    """Requests to one receiver, and the notes about them."""

    def __init__(self, target: Target, client: Client, run: str) -> None:
        self.target = target
        self.client = client
        self.notes = Notes()
        self.in_flight_s = target.in_flight_s
        self._run = run
        self._keys = 0
        self._settled: set[str] = set()

    def payment(self, amount_minor: int | None = None) -> Payment:
        """A payment under a key never used before."""
        return Payment.of(self.target, self.key(), amount_minor)

    def key(self) -> str:
        self._keys += 1
        return f"conf-{self._run}-{self._keys:03d}"

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, request: Text,
        *, well_formed: bool = True,
    ) -> Outcome:  # fmt: skip
        """One request; what its answer shows in general is noted."""
        own = {name.lower() for name, _ in self.target.headers}
        lines = [(name, value) for name, value in headers.items() if name.lower() not in own]
        outcome = await self.client.request(
            method,
            path,
            [*self.target.headers, *lines],
            body,
            answer_timeout_s=self.target.answer_timeout_s,
        )
        self.notes.requests += 1
        self._note(outcome, request, well_formed=well_formed)
        return outcome

    async def post(self, payment: Payment, request: Text, attempt: int = 1) -> Outcome:
        """One post, whatever comes of it."""
        return await self.send(
            "POST", self.target.path, payment.headers(attempt), payment.body, request
        )

    async def result(
        self, payment: Payment, request: Text, number: int, attempt: int = 1
    ) -> Result:
        """Post until there is a result, as a terminal does. Raises Stuck."""
        tries: Counter[str] = Counter()
        clock_s = asyncio.get_running_loop().time
        began_s = clock_s()
        waited = False
        while True:
            outcome = await self.post(payment, request, attempt)
            attempt += 1
            if isinstance(outcome, NotSent):
                raise Stuck
            if not isinstance(outcome, Answered):
                tries["silent"] += 1
                if tries["silent"] >= FAILED_TRIES:
                    raise Stuck
                waited = True
                continue
            match outcome.status:
                case 200 | 201 | 402:
                    if tries["failed"]:
                        self.notes.holds(24)
                    return self._read(payment, outcome, request, number, waited=waited)
                case 409:
                    self._in_progress(payment, outcome, request, clock_s() - began_s)
                    waited = True
                case 408 | 425 | 429 | 503:
                    tries["busy"] += 1
                    if tries["busy"] >= BUSY_TRIES:
                        self.notes.breaks(
                            number, sights.BUSY,
                            request=request, status=outcome.status, tries=BUSY_TRIES,
                        )  # fmt: skip
                        raise Stuck
                case status if status >= 500:
                    tries["failed"] += 1
                    waited = True
                    if tries["failed"] >= FAILED_TRIES:
                        self.notes.breaks(
                            24, sights.BUSY, request=request, status=status, tries=FAILED_TRIES
                        )
                        raise Stuck
                case status:
                    if not 300 <= status < 400:
                        self.notes.breaks(
                            number, sights.ANSWERED, request=request, status=status,
                            wanted="201 / 200 / 402",
                        )  # fmt: skip
                    raise Stuck
            await asyncio.sleep(_pause_s(outcome))

    async def new(self, payment: Payment, request: Text = sights.FIRST, number: int = 7) -> Result:
        """A payment the host has never seen: it has to post it now. Raises Stuck."""
        result = await self.result(payment, request, number)
        if result.status == 402:
            code = result.answer.response_code
            self.notes.breaks(7, sights.DECLINED, request=request, code=code or "-")
            raise Stuck
        if result.status == 200 and not result.waited:
            self.notes.breaks(number, sights.ANSWERED, request=request, status=200, wanted="201")
        elif result.status == 201 and result.answer.duplicate:
            self.notes.breaks(number, sights.MARKED, request=request)
        else:
            self.notes.holds(number)
        return result

    async def repeat(
        self, payment: Payment, before: HostAnswer, request: Text, number: int, attempt: int = 2
    ) -> None:
        """A payment the host has a result for: that result and no other. Raises Stuck."""
        result = await self.result(payment, request, number, attempt)
        now = result.answer
        if result.status == 201:
            if now.reference == before.reference:
                self.notes.breaks(number, sights.ANEW_SAME, request=request)
            else:
                self.notes.breaks(
                    number, sights.ANEW, request=request,
                    before=before.reference or "-", now=now.reference or "-",
                )  # fmt: skip
            return
        self.notes.holds(16)
        same = self.same(before, now, request, number)
        if not now.duplicate:
            self.notes.breaks(number, sights.UNMARKED, request=request)
        elif same:
            self.notes.holds(number)

    def same(self, before: HostAnswer, now: HostAnswer, request: Text, number: int) -> bool:
        """Whether both answers tell the same stored result; notes what differs."""
        differ = [name for name in STORED if getattr(before, name) != getattr(now, name)]
        for name in differ:
            self.notes.breaks(
                number, sights.CHANGED, request=request, field=name,
                before=_shown(getattr(before, name)), now=_shown(getattr(now, name)),
            )  # fmt: skip
        return not differ

    async def ask(self, payment: Payment, request: Text, terminal_id: str = "") -> HostAnswer:
        """The status: posted, declined, in_progress or not_found by the contract. Raises Stuck.

        A host without status answers breaks 19 and 20 and nothing else.
        """
        asked = terminal_id or payment.terminal_id
        for _ in range(BUSY_TRIES):
            outcome = await self.question(payment.key, request, asked)
            if not isinstance(outcome, Answered) or outcome.status not in (429, 503):
                break
            await asyncio.sleep(_pause_s(outcome))
        if not isinstance(outcome, Answered) or outcome.status not in (200, 404):
            if isinstance(outcome, Answered) and not 300 <= outcome.status < 400:
                self.notes.breaks(
                    19, sights.ANSWERED, request=request, status=outcome.status, wanted="200 / 404"
                )
            raise Stuck
        found = host_answer(outcome.body)
        known = outcome.status == 200
        words = ("posted", "declined", "in_progress") if known else ("not_found",)
        number = 19 if known else 20
        if isinstance(found, str):
            self.notes.breaks(
                number, sights.UNREADABLE, request=request, status=outcome.status, why=found
            )
            raise Stuck
        if found.status not in words:
            self.notes.breaks(
                number, sights.STATUS_WORD, request=request, was=found.status,
                wanted=" / ".join(words),
            )  # fmt: skip
            raise Stuck
        self._echo(payment, found, request)
        return found

    async def seen(self, payment: Payment, request: Text) -> HostAnswer | None:
        """The status, or None where this host does not tell: that is another requirement."""
        try:
            return await self.finished(payment, request)
        except Stuck:
            return None

    async def question(self, key: str, request: Text, terminal_id: str) -> Outcome:
        """One status question, whatever comes of it."""
        headers = {"Terminal-Id": terminal_id, "Accept": "application/json"}
        if not terminal_id:
            del headers["Terminal-Id"]
        path = f"{self.target.path.rstrip('/')}/{key}"
        return await self.send("GET", path, headers, b"", request)

    async def finished(self, payment: Payment, request: Text) -> HostAnswer:
        """The status once it is not in progress any more. Raises Stuck."""
        clock_s = asyncio.get_running_loop().time
        began_s = clock_s()
        while (found := await self.ask(payment, request)).status == "in_progress":
            self._still(request, clock_s() - began_s)
            await asyncio.sleep(PAUSE_S)
        return found

    def remember(self, payment: Payment, found: HostAnswer) -> None:
        """A posting somebody has to take back."""
        self.notes.posted[f"{payment.key} {found.reference}"] = Posted(
            key=payment.key,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            reference=found.reference or "",
        )

    # -- what an answer shows ----------------------------------------------------------------

    def _note(self, outcome: Outcome, request: Text, *, well_formed: bool) -> None:
        notes = self.notes
        if isinstance(outcome, NotSent):
            notes.breaks(1, sights.NOT_REACHED, request=request, why=outcome.reason)
            return
        notes.holds(1)
        if not isinstance(outcome, Answered):
            number = 4 if well_formed else 22
            notes.breaks(number, sights.NO_ANSWER, request=request, why=outcome.reason)
            return
        notes.holds(4)
        if 300 <= outcome.status < 400:
            notes.breaks(5, sights.REDIRECTED, request=request, status=outcome.status)
        else:
            notes.holds(5)
        said = outcome.headers.get("retry-after")
        if said is None and outcome.status in (429, 503):
            notes.breaks(26, sights.NO_RETRY_AFTER, request=request, status=outcome.status)
        elif said is not None and not _retry_after(said):
            notes.breaks(25, sights.RETRY_AFTER, request=request, was=said or '""')
        elif said is not None:
            notes.holds(25)
            if outcome.status in (429, 503):
                notes.holds(26)

    def _read(
        self, payment: Payment, outcome: Answered, request: Text, number: int, *, waited: bool
    ) -> Result:
        found = host_answer(outcome.body)
        if isinstance(found, str):
            self.notes.breaks(
                number, sights.UNREADABLE, request=request, status=outcome.status, why=found
            )
            raise Stuck
        wanted = "declined" if outcome.status == 402 else "posted"
        # A repeat of a declined payment may be found under 200 by some; the contract says 402.
        if found.status != wanted:
            self.notes.breaks(
                number, sights.STATUS_WORD, request=request, was=found.status, wanted=wanted
            )
            raise Stuck
        self._echo(payment, found, request)
        self._settled.add(payment.key)
        if found.status == "posted":
            self._proof(payment, found, request)
        return Result(status=outcome.status, answer=found, waited=waited)

    def _echo(self, payment: Payment, found: HostAnswer, request: Text) -> None:
        fields = ["key", "terminal_id"]
        if found.status in ("posted", "declined"):
            fields += ["amount_minor", "currency"]
        wrong = False
        for name in fields:
            asked, was = getattr(payment, name), getattr(found, name)
            if was != asked:
                wrong = True
                self.notes.breaks(
                    8, sights.ECHOED, request=request, field=name,
                    asked=_shown(asked), was=_shown(was),
                )  # fmt: skip
        if not wrong:
            self.notes.holds(8)

    def _proof(self, payment: Payment, found: HostAnswer, request: Text) -> None:
        at = found.posted_at
        zoned = at is not None and at.tzinfo is not None
        if not found.reference or not zoned:
            name, was = ("posted_at", at) if found.reference else ("reference", found.reference)
            self.notes.breaks(9, sights.FIELD, request=request, field=name, was=_shown(was))
        else:
            self.notes.holds(9)
        self.remember(payment, found)

    def _in_progress(
        self, payment: Payment, outcome: Answered, request: Text, passed_s: float
    ) -> None:
        if payment.key in self._settled:
            self.notes.breaks(16, sights.SETTLED, request=request)
            raise Stuck
        found = host_answer(outcome.body)
        if isinstance(found, str):
            self.notes.breaks(16, sights.UNREADABLE, request=request, status=409, why=found)
            raise Stuck
        if found.status != "in_progress":
            self.notes.breaks(
                16, sights.STATUS_WORD, request=request, was=found.status, wanted="in_progress"
            )
            raise Stuck
        self._still(request, passed_s)

    def _still(self, request: Text, passed_s: float) -> None:
        if passed_s > self.in_flight_s:
            self.notes.breaks(16, sights.STILL, request=request, seconds=round(passed_s, 1))
            raise Stuck


def _retry_after(said: str) -> bool:
    """Seconds, or a date as HTTP writes it."""
    from email.utils import parsedate_to_datetime

    if _SECONDS.fullmatch(said):
        return True
    try:
        return said.endswith("GMT") and parsedate_to_datetime(said) is not None
    except (TypeError, ValueError, IndexError, OverflowError):
        return False


def _pause_s(outcome: Answered) -> float:
    said = outcome.headers.get("retry-after", "")
    if _SECONDS.fullmatch(said):
        return min(max(float(said), PAUSE_S), LONGEST_PAUSE_S)
    return PAUSE_S


def _shown(value: object) -> str:
    return "null" if value is None else str(value) or '""'
