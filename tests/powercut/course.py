"""The courses of the rig: power cuts under load on one disk, and the controls.

Plays the payment app's memory (what it tried, what was acknowledged) and the payment host outside
of the machine; decides when the power goes. What it all means is `tests.powercut.verdict`'s.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.sim.certificates import Certificates, make_certificates
from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault
from tests.powercut.disk import Cut, Left, VolatileDisk
from tests.powercut.machine import Heard, Machine, PowerGoneError, SlowError
from tests.powercut.nbd import At, DiskServer, Trigger
from tests.powercut.payload import OUTSIDE, made_data_disk, made_payload
from tests.powercut.verdict import Found, compared
from tests.rig.image import Image, built
from tests.rig.machine import MachineError

#: What the host does wrong while payments are handed over. It posts every repeat, too, so that a
#: second sending shows as money moved twice instead of being swallowed.
FAULTS = {"drop_after": 0.08, "drop_before": 0.05, "error_503": 0.05, "truncated": 0.03}
PAYMENTS = 200  #: a start; the power goes before they are handed over, as a rule
LANES = 2
#: What the lying disk holds back: some seconds of payments.
LYING_WRITES = 80
BOOT_S, DISK_S, UP_S, LOAD_S, DRAIN_S = 600.0, 240.0, 400.0, 300.0, 1800.0
LOOKED_UP = 20  #: the last acknowledged before a cut, looked up right after it

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One start and the cut that ended it."""

    number: int
    moment: str  #: "write 17 while starting"
    reached: bool  #: False: nothing was left to do, the power went when idle
    acknowledged: int
    fsck: int | None
    damage: str  #: what the daemon said of its store at this start
    tries: int  #: daemon starts until it served
    up_s: float
    missing: tuple[str, ...]  #: acknowledged before the last cut, unknown now
    cut: Cut
    seconds: float
    slow: bool = False  #: the machine did not come so far within minutes


@dataclass(slots=True)
class Course:
    """What a disk and a book went through."""

    lying: bool
    rounds: list[Round] = field(default_factory=list)
    tried: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)  #: key -> round
    refused: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    before_drain: Counter[str] = field(default_factory=Counter)
    found: Found | None = None
    planted: Found | None = None
    noticed: list[str] = field(default_factory=list)  #: what fsck and the daemon said at a start
    ended_early: str = ""

    @property
    def missing(self) -> list[str]:
        return sorted({key for each in self.rounds for key in each.missing})


class Place:
    """Host, image and payload: what all courses of a run share."""

    def __init__(self, scratch: Path, image: Image, host: HostThread, tls: Certificates) -> None:
        self.scratch = scratch
        self.image = image
        self.host = host
        self.tls = tls
        url = host.host.url.replace("127.0.0.1", OUTSIDE)
        self.payload = made_payload(scratch, url, tls.ca_file)
        self.empty = made_data_disk(scratch)
        self.snapshot = scratch / "moment"
        self.socket = scratch / "disk.sock"

    def boot(self, say: Say) -> None:
        """One whole boot, up to the moment every start goes on from."""
        with (
            DiskServer(VolatileDisk(bytearray(self.empty)), self.socket),
            Machine(self.image, self.payload, self.scratch, self.socket, snapshot=None) as machine,
        ):
            machine.until("warm", BOOT_S, lambda _: None)
            machine.kept(self.snapshot)
        self.socket.unlink()
        say(f"booted once; the moment kept is {self.snapshot.stat().st_size >> 20} MB")

    def machine(self) -> Machine:
        return Machine(self.image, self.payload, self.scratch, self.socket, snapshot=self.snapshot)


@contextlib.contextmanager
def place(scratch: Path, say: Say) -> Iterator[Place]:
    image = built(say)
    tls = make_certificates(scratch / "tls", names=("localhost", "127.0.0.1", OUTSIDE))
    options = HostOptions(
        cert_file=tls.host_cert_file, key_file=tls.host_key_file, sync=False, ignore_keys=True
    )
    with HostThread(options) as host:
        made = Place(scratch, image, host, tls)
        made.boot(say)
        yield made


