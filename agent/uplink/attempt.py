"""One payment's turn: sent, asked about, held or ended, and what came of it written down.

It performs what the core decided, in the order money rule 1 asks for, and keeps what it learnt
until the journal has it. When its own code fails at a payment, that payment is left alone and
never the rest. It knows neither what comes next nor how many go at once (the uploader).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from agent.clock import Clock
from agent.core.moment import Moment
from agent.core.money.abandoning import Asking
from agent.core.money.channel import Channel, ChannelState
from agent.core.money.deadlines import expired, lapse
from agent.core.money.delivery import (
    ASKED,
    OUTCOMES,
    Answer,
    Outcome,
    Plan,
    Profile,
    Reply,
    Todo,
    Trouble,
    forgotten,
    must_hold,
    plan,
    settle_post,
    settle_query,
    troubled,
)
from agent.core.money.journal import Change, Event, IllegalMoveError, Record, State
from agent.core.money.transaction import Payload
from agent.errors import CallerError, InternalError, StoreError
from agent.record import dataclass
from agent.uplink.aftermath import Reverse, outcome_of, overtaken, taken_back
from agent.uplink.memory import Memory

log = logging.getLogger(__name__)

#: The store refused to commit an outcome: try again this often, keeping the outcome in memory.
STORE_RETRY_S = 1.0
#: It refuses the commit before an attempt: less and less often, at most this rarely. Each try is
#: a connection to the host for nothing.
STORE_RETRY_CAP_S = 30.0
#: A payment our own code failed at is left alone for so long.
FAULT_REST_MS = 60_000
#: One answer that is no status answer may be a gateway's, during a deployment: ask again later.
UNSUPPORTED_S = 900.0


class Due(Protocol):
    """One page of work (`agent.store.journal.Due`)."""

    @property
    def records(self) -> list[Record]: ...
    @property
    def after(self) -> int | str | None: ...
    @property
    def next_boot_ms(self) -> int | None: ...
    @property
    def payloads(self) -> Mapping[int, Payload]: ...


class Journal(Protocol):
    """What the uploader needs of the store."""

    async def due(self, uplink: str, after: int | str, limit: int) -> Due: ...
    async def record(self, key: str) -> Record | None: ...
    async def requests(self, after_seq: int, limit: int) -> list[Record]: ...
    async def payload(self, record: Record) -> Payload: ...
    async def advance(self, seq: int, version: int, change: Change) -> Record: ...
    async def boot_no(self) -> int: ...


class Uplink(Protocol):
    """A way to one host; `agent.uplink.https` is one, `agent.uplink.iso8583` another."""

    @property
    def asks_by_record(self) -> bool:
        """Whether one payment can be asked about and the next cannot."""
        ...

    def exclusive(self, record: Record) -> str:
        """What two payments may not be under way with at once, such as a terminal; "": nothing."""
        ...

    async def post(
        self,
        record: Record,
        payload: Payload,
        attempt: int,
        before_first_byte: Callable[[], Awaitable[None]],
    ) -> Reply: ...
    async def query(self, record: Record) -> Reply: ...
    def retire(self) -> None:
        """Open new connections from now on: there is another way to the host."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What every runner shares."""

    journal: Journal
    clock: Clock
    draw: Callable[[], float]  #: uniform in [0, 1): the jitter
    reverse: Reverse | None = None
    #: Told when a host that answered no longer does, or takes longer than this with one payment.
    doubted: Callable[[], None] | None = None
    doubt_after_s: float = 3.0


class _TooLateError(Exception):
    """The time limit of a request passed while the connection was being made."""


