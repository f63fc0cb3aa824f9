"""The fleet's side of a process test: a broker, and a reader who knows nothing but the contract.

What the simulators need (a loop) runs in threads, so that the tests themselves stay plain and
blocking. Every wait has a condition and a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import jsonschema

from agent.core.fleet.messages import Kind
from agent.sim.broker import Broker, Heard, ServerTls, Watcher
from agent.sim.printer import SimulatedPrinter
from agent.wire import asyncapi, mqtt
from tests.process.daemon import PATIENCE_S, ROOT, Daemon, wait_until

T = TypeVar("T")

TENANT = "acme"
DEVICE = "test-terminal"
#: Components are the first word of every field of `health`.
COMPONENTS = (
    "printer",
    "scanner",
    "connectivity",
    "link",
    "signal",
    "system",
    "clock",
    "software",
    "inspection",
    "devices",
    "uplink",
    "queue",
    "agent",
    "payment_app",
    "fleet",
)
#: Only spoken of where one is configured.
OPTIONAL = ("keypad", "configuration", "channels", "drill", "settlement")
_VALIDATORS = {
    kind: jsonschema.Draft202012Validator(schema) for kind, schema in asyncapi.schemas().items()
}
#: Sent by the test, not by the daemon.
_DOWN = frozenset({"cmd", "desired"})


class LoopThread:
    """An event loop in a thread, for simulators that need one."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sims", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30.0)

    def do(self, work: Callable[[], T]) -> T:
        async def inside() -> T:
            return work()

        return self.run(inside())


class BrokerThread:
    """A broker that can be killed and comes back on the same port."""

    def __init__(
        self,
        *,
        kind: Literal["mosquitto", "amqtt"] = "mosquitto",
        tls: ServerTls | None = None,
        port: int = 0,
    ) -> None:
        self._broker = Broker(kind=kind, tls=tls)
        self._broker.port = port
        self._loop = LoopThread()

    def __enter__(self) -> Self:
        self._loop.__enter__()
        try:
            self.start()
        except BaseException:
            self._loop.__exit__()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            print("--- log of the broker", *self._broker.lines, sep="\n")
        self._loop.run(self._broker.stop())
        self._loop.__exit__()

    @property
    def port(self) -> int:
        return self._broker.port

    @property
    def url(self) -> str:
        return self._broker.url

    @property
    def pid(self) -> int:
        """0 where it is no process of its own."""
        process = self._broker._process
        return 0 if process is None else process.pid

    @property
    def lines(self) -> list[str]:
        """What it logged last."""
        return list(self._broker.lines)

    def start(self) -> None:
        self._loop.run(self._broker.start())

    def stop(self) -> None:
        self._loop.run(self._broker.stop())

    def kill(self) -> None:
        self._loop.run(self._broker.kill())


