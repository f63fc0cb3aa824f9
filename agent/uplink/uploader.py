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
from collections.abc import Mapping
from dataclasses import field

from agent.core.moment import Moment
from agent.core.money.abandoning import Asking
from agent.core.money.channel import Channel
from agent.core.money.delivery import Plan, Profile, Reply, Todo
from agent.core.money.journal import Record, State
from agent.core.money.lanes import TERMINAL_LANES
from agent.core.money.transaction import Payload
from agent.errors import StoreError
from agent.record import dataclass
from agent.uplink.attempt import STORE_RETRY_S, Attempts, Due, Ports, Uplink
from agent.uplink.lapser import Lapser
from agent.uplink.overdue import Overdue

log = logging.getLogger(__name__)

#: Candidates fetched at once; also bounds how long one read holds the writer (2 to 3 ms).
PAGE = 32
#: Candidates kept back because what they need to themselves is taken, such as a terminal.
PASSED_OVER = 8 * PAGE
#: Nothing is due: look again after this long even without a sign (boot clock jumps, missed wakes).
LONGEST_WAIT_S = 300.0
#: After a walk in vain the next begins this many times later than it took, at most the cap.
VAIN_SHARE = 10.0
VAIN_CAP_S = 30.0


@dataclass(slots=True, kw_only=True)
class _Queue:
    """Candidates read ahead, so that a drain does not ask the journal once per payment."""

    ready: deque[Record] = field(default_factory=deque)
    payloads: dict[int, Payload] = field(default_factory=dict)  #: small ones that came along
    passed: dict[int, Record] = field(default_factory=dict)  #: they go when another has ended
    after: int | str = 0
    fresh: int | None = None  #: something new came after this number while the walk rested
    walking: bool = False  #: a walk has begun and not come to its end
    next_boot_ms: int | None = None  #: when something met on this walk is worth another look
    vain_s: float = 0.0  #: spent on reading without finding anything
    not_before_s: float = 0.0  #: of the loop's clock; when the next walk may begin

    def look_again(self, boot_ms: int | None) -> None:
        """Something is worth another look then."""
        if boot_ms is not None:
            soonest_ms = self.next_boot_ms
            self.next_boot_ms = boot_ms if soonest_ms is None else min(soonest_ms, boot_ms)

    def take(self, page: Due) -> None:
        """More candidates, as they are now."""
        for record in page.records:
            self.passed.pop(record.seq, None)
        self.ready.extend(page.records)
        self.payloads = dict(page.payloads)

    def pass_over(self, record: Record) -> None:
        self.passed[record.seq] = record

    def recall(self) -> None:
        """One has ended: who was passed over for it comes first."""
        self.ready.extendleft(reversed(self.passed.values()))
        self.passed.clear()

    def rest_s(self, now_s: float) -> float:
        """How long no walk may begin."""
        return max(0.0, self.not_before_s - now_s) if self.after == 0 else 0.0


@dataclass(slots=True)
class _Errand:
    """One record being dealt with."""

    task: asyncio.Task[None]
    exclusive: str  #: what it has to itself meanwhile
    answered: bool = False  #: the host is done with it, its outcome is being committed
    doubt: asyncio.TimerHandle | None = None  #: where there is another channel to try


