"""Takes payments from the journal to their hosts, and nothing else.

Per uplink one runner: it asks the journal for records at the head of their lane, lets the core
decide what to do with each, performs that, and commits what came of it before it lets go. Nothing
is kept in memory that a crash may not take: back-off counters and the run of equal answers, whose
loss costs a retry. A new payment, a released one or the end of a wait wakes it; it never polls.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.clock import Clock
from agent.core.moment import Moment
from agent.core.money.channel import Channel, ChannelState
from agent.core.money.delivery import (
    ASKED,
    OUTCOMES,
    Answer,
    Plan,
    Profile,
    Reply,
    Todo,
    lapse,
    must_hold,
    plan,
    settle_post,
    settle_query,
    troubled,
)
from agent.core.money.journal import Change, Event, IllegalMoveError, Record
from agent.core.money.transaction import Payload
from agent.errors import CallerError, InternalError, StoreError
from agent.uplink.aftermath import Reverse, reversed_or_held, told_late
from agent.uplink.lapser import Lapser
from agent.uplink.memory import Memory
from agent.uplink.overdue import Overdue

log = logging.getLogger(__name__)

#: Candidates fetched at once; also bounds how long one read holds the writer (about 1 ms).
PAGE = 64
#: Nothing is due: look again after this long even without a sign (boot clock jumps, missed wakes).
LONGEST_WAIT_S = 300.0
#: The store refused to commit an outcome: try again this often, keeping the outcome in memory.
STORE_RETRY_S = 1.0
#: One answer that is no status answer may be a gateway's, during a deployment: ask again later.
UNSUPPORTED_S = 900.0


class Due(Protocol):
    """One page of work (`agent.store.journal.Due`)."""

    @property
    def records(self) -> list[Record]: ...
    @property
    def after_seq(self) -> int | None: ...
    @property
    def next_boot_ms(self) -> int | None: ...


class Journal(Protocol):
    """What the uploader needs of the store."""

    async def record(self, key: str) -> Record | None: ...
    async def due(self, uplink: str, after_seq: int, limit: int) -> Due: ...
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
    async def close(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class _Queue:
    """Candidates read ahead, so that a drain does not ask the journal once per payment."""

    ready: deque[Record] = field(default_factory=deque)
    after_seq: int = 0
    soonest_ms: int | None = None  #: when something seen on this walk is worth another look


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What every runner shares."""

    journal: Journal
    clock: Clock
    draw: Callable[[], float]  #: uniform in [0, 1): the jitter
    reverse: Reverse | None = None


