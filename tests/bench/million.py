"""A million payments queued: how soon the first goes out, what it costs, and who waits for whom.

    make bench-million        python -m tests.bench --only million [--count N]
    python -m tests.bench --only explain [--count N]     one payment's verdict among as many

The journal is filled by the store's own code, closed cleanly, and given to the daemon with a host
that keeps its answers back. Beside it runs the same daemon with one payment: the difference of the
two is what a backlog costs in memory. What a read holds the store's thread for is measured on that
thread, piece by piece, in this process: in the daemon nothing but a piece stands between a payment
and its commit.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from agent.clock import SystemClock
from agent.core.money.journal import State
from agent.store import Store, opening, verify
from agent.store.journal import Journal
from agent.uplink.uploader import PAGE
from agent.wire.submit import decode_submission
from tests.bench import proc
from tests.bench.payments import submission
from tests.bench.rig import Child, Sims, Terminal, fast_host, uplink
from tests.bench.table import Figure

T = TypeVar("T")

COUNT = 1_000_000
BATCH = 5_000
SETTLE_S = 8.0
ASKED = 50
FIRST_S, GROWTH_MIB, STATUS_MS, HOLD_MS = 2.0, 4.0, 50.0, 5.0
EXPLAIN_MS = 100.0
QUESTIONS = ("late", "settlement", "preauth", "slip")
#: What the store is asked for, so many pieces of each at most.
PIECES = 300


@dataclass(slots=True)
class Seen:
    """One daemon over one backlog."""

    first_s: float
    rss_mib: float
    status_ms: list[float]


def measure(sims: Sims, *, count: int) -> tuple[list[Figure], list[str]]:
    with fast_host(sims) as (host, port), Terminal(sims) as small, Terminal(sims) as large:
        for terminal, number in ((small, 1), (large, count)):
            _fill(terminal, number)
        one = _seen(sims, host, port, small)
        many = _seen(sims, host, port, large)
        holds = asyncio.run(_holds(large.state_dir))
    longest = max(holds, key=lambda name: holds[name])
    growth = many.rss_mib - one.rss_mib
    status = statistics.median(many.status_ms)
    name = f"{count:,} queued"
    figures = [
        Figure(
            group=name, name="exec to the first upload, after a clean stop", value=many.first_s,
            unit="s", floor=one.first_s, floor_name="s with one", target=f"≤ {FIRST_S:g} s",
            met=many.first_s <= FIRST_S,
        ),
        Figure(
            group=name, name="RSS above that with one", value=growth, unit="MiB",
            target=f"≤ {GROWTH_MIB:g} MiB", met=growth <= GROWTH_MIB,
        ),
        Figure(
            group=name, name="status over the API, p50", value=status, unit="ms",
            floor=statistics.median(one.status_ms), floor_name="ms with one",
            target=f"≤ {STATUS_MS:g} ms", met=status <= STATUS_MS,
            note=f"longest of {ASKED}: {max(many.status_ms):.1f} ms",
        ),
        Figure(
            group=name, name="longest piece of reading on the store's thread",
            value=holds[longest], unit="ms", target=f"≤ {HOLD_MS:g} ms",
            met=holds[longest] <= HOLD_MS, note=longest,
        ),
    ]  # fmt: skip
    told = ", ".join(f"{name} {ms:.1f}" for name, ms in holds.items())
    return figures, [f"{name}: longest piece of each read, ms of processor time: {told}"]


def _fill(terminal: Terminal, count: int) -> None:
    """So many payments in a journal as the daemon leaves it at a clean stop."""
    terminal.configure()
    terminal.start()
    terminal.stop()  # it has made its keys and its store
    clock = SystemClock()
    db, journal, _facts = opening.open_journal(terminal.state_dir, clock.now(), {})
    given = decode_submission(submission("million", 0), ("host",))
    for start in range(0, count, BATCH):
        db.execute("BEGIN IMMEDIATE")
        for number in range(start, min(start + BATCH, count)):
            t = replace(given.transaction, key=f"million-{number:08d}", occurred_at=clock.now().at)
            journal.append(replace(given, transaction=t), clock.now())
        db.execute("COMMIT")
        journal.table.committed()
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    opening.close_cleanly(db, journal, clock.now())
    db.close()


def _seen(sims: Sims, host: Child, port: int, terminal: Terminal) -> Seen:
    url, keys = uplink(sims, port)
    terminal.configure(url=url, uplink=keys)
    host.tell("hold 1")
    began = time.monotonic()
    terminal.start(wait=False)
    host.hear()
    first_s = time.monotonic() - began
    terminal.wait_notified("READY=1")
    time.sleep(SETTLE_S)
    rss_mib = proc.memory(terminal.pid).rss_mb
    client = terminal.client()
    answers = [client.get("/v1/status") for _ in range(ASKED)]
    client.close()
    if {code for code, _ in answers} != {200}:
        raise RuntimeError(f"status was answered {answers[0][0]}")
    status_ms = [took_us / 1000 for _, took_us in answers]
    host.tell("go 0")  # whatever is kept back goes; the rest is cut by the stop
    terminal.stop()
    return Seen(first_s=first_s, rss_mib=rss_mib, status_ms=status_ms)


def explained(sims: Sims, *, count: int) -> tuple[list[Figure], list[str]]:
    """One payment's verdict, and the questions, over the API of a daemon with that many."""
    with Terminal(sims) as terminal:
        terminal.compile()
        _fill(terminal, count)
        terminal.configure()
        return _asked(terminal, count), []


