"""The rig: a real store and a real uploader on one side, a reference host on the other, and a line
that misbehaves between them.

Everything runs in one event loop on loopback; the terminal's clock runs fast, so that back-off of
minutes takes fractions of a second, while the deadlines of connections stay real. The store is on
a memory file system where there is one: what a sync is worth is proved elsewhere (tests/crash).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from agent.config import AnyUplink, Iso8583Uplink
from agent.config import Uplink as HttpsUplink
from agent.core.moment import Moment
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Kind, Payload, Posting, Submission
from agent.errors import CallerError
from agent.link.dial import Dialer
from agent.link.fault import cause_of
from agent.sim.acquirer import LAYOUT, Acquirer, AcquirerOptions
from agent.sim.certificates import Certificates, make_certificates
from agent.sim.host import HostOptions, ReferenceHost
from agent.sim.terminal import CONTENT_TYPE, PaymentApp
from agent.store import Store
from agent.store.prepared import Prepared
from agent.supervise import DaemonThreads
from agent.uplink import Ports, Uploader, build
from agent.uplink.iso8583.codec import Codec
from tests.core.money.payments import record, transaction
from tests.exactly_once.checker import Claim, Effect, Found, compared
from tests.exactly_once.proxy import Frames, Listener, Records, frame_sizes, http_sizes

#: Fast against the real clock. Answers are waited for in real time.
SPEED = 100
ANSWER_TIMEOUT_S = 0.25
#: Uplinks to the same host in parallel, so that one that backs off does not stop the others.
UPLINKS = 8
WIDTH = 4
#: Over ISO 8583 each so manieth is a request: in doubt it is taken back, never sent again.
REQUESTS = 5
#: How often the uploaders are woken: they sleep in real seconds by a clock that runs fast.
TICK_S = 0.008
#: Handed over and not yet final; more would only make the journal's pages longer.
OPEN = 300
BATCH = 100
FAULTS_SHARE = 0.12
TLS_RECORDS = 25
KEY_WINDOW_S = 15_552_000
#: Faults go on until no more than these are left.
FEW = 20
#: After the last payment, without faults: by then everything must be final.
PATIENCE_S = 120.0


class Way(StrEnum):
    """Which uplink over which line."""

    HTTP = "https uplink, HTTP in clear"
    HTTPS = "https uplink over TLS"
    ISO = "iso8583 uplink, TCP"
    ISO_TLS = "iso8583 uplink over TLS"

    @property
    def iso(self) -> bool:
        return self in (Way.ISO, Way.ISO_TLS)

    @property
    def tls(self) -> bool:
        return self in (Way.HTTPS, Way.ISO_TLS)


class FastClock:
    """Real time, a hundred times as fast."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> Moment:
        passed_ms = round((time.monotonic() - self._began) * 1000 * SPEED)
        return Moment(
            wall_ms=1_795_000_000_000 + passed_ms,
            boot_ms=100_000 + passed_ms,
            boot_id="boot-1",
            trusted=True,
        )


class Host(Protocol):
    """The reference host or the simulated acquirer, as far as the rig needs them."""

    port: int

    async def start(self) -> None: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class Outcome:
    """One run."""

    way: Way
    found: Found
    seconds: float
    faults: Counter[str]
    sent: int = 0  #: posts that left, repeats included
    in_doubt: int = 0  #: payments that were in doubt at least once
    released: int = 0  #: held, and let go by a person

    @property
    def hurt(self) -> int:
        return sum(self.faults.values())