class Runner:
    """One uplink's traffic."""

    def __init__(self, channel: Channel, profile: Profile, uplink: Uplink, ports: Ports) -> None:
        self.channel = channel
        self._profile = profile
        self._uplink = uplink
        self._ports = ports
        self._memory = Memory()
        self._queue = _Queue()
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._taken: dict[int, str] = {}  #: what the records under way have to themselves
        self._wake = asyncio.Event()
        self._asks_again_boot_ms = 0
        self._boot_no = 0  # asked for when the store first answers

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    def kick(self) -> None:
        """Forward now: a person or a command does not want to wait for the back-off."""
        self.channel.kick()
        self._wake.set()

    @property
    def in_flight(self) -> int:
        return len(self._busy)

    def _plan(self, record: Record, now: Moment) -> Plan:
        can_ask = now.boot_ms >= self._asks_again_boot_ms
        can_ask = can_ask and record.seq not in self._memory.unaskable
        return plan(record, self._profile, now, self._boot_no, can_ask=can_ask)

    def _startable(self, record: Record) -> bool:
        """Whether it is not under way, nor anything it may not overlap with."""
        if record.seq in self._busy:
            return False
        exclusive = self._uplink.exclusive(record)
        return not exclusive or exclusive not in self._taken.values()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; attempts under way get a moment to commit what they learn."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._wake.clear()
                wait_s = await self._round()
                woken = asyncio.create_task(self._wake.wait())
                await asyncio.wait(
                    (stopped, woken), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
                )
                woken.cancel()
        finally:
            stopped.cancel()
            await self._let_finish()
            await self._uplink.close()

    async def _let_finish(self) -> None:
        """Cancelled attempts stay `sending` and start in doubt; finished ones are committed."""
        tasks = list(self._busy.values())
        if not tasks:
            return
        _done, late = await asyncio.wait(tasks, timeout=1.0)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=0.5)

    async def _round(self) -> float:
        """Start what can be started. Returns how long nothing more will be due, in seconds."""
        wait_ms = self.channel.wait_ms(self._ports.clock.now())
        if wait_ms is None:
            return LONGEST_WAIT_S
        if wait_ms:
            return wait_ms / 1000
        try:
            if not self._boot_no:
                self._boot_no = await self._ports.journal.boot_no()
            return await self._fill()
        except StoreError as error:
            log.debug("event=store_closed uplink=%s code=%s", self.channel.name, error.code)
            return STORE_RETRY_S

    async def _fill(self) -> float:
        """Hand out work until the slots are full or a walk over the journal found no more."""
        while len(self._busy) < self.channel.slots(now := self._ports.clock.now()):
            if not self._queue.ready:
                wait_s = await self._refill(now)
                if wait_s is not None:
                    return wait_s
                continue
            record = self._queue.ready.popleft()
            if not self._startable(record):
                continue
            decision = self._plan(record, now)
            if decision.todo is Todo.WAIT:
                self._look_again(decision.wait_ms)
            elif decision.todo is not Todo.NOTHING:
                self._start(record, decision)
        return LONGEST_WAIT_S  # an attempt that ends wakes us

    def _look_again(self, wait_ms: int) -> None:
        soonest_ms = self._queue.soonest_ms
        self._queue.soonest_ms = wait_ms if soonest_ms is None else min(wait_ms, soonest_ms)

    async def _refill(self, now: Moment) -> float | None:
        """Read the next page of candidates. None, or how long to wait at the end of a walk."""
        page = await self._ports.journal.due(self.channel.name, self._queue.after_seq, PAGE)
        self._queue.ready.extend(page.records)
        self._queue.after_seq = page.after_seq or 0
        if page.after_seq is not None or self._worth(page.records, now):
            return None
        self._queue.ready.clear()
        if page.next_boot_ms is not None:
            self._look_again(page.next_boot_ms - now.boot_ms)
        soonest_ms, self._queue.soonest_ms = self._queue.soonest_ms, None
        if soonest_ms is None:
            return LONGEST_WAIT_S
        return min(max(soonest_ms, 20) / 1000, LONGEST_WAIT_S)

    def _worth(self, records: list[Record], now: Moment) -> bool:
        """Whether anything on the last page can be started: else the walk would never end."""
        for record in records:
            if self._startable(record):
                decision = self._plan(record, now)
                if decision.todo is Todo.WAIT:
                    self._look_again(decision.wait_ms)
                elif decision.todo is not Todo.NOTHING:
                    return True
        return False

    def _start(self, record: Record, decision: Plan) -> None:
        task = asyncio.create_task(self._handle(record, decision), name=f"deliver-{record.seq}")
        self._busy[record.seq] = task
        self._taken[record.seq] = self._uplink.exclusive(record)
        task.add_done_callback(lambda _: self._ended(record.seq))

    def _ended(self, seq: int) -> None:
        self._busy.pop(seq, None)
        self._taken.pop(seq, None)
        self._wake.set()

    async def _handle(self, record: Record, decision: Plan) -> None:
        try:
            match decision.todo:
                case Todo.SEND:
                    await self._send(record)
                case Todo.ASK:
                    await self._ask(record)
                case Todo.LAPSE:
                    await self._commit(record, lapse())
                case Todo.HOLD:
                    hold = Change(event=Event.HOLD, cause=decision.cause, note=decision.note)
                    await self._commit(record, hold)
                case Todo.REVERSE:
                    ports = self._ports
                    await reversed_or_held(ports.journal, ports.reverse, record, decision)
                case _:
                    raise InternalError("uploader.plan", f"nothing to do for {decision.todo}")
        except CallerError as error:
            # A person was quicker (void, hold, release): the record is read afresh next round.
            log.info("event=overtaken seq=%s code=%s", record.seq, error.code)
        except StoreError as error:
            log.warning("event=attempt_not_stored seq=%s code=%s", record.seq, error.code)
            self.channel.open_at_boot_ms = self._ports.clock.now().boot_ms + round(
                STORE_RETRY_S * 1000
            )
        except (IllegalMoveError, InternalError) as error:
            log.error("event=attempt_failed seq=%s reason=%r", record.seq, str(error))
            self.channel.open_at_boot_ms = self._ports.clock.now().boot_ms + 60_000

    async def _send(self, record: Record) -> None:
        payload = await self._ports.journal.payload(record)
        current = record

        async def commit_sending() -> None:
            nonlocal current
            current = await self._ports.journal.advance(
                record.seq, record.version, Change(event=Event.ATTEMPT)
            )

        reply = await self._uplink.post(record, payload, record.sent + 1, commit_sending)
        now = self._ports.clock.now()
        outcome = OUTCOMES[reply.answer]
        changed = self.channel.turn(outcome, reply, now=now, drawn=self._ports.draw())
        if changed:
            self._report(reply)
        if current is record and outcome.event is not Event.HOLD:
            return  # nothing left and nothing was written: the journal need not know
        before = self._memory.troubles.get(record.seq)
        trouble = troubled(before, reply.answer, now, self.channel.passed)
        hold = must_hold(outcome, trouble, now, self.channel.passed)
        change = settle_post(
            record, reply, self._profile, trouble,
            hold=hold, now=now, boot_no=self._boot_no, drawn=self._ports.draw(),
        )  # fmt: skip
        try:
            after = await self._commit(current, change)
        except CallerError:
            # Moved on while the host was thinking: what it said is still worth a line of history.
            await self.late(record.key, reply)
            raise
        if after.final or hold:
            self._memory.forget(record.seq)
        else:
            self._memory.trouble(record.seq, trouble)

    async def _ask(self, record: Record) -> None:
        reply = await self._uplink.query(record)
        now = self._ports.clock.now()
        if self.channel.turn(ASKED[reply.answer], reply, now=now, drawn=self._ports.draw()):
            self._report(reply)
        if reply.answer is Answer.UNSUPPORTED and self._uplink.asks_by_record:
            self._memory.unaskable.add(record.seq)
        elif reply.answer is Answer.UNSUPPORTED:
            self._asks_again_boot_ms = now.boot_ms + round(UNSUPPORTED_S * 1000)
            log.warning("event=no_status_query uplink=%s", self.channel.name)
        elif reply.answer is Answer.NOT_SENT:
            return
        asked = self._memory.asked_again(record.seq)
        change = settle_query(
            record, reply, self._profile, asked,
            now=now, boot_no=self._boot_no, drawn=self._ports.draw(),
        )  # fmt: skip
        after = await self._commit(record, change)
        if after.final or change.event is Event.NOT_FOUND:
            self._memory.forget(record.seq)

    async def late(self, key: str, reply: Reply) -> None:
        """An answer to an attempt that is over (U20)."""
        await told_late(self._ports.journal, key, reply)

    async def _commit(self, record: Record, change: Change) -> Record:
        """Write an outcome down. On a full disk it is kept in memory and tried again (U21)."""
        while True:
            try:
                return await self._ports.journal.advance(record.seq, record.version, change)
            except StoreError as error:
                if error.code != "store.full":
                    raise
                log.warning("event=outcome_waits seq=%s reason=full", record.seq)
                await asyncio.sleep(STORE_RETRY_S)

    def _report(self, reply: Reply) -> None:
        channel = self.channel
        if channel.state is ChannelState.OK:
            log.info("event=channel_open uplink=%s passed=%s", channel.name, channel.passed)
        else:
            log.warning(
                "event=channel_%s uplink=%s cause=%s reason=%r",
                channel.state, channel.name, channel.cause, reply.note,
            )  # fmt: skip


