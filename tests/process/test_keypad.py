"""A keypad through the real daemon: what it has, who hears of it – and that nobody hears a key."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from agent.core.why.causes import CATALOGUE
from agent.sim.keypad import SimulatedKeypad
from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import AGENT, BrokerThread, LoopThread, Reader, telemetry
from tests.process.test_canary import said
from tests.watch.keypad.canary import Canary, numeric, seen

pytestmark = [pytest.mark.process, pytest.mark.broker]

DIGITS = "48172635"
START_US = 1_734_567_891_123_457


class Keypad:
    """The simulated keypad beside a daemon, pressed from a test."""

    def __init__(self, loop: LoopThread, daemon: Daemon) -> None:
        self.device = daemon.home / "keypad"
        self._loop = loop
        self._sim = SimulatedKeypad(self.device)
        self._sim.repeats = False  # what was typed last is not overwritten by repeats
        self._honest_now_us = self._sim._now_us

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._sim.unplug)

    def do(self, work: Callable[..., object], *args: Any) -> None:
        async def on_the_loop() -> None:
            done = work(*args)
            if isinstance(done, Coroutine):
                await done

        self._loop.run(on_the_loop())

    def plug(self) -> None:
        self.do(self._sim.plug)

    def unplug(self) -> None:
        self.do(self._sim.unplug)

    def tap(self, *names: str, times: int = 1) -> None:
        for _ in range(times):
            self.do(self._sim.tap, *names)

    def stick(self, name: str) -> None:
        self.do(self._sim.stick, name)

    def reset(self) -> None:
        self.do(self._sim.reset)

    def chatter(self) -> None:
        self._sim.chatter = True

    def drop(self) -> None:
        self.do(self._sim.drop)

    def garbage(self) -> None:
        self.do(self._sim.garbage)

    def type(self, canary: Canary) -> None:
        """Key after key, each at its time."""
        for digit, at_us in zip(canary.digits, canary.at_us, strict=True):
            self._sim._now_us = lambda at=at_us: at  # type: ignore[misc]
            self.tap(f"n{digit}")
        self._sim._now_us = self._honest_now_us


def keypad(device: Path, more: str = "") -> str:
    return f'[keypad]\ndevice = "{device}"\nstuck_after_s = 2.0\nperiod_s = 1.0\n{more}\n'


def at_once(*codes: str) -> str:
    return "".join(f'[health."{code}"]\nvisible_after_s = 0\nclear_after_s = 0\n' for code in codes)


TROUBLES = ("keypad.stuck_key", "keypad.chatter", "keypad.disconnected", "keypad.dead_keys")


def component(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.components().get("keypad", {})
    return found


def values(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = component(daemon).get("values", {})
    return found


def shown(daemon: Daemon, code: str) -> dict[str, Any]:
    alarm: dict[str, Any] = wait_until(lambda: daemon.alarms().get(code), code)
    return alarm


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    with LoopThread() as one:
        yield one


# -- what a keypad has -----------------------------------------------------------------------------


def test_every_trouble_of_a_keypad_is_told_and_cleared(loop: LoopThread) -> None:
    """Stuck, bouncing, gone: API and MQTT say so, with the class; then all is well."""
    with (
        BrokerThread() as broker,
        Reader(broker.port) as reader,
        Daemon() as daemon,
        Keypad(loop, daemon) as pad,
    ):
        daemon.configure(
            keypad(pad.device) + telemetry(broker.url) + at_once(*TROUBLES), agent=AGENT
        )
        daemon.start()
        wait_until(lambda: values(daemon).get("present"), "the keypad is read")
        pad.stick("7")
        alarm = shown(daemon, "keypad.stuck_key")
        assert alarm["args"]["key_class"] == "digit"
        cause = CATALOGUE["keypad.stuck_key"]
        assert (alarm["title"]["zh"], alarm["owner"]) == (cause.title.zh, str(cause.owner))
        reader.until(lambda: reader.active("keypad.stuck_key"), "the fleet hears of it")
        pad.reset()
        wait_until(lambda: not daemon.alarms(), "it is free")

        pad.chatter()
        pad.tap("5", times=3)
        alarm = shown(daemon, "keypad.chatter")
        assert alarm["args"]["key_class"] == "digit"
        # How many bounces of one press a busy machine takes for presses of their own, it decides.
        assert alarm["args"]["count"] >= 3
        pad.reset()

        pad.unplug()
        shown(daemon, "keypad.disconnected")
        assert values(daemon) == {"present": False}
        reader.until(lambda: reader.active("keypad.disconnected"), "the fleet hears of it")
        pad.plug()
        wait_until(lambda: values(daemon).get("present"), "it is back")
        wait_until(lambda: "keypad.disconnected" not in daemon.alarms(), "and known to be")

        pad.drop()
        pad.drop()
        wait_until(lambda: values(daemon).get("losses") == 2, "losses are counted")
        pad.garbage()
        wait_until(lambda: component(daemon)["outcome"] == "unknown", "garbage is noticed")
        assert component(daemon)["code"] == "device.interface_mismatch"
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()
        assert reader.complaints() == []


def test_a_short_absence_is_recorded_and_not_shown(loop: LoopThread) -> None:
    """Back before the ten seconds until an alarm: seen by the daemon, and shown to nobody."""
    with Daemon() as daemon, Keypad(loop, daemon) as pad:
        daemon.configure(keypad(pad.device))
        daemon.start()
        wait_until(lambda: values(daemon).get("present"), "the keypad is read")
        pad.unplug()
        wait_until(lambda: values(daemon).get("present") is False, "it is gone")
        pad.plug()
        wait_until(lambda: values(daemon).get("present"), "it is back")
        assert not daemon.alarms()
        assert "health_began code=keypad.disconnected" in daemon.log()
        assert "health_shown code=keypad.disconnected" not in daemon.log()


def test_the_guided_test_reaches_the_daemon(loop: LoopThread) -> None:
    """What `probe keypad --guided` found is an alarm with class and count."""
    with Daemon() as daemon, Keypad(loop, daemon) as pad:
        daemon.configure(keypad(pad.device, 'keys = ["up"]') + at_once(*TROUBLES))
        daemon.start()
        wait_until(lambda: values(daemon).get("present"), "the keypad is read")
        first = said(daemon, "probe", "keypad", "--guided", "--seconds", "0.2")
        assert b"1 key was not seen" in first
        kept = json.loads((daemon.state_dir / "keypad-test.json").read_text("utf-8"))
        assert kept == {
            "device": str(pad.device),
            "asked": {"navigation": 1},
            "dead": {"navigation": 1},
        }
        assert daemon.stop() == 0
        daemon.start()  # the daemon looks at it once a minute, and at its start
        alarm = shown(daemon, "keypad.dead_keys")
        assert (alarm["args"]["key_class"], alarm["args"]["count"]) == ("navigation", 1)


@pytest.mark.parametrize(
    ("more", "outcome", "words"),
    [
        ('device = "/dev/null"', "unknown", "not an input device"),
        ('device = "/dev/input/event99"', "reading", ""),
        ('name = "no such keypad"', "reading", ""),
        ('device = "{home}/file"', "unknown", "not an input device"),
        ('device = "{home}/keypad"\nread = "never"', "not_observable", "never read"),
    ],
)
def test_bad_configurations_are_each_said(
    loop: LoopThread, more: str, outcome: str, words: str
) -> None:
    """A typo, a device that is gone, a PIN pad: each its own state; the rest is well."""
    with Daemon() as daemon, Keypad(loop, daemon):
        (daemon.home / "file").touch()
        daemon.configure("[keypad]\n" + more.format(home=daemon.home))
        daemon.start()
        told = wait_until(lambda: component(daemon), "the keypad is spoken of")
        assert told["outcome"] == outcome
        assert words in told["reason"]
        if outcome == "reading":
            assert told["values"] == {"present": False}
        system = wait_until(lambda: daemon.components().get("system"), "the rest is spoken of")
        assert system["outcome"] == "reading"
        assert b"keypad" in said(daemon, "status")
        assert daemon.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: permission denied was not tried")
def test_a_missing_right_names_the_group(loop: LoopThread) -> None:
    """`probe` as another user: unknown, with what is needed, and exit 0: it is the answer."""
    with Daemon() as daemon, Keypad(loop, daemon) as pad:
        pad.device.chmod(0o600)
        daemon.configure(keypad(pad.device))
        daemon.config_file.chmod(0o644)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        daemon_command = daemon.command
        daemon.command = lambda *words: [*command, *daemon_command(*words)]  # type: ignore[method-assign]
        told = json.loads(said(daemon, "probe", "keypad", "--json"))
        assert told["outcome"] == "unknown"
        assert "usually input" in told["reason"]
        assert "input" in said(daemon, "probe", "keypad", "--guided").decode()


def test_without_a_keypad_nothing_of_it_is_loaded() -> None:
    """No component, no timer, no module."""
    with Daemon() as daemon:
        command = daemon.command
        daemon.command = lambda *words: [command()[0], "-X", "importtime", *command(*words)[1:]]  # type: ignore[method-assign]
        daemon.start()
        wait_until(lambda: "system" in daemon.components(), "the watchers spoke")
        assert "keypad" not in daemon.components()
        loaded = set(re.findall(r"^import time:.*\|\s*([\w.]+)$", daemon.log(), re.MULTILINE))
        assert not {name for name in loaded if "watch.keypad" in name or name.endswith(".evdev")}


# -- nobody hears a key ---------------------------------------------------------------------------


@dataclass
class Places:
    """Everything in which the sequence might be."""

    found: dict[str, bytes] = field(default_factory=dict)

    def with_canary(self, canary: Canary) -> dict[str, list[str]]:
        return {name: forms for name, data in self.found.items() if (forms := seen(canary, data))}


@contextmanager
def typed_on(loop: LoopThread, how: str = "") -> Iterator[tuple[Canary, Places, list[str]]]:
    """A day with the canary typed: all places, and what the daemon found in its own objects."""
    canary = numeric(DIGITS, START_US)
    places = Places()
    with (
        BrokerThread() as broker,
        Reader(broker.port) as reader,
        Daemon() as daemon,
        Keypad(loop, daemon) as pad,
    ):
        needles = daemon.home.parent / f"{daemon.home.name}.needles"
        daemon.configure(keypad(pad.device) + telemetry(broker.url), agent=AGENT)
        daemon.quick = False  # a program of its own, below
        command = daemon.command
        daemon.command = lambda *words: [  # type: ignore[method-assign]
            "tests.process.keypad_inside" if word == "agent" else word for word in command(*words)
        ]
        environment = {"KEYPAD_NEEDLES": str(needles)} | ({"KEYPAD_LEAK": how} if how else {})
        try:
            daemon.start(environment=environment)
            daemon.command = command  # type: ignore[method-assign]
            wait_until(lambda: values(daemon).get("present"), "the keypad is read")
            before = values(daemon)
            pad.type(canary)
            pad.stick("up")  # read behind all the others: when this shows they were read
            shown_stuck = lambda: values(daemon).get("stuck") == "suspected"  # noqa: E731
            wait_until(shown_stuck, "the last key is read")
            if not how:
                told = {k: v for k, v in values(daemon).items() if k not in ("stuck", "key_class")}
                assert told == {k: v for k, v in before.items() if k not in ("stuck", "key_class")}
            assert daemon.process is not None
            places.found["memory"] = _memory(daemon.process.pid)
            needles.write_text(json.dumps({"codes": canary.codes, "at_us": canary.at_us}))
            daemon.process.send_signal(signal.SIGUSR1)
            answer = wait_until(
                lambda: (p := needles.with_suffix(".found")).exists() and p.read_text(),
                "the daemon looked through its objects",
            )
            inside = json.loads(answer)
            assert inside["objects"] > 10_000
            reader.until(
                lambda: any(b'"keypad_stuck":"suspected"' in one.payload for one in reader.heard),
                "the fleet hears of the keypad",
            )
            for target in ("/v1/health", "/v1/status", "/v1/backlog", "/v1/explain"):
                places.found[target] = daemon.get(target).body
            for order in (("status",), ("status", "--json"), ("why",), ("probe", "keypad")):
                places.found[" ".join(order)] = said(daemon, *order)
            places.found["mqtt"] = b"\n".join(
                one.topic.encode() + b" " + one.payload for one in reader.heard
            )
            assert daemon.stop() == 0
            for path in sorted(daemon.home.rglob("*")):
                if path.is_file():
                    places.found[str(path.relative_to(daemon.home))] = path.read_bytes()
            yield canary, places, inside["found"]
        finally:
            for suffix in (".needles", ".found", ".fresh"):
                needles.with_suffix(suffix).unlink(missing_ok=True)


def _memory(pid: int) -> bytes:
    """Everything writable in the daemon's memory; empty where we may not look."""
    taken = []
    try:
        with (
            Path(f"/proc/{pid}/maps").open(encoding="utf-8") as maps,
            Path(f"/proc/{pid}/mem").open("rb", 0) as memory,
        ):
            for line in maps:
                where, rights = line.split()[:2]
                if not rights.startswith("rw") or "[vvar]" in line or "[vsyscall]" in line:
                    continue
                first, last = (int(part, 16) for part in where.split("-"))
                memory.seek(first)
                some = memory.read(last - first)
                pages = (some[at : at + 4096] for at in range(0, len(some), 4096))
                taken.append(b"".join(page for page in pages if page.count(0) < 4096))
    except PermissionError:
        return b""
    return b"".join(taken)


def test_a_typed_number_is_found_nowhere(loop: LoopThread) -> None:
    """Not in a file, the log, a message, an answer, a command's output, an object, the memory."""
    with typed_on(loop) as (canary, places, inside):
        assert places.found.keys() >= {"log", "state/state.db", "mqtt", "/v1/health", "status"}
        assert b"keypad" in places.found["/v1/health"]
        assert b"keypad" in places.found["mqtt"]
        assert len(places.found["memory"]) > 1_000_000 or os.geteuid() != 0
        assert places.with_canary(canary) == {}
        assert inside == []


@pytest.mark.parametrize(
    ("how", "where"),
    [
        ("kept", {"objects"}),
        ("told", {"/v1/health", "mqtt", "status --json", "objects", "state/state.db", "log"}),
        ("unwiped", {"memory"} if os.geteuid() == 0 else set()),
    ],
)
def test_the_same_search_finds_a_daemon_that_keeps_it(
    loop: LoopThread, how: str, where: set[str]
) -> None:
    """Control: made to keep the keys, to tell and log them, to not wipe: each is found."""
    with typed_on(loop, how) as (canary, places, inside):
        found = set(places.with_canary(canary)) | ({"objects"} if inside else set())
        assert found >= where, found