@dataclass(slots=True)
class _Bench:
    """What a run is made of."""

    way: Way
    host: Any
    line: Listener
    clock: FastClock
    uplinks: list[AnyUplink]
    apps: list[PaymentApp] = field(default_factory=list)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)  #: (terminal, STAN) -> key

    def submission(self, number: int) -> Submission:
        key = f"once-{number:07d}"
        uplink = self.uplinks[number % len(self.uplinks)].name
        amount = 1 + number % 9_999_999
        at = self.clock.now().at
        if not self.way.iso:
            return Submission(
                transaction=transaction(
                    key, uplink=uplink, amount_minor=amount, occurred_at=at, stan=None, batch=None
                ),
                payload=Payload(
                    content_type="application/json",
                    body=b'{"order":"%s","amount":%d}' % (key.encode(), amount),
                ),
            )
        app = self.apps[number % len(self.apps)]
        request = number % REQUESTS == 0
        built = app.sale(key, amount) if request else app.advice(key, amount)
        self.keys[app.terminal_id, built["stan"]] = key
        more: dict[str, Any] = {}
        if request:
            more = {"posting": Posting.REQUEST, "reversal_key": built["reversal_key"]}
        reversals = built.get("reversal_payloads", {})
        return Submission(
            transaction=transaction(
                key, uplink=uplink, amount_minor=amount, occurred_at=at, stan=built["stan"],
                terminal_id=app.terminal_id, **more,
            ),
            payload=Payload(content_type=CONTENT_TYPE, body=_raw(built["payload"])),
            reversal_payloads={reason: _raw(part) for reason, part in reversals.items()},
        )  # fmt: skip

    def effects(self) -> Iterable[Effect]:
        if isinstance(self.host, ReferenceHost):
            for posting in self.host.ledger.postings():
                yield Effect(
                    key=posting.key,
                    amount_minor=posting.amount_minor or 0,
                    reference=posting.reference,
                )
            return
        entries = self.host.book.entries()
        taken_back = {e.identity for e in entries if e.what == "reversed" and e.code == "00"}
        for entry in entries:
            if entry.what == "posted" and entry.identity not in taken_back:
                key = self.keys.get((entry.terminal_id, entry.stan), f"? {entry.identity}")
                yield Effect(key=key, amount_minor=entry.amount_minor, reference=entry.rrn)

    def unproved(self) -> frozenset[str]:
        """Keys whose answers were altered on a line in clear, where nothing protects them."""
        if not isinstance(self.line, Frames) or self.way.iso:
            return frozenset()
        found: set[str] = set()
        for request in self.line.altered:
            head = request.partition(b"\r\n\r\n")[0]
            at = head.find(b"once-")
            found.add(head[at : at + 12].decode("ascii", "replace"))
        return frozenset(found)


@asynccontextmanager
async def _bench(way: Way, seed: int, home: Path, *, ignores: bool) -> AsyncIterator[_Bench]:
    clock = FastClock()
    certificates = make_certificates(home / "tls") if way.tls else None
    host = _host(way, clock, certificates, ignores=ignores)
    await host.start()
    line: Listener
    if way.tls:
        line = Records(host.port, seed, records=TLS_RECORDS)
    else:
        sizes = frame_sizes if way.iso else http_sizes
        line = Frames(host.port, seed, sizes, share=FAULTS_SHARE, http=not way.iso)
    await line.start()
    uplinks = [_config(way, n, line.port, certificates) for n in range(UPLINKS)]
    codec = Codec()
    apps = [PaymentApp(terminal_id=f"T{n:07d}", codec=codec) for n in range(UPLINKS * WIDTH)]
    try:
        yield _Bench(way, host, line, clock, uplinks, apps)
    finally:
        await line.close()
        await host.close()


def _host(way: Way, clock: FastClock, files: Certificates | None, *, ignores: bool) -> Host:
    shown = {} if files is None else {
        "cert_file": files.host_cert_file, "key_file": files.host_key_file,
    }  # fmt: skip

    def now_ms() -> int:
        return clock.now().wall_ms

    if way.iso:
        return Acquirer(AcquirerOptions(sync=False, ignore_duplicates=ignores, **shown), now_ms)
    return ReferenceHost(HostOptions(sync=False, ignore_keys=ignores, **shown), now_ms)


def _config(way: Way, number: int, port: int, files: Certificates | None) -> AnyUplink:
    settings: dict[str, Any] = {
        "name": f"line{number}",
        "in_flight": WIDTH,
        "answer_timeout_s": ANSWER_TIMEOUT_S,
        "connect_timeout_s": 0.5,
        "host_in_flight_s": 60,
        "key_window_s": KEY_WINDOW_S,
        "ca_file": "" if files is None else str(files.ca_file),
    }
    if not way.iso:
        scheme = "https" if way.tls else "http"
        return HttpsUplink(url=f"{scheme}://127.0.0.1:{port}/v1/transactions", **settings)
    return Iso8583Uplink(
        host="127.0.0.1", port=port, tls=way.tls, order="payment", on_unknown="reverse",
        tpdu=LAYOUT.tpdu.hex(), header=LAYOUT.header.hex(), **settings,
    )  # fmt: skip


