"""Takes marked records over and delivers them to the sink, on a journal of the drill's own.

The same store, the same runner and the same alarms as the daemon's, in another folder of the same
file system: `accept` goes on until it is killed, `deliver` opens what that left. Opens the store in
the folder it is told and nothing else; has no configuration, so no host, and no socket
(docs/drill.md). In: one JSON object. Out: one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.config import Storage
from agent.core.drill import SINK
from agent.core.drill.report import key_of
from agent.core.health.standard import STANDARD
from agent.core.health.tracker import Change, Tracker, What
from agent.core.moment import Moment
from agent.core.money.journal import Record
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Payload, Posting, Submission, Transaction
from agent.errors import StoreError
from agent.store import Store
from agent.store.journal import Journal
from agent.store.retention import forget
from agent.uplink.attempt import Ports
from agent.uplink.drill import DrillSink, runner_of
from agent.uplink.lapser import Lapser
from agent.uplink.uploader import Uploader
from agent.uplink.view import Channels
from agent.watch.itself import UplinkWatcher

#: Small: the real journal's reserve must not go into an exercise.
STORAGE = Storage(reserve_kb=64, max_mb=16)
#: Who accepts is killed long before that.
MOST_MORE = 2_000
PACE_S = 0.005
LOCK_S = 15.0
ALARM_S = 20.0
DRAIN_S = 60.0
LOOK_S = 0.02
#: No condition is shown or cleared later than this; the tracker is told that so much has passed.
DELAYS_MS = 3_600_000
ALARM = "network.host_unreachable"


def answer(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The steps of one half of the drill as they end."""
    told = iter(lines)
    head: dict[str, Any] = json.loads(next(told))
    half = _accept(head) if head["half"] == "accept" else _deliver(head, told)
    with asyncio.Runner() as runner:
        while (step := runner.run(_next(half))) is not None:
            yield json.dumps(step, separators=(",", ":")).encode()


async def _next(half: AsyncIterator[dict[str, Any]]) -> dict[str, Any] | None:
    return await anext(half, None)


def submission(number: int, place: int) -> Submission:
    """One marked record: no money, no card, no host."""
    return Submission(
        transaction=Transaction(
            key=key_of(number, place),
            terminal_id="DRILL",
            merchant_id="DRILL",
            kind=Kind.SALE,
            posting=Posting.ADVICE,
            occurred_at=SystemClock().now().at,
            uplink=SINK,
        ),
        payload=Payload(content_type="application/json", body=body_of(number, place)),
    )


def body_of(number: int, place: int) -> bytes:
    """What must arrive, byte for byte."""
    return json.dumps({"drill": number, "record": place}).encode()


class _Room:
    """The journal of one drill with the sink behind it."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.store = Store(folder, self.clock, {SINK: Order.TERMINAL}, storage=STORAGE)
        self.sink = DrillSink()
        ports = Ports(journal=self.store, clock=self.clock, draw=random.Random().random)
        self.runner = runner_of(self.sink, ports)
        lapser = Lapser(self.store, self.clock, _covers_nothing, {})
        self.uploader = Uploader({SINK: self.runner}, lapser)
        self.store.on_change(self.uploader.changed)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Waits for whoever holds it: one that was killed may not be gone yet."""
        ends_s = time.monotonic() + LOCK_S
        while True:
            try:
                await self.store.start()
                break
            except StoreError as error:
                if error.code != "store.busy" or time.monotonic() > ends_s:
                    raise
                await asyncio.sleep(LOOK_S)
        stop = asyncio.Event()
        working = asyncio.create_task(self.uploader.run(stop), name="drill")
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({working}, timeout=5.0)
            self.store.stop(5.0)

    async def records(self) -> list[Record]:
        """All of them."""
        found: list[Record] = []
        while page := await self.store.page(after_seq=found[-1].seq if found else 0, limit=500):
            found += page
        return found


async def _covers_nothing(record: Record) -> bool:
    del record
    return False