class Runner:
    """One uplink's traffic."""

    def __init__(self, channel: Channel, profile: Profile, uplink: Uplink, ports: Ports) -> None:
        self.channel = channel
        self._attempts = Attempts(channel, profile, uplink, ports)
        self._ports = ports
        self._queue = _Queue()
        self._busy: dict[int, _Errand] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may be due now."""
        if self._queue.walking:
            # It may lie behind the walk, whose end would find nothing and rest.
            self._queue.look_again(0)
        self._wake.set()

    def heed(self, record: Record) -> None:
        """A record of this uplink was committed."""
        if record.state is State.SENDING:
            return  # it is in hands already; its end is another change
        queue = self._queue
        movable = record.state in (State.QUEUED, State.WAITING) and record.seq not in self._busy
        in_lane = record.lane is not None and record.lane.startswith(TERMINAL_LANES)
        if movable and not in_lane and queue.rest_s(asyncio.get_running_loop().time()):
            # What is new need not wait for the next long walk.
            before = record.seq - 1
            queue.fresh = before if queue.fresh is None else min(queue.fresh, before)
        self.wake()

    async def late(self, key: str, reply: Reply) -> None:
        """An answer to an attempt that is over (U20)."""
        await self._attempts.late(key, reply)

    def asking(self, record: Record) -> Asking:
        """What this host could still tell about a payment."""
        return self._attempts.asking(record)

    def kick(self) -> None:
        """Forward now: a person or a command does not want to wait for the back-off."""
        self.channel.kick()
        self._queue.not_before_s = 0.0
        self.wake()

    def moved(self) -> None:
        """There is another way to the host now."""
        self._attempts.moved()
        self.wake()

    @property
    def in_flight(self) -> int:
        return len(self._busy)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; attempts under way get a moment to commit what they learn."""
        stopped = asyncio.create_task(stop.wait())
        stopped.add_done_callback(lambda _: self._wake.set())
        try:
            while not stop.is_set():
                self._wake.clear()
                await self._woken(await self._round())
        finally:
            stopped.cancel()
            await self._let_finish()
            await self._attempts.close()

    async def _woken(self, limit_s: float) -> None:
        if self._wake.is_set():
            return
        try:
            async with asyncio.timeout(limit_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _let_finish(self) -> None:
        """Cancelled attempts stay `sending` and start in doubt; finished ones are committed."""
        tasks = [errand.task for errand in self._busy.values()]
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
            if not self._attempts.boot_no:
                self._attempts.boot_no = await self._ports.journal.boot_no()
            return await self._fill()
        except StoreError as error:
            log.debug("event=store_closed uplink=%s code=%s", self.channel.name, error.code)
            return STORE_RETRY_S

    async def _fill(self) -> float:
        """Hand out work until the slots are full or a walk over the journal found no more."""
        while self._free(now := self._ports.clock.now()):
            if not self._queue.ready:
                if len(self._queue.passed) >= PASSED_OVER:
                    break
                wait_s = await self._refill(now)
                if wait_s is not None:
                    return wait_s
                continue
            record = self._queue.ready.popleft()
            if record.seq in self._busy:
                continue
            if self._overlaps(record):
                self._queue.pass_over(record)
            elif (decision := self._decision(record, now)) is not None:
                self._start(record, decision)
        return LONGEST_WAIT_S  # an attempt that ends wakes us

    def _free(self, now: Moment) -> bool:
        """Whether one more may be started.

        The host's window counts what it has not answered: the next goes out while the last ones
        are committed, and shares their sync. What waits for the flash alone is bounded as well.
        """
        slots = self.channel.slots(now)
        if len(self._busy) >= 2 * slots:
            return False
        return len(self._busy) - sum(each.answered for each in self._busy.values()) < slots

    async def _refill(self, now: Moment) -> float | None:
        """Read on. None, or how long to wait at the end of a walk that found nothing to do."""
        queue, clock_s = self._queue, asyncio.get_running_loop().time
        began_s = clock_s()
        if rest_s := queue.rest_s(began_s):
            return await self._refresh(rest_s)
        if queue.after == 0:
            queue.passed.clear()
            queue.fresh = None
            queue.walking = True
        page = await self._ports.journal.due(self.channel.name, queue.after, PAGE)
        queue.after = page.after or 0
        queue.look_again(page.next_boot_ms)
        apart = [r for r in page.records if not self._overlaps(r)]
        queue.vain_s = 0.0 if apart else queue.vain_s + clock_s() - began_s
        if page.after is not None:
            queue.take(page)
            return None
        queue.walking = False
        soon = any(self._decision(record, now) is not None for record in apart)
        soonest_ms, queue.next_boot_ms = queue.next_boot_ms, None
        if soon:
            queue.take(page)
            return None
        for record in page.records:
            if record.seq not in self._busy and self._overlaps(record):
                queue.pass_over(record)
        # A long journal with nothing to do in it must not be walked for every wink.
        vain_s, queue.vain_s = queue.vain_s, 0.0
        queue.not_before_s = clock_s() + min(VAIN_SHARE * vain_s, VAIN_CAP_S)
        if queue.ready:
            return None  # one has ended meanwhile
        wait_ms = round(LONGEST_WAIT_S * 1000)
        if soonest_ms is not None:
            wait_ms = min(wait_ms, max(soonest_ms - now.boot_ms, 20))
        return wait_ms / 1000

    async def _refresh(self, rest_s: float) -> float | None:
        """While the walk rests: only what has come since. The journal says whether it may go."""
        queue = self._queue
        if queue.fresh is None:
            return rest_s
        after, queue.fresh = queue.fresh, None
        page = await self._ports.journal.due(self.channel.name, after, PAGE)
        queue.take(page)
        queue.look_again(page.next_boot_ms)
        if page.records and isinstance(page.after, int):
            queue.fresh = page.after
        return None if page.records else rest_s

    def _decision(self, record: Record, now: Moment) -> Plan | None:
        """What to do with a candidate now; None: nothing."""
        if record.seq in self._busy:
            return None
        if rests_ms := self._attempts.memory.rests_ms(record.seq, now):
            self._queue.look_again(now.boot_ms + rests_ms)
            return None
        decision = self._attempts.plan(record, now)
        if decision.todo is Todo.WAIT:
            self._queue.look_again(now.boot_ms + decision.wait_ms)
        return None if decision.todo in (Todo.WAIT, Todo.NOTHING) else decision

    def _overlaps(self, record: Record) -> bool:
        """Whether what it must have to itself is taken by one under way."""
        wanted = self._attempts.exclusive(record)
        return bool(wanted) and any(each.exclusive == wanted for each in self._busy.values())

    def _start(self, record: Record, decision: Plan) -> None:
        payload = self._queue.payloads.pop(record.seq, None)

        def answered() -> None:
            errand.answered = True
            self._wake.set()

        handling = self._attempts.handle(record, decision, payload, answered)
        task = asyncio.create_task(handling, name=f"deliver-{record.seq}")
        errand = self._busy[record.seq] = _Errand(task, self._attempts.exclusive(record))
        if (doubted := self._ports.doubted) is not None:
            loop = asyncio.get_running_loop()
            errand.doubt = loop.call_later(self._ports.doubt_after_s, doubted)
        task.add_done_callback(lambda _: self._ended(record.seq))

    def _ended(self, seq: int) -> None:
        errand = self._busy.pop(seq, None)
        if errand is not None and errand.doubt is not None:
            errand.doubt.cancel()
        self._queue.recall()
        self.wake()


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
            runner.heed(record)

    def beat(self, now_ms: int) -> str:
        # An attempt has its own deadlines; what can get stuck is the loop and the store, and
        # those are watched by the scheduler and by the store's own beat.
        return ""

    def kick(self, name: str | None = None) -> None:
        """Forward now, on one uplink or on all."""
        for runner_name, runner in self._runners.items():
            if name in (None, runner_name):
                runner.kick()

    def moved(self, switch: object = None) -> None:
        """Everything leaves by another channel now, and need not wait for the last one's sins."""
        del switch
        for runner in self._runners.values():
            runner.moved()

    @property
    def runners(self) -> Mapping[str, Runner]:
        return self._runners