class Attempts:
    """What is done with single payments of one uplink."""

    def __init__(self, channel: Channel, profile: Profile, uplink: Uplink, ports: Ports) -> None:
        self.channel = channel
        self.memory = Memory()
        self.boot_no = 0  # set when the store first answers
        self._profile = profile
        self._uplink = uplink
        self._ports = ports
        self._asks_again_boot_ms = 0

    def plan(self, record: Record, now: Moment) -> Plan:
        """What to do with it now, as far as we know its host."""
        can_ask = self._can_ask(record, now)
        return plan(record, self._profile, now, self.boot_no, can_ask=can_ask)

    def asking(self, record: Record) -> Asking:
        """What the host could still tell about it."""
        now = self._ports.clock.now()
        if not self._profile.status_query or not self._can_ask(record, now):
            return Asking.NO
        stale = forgotten(record, self._profile.key_window_s, now, self.boot_no)
        return Asking.STALE if stale else Asking.YES

    def _can_ask(self, record: Record, now: Moment) -> bool:
        return now.boot_ms >= self._asks_again_boot_ms and self.memory.can_ask(record)

    def exclusive(self, record: Record) -> str:
        """What it must have to itself while it is under way; "": nothing."""
        return self._uplink.exclusive(record)

    def moved(self) -> None:
        """There is another way to the host now: what failed on the old one counts no more."""
        self._uplink.retire()
        self.channel.moved()

    async def close(self) -> None:
        await self._uplink.close()

    async def handle(
        self,
        record: Record,
        decision: Plan,
        payload: Payload | None,
        answered: Callable[[], None],
    ) -> None:
        """Do what was decided. `answered` is called when the host is done with it."""
        try:
            match decision.todo:
                case Todo.SEND:
                    await self._send(record, payload, answered)
                case Todo.ASK:
                    await self._ask(record)
                case Todo.LAPSE:
                    await self._commit(record, lapse())
                case Todo.HOLD:
                    hold = Change(event=Event.HOLD, cause=decision.cause, note=decision.note)
                    await self._commit(record, hold)
                case Todo.REVERSE:
                    failed = await taken_back(self._ports.reverse, record, decision)
                    if failed is not None:
                        await self._commit(record, failed)
                case _:
                    raise InternalError("uploader.plan", f"nothing to do for {decision.todo}")
            self.memory.store_failures = 0
        except CallerError as error:
            # A person was quicker (void, hold, release): the record is read afresh next round.
            log.info("event=overtaken seq=%s code=%s", record.seq, error.code)
        except _TooLateError:
            log.info("event=too_late seq=%s", record.seq)
        except StoreError as error:
            self._store_refused(record, error)
        except Exception as error:
            # Task top. Our own fault with one payment must stop neither it for ever nor the rest.
            log.exception("event=attempt_failed seq=%s", record.seq)
            await self._set_down(record, type(error).__name__)

    async def late(self, key: str, reply: Reply) -> None:
        """An answer to an attempt that is over (U20). It counts while the payment is open."""
        try:
            record = await self._ports.journal.record(key)
            change = None if record is None else overtaken(record, outcome_of(reply))
            if record is not None and change is not None:
                await self._commit(record, change)
        except (CallerError, StoreError, InternalError, IllegalMoveError) as error:
            log.warning("event=late_answer_lost reason=%r", str(error))

    def _store_refused(self, record: Record, error: StoreError) -> None:
        """Nothing can be sent without the commit before it: try again, less and less often."""
        failures = self.memory.store_failures = self.memory.store_failures + 1
        level = logging.WARNING if failures == 1 else logging.DEBUG
        log.log(level, "event=attempt_not_stored seq=%s code=%s", record.seq, error.code)
        wait_s = min(STORE_RETRY_S * 2.0 ** min(failures - 1, 10), STORE_RETRY_CAP_S)
        now = self._ports.clock.now()
        self.channel.open_at_boot_ms = now.boot_ms + round(wait_s * 1000)

    async def _set_down(self, record: Record, fault: str) -> None:
        """A payment that makes us fail is left alone for a while, held, never left `sending`."""
        now = self._ports.clock.now()
        self.memory.rest(record.seq, now.boot_ms + FAULT_REST_MS)
        note = f"the agent itself failed at it ({fault})"
        try:
            current = await self._ports.journal.record(record.key)
            if current is None or current.final or current.state is State.HELD:
                return
            event = Event.NO_ANSWER if current.state is State.SENDING else Event.HOLD
            change = Change(
                event=event,
                cause="software.agent_degraded",
                note=note,
                next_wall_ms=now.wall_ms + FAULT_REST_MS,
                next_boot_ms=now.boot_ms + FAULT_REST_MS,
            )
            await self._ports.journal.advance(current.seq, current.version, change)
        except (CallerError, StoreError, InternalError, IllegalMoveError) as error:
            log.error("event=not_set_down seq=%s reason=%r", record.seq, str(error))

    async def _send(
        self, record: Record, payload: Payload | None, answered: Callable[[], None]
    ) -> None:
        # Of this very version, or the commit before the first byte fails and nothing is sent.
        if payload is None:
            payload = await self._ports.journal.payload(record)
        current = record
        begun = self.channel.closures

        async def commit_sending() -> None:
            nonlocal current
            self._still_in_time(record)
            if current is not record:
                return  # committed; the connection it was committed for had gone
            current = await self._ports.journal.advance(
                record.seq, record.version, Change(event=Event.ATTEMPT)
            )
            self._still_in_time(record)  # a commit may hang for as long as the flash likes

        try:
            reply = await self._uplink.post(record, payload, record.sent + 1, commit_sending)
        except _TooLateError:
            if current is record:
                raise
            reply = Reply(answer=Answer.NOT_SENT, note="its time limit passed before it was sent")
            outcome = None
        else:
            outcome = OUTCOMES[reply.answer]
        answered()
        now = self._ports.clock.now()
        trouble, hold = self._troubled(record, OUTCOMES[reply.answer], reply, now)
        unsent = current is record
        refused_here = unsent and OUTCOMES[reply.answer].event is Event.HOLD
        # What is one payment's trouble, or our own word on it, says nothing about the channel.
        if outcome is not None and not hold and not refused_here:
            self._turn(outcome, reply, begun)
        if unsent and not refused_here:
            return  # nothing left and nothing was written: the journal need not know
        change = settle_post(
            record, reply, self._profile, trouble,
            hold=hold, now=now, boot_no=self.boot_no, drawn=self._ports.draw(),
        )  # fmt: skip
        self._remember(record, await self._commit(current, change), trouble)

    def _still_in_time(self, record: Record) -> None:
        """Money rule 2 up to the first byte: raises for a request whose customer has gone."""
        if expired(record, self._ports.clock.now(), self.boot_no):
            raise _TooLateError

    async def _ask(self, record: Record) -> None:
        begun = self.channel.closures
        reply = await self._uplink.query(record)
        now = self._ports.clock.now()
        trouble, hold = self._troubled(record, ASKED[reply.answer], reply, now)
        if not hold:
            self._turn(ASKED[reply.answer], reply, begun)
        if reply.answer is Answer.UNSUPPORTED and self._uplink.asks_by_record:
            self.memory.cannot_ask(record)
        elif reply.answer is Answer.UNSUPPORTED:
            self._asks_again_boot_ms = now.boot_ms + round(UNSUPPORTED_S * 1000)
            log.warning("event=no_status_query uplink=%s", self.channel.name)
        elif reply.answer is Answer.NOT_SENT:
            return
        asked = self.memory.asked_again(record.seq)
        change = settle_query(
            record, reply, self._profile, trouble, asked,
            hold=hold, now=now, boot_no=self.boot_no, drawn=self._ports.draw(),
        )  # fmt: skip
        after = await self._commit(record, change)
        self._remember(record, after, trouble)
        if change.event is Event.NOT_FOUND:
            self.memory.forget(record.seq)

    def _troubled(
        self, record: Record, outcome: Outcome, reply: Reply, now: Moment
    ) -> tuple[Trouble, bool]:
        """The run of equal answers this one belongs to, and whether it is one too many."""
        others = self.channel.passed
        trouble = troubled(self.memory.troubles.get(record.seq), reply.answer, now, others)
        return trouble, must_hold(outcome, trouble, now, others)

    def _remember(self, before: Record, after: Record, trouble: Trouble) -> None:
        newly_held = after.state is State.HELD and before.state is not State.HELD
        if after.final or newly_held:
            self.memory.forget(before.seq)
        else:
            self.memory.trouble(before.seq, trouble)

    async def _commit(self, record: Record, change: Change) -> Record:
        """Write an outcome down. On a full disk it is kept in memory and tried again (U21)."""
        refused = 0
        while True:
            try:
                return await self._ports.journal.advance(record.seq, record.version, change)
            except StoreError as error:
                if error.code != "store.full":
                    raise
                level = logging.DEBUG if refused else logging.WARNING
                log.log(level, "event=outcome_waits seq=%s reason=full", record.seq)
                refused += 1
                await asyncio.sleep(STORE_RETRY_S)
            except CallerError as error:
                found = await self._ports.journal.record(record.key)
                kept = None if found is None else overtaken(found, change)
                if found is None or kept is None:
                    raise
                # U20: somebody moved it on meanwhile, but the host's word is proof.
                log.info("event=late_answer seq=%s code=%s", record.seq, error.code)
                record, change = found, kept

    def _turn(self, outcome: Outcome, reply: Reply, begun: int) -> None:
        """The channel takes in what an attempt met."""
        now = self._ports.clock.now()
        if self.channel.turn(outcome, reply, begun=begun, now=now, drawn=self._ports.draw()):
            self._report(reply)

    def _report(self, reply: Reply) -> None:
        channel = self.channel
        if channel.state is ChannelState.OK:
            log.info("event=channel_open uplink=%s passed=%s", channel.name, channel.passed)
        else:
            log.warning(
                "event=channel_%s uplink=%s cause=%s reason=%r",
                channel.state, channel.name, channel.cause, reply.note,
            )  # fmt: skip
            if channel.state is ChannelState.BACKING_OFF and self._ports.doubted is not None:
                self._ports.doubted()
