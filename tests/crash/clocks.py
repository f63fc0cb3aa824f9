"""Rig 5: a wall clock nobody can rely on: fifty years off, 1970 after a boot, set at random.

The real store and the real uploader work for a host that posts every request it gets, repeats too,
while the wall clock is set again and again; only the boot clock is true. The same life is lived a
second time under a wall clock that is right: the first may not ask the host much more often. What
is looked for: payments lost or posted twice; requests ended before their time, or sent after it,
by a clock that should not have been asked; and storms, the host asked far more often than in the
quiet life. The control is the same agent counting on the wall clock.

Across a boot a request's limit is on the wall clock while that is believed; if it is wrong and can
be right, nobody on the terminal can know. Such endings are counted and not called wrong: the
payment never left, and the cashier is told. What waits for a person at the end is counted too: a
request of an earlier boot while no clock is believed, and what the host may have forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from agent.clock import SystemClock
from agent.core.moment import Moment, plausible
from agent.core.money.channel import Channel
from agent.core.money.delivery import Answer, OnUnknown, Profile, Reply
from agent.core.money.journal import UNSENT, HostResult, Record, State
from agent.core.money.transaction import Payload, Posting
from agent.store import Store
from agent.uplink.attempt import Ports
from agent.uplink.lapser import Lapser
from agent.uplink.uploader import Runner, Uploader
from tests.core.money.payments import submission

TRUE_WALL_MS = 1_795_000_000_000
YEAR_S = 31_557_600.0
LIMIT_S = 120.0  #: how long the customer of a request stays
PROFILE = Profile(
    status_query=True, on_unknown=OnUnknown.QUERY, key_window_s=10 * 86_400, host_in_flight_s=5,
    backoff_base_s=2.0, backoff_cap_s=300.0,
)  # fmt: skip
#: What a jump may be, besides the random ones; the wall clock in years, or None for 1970.
NAMED_YEARS: tuple[float | None, ...] = (50.0, -50.0, None, 10.0, -10.0, 0.0)
#: How much more often the host may be asked than in the quiet life.
SHARE, SPARE = 1.25, 50
PATIENCE_S = 60.0
#: Half minutes until all is settled that will be.
ROUNDS = 300


@dataclass(slots=True)
class Result:
    """What the lives showed."""

    jumps: int = 0
    boots: int = 0
    payments: int = 0
    posted: int = 0
    lapsed: int = 0
    left: Counter[str] = field(default_factory=Counter)  #: unsent at the end, by why
    unknowable: int = 0  #: ended or sent across a boot under a wrong clock that could be right
    asked: int = 0  #: posts and questions that reached for the host
    quiet: int = 0  #: the same in the life with a right clock
    bad: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Result) -> None:
        for name in (
            "jumps", "boots", "payments", "posted", "lapsed", "unknowable", "asked", "quiet",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.left += other.left
        self.bad += other.bad
        self.examples = [*self.examples, *other.examples][:10]
        self.seconds = max(self.seconds, other.seconds)

    def wrong(self, text: str) -> None:
        self.bad[text.partition(":")[0]] += 1
        if len(self.examples) < 10:
            self.examples.append(text)


class JumpingClock(SystemClock):
    """The real rules of trust over clocks under the rig's thumb."""

    def __init__(self) -> None:
        super().__init__()
        self.true_s = 0.0  #: what no terminal knows
        self.off_s = 0.0  #: of the wall clock
        self.booted_s = 0.0
        self.boots = 1

    @property
    def wall_ms(self) -> int:
        return TRUE_WALL_MS + round((self.true_s + self.off_s) * 1000)

    def now(self) -> Moment:
        return Moment(
            wall_ms=self.wall_ms,
            boot_ms=round((self.true_s - self.booted_s) * 1000) + 5_000,
            boot_id=f"boot-{self.boots}",
            trusted=self.believed,
        )

    @property
    def believed(self) -> bool:
        return plausible(self.wall_ms, self._last_seen_ms)

    def jump(self, years: float | None) -> None:
        """Set the wall clock so far from the truth; None: to the first day of 1970."""
        self.off_s = -TRUE_WALL_MS / 1000 - self.true_s if years is None else years * YEAR_S

    def boot(self, down_s: float) -> None:
        self.true_s += down_s
        self.booted_s, self.boots = self.true_s, self.boots + 1

    def loop(self) -> asyncio.AbstractEventLoop:
        """An event loop whose timers live in the same time.

        On a loop of its own time the uploader's pause after a long walk, seconds on a busy
        machine, would outlast all the half minutes the rig lets go by.
        """
        return _Loop(self)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: JumpingClock) -> None:
        self._clock = clock
        super().__init__()

    def time(self) -> float:
        return super().time() + self._clock.true_s


class WallOnlyClock(JumpingClock):
    """Positive control: no clock but the one on the wall, believed whatever it says."""

    def now(self) -> Moment:
        return Moment(wall_ms=self.wall_ms, boot_ms=self.wall_ms, boot_id="boot-1", trusted=True)