async def deliver(way: Way, posts: int, seed: int, *, ignores: bool = False) -> Outcome:
    """Hand over `posts` payments and see each of them through."""
    began = time.monotonic()
    with _home() as home:
        async with _bench(way, seed, home, ignores=ignores) as bench:
            terminal = _Terminal(bench, home / "state", seed)
            await terminal.start()
            try:
                await terminal.hand_over(posts)
                await terminal.nearly_done()
                bench.line.calm = True
                await terminal.finish()
                claims = await terminal.claims()
            finally:
                await terminal.stop()
            return Outcome(
                way=way,
                found=compared(claims, bench.effects(), bench.unproved()),
                seconds=time.monotonic() - began,
                faults=bench.line.met,
                sent=terminal.sent,
                in_doubt=len(terminal.doubted),
                released=terminal.released,
            )


class _Terminal:
    """Store, uploader, and a payment app that hands over as fast as things get done."""

    def __init__(self, bench: _Bench, directory: Path, seed: int) -> None:
        self._bench = bench
        self._store = Store(directory, bench.clock)
        prepared = Prepared(self._store, bench.clock)
        ports = Ports(
            journal=self._store,
            clock=bench.clock,
            draw=random.Random(seed).random,
            reverse=prepared.reverse,
        )
        threads = DaemonThreads()
        self._uploader: Uploader = build(
            bench.uplinks,
            ports,
            dial=lambda _: Dialer(threads),
            cause_of=cause_of,
            prepared=prepared,
        )
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._open: set[str] = set()
        self._room = asyncio.Event()
        self.doubted: set[str] = set()
        self.sent = 0
        self.released = 0

    async def start(self) -> None:
        await self._store.start()
        self._store.on_change(self._uploader.changed)
        self._store.on_change(self._changed)
        self._tasks = [
            asyncio.create_task(self._uploader.run(self._stop)),
            asyncio.create_task(self._time_passes()),
        ]

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)
        assert self._store.stop(10.0)

    async def hand_over(self, posts: int) -> None:
        for first in range(0, posts, BATCH):
            while len(self._open) > OPEN:
                self._room.clear()
                await self._or_fail(self._room.wait())
            numbers = range(first, min(first + BATCH, posts))
            submissions = [self._bench.submission(number) for number in numbers]
            self._open |= {one.transaction.key for one in submissions}
            await asyncio.gather(*(self._store.append(one) for one in submissions))

    async def nearly_done(self) -> None:
        """The last payments meet faults as the first ones did."""
        ends = time.monotonic() + PATIENCE_S
        while len(self._open) > FEW and time.monotonic() < ends:
            await self._or_fail(asyncio.sleep(0.05))

    async def finish(self) -> None:
        """Faults are over: everything has to become final, with a person's help where held."""
        ends = time.monotonic() + PATIENCE_S
        while self._open and time.monotonic() < ends:
            await self._release()
            self._room.clear()
            try:
                async with asyncio.timeout(0.2):
                    await self._or_fail(self._room.wait())
            except TimeoutError:
                continue

    async def claims(self) -> list[Claim]:
        found: list[Claim] = []
        after = 0
        while page := await self._store.page(states=None, after_seq=after, limit=500):
            after = page[-1].seq
            # Reversals the agent made are no payments; what they undid is `reversed`.
            own = [each for each in page if each.transaction.kind is not Kind.REVERSAL]
            found += [_claim(each, iso=self._bench.way.iso) for each in own]
        return found

    async def _or_fail(self, work: Any) -> None:
        """Wait, but not for an uploader that has crashed."""
        waiting = asyncio.ensure_future(work)
        try:
            await asyncio.wait({waiting, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        for task in self._tasks:
            if task.done():
                task.result()

    def _changed(self, record: Record) -> None:
        key = record.key
        if record.in_doubt and record.state is not State.SENDING:
            self.doubted.add(key)
        if record.state is State.SENDING:
            self.sent += 1
        if record.final:
            self._open.discard(key)
            if len(self._open) < OPEN - BATCH:
                self._room.set()

    async def _time_passes(self) -> None:
        """The uploader sleeps by the fast clock's figures in real seconds; wake it."""
        while not self._stop.is_set():
            await asyncio.sleep(TICK_S)
            for runner in self._uploader.runners.values():
                runner.wake()

    async def _release(self) -> None:
        """A person looks at what is held and lets it go."""
        page = await self._store.page(states=frozenset({State.HELD}), after_seq=0, limit=500)
        for each in page:
            change = Change(event=Event.RELEASE, cause=each.cause, not_found=each.not_found)
            try:
                await self._store.advance(each.seq, each.version, change)
            except CallerError:
                continue  # an answer was faster
            self.released += 1


def _claim(each: Record, *, iso: bool) -> Claim:
    result = each.result
    proof = None if result is None else result.rrn if iso else result.reference
    return Claim(
        key=each.key,
        amount_minor=each.transaction.amount_minor or 0,
        state=each.state.value,
        reference=proof or "",
    )


async def careless(way: Way, posts: int, seed: int) -> Outcome:
    """A control: the same line, and a client that sends once and forgets what failed."""
    began = time.monotonic()
    with _home() as home:
        async with _bench(way, seed, home, ignores=False) as bench:
            threads = DaemonThreads()
            nothing: Any = _NoJournal()
            uploader = build(
                bench.uplinks,
                Ports(journal=nothing, clock=bench.clock, draw=random.Random(seed).random),
                dial=lambda _: Dialer(threads),
                cause_of=cause_of,
                prepared=nothing,
            )
            claims: list[Claim] = []
            uplinks = [runner._attempts._uplink for runner in uploader.runners.values()]
            lock = asyncio.Semaphore(UPLINKS * WIDTH)

            async def once(number: int) -> None:
                async with lock:
                    one = bench.submission(number)
                    t = one.transaction
                    uplink = uplinks[number % UPLINKS]
                    await uplink.post(record(t.key, of=_of(one)), one.payload, 1, _nothing)
                    claims.append(
                        Claim(key=t.key, amount_minor=t.amount_minor or 0, state="posted")
                    )

            await asyncio.gather(*(once(number) for number in range(posts)))
            for uplink in uplinks:
                await uplink.close()
            return Outcome(
                way=way,
                found=compared(claims, bench.effects(), frozenset(each.key for each in claims)),
                seconds=time.monotonic() - began,
                faults=bench.line.met,
                sent=posts,
            )


def _raw(part: dict[str, str]) -> bytes:
    return base64.b64decode(part["base64"])


def run_delivery(way: Way, posts: int, seed: int, *, ignores: bool) -> Outcome:
    """`deliver` in a process of its own."""
    return asyncio.run(deliver(way, posts, seed, ignores=ignores))


def run_careless(way: Way, posts: int, seed: int) -> Outcome:
    """`careless` in a process of its own."""
    return asyncio.run(careless(way, posts, seed))


def _of(one: Submission) -> dict[str, Any]:
    t = one.transaction
    return {
        "terminal_id": t.terminal_id, "uplink": t.uplink, "amount_minor": t.amount_minor,
        "stan": t.stan, "batch": t.batch, "occurred_at": t.occurred_at,
    }  # fmt: skip


async def _nothing() -> None:
    """Nothing is committed before the first byte: that is the point."""


class _NoJournal:
    """What a client without a journal has of one: nothing."""

    async def waits_for_covered(self, _record: Record) -> bool:
        return False

    async def query_payload(self, _record: Record) -> bytes | None:
        return None

    async def record(self, _key: str) -> Record | None:
        return None

    async def reverse(self, key: str, reason: str) -> Record:
        raise NotImplementedError(f"{key}: {reason}")


@contextmanager
def _home() -> Iterator[Path]:
    """A folder in memory. Thousands of faults are met on purpose: telling each would cost more
    than meeting it, so the agent is silent meanwhile."""
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="once-", dir=memory if memory.is_dir() else None))
    told = logging.getLogger("agent")
    before = told.level
    told.setLevel(logging.CRITICAL)
    try:
        yield home
    finally:
        told.setLevel(before)
        shutil.rmtree(home, ignore_errors=True)