def _asked(terminal: Terminal, count: int) -> list[Figure]:
    terminal.start()
    client = terminal.client()
    keys = [f"million-{(number * 7919 + count // 2) % count:08d}" for number in range(ASKED)]
    first_ms = client.get(f"/v1/transactions/{keys[0]}/explain")[1] / 1000
    asked = {
        "explain one payment": [f"/v1/transactions/{key}/explain" for key in keys],
        **{f"explain: {one}": [f"/v1/explain/{one}"] * 10 for one in QUESTIONS},
    }
    figures = []
    for name, targets in asked.items():
        answers = [client.get(target) for target in targets]
        if {code for code, _ in answers} != {200}:
            raise RuntimeError(f"{name} was answered {answers[0][0]}")
        times = [took_us / 1000 for _, took_us in answers]
        one = name == "explain one payment"
        value = statistics.median(times)
        figures.append(
            Figure(
                group=f"{count:,} queued",
                name=f"{name}, p50",
                value=value,
                unit="ms",
                target=f"≤ {EXPLAIN_MS:g} ms" if one else "",
                met=value <= EXPLAIN_MS if one else None,
                note=f"longest {max(times):.1f} ms"
                + (f", the very first {first_ms:.1f} ms" if one else ""),
            )
        )
    client.close()
    terminal.stop()
    return figures


@dataclass(slots=True)
class _Timed:
    """A store whose every piece of work is timed on its thread."""

    store: Store
    ms: list[float] = field(default_factory=list)

    async def ask(self, read: Callable[[Journal], T]) -> T:
        def piece(journal: Journal) -> T:
            began = time.thread_time()
            try:
                return read(journal)
            finally:
                self.ms.append((time.thread_time() - began) * 1000)

        return await self.store.journal(piece)


async def _holds(directory: Path) -> dict[str, float]:
    """By kind of read, its longest piece in milliseconds of processor time."""
    clock = SystemClock()
    store = Store(directory, clock)
    await store.start()
    found: dict[str, float] = {}
    try:
        for name, walk in _WALKS.items():
            timed, place = _Timed(store), None
            for _ in range(PIECES):
                place = await timed.ask(lambda j, w=walk, p=place: w(j, p, clock))  # type: ignore[misc]
                if place is None:
                    break
            found[name] = max(timed.ms)
    finally:
        store.stop(30.0)
    return found


def _page(states: Sequence[State] | None) -> Callable[[Journal, Any, SystemClock], Any]:
    wanted = None if states is None else frozenset(states)

    def walk(journal: Journal, after: Any, clock: SystemClock) -> Any:
        return journal.page(wanted, after or 0, 500, clock.now()).after_seq

    return walk


def _backlog(journal: Journal, _at: Any, _clock: SystemClock) -> None:
    journal.backlog()


def _requests(journal: Journal, at: Any, clock: SystemClock) -> None:
    journal.requests(at or 0, PAGE, clock.now())


#: What goes over the journal in pieces: (journal, place) -> next place.
_WALKS: dict[str, Callable[[Journal, Any, SystemClock], Any]] = {
    "sums of the backlog": _backlog,
    "list of all": _page(None),
    "list of the held": _page([State.HELD]),
    "list of the posted": _page([State.POSTED]),
    "what is due": lambda journal, at, clock: journal.due("host", at or 0, PAGE, clock.now()).after,
    "requests": _requests,
    "verification": lambda journal, at, clock: verify.piece(journal, at or "", clock.now()).after,
}
