"""The `iso8583` uplink: one payment as one message, and what the host's answer is worth.

It binds answers to questions, judges them through the profile's field 39 table and remembers what
it has asked, so that a late answer still finds its payment and a second copy of an answer does no
harm. The app's bytes go out as they are, except for the repeat mark where a profile allows it. It
never retries, never decides what happens next (core.money.delivery), never logs a field.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import field
from enum import StrEnum
from typing import Any, Protocol

from agent.core.money.delivery import Answer, Reply
from agent.core.money.field39 import Side, Table
from agent.core.money.iso8583 import Message, differs, judge, side_of
from agent.core.money.journal import Record
from agent.core.money.transaction import Payload, Posting
from agent.record import dataclass
from agent.uplink.iso8583.codec import BrokenMessageError, Codec
from agent.uplink.iso8583.frame import FrameError, Layout
from agent.uplink.iso8583.line import Ending, Fate, Fits, Line
from agent.uplink.iso8583.timed import Timed, hear

log = logging.getLogger(__name__)

#: Questions remembered for late answers and second copies.
REMEMBERED = 64

Hook = Callable[[], Awaitable[None]]
Late = Callable[[str, Reply], Coroutine[Any, Any, None]]


class Repeat(StrEnum):
    """Which repeats are marked in the message type (last digit 1)."""

    NEVER = "never"  #: UnionPay terminals; the MAC covers the message type
    ADVICES = "advices"  #: advices and reversals


class Echo(Protocol):
    """Keeps an idle line honest (`agent.uplink.iso8583.echo`)."""

    async def keep(self, line: Line) -> None: ...


class Queries(Protocol):
    """Where the messages the app prepared beside the payment are (the store)."""

    async def query_payload(self, record: Record) -> bytes | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How to speak with one host."""

    layout: Layout
    codec: Codec
    table: Table
    bound: tuple[str, ...]
    repeat: Repeat = Repeat.NEVER
    timed: Timed | None = None  #: hears what answers say about the time


@dataclass(slots=True)
class _Asked:
    """A question that has left."""

    record: Record
    sent: Message
    side: Side
    open: bool = True


@dataclass(slots=True)
class _Answer:
    """Where a bound answer is put while its question ends."""

    got: Message | None = None
    trouble: str = field(default="")


