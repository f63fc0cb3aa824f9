"""What a payment costs the flash, from hand-over to forgetting, and what of it is what.

    python -m tests.bench.flash [--count 400] [--directory DIR]

Payments with 512 bytes of payload go one at a time through a real store: taken over, being sent,
posted, acknowledged (payload destroyed) by the hand-over of the next one, and at the end forgotten
by retention; beside it stands what an acknowledgement costs that comes by itself. Two counts: what
the kernel wrote for this process (`write_bytes` in /proc/self/io: whole 4 KiB pages of the page
cache, each sync anew), and the frames in the write-ahead log, each a page of 1 KiB, by the b-tree
it belongs to. The difference of the two is what small pages save on flash that writes them alone
and cannot save on one that does not. Checkpoints are those of a quiet moment, as the agent does
them; what the file system writes for itself (its own journal) is in neither.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.core.money.journal import Change, Event, HostResult, Record
from agent.store import Store
from agent.store.checkpoint import CHANGES
from agent.store.journal import Journal
from agent.store.retention import PIECE_ROWS, forget
from agent.wire.submit import decode_submission
from tests.bench.payments import submission
from tests.bench.table import Figure

STEPS = ("taken over", "being sent", "posted", "checkpoints", "forgotten")
#: Payments acknowledged by a call of its own each, to tell what that costs.
ALONE = 40
BY_ITSELF = "acknowledged by itself"
TARGET_KIB, AIM_KIB = 29, 24
_FRAME = struct.Struct(">IIIIII")
_HEAD_BYTES = 32
_RESULT = HostResult(reference="R-20261122-000001", response_code="00", rrn="123456789012")


class Io:
    """Bytes the kernel wrote for this process, told step by step."""

    def __init__(self) -> None:
        self.by_step: Counter[str] = Counter()
        self._last = self._now()

    def count(self, step: str) -> None:
        now = self._now()
        self.by_step[step] += now - self._last
        self._last = now

    @staticmethod
    def _now() -> int:
        lines = Path("/proc/self/io").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


class Frames:
    """Pages written to the log since the last look, by page number and step."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._salts = b""
        self._seen = 0
        self.pages: Counter[tuple[str, int]] = Counter()

    def count(self, step: str) -> None:
        with self._log.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            size = struct.unpack_from(">I", head, 8)[0]
            if head[16:24] != self._salts:  # begun again at its front
                self._salts, self._seen = head[16:24], 0
            file.seek(_HEAD_BYTES + self._seen * (_FRAME.size + size))
            while len(frame := file.read(_FRAME.size + size)) == _FRAME.size + size:
                if frame[8:16] != self._salts:
                    break
                self.pages[step, _FRAME.unpack_from(frame)[0]] += 1
                self._seen += 1


