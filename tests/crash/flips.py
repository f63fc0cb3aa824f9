"""Rig 3: flash that changes bits. Every sector of the database and of its log, one damage each.

A store with payments in every state is copied as a process that died left it, once with a log that
was never begun again and once with one that was, so that an older round lies behind its end. Then
one sector at a time is damaged (single bits, zeros, ones), the store opens by its own way in, and
everything it would tell or send is read back and compared with the undamaged store. A damage is
*detected* (reported, put aside, or refused when read and put aside at the next start), *invisible*
(everything read back is identical: free space, spare bits) or *silent*, which is a failure, with
one exception that no reader of a log can tell from a power cut: the end of the log (`last commit
cut off`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.core.money.journal import UNSENT, Change, Event, HostResult, State
from agent.errors import AgentError
from agent.store import Store, checkpoint
from agent.store.files import Counters, private_directory
from agent.store.journal import Journal
from agent.store.opening import family, open_journal
from agent.store.past import ALTERED
from agent.store.recovery import settle_suspects
from agent.store.rows import COLUMNS, Hash, Sealer
from tests.crash.history import submission_of
from tests.crash.recovered import AFTERWARDS, everything
from tests.crash.workload import Session, often
from tests.fakes import FakeClock

SECTOR_BYTES = 512
FILES = ("journal.db", "journal.db-wal")
ACCEPTING_S = 5.0
#: More than the payments that follow write.
OLD_ROUND_BYTES = 260_000

Told = dict[str, Any]


@dataclass(slots=True)
class Result:
    """What the damages did."""

    sectors: int = 0
    damages: int = 0
    classes: Counter[str] = field(default_factory=Counter)  #: "file: class"
    bad: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    seconds: float = 0.0

    def add(self, other: Result) -> None:
        self.sectors += other.sectors
        self.damages += other.damages
        self.classes += other.classes
        self.bad += other.bad
        self.examples = [*self.examples, *other.examples][:10]
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.seconds = max(self.seconds, other.seconds)


def populate(home: Path, seed: int, *, again: bool = False) -> Path:
    """A store that died in the middle, with a log (`again`: begun again); the copy to damage."""
    often()
    clock, pristine, alive = FakeClock(), home / f"pristine-{again:d}", home / f"alive-{again:d}"

    async def work() -> None:
        for session in range(4):
            store = Store(alive, clock)
            await Session(store, seed * 10 + session, lambda _: None).run(close=True)
        # What follows stays in the log.
        checkpoint.BYTES = checkpoint.HARD_BYTES = checkpoint.CHANGES = 1 << 20
        store = Store(alive, clock)
        await store.start()
        if again:
            await _old_round(store, alive / FILES[1])
        for n in range(14):
            record = (await store.append(submission_of(f"last-{n}"))).record
            for event in _events(n):
                record = await store.advance(record.seq, record.version, event)
        shutil.copytree(alive, pristine)
        store.stop()

    asyncio.run(work())
    assert (pristine / "journal.db-wal").stat().st_size > 0
    return pristine


async def _old_round(store: Store, log_file: Path) -> None:
    """A log longer than what follows needs, carried over."""
    record = (await store.append(submission_of("asked"))).record
    while log_file.stat().st_size < OLD_ROUND_BYTES:
        asked = Change(event=Event.HOLD if record.version == 1 else Event.ASKED, note=f"{record}")
        record = await store.advance(record.seq, record.version, asked)
    checkpoint.HARD_BYTES = 1
    await store.append(submission_of("carried"))
    await store.state(lambda db: db.execute("SELECT 1"))
    checkpoint.HARD_BYTES = 1 << 20


def _events(n: int) -> list[Any]:
    attempt = Change(event=Event.ATTEMPT)
    posted = Change(event=Event.POSTED, result=HostResult(reference=f"R{n}"))
    doubt = Change(event=Event.NO_ANSWER, cause="host.no_reply", note="no answer")
    return ([], [attempt], [attempt, posted], [attempt, doubt])[n % 4]


class StuckError(Exception):
    """Three starts in a row did not lead to a store that can be read."""


def opened(directory: Path) -> tuple[Told, bool]:
    """Everything the store tells after a start, and whether it noticed damage.

    A start that ends in an unreadable page is what makes the daemon end and start again.
    """
    noticed = False
    for _ in range(3):
        now = FakeClock(boot_id="boot-2").now()
        private_directory(directory)
        Counters(directory / "counters")
        try:
            db, journal, facts = open_journal(directory, now, {})
        except AgentError as error:
            raise StuckError(f"{error.code} {error.what}") from error
        try:
            told = _told(db, journal, now)
            lines = [line for name, steps in told.items() if name[:5] == "steps" for line in steps]
            told["altered lines"] = sum(line.event == ALTERED for line in lines)
            aside = bool(journal.aside.keys or journal.aside.journals())
            return told, noticed or aside or bool(facts.damage)
        except sqlite3.Error as error:
            if family(error) not in ("damaged", "io"):
                raise StuckError(f"{type(error).__name__}: {error}") from error
            noticed = True
        finally:
            db.close()
    raise StuckError("three starts in a row found an unreadable page")


def _told(db: sqlite3.Connection, journal: Journal, now: Any) -> Told:
    db.execute("BEGIN IMMEDIATE")
    told: Told = {}
    for record in everything(journal, now):
        journal.payload(record, now)  # a first round: what is found altered changes the others
    # What is under suspicion is not due before it is held; the writer holds it piece by piece.
    told["due at once"] = [record.key for record in journal.due("host", 0, 500, now).records]
    while not settle_suspects(journal.table, now):
        pass
    for record in everything(journal, now):
        told[f"record {record.key}"] = record
        told[f"by key {record.key}"] = journal.record(record.key, now)
        told[f"payload {record.key}"] = journal.payload(record, now)
        told[f"steps {record.key}"] = journal.steps(record.seq, 100)
    told["unsent"] = [record.seq for record in everything(journal, now, UNSENT)]
    told["due"] = [record.key for record in journal.due("host", 0, 500, now).records]
    told["backlog"] = journal.backlog()
    if not journal.append(submission_of(AFTERWARDS), now).created:
        told["afterwards"] = "not recorded"
    db.execute("COMMIT")
    return told


Damage = Callable[[bytes], bytes]


def damages(
    sector: int, length: int, bits: int, draw: random.Random
) -> Iterator[tuple[int, str, Damage]]:
    """Position, name and damage: some single bits, all zeros, all ones."""
    start, end = sector * SECTOR_BYTES, min((sector + 1) * SECTOR_BYTES, length)

    def bit(at: int, mask: int) -> Damage:
        return lambda raw: raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]

    def fill(value: int) -> Damage:
        return lambda raw: raw[:start] + bytes([value]) * (end - start) + raw[end:]

    for _ in range(bits):
        at, mask = draw.randrange(start, end), 1 << draw.randrange(8)
        yield at, f"bit {mask:#04x} of byte", bit(at, mask)
    yield start, "zeros from", fill(0)
    yield start, "ones from", fill(0xFF)


def judge(whole: Told, told: Told, noticed: bool, in_log: bool) -> tuple[str, str]:
    """The class of a damage, and what is wrong with how the store took it ("" is well)."""
    if noticed:
        return "detected", _sendable(whole, told)
    changed = sorted(k for k in whole.keys() | told.keys() if whole.get(k) != told.get(k))
    if not changed:
        return "invisible", ""
    if told["altered lines"] and all(k.startswith(("steps", "altered")) for k in changed):
        return "detected", ""  # a line of the history is shown as altered; money is untouched
    if in_log:
        return "last commit cut off", _forgotten(whole, told)
    sort = changed[0].split()[0]
    return "silent", f"silent change of {sort}: {changed[:4]}"


def _sendable(whole: Told, told: Told) -> str:
    """After noticed damage nothing that was there may be sent without a question first."""
    for name, record in told.items():
        if not name.startswith("record ") or record.key == AFTERWARDS:
            continue
        if record.state in (State.QUEUED, State.WAITING) and not record.in_doubt:
            return f"sendable after damage: {record.key}"
        if record.key in told["due at once"] and not record.in_doubt:
            return f"due before it was held: {record.key}"
        if record.final and whole.get(name) != record:
            return f"final record changed after damage: {record.key}"
    return ""


def _forgotten(whole: Told, told: Told) -> str:
    """What a cut-off commit may cost: a step or a hand-over, never a second posting unasked."""
    for name, before in whole.items():
        after = told.get(name)
        if not name.startswith("record ") or after == before or after is None:
            continue
        if after.state in (State.QUEUED, State.WAITING) and not after.in_doubt and before.sent:
            return f"posted again: {before.key} had left, and is {after.state} without doubt"
    return ""


def run(home: Path, seed: int, *, bits: int = 2, part: tuple[int, int] = (0, 1)) -> Result:
    """Every sector of both files; `part` (which, of how many) shares them out."""
    logging.disable(logging.CRITICAL)
    began, result, draw = time.monotonic(), Result(), random.Random(seed + part[0])
    # Of the second store only the log: its database is like the first one's.
    for again, names in ((False, FILES), (True, FILES[1:])):
        pristine, scratch = populate(home, seed, again=again), home / "damaged"
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(pristine, scratch)
        whole, noticed = opened(scratch)
        assert not noticed, "the undamaged store reports damage"
        for name in names:
            raw = (pristine / name).read_bytes()
            told = f"{name} begun again" if again else name
            for sector in range(part[0], -(-len(raw) // SECTOR_BYTES), part[1]):
                result.sectors += 1
                for at, what, damage in damages(sector, len(raw), bits, draw):
                    if (changed := damage(raw)) == raw:
                        continue
                    shutil.rmtree(scratch)
                    shutil.copytree(pristine, scratch)
                    (scratch / name).write_bytes(changed)
                    _one(scratch, f"{told}, {what} {at}", told, whole, result)
    if result.slowest_s > ACCEPTING_S:
        result.bad["slow"] += 1
    result.seconds = time.monotonic() - began
    return result


def _one(scratch: Path, what: str, name: str, whole: Told, result: Result) -> None:
    began = time.monotonic()
    try:
        told, noticed = opened(scratch)
        sort, wrong = judge(whole, told, noticed, name != FILES[0])
    except StuckError as error:
        sort, wrong = "stuck", f"the store does not start: {error}"
    result.slowest_s = max(result.slowest_s, time.monotonic() - began)
    result.damages += 1
    result.classes[f"{name} {sort}"] += 1
    if wrong:
        result.bad[wrong.split(":")[0]] += 1
        result.examples.append(f"{what}: {wrong}")


def control(home: Path) -> Result:
    """Positive control: nobody compares the row MACs."""

    def credulous(self: Sealer, values: tuple[Any, ...]) -> Hash:
        return self.standing(values[COLUMNS.index("mac") + 1 :])

    Sealer.genuine = credulous  # type: ignore[method-assign] # a process of its own
    return run(home, 1, bits=1, part=(0, 3))