@dataclass(frozen=True, slots=True)
class _Handed:
    """A hand-over as it really was."""

    true_s: float
    boots: int
    request: bool


class _Host:
    """An uplink that posts whatever it gets, when it is in the mood."""

    asks_by_record = False

    def __init__(self, life: _Life, draw: random.Random) -> None:
        self.ledger: Counter[str] = Counter()
        self.mood = "well"
        self._life = life
        self._draw = draw

    def exclusive(self, record: Record) -> str:
        return ""

    async def close(self) -> None:
        pass

    async def post(
        self, record: Record, payload: Payload, attempt: int,
        before_first_byte: Callable[[], Awaitable[None]],
    ) -> Reply:  # fmt: skip
        self._life.result.asked += 1
        if self.mood == "down":
            return Reply(answer=Answer.NOT_SENT)
        await before_first_byte()
        self._life.sent(record)
        if self.mood == "mute":
            if self._draw.random() < 0.5:
                self.ledger[record.key] += 1
            return Reply(answer=Answer.NO_ANSWER)
        if self.mood == "busy":
            return Reply(answer=Answer.BUSY)
        self.ledger[record.key] += 1
        return Reply(answer=Answer.POSTED, result=HostResult(reference=record.key))

    async def query(self, record: Record) -> Reply:
        self._life.result.asked += 1
        if self.mood == "down":
            return Reply(answer=Answer.NOT_SENT)
        if self.mood != "well":
            return Reply(answer=Answer.NO_ANSWER)
        if self.ledger[record.key]:
            return Reply(answer=Answer.POSTED, result=HostResult(reference=record.key))
        return Reply(answer=Answer.NOT_FOUND)