async def lives(directory: Path, count: int, alone: int) -> tuple[Io, Frames, dict[int, str]]:
    """So many payments one after the other, and some more that are acknowledged by themselves."""
    clock = SystemClock()
    store = Store(directory, clock)
    await store.start()
    await take(store, 0)  # the first one makes pages all others share
    io, frames = Io(), Frames(directory / "journal.db-wal")
    frames.count("before")

    def counted(step: str) -> None:
        io.count(step)
        frames.count(step)

    io.count("before")
    for number in range(1, count + 1):
        record = await take(store, number, number - 1)
        counted("taken over")
        record = await advance(store, record, Change(event=Event.ATTEMPT))
        counted("being sent")
        record = await advance(store, record, Change(event=Event.POSTED, result=_RESULT))
        counted("posted")
        if number % (CHANGES // 8) == 0:
            await store.journal(checkpoint)
            io.count("checkpoints")
    await store.journal(checkpoint)
    io.count("checkpoints")
    trees = await store.journal(lambda _: owners(directory / "journal.db"))
    for start in range(1, count, PIECE_ROWS):
        seqs = range(start, min(start + PIECE_ROWS, count))
        await store.journal(lambda journal, seqs=seqs: [  # type: ignore[misc]
            forget(journal, seq, clock.now()) for seq in seqs
        ])  # fmt: skip
        counted("forgotten")
    for number in range(count + 1, count + alone + 1):
        record = await take(store, number)
        for change in (Change(event=Event.ATTEMPT), Change(event=Event.POSTED, result=_RESULT)):
            record = await advance(store, record, change)
        counted("before")
        await store.journal(lambda journal, record=record: journal.payloads.erase(record))  # type: ignore[misc]
        counted(BY_ITSELF)
    store.stop(30.0)
    return io, frames, trees


async def take(store: Store, number: int, acknowledged: int | None = None) -> Record:
    """Take one over; with it goes the word that another's end was noted."""
    given = decode_submission(submission(key_of(number), number), ("host",))
    if acknowledged is not None:
        given = replace(given, acknowledges=(key_of(acknowledged),))
    return (await store.append(given)).record


def key_of(number: int) -> str:
    return f"flash-{number:012d}"


async def advance(store: Store, record: Record, change: Change) -> Record:
    return await store.advance(record.seq, record.version, change)


def checkpoint(journal: Journal) -> None:
    """As a quiet moment would: outside the transaction this piece of work runs in."""
    db = journal.table.db
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    db.execute("BEGIN IMMEDIATE")


# -- whose page is it ----------------------------------------------------------------------------


def owners(file: Path) -> dict[int, str]:
    """Page number -> table or index, by walking the b-trees of a copy."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "journal.db"
        copy.write_bytes(file.read_bytes())
        raw = copy.read_bytes()
        db = sqlite3.connect(copy)
        try:
            rows = db.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage").fetchall()
        finally:
            db.close()
    size = struct.unpack_from(">H", raw, 16)[0]
    found = {1: "schema"}
    for name, root in rows:
        for page in _tree(raw, size, root):
            found[page] = name
    return found


def _tree(raw: bytes, size: int, page: int) -> Iterator[int]:
    yield page
    start = (page - 1) * size + (100 if page == 1 else 0)
    kind, _, cells, _, _ = struct.unpack_from(">BHHHB", raw, start)
    if kind not in (2, 5):
        return
    for number in range(cells):
        cell = struct.unpack_from(">H", raw, start + 12 + 2 * number)[0]
        yield from _tree(raw, size, struct.unpack_from(">I", raw, (page - 1) * size + cell)[0])
    yield from _tree(raw, size, struct.unpack_from(">I", raw, start + 8)[0])


def report(count: int, io: Io, frames: Frames, trees: dict[int, str]) -> dict[str, Any]:
    """Bytes a payment."""
    by_step: Counter[str] = Counter()
    by_tree: Counter[str] = Counter()
    for (step, page), times in frames.pages.items():
        if step not in STEPS:
            continue
        by_step[step] += times
        if step != "forgotten":
            by_tree[trees.get(page, "pages given back")] += times
    frame = _FRAME.size + 1_024
    kernel = {step: round(io.by_step[step] / count) for step in STEPS}
    return {
        "payments": count,
        "payload_bytes": 512,
        "kernel_bytes": kernel,
        "kernel_total": sum(kernel.values()),
        "by_itself": round(io.by_step[BY_ITSELF] / ALONE),
        "log_bytes": {step: round(by_step[step] * frame / count) for step in STEPS},
        "log_frames": {name: round(times / count, 2) for name, times in by_tree.most_common()},
    }


def shown(found: dict[str, Any]) -> str:
    """For people."""
    kernel, log = found["kernel_bytes"], found["log_bytes"]
    final = sum(kernel.values()) - kernel["forgotten"]
    title = f"{found['payments']} payments of {found['payload_bytes']} bytes, one at a time"
    rows = [(step, kernel[step], log[step]) for step in STEPS]
    rows += [("until final", final, ""), ("whole life", sum(kernel.values()), sum(log.values()))]
    lines = [f"{title}; bytes a payment", "", f"{'':<16}{'by the kernel':>16}{'in the log':>14}"]
    lines += [f"{name:<16}{one:>16}{other:>14}" for name, one, other in rows]
    lines += ["", f"{BY_ITSELF}: {found['by_itself']} more"]
    lines += ["", "pages of 1 KiB in the log a payment, until it is forgotten"]
    lines += [f"  {name:<32}{times:>8}" for name, times in found["log_frames"].items()]
    return "\n".join(lines)


def measure(count: int, directory: Path) -> dict[str, Any]:
    """In a folder of its own there. Only in a process that writes nothing else."""
    with tempfile.TemporaryDirectory(dir=directory, prefix="posagent-flash-") as scratch:
        io, frames, trees = asyncio.run(lives(Path(scratch) / "state", count, ALONE))
    return report(count, io, frames, trees)


def figures(*, quick: bool) -> tuple[list[Figure], list[str]]:
    """The same for the table of `make bench`, measured in a process of its own."""
    count = 200 if quick else 800
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.flash", "--json", "--count", str(count)],
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)
    total_kib = found["kernel_total"] / 1024
    target = f"≤ {TARGET_KIB} KiB, aim for {AIM_KIB}"
    rows = [
        Figure(
            group="flash", name="a payment's whole life, one at a time", value=round(total_kib, 1),
            unit="KiB", target=target, met=total_kib <= TARGET_KIB,
        )
    ]  # fmt: skip
    rows += [
        Figure(group="flash", name=f"… {step}", value=round(written / 1024, 1), unit="KiB")
        for step, written in (found["kernel_bytes"] | {BY_ITSELF: found["by_itself"]}).items()
    ]
    pages = ", ".join(f"{name} {times}" for name, times in found["log_frames"].items())
    return rows, [f"flash: pages of 1 KiB in the log a payment: {pages}"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.flash", description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.count, args.directory)
    print(json.dumps(found, indent=1) if args.json else shown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
