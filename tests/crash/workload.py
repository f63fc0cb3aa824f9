"""The real store under work: payments taken over and moved on by several tasks at once.

`python -m tests.crash.workload MOUNT SEED END [normal]`, END being `close` (clean stop) or `kill`
(the process ends in the middle). It opens `MOUNT/state` as the daemon does, with checkpoints made
frequent, goes on with whatever an earlier session left there, and tells the recording disk before
each call what it asks for and after it that it was acknowledged. `normal` is the positive control:
the same store with synchronous=NORMAL.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from agent.clock import SystemClock
from agent.core.money.journal import Change, Event, Record, State, move
from agent.core.money.journal import HostResult as Result
from agent.store import Store, checkpoint, writer
from agent.store.writer import Opened
from tests.crash.disk import note
from tests.crash.history import submission_of

TASKS = 4
PAYMENTS = 3  #: per task and session
#: What follows in which state, by how often.
NEXT: dict[State, tuple[tuple[Event, int], ...]] = {
    State.QUEUED: ((Event.ATTEMPT, 8), (Event.VOID, 1), (Event.HOLD, 1)),
    State.SENDING: (
        (Event.POSTED, 6), (Event.NO_ANSWER, 3), (Event.NOT_SENT, 2), (Event.DECLINED, 1),
    ),
    State.WAITING: ((Event.ATTEMPT, 6), (Event.ASKED, 2), (Event.HOLD, 1), (Event.POSTED, 1)),
    State.HELD: ((Event.RELEASE, 3), (Event.ASKED, 1)),
}  # fmt: skip


class CarelessStore(Store):
    """Positive control: the store with the setting that must be found out."""

    def _open(self) -> Opened:
        opened = super()._open()
        opened.journal_db.execute("PRAGMA synchronous = NORMAL")
        return opened


class Session:
    """One life of the process. `tell` writes the history down, outside the disk under test."""

    def __init__(self, store: Store, seed: int, tell: Callable[[str], None]) -> None:
        self._store = store
        self._seed = seed
        self._write_down = tell

    async def run(self, *, close: bool) -> None:
        await self._store.start()
        draw = random.Random(self._seed)
        left = await self._store.page(states=frozenset(NEXT), limit=500)
        tasks = [
            asyncio.create_task(self._task(number, left[number::TASKS], draw.getrandbits(32)))
            for number in range(TASKS)
        ]
        if close:
            await asyncio.gather(*tasks)
            assert self._store.stop(30.0)
        else:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            os._exit(0)  # the others are in the middle of something, the writer perhaps too

    async def _task(self, number: int, left: list[Record], seed: int) -> None:
        draw = random.Random(seed)
        for record in left:
            await self._moved_on(record, draw)
        for n in range(PAYMENTS):
            key = f"k{self._seed}-{number}-{n}"
            self._tell("try", key, State.QUEUED, in_doubt=False)
            appended = await self._store.append(submission_of(key))
            self._tell("ack", key)
            if draw.random() < 0.8:
                await self._moved_on(appended.record, draw)

    async def _moved_on(self, record: Record, draw: random.Random) -> None:
        """Some steps of a payment's life; it may be left anywhere but where a close forbids."""
        for _ in range(draw.randint(1, 6)):
            if record.final:
                return
            record = await self._step(record, draw)
        if record.state is State.SENDING:
            await self._advance(record, Event.NO_ANSWER)

    async def _step(self, record: Record, draw: random.Random) -> Record:
        events, weights = zip(*NEXT[record.state], strict=True)
        event = draw.choices(events, weights)[0]
        if event is Event.VOID and record.in_doubt:
            event = Event.HOLD
        if event is Event.POSTED and record.state is State.WAITING and not record.in_doubt:
            event = Event.HOLD  # nothing of it has left: no host can say that it has it
        return await self._advance(record, event)

    async def _advance(self, record: Record, event: Event) -> Record:
        state, in_doubt = move(record.state, record.in_doubt, event)
        self._tell("try", record.key, state, in_doubt=in_doubt)
        result = Result(reference=f"R-{record.key}") if event is Event.POSTED else None
        change = Change(event=event, cause="host.no_reply", note="a note", result=result)
        after = await self._store.advance(record.seq, record.version, change)
        assert (after.state, after.in_doubt) == (state, in_doubt)
        self._tell("ack", record.key)
        return after

    def _tell(
        self, word: str, key: str, state: State | None = None, *, in_doubt: bool = False
    ) -> None:
        self._write_down(f"{word} {key}" + (f" {state} {in_doubt:d}" if state else ""))


class Listening(logging.Handler):
    """Hears a start find the end of the log unreadable: killed between the two writes of a frame.
    What was being sent is in doubt from then on, whatever a later crash leaves."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("event=log_end_unreadable"):
            self._tell("unreadable log")


def often() -> None:
    """The real checkpoint code, only more often: a hundred commits must see several."""
    checkpoint.BYTES, checkpoint.HARD_BYTES, checkpoint.CHANGES = 24_000, 48_000, 40
    writer.IDLE_S = 0.01


def main(mount: str, seed: str, end: str, mode: str = "full") -> None:
    often()
    kind = CarelessStore if mode == "normal" else Store
    store = kind(Path(mount) / "state", SystemClock())
    tell = partial(note, Path(mount))
    logging.getLogger("agent.store.opening").addHandler(Listening(tell))
    session = Session(store, int(seed), tell)
    asyncio.run(session.run(close=end == "close"))


if __name__ == "__main__":
    main(*sys.argv[1:])