class _Life:
    """A terminal from its first start to the last payment."""

    def __init__(
        self, home: Path, clock: JumpingClock, seed: int, doubted: frozenset[str] = frozenset()
    ) -> None:
        self.result = Result()
        #: Payments older than the journal, about which the host is asked first.
        self.doubted = set(doubted)
        self.clock = clock
        self._home = home
        self._draw = random.Random(seed)
        self._host = _Host(self, random.Random(seed + 1))
        self._handed: dict[str, _Handed] = {}
        self._records: dict[str, Record] = {}
        self._stop = asyncio.Event()

    def run(self, steps: int, *, jumping: bool) -> None:
        with asyncio.Runner(loop_factory=self.clock.loop) as runner:
            runner.run(self._live(steps, jumping=jumping))

    async def _live(self, steps: int, *, jumping: bool) -> None:
        await self._start()
        for step in range(steps):
            await self._step(step, jumping=jumping)
        self.clock.off_s, self._host.mood = 0.0, "well"
        await self._until_settled()
        await self._end()
        self._compare()

    async def _start(self) -> None:
        self._stop = asyncio.Event()
        self._store = Store(self._home / f"state-{self.clock.boots}", self.clock)
        await self._store.start()
        ports = Ports(journal=self._store, clock=self.clock, draw=lambda: 0.5)
        channel = Channel(name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=4)
        self._runner = Runner(channel, PROFILE, self._host, ports)
        self._lapser = Lapser(self._store, self.clock)
        uploader = Uploader({"host": self._runner}, self._lapser)
        self._store.on_change(self._changed)
        self._store.on_change(uploader.changed)
        self._task = asyncio.create_task(uploader.run(self._stop))

    async def _end(self) -> None:
        self._stop.set()
        await self._task
        assert self._store.stop(10.0)

    async def _step(self, step: int, *, jumping: bool) -> None:
        draw = self._draw
        if step % 25 == 0:
            self._host.mood = draw.choice(("well", "well", "down", "mute", "busy"))
        # Both lives draw the same, whatever they make of it.
        wild, far, near = draw.random(), draw.uniform(-50, 50), draw.uniform(-86_400, 86_400)
        named, boots, down_s = draw.choice(NAMED_YEARS), draw.random() < 0.04, draw.uniform(5, 900)
        hands_over, request = draw.random() < 0.6, draw.random() < 0.4
        passes_s = draw.choice((0.5, 3.0, 15.0, 40.0))
        if boots:
            await self._boot(down_s)
        if jumping:
            self.result.jumps += 1
            if step < 2 * len(NAMED_YEARS):
                named, wild = NAMED_YEARS[step // 2], 0.0
            self.clock.jump(named if wild < 0.4 else far if wild < 0.8 else near / YEAR_S)
        if hands_over:
            await self._hand_over(f"p{step}", request=request)
        self.clock.true_s += passes_s
        await self._settle()

    async def _boot(self, down_s: float) -> None:
        """The power goes: what is on the flash is what the next start finds."""
        self.result.boots += 1
        left = self._home / f"state-{self.clock.boots + 1}"
        # Between two pieces of the writer's work, so that the copy is of one moment.
        await self._store.state(lambda _: shutil.copytree(self._store.directory, left))
        old = self._store.directory
        await self._end()
        shutil.rmtree(old)
        (left / "lock").unlink()
        self.clock.boot(down_s)
        await self._start()

    async def _hand_over(self, key: str, *, request: bool) -> None:
        # The payment app reads the same clock, and says when its customer will have gone.
        now = self.clock.now()
        limits = {}
        if request:
            limits = {
                "posting": Posting.REQUEST, "send_before": now.at + timedelta(seconds=LIMIT_S),
            }  # fmt: skip
        older = timedelta(days=1 if key in self.doubted else 0)
        self._handed[key] = _Handed(self.clock.true_s, self.clock.boots, request)
        record = (
            await self._store.append(submission(key, occurred_at=now.at - older, **limits))
        ).record
        self.result.payments += 1
        if record.in_doubt:
            self.doubted.add(key)

    async def _settle(self) -> None:
        """Until nobody has anything to do at this moment."""
        self._runner.wake()
        self._lapser.wake()
        quiet, ends = 0, time.monotonic() + PATIENCE_S
        while quiet < 3:
            assert time.monotonic() < ends, "the uploader does not come to rest"
            await self._store.backlog()  # behind everything that was asked of the store before
            await asyncio.sleep(0)
            quiet = 0 if self._runner.in_flight else quiet + 1

    async def _until_settled(self) -> None:
        """Under a clock that is right and a host that is well."""
        for _ in range(ROUNDS):
            left = await self._store.page(states=UNSENT, limit=500)
            self.result.left = Counter(self._waits(record) for record in left)
            if not self.result.left[""]:
                return
            self.clock.true_s += 30.0
            await self._settle()

    def _waits(self, record: Record) -> str:
        """Why this waits for a person, or ""."""
        handed = self._handed[record.key]
        if record.state is State.HELD and record.in_doubt:
            return "the host may have forgotten it"
        earlier = handed.request and handed.boots != self.clock.boots
        return "no clock is believed" if earlier and not self.clock.believed else ""

    # -- what must hold --------------------------------------------------------------------

    def _changed(self, record: Record) -> None:
        if record.state is State.LAPSED and record.key not in self._records:
            self._too_soon(record)
        if record.final:
            self._records[record.key] = record

    def _left_s(self, record: Record) -> float:
        return LIMIT_S - (self.clock.true_s - self._handed[record.key].true_s)

    def _knowable(self, record: Record) -> bool:
        """Whether the terminal could know how long ago this was handed over."""
        return self._handed[record.key].boots == self.clock.boots or not self.clock.believed

    def _too_soon(self, record: Record) -> None:
        if not self._handed[record.key].request:
            self.result.wrong(f"expired: {record.key}, which has no limit")
        elif self._left_s(record) > 0 and self._knowable(record):
            self.result.wrong(f"expired: {record.key} {self._left_s(record):.0f} s too soon")
        elif self._left_s(record) > 0:
            self.result.unknowable += 1

    def sent(self, record: Record) -> None:
        """Bytes leave. A request goes only while its customer stands there."""
        if not self._handed[record.key].request or self._left_s(record) >= 0:
            return
        if self._knowable(record):
            self.result.wrong(f"sent too late: {record.key} by {-self._left_s(record):.0f} s")
        else:
            self.result.unknowable += 1

    def _compare(self) -> None:
        result, ledger, unsent = self.result, self._host.ledger, 0
        for key in self._handed:
            record = self._records.get(key)
            if record is None:
                unsent += 1
                if ledger[key] > 1:
                    result.wrong(f"posted twice: {key}")
            elif record.state is State.POSTED:
                result.posted += 1
                if ledger[key] != 1:
                    result.wrong(f"{'posted twice' if ledger[key] else 'lost'}: {key}")
            elif record.state is State.LAPSED:
                result.lapsed += 1
                if ledger[key]:
                    result.wrong(f"posted though lapsed: {key}")
            else:
                result.wrong(f"ended elsewhere: {key} is {record.state}")
        if result.left[""] or result.left.total() != unsent:
            result.wrong(f"lost: {unsent} unsent at the end, of them in the journal {result.left}")


def run(home: Path, seed: int, steps: int, *, wall_only: bool = False) -> Result:
    """One life with jumps and one without; `wall_only` is the positive control."""
    began = time.monotonic()
    kind = WallOnlyClock if wall_only else JumpingClock
    wild = _Life(home / "wild", kind(), seed)
    silenced = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        wild.run(steps, jumping=True)
        quiet = _Life(home / "quiet", kind(), seed, frozenset(wild.doubted))
        quiet.run(steps, jumping=False)
    finally:
        logging.disable(silenced)
    result = wild.result
    result.quiet = quiet.result.asked
    if result.asked > SHARE * result.quiet + SPARE:
        result.wrong(f"stormed: the host was asked {result.asked} times, not {result.quiet}")
    for sort, count in quiet.result.bad.items():
        result.bad[f"{sort}, clock right"] += count
        result.examples += quiet.result.examples[:3]
    result.seconds = time.monotonic() - began
    return result