@contextlib.contextmanager
def served(where: Place, disk: VolatileDisk) -> Iterator[DiskServer]:
    with DiskServer(disk, where.socket) as server:
        try:
            yield server
        finally:
            where.socket.unlink()


def powered(machine: Machine, draw: random.Random) -> None:
    """The first thing after the power came: the disk, the time, randomness of its own."""
    machine.tell({"do": "disk", "now": time.time(), "seed": draw.randbytes(32).hex()})


class App:
    """The payment app's memory, which is not on the machine's disk."""

    def __init__(self, course: Course, run: str) -> None:
        self.course = course
        self.open: dict[str, dict[str, Any]] = {}
        self._run = run
        self._sent: dict[str, dict[str, Any]] = {}
        self.number = 0

    def bodies(self, draw: random.Random) -> list[dict[str, Any]]:
        """What was never acknowledged, then new ones."""
        again = list(self.open.values())
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        new = []
        for n in range(PAYMENTS):
            key = f"{self._run}-{self.number}-{n}"
            new.append({
                "key": key, "terminal_id": "T0000001", "merchant_id": "M00000000000001",
                "kind": "sale", "posting": "advice", "occurred_at": now,
                "amount_minor": draw.randrange(1, 100_000), "currency": "CNY",
                "payload": {"content_type": "application/json", "text": '{"order":"A-1"}'},
            })  # fmt: skip
        self._sent = {body["key"]: body for body in [*again, *new]}
        return [*again, *new]

    def heard(self, told: Heard) -> None:
        course = self.course
        if "try" in told:
            body = self._sent[told["try"]]
            course.tried[body["key"]] = body["amount_minor"]
            self.open[body["key"]] = body
        elif "ack" in told:
            course.acknowledged.setdefault(told["ack"], self.number)
            self.open.pop(told["ack"], None)
        elif "refused" in told:
            course.refused.append(f"{told['status']} {told['text']}")
            self.open.pop(told["refused"], None)
        elif told.get("fsck", 0) or "fsck_forced" in told:
            course.noticed.append(f"start {self.number}: e2fsck: {told['text'][:200]}")
        elif "daemon_stopped" in told:
            last = told["log"].strip().splitlines()[-1:]
            course.noticed.append(f"start {self.number}: the daemon stopped: {''.join(last)[:200]}")
        elif told.get("store", {}).get("damage"):
            course.noticed.append(f"start {self.number}: store: {told['store']['damage'][:200]}")


def cuts(where: Place, count: int, seed: int, say: Say) -> Course:
    """The course: `count` cuts on one disk, then drained and compared."""
    course, draw = Course(lying=False), random.Random(seed)
    disk = VolatileDisk(bytearray(where.empty))
    where.host.apply_mix(FAULTS, seed)
    app = App(course, f"pc{seed}")
    with served(where, disk) as server:
        for number in range(1, count + 1):
            app.number = number
            done = _round(where, server, app, draw)
            course.rounds.append(done)
            say(_line(done))
        where.host.apply(Fault())
        _settled(where, server, app, draw, say)
    state = where.host.host.state()
    course.faults = dict(state["faults_met"])
    _plant(where, course)
    return course


def lying(where: Place, seed: int, say: Say) -> Course:
    """The control: a disk that only says it flushed. The host is away: the journal is all."""
    course, draw = Course(lying=True), random.Random(seed)
    disk = VolatileDisk(bytearray(where.empty), lying_writes=LYING_WRITES)
    where.host.apply(Fault.named("refuse"))
    app = App(course, f"lie{seed}")
    try:
        with served(where, disk) as server:
            for number, style in enumerate((Left.NOTHING, Left.SECTORS), 1):
                app.number = number
                trigger = Trigger(At.WRITE, 260 + draw.randrange(40))
                done = _round(where, server, app, draw, wanted=("load", trigger), style=style)
                course.rounds.append(done)
                say(_line(done))
            app.number += 1
            missing, _ = _started(where, server, app, draw)
            if missing:
                say(f"  after the last cut {len(missing)} acknowledged payments are unknown")
            last = course.rounds[-1]
            course.rounds[-1] = replace(last, missing=(*last.missing, *missing))
    except MachineError as error:
        course.ended_early = str(error)
        course.noticed.append(f"start {app.number}: {error}")
    finally:
        where.host.apply(Fault())
    return course


