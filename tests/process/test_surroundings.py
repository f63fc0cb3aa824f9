"""A printer, a broker and a clock that misbehave cost readings and messages, never a payment."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.clock import SystemClock
from agent.sim.broker import Broker, ServerTls, Watcher, free_port
from agent.sim.certificates import available, make_certificates
from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from agent.sim.printer import SimulatedPrinter, obey
from agent.store import Store
from agent.store.outbox import Outbox
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.shim import Shim, needs_shim

pytestmark = pytest.mark.process

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread, for simulators that need one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30.0)

    def do(self, work: Callable[[], T]) -> T:
        async def inside() -> T:
            return work()

        return self.run(inside())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


# -- the printer -------------------------------------------------------------------------------


def printer_of(daemon: Daemon) -> dict[str, Any]:
    return daemon.components().get("printer", {})


def with_printer(daemon: Daemon, device: Path) -> None:
    daemon.configure(
        f'[printer]\ndevice = "{device}"\nperiod_s = 1.0\nanswer_timeout_s = 0.3',
    )


def test_a_missing_port_is_unknown_with_a_reason_until_it_appears(loop: LoopThread) -> None:
    """No such device: unknown, not a fault and not fine; plugged in later it is read."""
    with Daemon() as daemon:
        device = daemon.home / "printer"
        with_printer(daemon, device)
        daemon.start()
        found = wait_until(lambda: printer_of(daemon).get("reason") and printer_of(daemon), "it")
        assert found["outcome"] == "unknown"
        assert str(device) in found["reason"]
        assert daemon.submit(payment()).status == 201
        printer = SimulatedPrinter(device)
        loop.do(printer.plug)
        try:
            wait_until(lambda: printer_of(daemon)["outcome"] == "reading", "a reading")
        finally:
            loop.do(printer.unplug)


def test_a_printer_that_goes_away_or_babbles_is_unknown_with_a_reason(loop: LoopThread) -> None:
    """Unplugged, garbage, silence: unknown with a reason, payments unharmed, and it comes back."""
    with Daemon() as daemon:
        device = daemon.home / "printer"
        printer = SimulatedPrinter(device)
        loop.do(printer.plug)
        with_printer(daemon, device)
        try:
            daemon.start()
            wait_until(lambda: printer_of(daemon).get("outcome") == "reading", "a reading")
            reasons = set()
            for trouble in ("cable out", "garbage on", "power off"):
                assert loop.do(lambda word=trouble: obey(printer, word)) == "ok"
                found = wait_until(
                    lambda: (now := printer_of(daemon))["outcome"] == "unknown" and now, trouble
                )
                reasons.add(found["reason"])
                assert daemon.submit(payment()).status == 201
                loop.do(printer.reset)
                wait_until(lambda: printer_of(daemon)["outcome"] == "reading", "a reading again")
            assert len(reasons) == 3, reasons
            assert "event=part_failed" not in daemon.log()
        finally:
            loop.do(printer.unplug)


# -- the broker --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the outbox keeps."""

    kind: str = "event"
    priority: int = 2
    retained: bool = False
    at_ms: int = 0
    body: bytes = b'{"filler":1}'
    supersedes: int | None = None


def fill_outbox(directory: Path, count: int) -> None:
    """Messages of a long outage, put there with the store's own code."""

    async def fill() -> None:
        store = Store(directory, SystemClock())
        await store.start()
        outbox = Outbox(store, max_rows=1_000_000, max_bytes=1 << 30)
        await outbox.put([Message() for _ in range(count)])
        assert store.stop(10.0)

    asyncio.run(fill())


@dataclass(frozen=True, slots=True)
class Kept:
    """The outbox as it lies on disk."""

    rows: int
    lost: int
    kinds: frozenset[str]


def outbox_of(daemon: Daemon) -> Kept:
    """Read from a copy, as the daemon holds the file."""
    with contextlib.ExitStack() as stack:
        copy = daemon.home / "copy.db"
        for suffix in ("", "-wal"):
            source = daemon.state_dir / f"state.db{suffix}"
            if source.exists():
                copy.with_name(copy.name + suffix).write_bytes(source.read_bytes())
                stack.callback(copy.with_name(copy.name + suffix).unlink, missing_ok=True)
        stack.callback(copy.with_name("copy.db-shm").unlink, missing_ok=True)
        db = sqlite3.connect(copy)
        try:
            kinds = [kind for (kind,) in db.execute("SELECT kind FROM outbox")]
            counts = db.execute("SELECT value FROM meta WHERE name = 'outbox.counts'").fetchone()
        finally:
            db.close()
    lost = int(counts[0].split()[2]) if counts else 0
    return Kept(len(kinds), lost, frozenset(kinds))