async def _accept(head: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Goes on taking records over until it is killed; each is told of after its commit."""
    room, number = _Room(Path(head["folder"])), head["number"]
    async with room.open():
        for place in range(1, head["records"] + MOST_MORE):
            began_s = time.monotonic()
            await room.store.append(submission(number, place))
            took_ms = round((time.monotonic() - began_s) * 1000, 1)
            yield {"accepted": place, "took_ms": took_ms}
            if place >= head["records"]:
                await asyncio.sleep(PACE_S)  # the kill is on its way: flash is not for waiting


async def _deliver(head: dict[str, Any], lines: Iterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Opens what was left, raises the alarm, lets the sink be there, drains and clears up.

    The sink stays silent until the next line: the alarm is to be seen on the terminal first.
    """
    room, number = _Room(Path(head["folder"])), head["number"]
    timed = _Timed()
    async with room.open():
        alarms = _Alarms(room)
        kept = await room.records()
        reopened = await _reopened(room, kept, head)
        yield timed.step("reopen", reopened)
        if not reopened["good"]:
            return
        yield timed.step("alarm", await alarms.until(What.SHOWN, ALARM_S))
        if next(lines, None) is None:
            return  # whoever asked has gone
        timed.go_on()
        room.sink.up = True
        room.runner.kick()
        yield timed.step("drain", await _drained(room, [record.key for record in kept], number))
        yield timed.step("clear", await alarms.until(What.CLEARED, ALARM_S))
        yield timed.step("remove", await _removed(room))


async def _reopened(room: _Room, kept: list[Record], head: dict[str, Any]) -> dict[str, Any]:
    """Whether every record that was confirmed is there as it was handed over."""
    known, altered, missing = {record.key: record for record in kept}, 0, 0
    for place in range(1, head["records"] + 1):
        record = known.get(key_of(head["number"], place))
        if record is None:
            missing += 1
            continue
        payload = await room.store.payload(record)
        same = payload.body == body_of(head["number"], place)
        altered += not (same and record.transaction.uplink == SINK and not record.final)
    facts = await room.store.facts()
    return {
        # A clean start would mean that nobody killed it.
        "good": not (missing or altered or facts.damage or facts.clean_start),
        "records": head["records"], "missing": missing, "altered": altered,
        "unconfirmed": len(kept) - head["records"] + missing,
        "clean_start": facts.clean_start, "reason": facts.damage,
    }  # fmt: skip


async def _drained(room: _Room, keys: list[str], number: int) -> dict[str, Any]:
    """Whether each arrived, once, in the order it was taken over, and is confirmed here."""
    ends_s = time.monotonic() + DRAIN_S
    emptied = asyncio.Event()
    room.store.on_change(lambda record: emptied.set() if record.final else None)
    while (await room.store.backlog()).total.count and time.monotonic() < ends_s:
        emptied.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(emptied.wait(), LOOK_S * 10)
    arrived = [key for key, _ in room.sink.arrived]
    firsts = list(dict.fromkeys(arrived))
    wanted = {key_of(number, place): body_of(number, place) for place in range(1, len(keys) + 1)}
    foreign = sum(wanted.get(key) != body for key, body in room.sink.arrived)
    unsent = (await room.store.backlog()).total.count
    out_of_order = sum(a > b for a, b in pairwise(firsts))
    twice = len(arrived) - len(firsts)
    return {
        "good": firsts == keys and not (twice or foreign or unsent),
        "delivered": len(firsts), "expected": len(keys), "twice": twice,
        "out_of_order": out_of_order, "altered": foreign, "unsent": unsent,
    }  # fmt: skip


async def _removed(room: _Room) -> dict[str, Any]:
    """Final rows are forgotten as retention forgets them; the folder goes with whoever asked."""
    for record in await room.records():
        await room.store.journal(partial(_forgotten, record.seq, room.clock.now()))
    left = len(await room.records())
    return {"good": not left, "left": left}


def _forgotten(seq: int, now: Moment, journal: Journal) -> int:
    return forget(journal, seq, now)


class _Alarms:
    """The agent's own conditions over the drill's uplink, in a tracker of its own."""

    def __init__(self, room: _Room) -> None:
        self._clock = room.clock
        self._watcher = UplinkWatcher(Channels(room.uploader, room.clock).channels, room.clock)
        self._tracker = Tracker(STANDARD, room.clock.now())
        self._later_ms = 0
        self._began_s = time.monotonic()

    async def until(self, what: What, limit_s: float) -> dict[str, Any]:
        """Reads until the alarm is shown, or is cleared. Its delays are not waited for: the tracker
        is told that the time has passed."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < limit_s:
            if any(one.code == ALARM and one.what is what for one in await self._look()):
                took_ms = round((time.monotonic() - self._began_s) * 1000)
                told = {"good": True, "after_ms": took_ms, "at": _local_time()}
                return told | {"code": ALARM, "uplink": SINK, "delay_s": _delay_s(what)}
            await asyncio.sleep(LOOK_S)
        return {"good": False, "code": ALARM, "uplink": SINK}

    async def _look(self) -> list[Change]:
        now = self._clock.now()
        now = replace(now, boot_ms=now.boot_ms + self._later_ms)
        changes = self._tracker.observe("uplink", await self._watcher.read(), 0, now)
        self._later_ms += DELAYS_MS
        return [*changes, *self._tracker.tick(replace(now, boot_ms=now.boot_ms + DELAYS_MS))]


def _delay_s(what: What) -> int:
    """How long a real alarm waits before it is shown, or cleared; the drill's does not."""
    condition = STANDARD[ALARM]
    delay_s = condition.visible_after_s if what is What.SHOWN else condition.clear_after_s
    return round(delay_s)


def _local_time() -> str:
    return SystemClock().now().at.astimezone().isoformat(timespec="seconds")


class _Timed:
    """When each step began, and how long it took."""

    def __init__(self) -> None:
        self._began_ms, self._began_s = round(time.time() * 1000), time.monotonic()

    def go_on(self) -> None:
        """What somebody else took meanwhile belongs to no step."""
        self._began_ms, self._began_s = round(time.time() * 1000), time.monotonic()

    def step(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        began_ms, began_s = self._began_ms, self._began_s
        self._began_ms, self._began_s = round(time.time() * 1000), time.monotonic()
        took_ms = round((self._began_s - began_s) * 1000)
        return {"step": name, "began_ms": began_ms, "duration_ms": took_ms, "facts": facts}
