"""A settlement list of 100,000 lines with every defect: are all found, how long, how much memory.

    python -m tests.bench.reconcile [--lines N] [--daemon]

The list and the payments come from tests/reconcile_rig, which knows the truth and nothing of the
matcher; the program runs as the daemon runs it, a process of its own between two pipes. With
--daemon the payments lie in the journal of a real one, the list comes in over its API, and payments
go on being taken over meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.core.moment import Moment
from agent.core.money.journal import State
from agent.core.money.transaction import Card, Submission, fingerprint, payload_digest
from agent.core.why.reconcile.parts import unpacked
from agent.core.why.reconcile.profile import Profile, to_plain
from agent.offload import ChildOffload
from agent.store import opening
from agent.store.journal import Journal
from agent.wire.submit import decode_submission
from tests.bench import proc
from tests.bench.payments import submission
from tests.bench.rig import Sims, Terminal, UnixClient
from tests.reconcile_rig.generator import Paid, World, as_csv, rows_of, world

PIECE = 262_144
SETTLE_S = 3.0


async def told(made: World) -> AsyncIterator[bytes]:
    """The dialogue as the daemon leads it, all of it at once: the pipe holds back what is early."""
    yield json.dumps(to_plain(Profile())).encode()
    file = as_csv(made.rows)
    for begin in range(0, len(file), PIECE):
        yield b"F" + base64.b64encode(file[begin : begin + PIECE])
    yield b"E"
    for page in rows_of(made.payments):
        yield json.dumps(page).encode()
    yield b"P"


async def run(count: int) -> dict[str, object]:
    made = world(count)
    found: Counter[str] = Counter()
    wrong, peak_kb = 0, 0
    began = time.monotonic()
    async for line in ChildOffload().run("reconcile", told(made), 600.0):
        peak_kb = max(peak_kb, child_peak_kb())
        told_of = json.loads(line)
        rows = told_of.get("found", ())
        if "part" in told_of:
            rows = unpacked(base64.b64decode(told_of["body"]))
        for one in rows:
            wrong += bool(one[2]) and made.by_key.get(one[3], one[0]) != one[0]
        found += told_of.get("done", {}).get("counts", {})
    took_s = time.monotonic() - began
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "lines": len(made.rows),
        "payments": len(made.payments),
        "classified_as_truth": found == made.truth and not wrong,
        "classes": dict(sorted(found.items())),
        "wall_s": round(took_s, 1),
        "cpu_s": round(child.ru_utime + child.ru_stime, 1),
        "child_peak_mb": round(peak_kb / 1024, 1),
    }


def child_peak_kb() -> int:
    """The most the program ever held; getrusage would count what this process held at the fork."""
    tasks = Path("/proc/self/task")
    children = [one for task in tasks.iterdir() for one in (task / "children").read_text().split()]
    peak = 0
    for child in children:
        for line in Path(f"/proc/{child}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = max(peak, int(line.split()[1]))
    return peak


def through_daemon(sims: Sims, count: int) -> dict[str, object]:
    """From the first piece to the last finding, beside what payments wait without and with it."""
    made = world(count)
    with Terminal(sims) as terminal:
        _fill(terminal, made)
        terminal.start()
        time.sleep(SETTLE_S)
        client = terminal.client()
        quiet = [_accepted(client, "quiet", number) for number in range(100)]
        before = proc.memory(terminal.pid).rss_mb
        cpu_s, began, peak = proc.cpu_s(terminal.pid), time.monotonic(), before
        number = _sent(terminal, as_csv(made.rows))
        sent_s = time.monotonic() - began
        busy: list[float] = []
        while (of := _of(terminal, number))["state"] == "running":
            busy.append(_accepted(client, "busy", len(busy)))
            peak = max(peak, proc.memory(terminal.pid).rss_mb)
        took_s, cpu_s = time.monotonic() - began, proc.cpu_s(terminal.pid) - cpu_s
        client.close()
        time.sleep(SETTLE_S)
        after = proc.memory(terminal.pid).rss_mb
        state_mb = (terminal.state_dir / "state.db").stat().st_size / 1e6
    return {
        "lines": len(made.rows),
        "classified_as_truth": of["counts"] == dict(made.truth),
        "not_as_truth": {
            name: [of["counts"].get(name, 0), made.truth.get(name, 0)]
            for name in sorted({*of["counts"], *made.truth})
            if of["counts"].get(name, 0) != made.truth.get(name, 0)
        },
        "wall_s": round(took_s, 1),
        "of_it_sending_s": round(sent_s, 1),
        "daemon_cpu_s": round(cpu_s, 1),
        "daemon_rss_mib": [round(one, 1) for one in (before, peak, after)],
        "state_db_mb": round(state_mb, 1),
        "accept_p50_ms": [round(statistics.median(one), 2) for one in (quiet, busy)],
        "accept_longest_ms": [round(max(one), 1) for one in (quiet, busy)],
        "load_1min": round(os.getloadavg()[0], 1),
    }


def _fill(terminal: Terminal, made: World) -> None:
    """The payments of the story in a journal, as the daemon leaves it at a clean stop."""
    terminal.configure()
    terminal.start()
    terminal.stop()  # it has made its keys and its store
    clock = SystemClock()
    db, journal, _facts = opening.open_journal(terminal.state_dir, clock.now(), {})
    given = decode_submission(submission("reconcile", 0), ("host",))
    ordered = sorted(made.payments, key=lambda one: one.seq)
    for begin in range(0, len(ordered), 5_000):
        db.execute("BEGIN IMMEDIATE")
        for one in ordered[begin : begin + 5_000]:
            _taken(journal, given, one, clock.now())
        db.execute("COMMIT")
        journal.table.committed()
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    opening.close_cleanly(db, journal, clock.now())
    db.close()


def _taken(journal: Journal, given: Submission, one: Paid, now: Moment) -> None:
    t = replace(
        given.transaction, key=one.key, rrn=one.rrn, stan=one.stan or None, batch=one.batch,
        amount_minor=one.amount, occurred_at=one.at,
        card=Card(scheme="unionpay", masked=f"622588******{one.card}"),
    )  # fmt: skip
    told = replace(given, transaction=t)
    new = journal._new_record(told, now)  # one step instead of three: reading is what is measured
    state = State(one.state)
    if state is State.POSTED:
        stamps = {"sent": 1, "tried": 1, "version": 3}
        new = replace(new, first_sent=new.stored, last_sent=new.stored, note="", **stamps)
        new = replace(new, changed_at=one.at)
    new = replace(new, state=state, in_doubt=one.in_doubt)
    secret = journal.table.sealer.secret
    journal.table.insert(new, fingerprint(t, secret), payload_digest(told, secret))
    journal.payloads.insert(new, told)


def _sent(terminal: Terminal, file: bytes) -> int:
    asked = {"file_name": "list.csv", "size_bytes": len(file)}
    at = f"/v1/reconciliations/{terminal.post('/v1/reconciliations', asked).json['import_id']}"
    for number, begin in enumerate(range(0, len(file), PIECE)):
        data = base64.b64encode(file[begin : begin + PIECE]).decode()
        if terminal.post(f"{at}/pieces/{number}", {"data": data}).status != 200:
            raise RuntimeError(f"piece {number} was refused")
    return int(terminal.post(f"{at}/end", {}).json["reconciliation"]["number"])


def _of(terminal: Terminal, number: int) -> dict[str, Any]:
    of: dict[str, Any] = terminal.get(f"/v1/reconciliations/{number}?limit=0").json
    return dict(of["reconciliation"])


def _accepted(client: UnixClient, name: str, number: int) -> float:
    """Milliseconds until a payment is taken over, after a moment's pause."""
    time.sleep(0.02)
    status, took_us = client.submit(submission(f"{name}-{number:06d}", number))
    if status != 201:
        raise RuntimeError(f"a payment was answered {status}")
    return took_us / 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reconcile")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--daemon", action="store_true", help="through the daemon, with payments")
    args = parser.parse_args()
    if args.daemon:
        with Sims() as sims:
            print(json.dumps(through_daemon(sims, args.lines), indent=2))
    else:
        print(json.dumps(asyncio.run(run(args.lines)), indent=2))


if __name__ == "__main__":
    main()