def _started(
    where: Place, server: DiskServer, app: App, draw: random.Random
) -> tuple[tuple[str, ...], Heard]:
    """A start that only looks: which of the last acknowledged the journal does not know."""
    with where.machine() as machine:
        powered(machine, draw)
        machine.until("disk", DISK_S, app.heard)
        machine.tell({"do": "start", "tries": 4})
        up = machine.until("up", UP_S, app.heard)
        missing = _looked(machine, app, server)
        server.stop()
    server.disk.cut(draw, Left.NOTHING)
    server.start()
    return missing, up


def _looked(machine: Machine, app: App, server: DiskServer) -> tuple[str, ...]:
    last = list(app.course.acknowledged)[-LOOKED_UP:]
    if not last:
        return ()
    machine.tell({"do": "look", "keys": last})
    told = machine.until("missing", UP_S, app.heard, server.gone)
    return tuple(told["missing"])


def _drawn(draw: random.Random) -> tuple[str, Trigger | float]:
    """When the power goes: at an operation of the disk, or at a time."""
    lot = draw.random()
    if lot < 0.2:
        return "start", Trigger(draw.choice(list(At)), draw.randint(1, 40))
    if lot < 0.55:
        return "load", Trigger(At.WRITE, draw.randint(1, 160))
    if lot < 0.8:
        return "load", Trigger(At.FLUSH, draw.randint(1, 100))
    return "load", draw.uniform(0.2, 5.0)