def telemetry(endpoint: str, more: str = "") -> str:
    return (
        f'[telemetry]\nendpoints = ["{endpoint}"]\nboot_delay_s = 0\nreconnect_base_s = 0.1\n'
        f"reconnect_cap_s = 0.5\nbacklog_period_s = 5.0\n{more}"
    )


@contextlib.contextmanager
def no_broker(loop: LoopThread, kind: str, directory: Path) -> Iterator[tuple[str, str]]:
    """(endpoint, further settings) of a broker that cannot be used."""
    match kind:
        case "refused":
            yield f"mqtt://127.0.0.1:{free_port()}", ""
        case "dns":
            yield "mqtts://no-such-broker.invalid:8883", ""
        case "certificate":
            ours = make_certificates(directory / "ours")
            other = make_certificates(directory / "other")
            broker = Broker(
                tls=ServerTls(
                    cert_file=str(other.host_cert_file), key_file=str(other.host_key_file)
                )
            )
            loop.run(broker.start())
            try:
                yield f"mqtts://127.0.0.1:{broker.port}", f'ca_file = "{ours.ca_file}"\n'
            finally:
                loop.run(broker.stop())


@pytest.mark.parametrize(
    "kind",
    [
        "refused",
        "dns",
        pytest.param(
            "certificate",
            marks=[
                pytest.mark.broker,
                pytest.mark.skipif(not available(), reason="no trustme: TLS was NOT tried"),
            ],
        ),
    ],
)
def test_telemetry_waits_in_the_outbox_while_the_broker_cannot_be_reached(
    kind: str, loop: LoopThread, tmp_path: Path
) -> None:
    """Refused, no DNS, wrong certificate: kept, bounded, the loss counted; payments unharmed."""
    with (
        HostThread() as host,
        no_broker(loop, kind, tmp_path) as (endpoint, more),
        Daemon() as daemon,
    ):
        fill_outbox(daemon.state_dir, 1_000)
        daemon.configure(telemetry(endpoint, more + "outbox_max_rows = 100"), url=host.host.url)
        daemon.start()
        assert daemon.submit(payment("k-1")).status == 201
        daemon.wait_drained()
        wait_until(
            lambda: (kept := outbox_of(daemon)).rows <= 100 and kept.lost >= 900,
            "the bound to hold",
        )
        kept = outbox_of(daemon)
        assert kept.kinds > {"event"}, "the terminal's own reports are kept too"
        assert kept.rows > 0
        daemon.stop()
        assert daemon.log().count("Traceback") == 0, daemon.log()
        warnings = [
            line for line in daemon.log().splitlines() if "WARNING" in line and "telemetry" in line
        ]
        assert len(warnings) <= 5, "first failure loud, repeats quiet"
        daemon.start()
        assert outbox_of(daemon).lost >= 900, "the count survives a restart"


def test_what_waited_is_sent_when_the_broker_comes(loop: LoopThread) -> None:
    """A broker that was down at the start: everything kept arrives, once it is there."""
    with Daemon() as daemon:
        broker = Broker()
        port = loop.run(broker.start())
        loop.run(broker.stop())
        fill_outbox(daemon.state_dir, 50)
        daemon.configure(telemetry(f"mqtt://127.0.0.1:{port}"))
        daemon.start()
        wait_until(lambda: outbox_of(daemon).kinds > {"event"}, "own reports in the outbox")
        loop.run(broker.start())
        try:
            wait_until(lambda: outbox_of(daemon).rows == 0, "everything acknowledged")
            assert outbox_of(daemon).lost == 0
            # And what is kept over a restart reaches a subscriber.
            daemon.stop()
            fill_outbox(daemon.state_dir, 50)
            watcher = Watcher(port)
            try:
                watcher.start()
                assert watcher.wait(lambda: watcher.subscribed, 30.0)
                daemon.start()
                assert watcher.wait(lambda: len(watcher.of("event")) >= 50, 30.0)
            finally:
                watcher.close()
        finally:
            daemon.kill()
            loop.run(broker.stop())