class Iso8583Uplink:
    """One host."""

    #: Whether an outcome can be asked for depends on what the app handed over with each payment.
    asks_by_record = True

    def __init__(
        self,
        terms: Terms,
        queries: Queries,
        line: Callable[[Callable[[bytes], None]], Line],
        echo: Echo | None = None,
    ) -> None:
        """`line` makes a line; it is given what to do with frames nobody waits for."""
        self._terms = terms
        self._queries = queries
        self._new_line = line
        self._echo = echo
        self._lines: dict[str, Line] = {}
        self._asked: deque[_Asked] = deque(maxlen=REMEMBERED)
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_late: Late | None = None

    def exclusive(self, record: Record) -> str:
        """One in flight per terminal."""
        return record.transaction.terminal_id

    async def post(
        self, record: Record, payload: Payload, attempt: int,
        before_first_byte: Hook,
    ) -> Reply:  # fmt: skip
        """Send it once. `before_first_byte` commits `sending` (money rule 1)."""
        body = payload.body
        if self._marks(record, attempt):
            skip = len(body) - len(self._terms.layout.message(body))
            body = body[:skip] + self._terms.codec.marked_as_repeat(body[skip:])
        return await self._ask(record, body, side_of(record.transaction), before_first_byte)

    async def query(self, record: Record) -> Reply:
        """Ask with the message the app prepared for it, if it did."""
        body = await self._queries.query_payload(record)
        if body is None:
            note = "the payment app gave no query message for this payment"
            return Reply(answer=Answer.UNSUPPORTED, note=note)
        return await self._ask(record, body, Side.QUERY, None)

    def retire(self) -> None:
        for line in self._lines.values():
            line.retire()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._lines.values():
            await line.close()
        self._lines.clear()

    def line_of(self, terminal_id: str) -> Line:
        """The line of one terminal, opened when it is first used."""
        line = self._lines.get(terminal_id)
        if line is None:
            line = self._lines[terminal_id] = self._new_line(self._stray)
            if self._echo is not None:
                self._task(self._echo.keep(line), "echo")
        return line

    def _marks(self, record: Record, attempt: int) -> bool:
        t = record.transaction
        if self._terms.repeat is Repeat.NEVER or attempt + t.attempts < 2:
            return False
        return t.posting is Posting.ADVICE or side_of(t) is Side.REVERSAL

    async def _ask(
        self, record: Record, body: bytes, side: Side,
        before_first_byte: Hook | None,
    ) -> Reply:  # fmt: skip
        terms = self._terms
        try:
            sent = terms.codec.decode(terms.layout.message(body))
            frame = terms.layout.wrap(body)
        except (BrokenMessageError, FrameError) as error:
            note = f"the message cannot be sent as this profile is set: {error}"
            return Reply(answer=Answer.BLOCKED, cause="host.format_error", note=note)
        asked = _Asked(record, sent, side)
        answer = _Answer()
        loop = asyncio.get_running_loop()
        left_s = loop.time()

        async def left() -> None:
            nonlocal left_s
            if before_first_byte is not None:
                await before_first_byte()
            self._asked.append(asked)
            left_s = loop.time()

        line = self.line_of(record.transaction.terminal_id)
        ending = await line.ask(frame, lambda got: self._fits(got, asked, answer), left)
        if ending.fate is Fate.ANSWERED and answer.got is not None:
            asked.open = False
            hear(terms.timed, sent, answer.got, loop.time() - left_s)
            return judge(record, sent, answer.got, terms.table, side)
        return _silent(ending, answer.trouble)

    def _fits(self, body: bytes, asked: _Asked, answer: _Answer) -> Fits:
        got = self._opened(body)
        if isinstance(got, str):
            answer.trouble = got
            return Fits.FOREIGN if got.startswith("TPDU") else Fits.BROKEN
        differing = differs(asked.sent, got, self._terms.bound)
        if not differing:
            answer.got = got
            return Fits.MINE
        if self._late(got):
            return Fits.OTHER
        answer.trouble = f"an answer came that differs in {differing}"
        log.warning("event=foreign_answer differs=%r", differing)
        return Fits.FOREIGN

    def _stray(self, body: bytes) -> None:
        """A frame while nobody was asking."""
        got = self._opened(body)
        if isinstance(got, str) or not self._late(got):
            log.warning("event=stray_answer reason=%r", got if isinstance(got, str) else "unknown")

    def _opened(self, body: bytes) -> Message | str:
        try:
            message, addressed = self._terms.layout.opened(body)
            if not addressed:
                return "TPDU of the answer is not ours with source and destination swapped"
            return self._terms.codec.decode(message)
        except (FrameError, BrokenMessageError) as error:
            return str(error)

    def _late(self, got: Message) -> bool:
        """Whether it answers something asked earlier; an open question is told its answer."""
        for asked in reversed(self._asked):
            if differs(asked.sent, got, self._terms.bound):
                continue
            if asked.open and self.on_late is not None:
                asked.open = False
                reply = judge(asked.record, asked.sent, got, self._terms.table, asked.side)
                log.info("event=late_answer seq=%s answer=%s", asked.record.seq, reply.answer)
                self._task(self.on_late(asked.record.key, reply), "late-answer")
            return True
        return False

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _silent(ending: Ending, trouble: str) -> Reply:
    match ending.fate:
        case Fate.NOT_SENT:
            return Reply(answer=Answer.NOT_SENT, cause=ending.code, note=ending.reason)
        case Fate.FOREIGN:
            return Reply(answer=Answer.FOREIGN, note=trouble or ending.reason)
        case Fate.BROKEN:
            return Reply(answer=Answer.UNREADABLE, note=trouble or ending.reason)
        case _:
            return Reply(answer=Answer.NO_ANSWER, cause=ending.code, note=ending.reason)