def _round(
    where: Place,
    server: DiskServer,
    app: App,
    draw: random.Random,
    *,
    wanted: tuple[str, Trigger | float] | None = None,
    style: Left | None = None,
) -> Round:
    """One start, a load, and the end of it."""
    began, before = time.monotonic(), len(app.course.acknowledged)
    phase, when = wanted or _drawn(draw)
    moment = f"after {when:.1f} s" if isinstance(when, float) else f"at {when.kind} {when.left}"
    heard: dict[str, Any] = {"fsck": None, "up": {}}
    missing: tuple[str, ...] = ()
    reached, slow = True, False

    def also(told: Heard) -> None:
        app.heard(told)
        if "fsck" in told:
            heard["fsck"] = told["fsck"]
        if "up" in told:
            heard["up"] = told

    with where.machine() as machine:
        try:
            if phase == "start" and isinstance(when, Trigger):
                server.arm(when)
            powered(machine, draw)
            machine.until("disk", DISK_S, also, server.gone)
            machine.tell({"do": "start", "tries": 4})
            if not machine.until("up", UP_S, also, server.gone)["up"]:
                raise MachineError("the daemon does not start")
            missing = _looked(machine, app, server)
            machine.tell({"do": "load", "bodies": app.bodies(draw), "lanes": LANES})
            reached = _loaded(machine, server, also, phase, when)
        except PowerGoneError:
            pass
        except SlowError as error:
            # The power may go at any moment, so it goes now; it is counted and told.
            moment, slow = f"{moment} ({error})", True
        server.stop()
        machine.cut()
        for told in machine.heard():
            also(told)
    cut = server.disk.cut(draw, style)
    server.start()
    store = heard["up"].get("store") or {}
    return Round(
        number=app.number, moment=f"{moment}, {phase}", reached=reached,
        acknowledged=len(app.course.acknowledged) - before, fsck=heard["fsck"],
        damage=store.get("damage", ""), tries=heard["up"].get("tries", 0),
        up_s=heard["up"].get("seconds", 0.0), missing=missing, cut=cut, slow=slow,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def _loaded(
    machine: Machine,
    server: DiskServer,
    also: Callable[[Heard], None],
    phase: str,
    when: Trigger | float,
) -> bool:
    """Wait for the moment. False when everything was handed over before it came."""
    if isinstance(when, Trigger):
        if phase == "load":
            server.arm(when)
        machine.until("handed_over", LOAD_S, also, server.gone)
        return False
    ends = time.monotonic() + when
    with contextlib.suppress(MachineError):
        machine.until("handed_over", when, also)
    while time.monotonic() < ends:
        time.sleep(0.01)
    return True


def _settled(where: Place, server: DiskServer, app: App, draw: random.Random, say: Say) -> None:
    """The last start: what the journal holds, drained, and both books compared."""
    course = app.course
    app.number += 1
    with where.machine() as machine:
        powered(machine, draw)
        machine.until("disk", DISK_S, app.heard)
        machine.tell({"do": "start", "tries": 4})
        machine.until("up", UP_S, app.heard)
        keys = sorted(course.acknowledged)
        first = _journal(machine, app, keys)
        course.before_drain = Counter(state for state, _ in first.values())
        machine.tell({"do": "drain", "within_s": DRAIN_S})
        drained = machine.until("drained", DRAIN_S + 60, app.heard)
        say(f"drained: {drained}")
        states = _journal(machine, app, sorted(course.tried))
        server.stop()
    gone = {key for key in keys if key not in first}
    known = {key: state for key, (state, _) in states.items() if key not in gone}
    course.found = compared(
        tried=course.tried, acknowledged=frozenset(keys), states=known, ledger=_ledger(where, app)
    )


def _journal(machine: Machine, app: App, keys: list[str]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for at in range(0, len(keys), 100):
        machine.tell({"do": "look", "keys": keys[at : at + 100]})
        told = machine.until("missing", UP_S, app.heard)
        found |= {key: (state, amount) for key, (state, amount, _) in told["states"].items()}
    return found


def _ledger(where: Place, app: App) -> list[tuple[str, int]]:
    prefix = next(iter(app.course.tried), "-").partition("-")[0] + "-"
    return [
        (posting.key, posting.amount_minor or 0)
        for posting in where.host.host.ledger.postings()
        if posting.status == "posted" and posting.key.startswith(prefix)
    ]


def _plant(where: Place, course: Course) -> None:
    """The control of the ledger check: one payment sent once more, past the daemon."""
    key = min(course.acknowledged)
    address = urlsplit(where.host.host.url)
    trusted = ssl.create_default_context(cafile=str(where.tls.ca_file))
    line = http.client.HTTPSConnection("127.0.0.1", address.port or 0, context=trusted, timeout=20)
    headers = {
        "Idempotency-Key": key, "Content-Type": "application/json", "Terminal-Id": "T0000001",
        "Merchant-Id": "M00000000000001", "Transaction-Kind": "sale",
        "Transaction-Posting": "advice", "Transaction-Amount": f"{course.tried[key]} CNY",
        "Attempt": "2",
    }  # fmt: skip
    try:
        line.request("POST", address.path, b'{"order":"A-1"}', headers)
        line.getresponse().read()
    finally:
        line.close()
    app = App(course, "")
    course.planted = compared(
        tried=course.tried, acknowledged=frozenset(course.acknowledged), states={},
        ledger=_ledger(where, app),
    )  # fmt: skip


def _line(done: Round) -> str:
    cut = done.cut
    return (
        f"{done.number:3} {done.moment}: {done.acknowledged} acknowledged, {cut.pending} writes "
        f"not flushed ({cut.style}: {cut.dropped_sectors} sectors dropped, "
        f"{cut.kept_sectors} kept), fsck {done.fsck}, {done.seconds:.0f} s"
        + (f", MISSING {len(done.missing)}" if done.missing else "")
        + (f", damage {done.damage}" if done.damage else "")
        + ("" if done.reached or done.slow else ", idle")
    )