def test_telemetry_without_an_endpoint_is_recorded_and_bounded() -> None:
    """An unconfigured machine: said plainly, kept, bounded."""
    with Daemon() as daemon:
        fill_outbox(daemon.state_dir, 1_000)
        daemon.configure("[telemetry]\noutbox_max_rows = 100\nbacklog_period_s = 5.0")
        daemon.start()
        wait_until(lambda: outbox_of(daemon).rows <= 100, "the bound to hold")
        assert "event=telemetry_local" in daemon.log()


def test_a_deleted_state_database_under_a_running_daemon_costs_no_payment(
    loop: LoopThread,
) -> None:
    """Telemetry's part may fail and restart alone; money does not notice."""
    with HostThread() as host, Daemon() as daemon:
        daemon.configure(telemetry(f"mqtt://127.0.0.1:{free_port()}"), url=host.host.url)
        daemon.start()
        with (daemon.state_dir / "state.db").open("r+b") as file:
            file.write(b"\xa5" * 20_000)
        for suffix in ("-wal",):
            log = daemon.state_dir / f"state.db{suffix}"
            if log.exists():
                with log.open("r+b") as file:
                    file.write(b"\xa5" * log.stat().st_size)
        for n in range(5):
            assert daemon.submit(payment(f"k-{n}")).status == 201
        daemon.wait_drained()
        assert daemon.running
        assert len(host.host.ledger.postings()) == 5


# -- the clock ---------------------------------------------------------------------------------

TEN_YEARS_S = 10 * 365 * 86_400


def since_1970_s() -> int:
    """The offset that makes it the second day of 1970."""
    return 86_400 - int(time.time())


def request(key: str) -> dict[str, Any]:
    """A request that lapses in an hour of real time."""
    until = datetime.now(UTC) + timedelta(hours=1)
    return payment(key, posting="request", send_before=until.isoformat(timespec="seconds"))


@needs_shim
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("years", ["1970", "+10"])
def test_a_wrong_clock_expires_nothing_and_starts_no_storm(years: str, restart: bool) -> None:
    """Requests and advices wait as before, the host is not flooded, and all of it is posted."""
    with HostThread() as host, Daemon() as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        host.apply(Fault.named("error_503"))
        daemon.configure(
            '[health."clock.wrong"]\nvisible_after_s = 0',
            url=host.host.url,
        )
        daemon.start()
        keys = [f"k-{n}" for n in range(10)]
        for n, key in enumerate(keys):
            body = request(key) if n % 2 else payment(key)
            assert daemon.submit(body).status == 201
        shim.set("clock_offset_s", TEN_YEARS_S if years == "+10" else since_1970_s())
        if restart:
            daemon.stop()
            daemon.start()
        before = host.host.state()["requests"].get("post", 0)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 6.0, "six seconds of the wrong time")
        posts = host.host.state()["requests"].get("post", 0) - before
        took_s = time.monotonic() - began
        # Retry-After 1 s, one at a time: about one a second; ten a second would be a storm.
        assert posts <= 3 * took_s, f"{posts} posts in {took_s:.0f} s"
        states = {item["state"] for item in daemon.get("/v1/transactions").json["items"]}
        assert states <= {"queued", "waiting", "sending"}, states
        assert daemon.unsent() == len(keys)
        if years == "1970" and not restart:
            wait_until(lambda: "clock.wrong" in daemon.alarms(), "the alarm about the clock")
        host.apply(Fault())
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == keys
        shim.close()


@needs_shim
def test_a_clock_behind_what_was_seen_is_suspect_and_payments_go_on() -> None:
    """After a day in the wrong decade nobody can tell which time was wrong: said, and sent."""
    with HostThread() as host, Daemon() as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        daemon.configure(url=host.host.url)
        shim.set("clock_offset_s", TEN_YEARS_S)
        daemon.start()
        assert daemon.submit(payment("k-future")).status == 201
        daemon.wait_drained()
        assert daemon.stop() == 0
        shim.set("clock_offset_s", 0)
        daemon.start()
        assert daemon.get("/v1/status").json["clock_trusted"] is False
        assert daemon.submit(payment("k-advice")).status == 201
        assert daemon.submit(request("k-request")).status == 201
        daemon.wait_drained()
        assert {p.key for p in host.host.ledger.postings()} == {
            "k-future",
            "k-advice",
            "k-request",
        }
        shim.close()