class Reader:
    """Somebody who reads the fleet's messages by docs/contracts/mqtt.md, and by nothing else.

    Every message heard is held against the generated schemas; a test in which one did not fit
    fails at the end, whatever it was about.
    """

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        v5: bool = True,
        strict: bool = True,
        components: tuple[str, ...] = (),
    ) -> None:
        """`strict`: on leaving, fail for what broke the contract. `components`: a vendor's own."""
        self.strict = strict
        self._components = (*COMPONENTS, *OPTIONAL, *components)
        self.watcher = Watcher(port, host=host, tls=tls, v5=v5, topic="#")

    def __enter__(self) -> Self:
        self.watcher.start()
        self.listening()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.watcher.close()
        if kind is not None:
            print("--- messages heard")
            for each in self.heard[-60:]:
                print(each.topic, "retained" if each.retained else "", each.payload.decode()[:400])
        elif self.strict:
            found = self.complaints()
            assert found == [], found

    @property
    def heard(self) -> list[Heard]:
        return list(self.watcher.messages)

    def listening(self, *, within_s: float = PATIENCE_S) -> None:
        assert self.watcher.wait(lambda: self.watcher.subscribed, within_s), "not subscribed"

    def deaf(self) -> None:
        """Until the reader, too, has noticed that the broker is gone."""
        assert self.watcher.wait(lambda: not self.watcher.subscribed, PATIENCE_S)

    def until(self, reached: Callable[[], Any], what: str, *, within_s: float = PATIENCE_S) -> None:
        assert self.watcher.wait(lambda: bool(reached()), within_s), f"not heard: {what}"

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one kind, oldest first."""
        return [each.fields for each in self.watcher.of(kind)]

    def last(self, kind: str) -> dict[str, Any]:
        """The newest of a kind, or nothing."""
        found = self.of(kind)
        return found[-1] if found else {}

    def first_told(self) -> dict[str, Any]:
        """Each field of `health` as it was told first: what is read late comes after the rest."""
        told = [each.items() for each in reversed(self.of("health"))]
        return {name: value for fields in told for name, value in fields}

    def states(self) -> list[tuple[str, int]]:
        return [(each["state"], each["connects"]) for each in self.of("state")]

    def active(self, code: str) -> list[bool]:
        """The events of one alarm: shown, cleared, ..."""
        return [each["active"] for each in self.of("event") if each["code"] == code]

    def numbered(self) -> dict[tuple[str, int], bytes]:
        """Everything from the outbox, repeats dropped as rule 1 says; a repeat says the same."""
        known: dict[tuple[str, int], bytes] = {}
        for each in self.heard:
            if each.kind == Kind.STATE or each.topic.split("/")[4] in _DOWN:
                continue
            number = (each.fields["outbox_id"], each.fields["seq"])
            assert known.setdefault(number, each.payload) == each.payload, "another with its number"
        return known

    def complaints(self) -> list[str]:
        """Everything heard that the contract does not allow; empty: it was kept."""
        return [
            f"{each.topic}: {what}"
            for each in self.heard
            for what in _complaints(each, self._components)
        ]


def _complaints(heard: Heard, components: Sequence[str]) -> Iterator[str]:
    *root, tail = heard.topic.split("/", 4)
    if tail.partition("/")[0] in _DOWN:
        return  # what a test sends down may be meant to be wrong
    kind = mqtt.kind_in(tail)
    if root != ["pos", "1", TENANT, DEVICE] or kind is None:
        yield "not a topic of this terminal"
        return
    yield from mqtt.problems(kind, heard.payload)
    if len(heard.payload) > (mqtt.MAX_HIST_BYTES if kind is Kind.HIST else mqtt.MAX_BYTES):
        yield f"{len(heard.payload)} bytes are too many"
    yield from (error.message for error in _VALIDATORS[kind].iter_errors(heard.fields))
    told = [heard.fields] if kind is Kind.HEALTH else []
    told += [entry["values"] for entry in heard.fields.get("entries", ())]
    fixed = set(mqtt.STRUCTS[Kind.HEALTH].__struct_fields__)
    for name in sorted({name for fields in told for name in fields} - fixed):
        if not f"{name}_".startswith(tuple(f"{component}_" for component in components)):
            yield f"{name} belongs to no component"


def retained(port: int, *kinds: str) -> dict[str, dict[str, Any]]:
    """What a reader who comes late is told at once; waits until all `kinds` are there."""
    with Reader(port) as late:
        late.until(lambda: {each.kind for each in late.heard} >= set(kinds), f"retained {kinds}")
        return {each.kind: each.fields for each in late.heard if each.retained}


class Printer:
    """The simulated printer beside a daemon, switched from a test."""

    def __init__(self, loop: LoopThread, daemon: Daemon) -> None:
        self.device = daemon.home / "printer"
        self._loop = loop
        self._printer = SimulatedPrinter(self.device)

    def __enter__(self) -> Self:
        self._loop.do(self._printer.plug)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.do(self._printer.unplug)

    def switch(self, **conditions: Any) -> None:
        self._loop.do(lambda: self._printer.switch(**conditions))

    def reset(self) -> None:
        """All well, the cable in."""
        self._loop.do(self._printer.reset)

    def unplug(self) -> None:
        self._loop.do(self._printer.unplug)


# -- the daemon's side -------------------------------------------------------------------------


def telemetry(endpoint: str, more: str = "") -> str:
    """Configuration: impatient, and reporting at every tick of the scheduler."""
    return (
        f'[telemetry]\nendpoints = ["{endpoint}"]\nboot_delay_s = 0\nreconnect_base_s = 0.1\n'
        f"reconnect_cap_s = 0.5\nhealth_period_s = 1.0\nbacklog_period_s = 1.0\n{more}\n"
    )


def at_once(*codes: str) -> str:
    """Configuration: these alarms are shown and cleared without delay."""
    return "".join(f'[health."{code}"]\nvisible_after_s = 0\nclear_after_s = 0\n' for code in codes)


def printer(device: Path) -> str:
    """Configuration: a printer asked at every tick.

    It has all the time it has in the field: the simulator answers from this process, which waits
    for its turn on a loaded machine, and a late answer is an alarm of its own.
    """
    return f'[printer]\ndevice = "{device}"\nperiod_s = 1.0\n'


#: For `configure(agent=…)`.
AGENT = f'tenant = "{TENANT}"\nsite = "S7"'


def said_by(daemon: Daemon, *arguments: str) -> str:
    """What a command prints, in English, on a wide terminal, with white space evened out."""
    done = subprocess.run(
        daemon.command(*arguments, "--lang", "en", "--config", str(daemon.config_file)),
        capture_output=True,
        text=True,
        env={**daemon._environment(), "COLUMNS": "200"},
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it lies in the outbox."""

    seq: int
    kind: str
    priority: int
    at_ms: int

    @property
    def kept_for_good(self) -> bool:
        """Whether no later message makes it stale (docs/contracts/mqtt.md: info, repeats)."""
        lasting = ("event", "health", "hist")
        return self.kind in lasting or (self.kind == "backlog" and self.priority == 0)


def outbox(daemon: Daemon) -> dict[int, Row]:
    """The rows on disk by number. Read from a copy, again until the copy is a whole one."""
    found: list[dict[int, Row]] = []

    def whole() -> bool:
        with contextlib.suppress(sqlite3.DatabaseError, OSError):
            rows = _copied(daemon)
            if rows is not None:
                found.append(rows)
        return bool(found)

    wait_until(whole, "a readable copy of state.db")
    return found[0]


def _copied(daemon: Daemon) -> dict[int, Row] | None:
    copy = daemon.home / "copy.db"
    with contextlib.ExitStack() as stack:
        for suffix in ("", "-wal", "-shm"):
            there = copy.with_name(copy.name + suffix)
            stack.callback(there.unlink, missing_ok=True)
            source = daemon.state_dir / f"state.db{suffix}"
            if suffix != "-shm" and source.exists():
                there.write_bytes(source.read_bytes())
        db = stack.enter_context(contextlib.closing(sqlite3.connect(copy)))
        rows = [Row(*row) for row in db.execute("SELECT seq, kind, priority, at_ms FROM outbox")]
        told = db.execute("SELECT value FROM meta WHERE name = 'outbox.counts'").fetchone()
    if told is not None and int(told[0].split()[0]) != len(rows):
        return None  # torn: the daemon wrote between our two reads
    return {row.seq: row for row in rows}


@contextlib.contextmanager
def frozen(daemon: Daemon) -> Iterator[None]:
    """The daemon stands still meanwhile; what it does next is not left to chance."""
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)