class Uploader:
    """All runners as one part of the daemon. Fatal: without it no money moves."""

    name = "uploader"
    fatal = True

    def __init__(
        self, runners: Mapping[str, Runner], lapser: Lapser, overdue: Overdue | None = None
    ) -> None:
        self._runners = runners
        self._lapser = lapser
        self._overdue = overdue

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lapser.run(stop), name="lapser")
            if self._overdue is not None:
                group.create_task(self._overdue.run(stop), name="overdue")
            for name, runner in self._runners.items():
                group.create_task(runner.run(stop), name=f"uplink-{name}")

    def changed(self, record: Record) -> None:
        """A record was committed: whoever carries its uplink may have work now."""
        self._lapser.heed(record)
        if self._overdue is not None:
            self._overdue.heed(record)
        runner = self._runners.get(record.transaction.uplink)
        if runner is not None:
            runner.wake()

    def beat(self, now_ms: int) -> str:
        # An attempt has its own deadlines; what can get stuck is the loop and the store, and
        # those are watched by the scheduler and by the store's own beat.
        return ""

    def kick(self, name: str | None = None) -> None:
        """Forward now, on one uplink or on all."""
        for runner_name, runner in self._runners.items():
            if name in (None, runner_name):
                runner.kick()

    @property
    def runners(self) -> Mapping[str, Runner]:
        return self._runners
