"""A scanner through the real daemon: what it has is an alarm in the API, and the end of it too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Self

import pytest

from agent.core.why.causes import CATALOGUE
from agent.sim.scanners.scanner import SimulatedScanner
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import LoopThread, at_once, said_by

pytestmark = pytest.mark.process

GONE, SILENT = "scanner.disconnected", "scanner.not_answering"
BATTERY, SENSOR = "scanner.battery_low", "scanner.sensor_fault"
#: Nobody's payment code, written backwards so that this file's own text is not what is found.
CODE = "731958240617395284"[::-1].encode()


class Scanner:
    """The simulated scanner beside a daemon."""

    def __init__(self, loop: LoopThread, daemon: Daemon, vendor: str) -> None:
        self.device = daemon.home / "scanner"
        self._loop = loop
        self.sim = SimulatedScanner(self.device, vendor)

    def __enter__(self) -> Self:
        self._loop.do(self.sim.plug)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.do(self.sim.unplug)

    def switch(self, **conditions: Any) -> None:
        self._loop.do(lambda: self.sim.switch(**conditions))

    def plugged(self, is_in: bool) -> None:
        self._loop.do(self.sim.plug if is_in else self.sim.unplug)

    def scan(self, content: bytes | None) -> None:
        self._loop.do(lambda: self.sim.scan(content))

    def configure(self, daemon: Daemon, dialect: str) -> None:
        daemon.configure(
            f'[scanner]\ndevice = "{self.device}"\ndialect = "{dialect}"\nopen = "always"\n'
            "period_s = 0.3\nanswer_timeout_s = 0.5\n"
            + at_once(GONE, SILENT, BATTERY, SENSOR, "device.interface_mismatch")
        )


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread


def shown(daemon: Daemon, code: str) -> dict[str, Any]:
    alarm: dict[str, Any] = wait_until(lambda: daemon.alarms().get(code), f"{code} as an alarm")
    return alarm


def cleared(daemon: Daemon, code: str) -> None:
    wait_until(lambda: code not in daemon.alarms(), f"{code} cleared")


def test_what_a_scanner_has_is_an_alarm_and_clears(loop: LoopThread) -> None:
    """Low battery, silence, noise, a pulled cable: each its own alarm, and payments go on."""
    with Daemon() as daemon, Scanner(loop, daemon, "newland_v2") as scanner:
        scanner.configure(daemon, "auto")
        daemon.start()
        wait_until(lambda: _values(daemon).get("answers"), "a reading of the scanner")
        assert _values(daemon)["battery_percent"] == 80

        for code, wrong, right in (
            (BATTERY, {"battery_percent": 9}, {"battery_percent": 80}),
            (SILENT, {"silent": True}, {"silent": False}),
            ("device.interface_mismatch", {"garbage": True}, {"garbage": False}),
        ):
            scanner.switch(**wrong)
            alarm = shown(daemon, code)
            assert alarm["component"] == "scanner"
            assert alarm["title"]["zh"] == CATALOGUE[code].title.zh
            assert daemon.submit(payment()).status == 201
            scanner.switch(**right)
            cleared(daemon, code)

        scanner.plugged(False)
        assert shown(daemon, GONE)["step"]["en"]
        assert f"({GONE})" in said_by(daemon, "status")
        scanner.plugged(True)
        cleared(daemon, GONE)
        assert scanner.sim.brain.orders == []
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()


def test_a_code_is_nowhere_and_misses_are_an_alarm(loop: LoopThread) -> None:
    """Codes go by while the daemon watches: counted, alarmed on, and in no file, log or answer."""
    with Daemon() as daemon, Scanner(loop, daemon, "honeywell") as scanner:
        scanner.configure(daemon, "honeywell")
        daemon.start()
        wait_until(lambda: _values(daemon).get("answers"), "a reading of the scanner")
        for _ in range(20):
            scanner.scan(CODE)
            scanner.scan(None)
        shown(daemon, SENSOR)
        assert _values(daemon)["no_read_percent"] == 50.0
        why = said_by(daemon, "why")
        assert "Reads fail more than usual: 50 %" in why
        for _ in range(200):
            scanner.scan(CODE)
        cleared(daemon, SENSOR)
        everything = json.dumps(daemon.get("/v1/health").json).encode()
        status = said_by(daemon, "status")
        assert daemon.stop() == 0
        everything += daemon.log().encode() + status.encode() + why.encode()
        for file in daemon.home.rglob("*"):
            if file.is_file():
                everything += file.read_bytes()
    assert CODE[:8] not in everything
    assert b"good_read_age_s" in everything


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: pushing readings was NOT tried")
def test_what_the_app_counts_is_an_alarm_and_clears(loop: LoopThread) -> None:
    """The app holds the port and pushes its counts: the port is left alone, the misses are told."""
    with Daemon() as daemon, Scanner(loop, daemon, "honeywell") as scanner:
        daemon.configure(
            f'[scanner]\ndevice = "{scanner.device}"\nperiod_s = 1.0\n'
            '[[hook]]\ncomponent = "scanner"\ndoor = "push"\n' + at_once(SENSOR)
        )
        app = os.open(scanner.device, os.O_RDWR | os.O_NOCTTY)
        try:
            daemon.start()
            for reads, no_reads, wrong in ((100, 10, None), (110, 40, True), (310, 40, False)):
                said = {
                    "contract": 1,
                    "component": "scanner",
                    "outcome": "reading",
                    "state": {"reads": reads, "no_reads": no_reads},
                    "facts": {"last": CODE.decode()},
                }
                answer = daemon.post("/v1/readings", {"readings": [said]})
                assert answer.status == 200, answer.body
                wait_until(lambda: _values(daemon).get("in_use"), "the port's owner")
                if wrong is not None:
                    shown(daemon, SENSOR) if wrong else cleared(daemon, SENSOR)
            told = daemon.components()["scanner"]
            assert f"(pid {os.getpid()}" in told["evidence"]["in_use_by"]
            assert scanner.sim.received == b""
            assert CODE.decode() not in json.dumps(daemon.get("/v1/health").json)
            assert daemon.stop() == 0
            assert CODE.decode() not in daemon.log()
        finally:
            os.close(app)


def _values(daemon: Daemon) -> dict[str, Any]:
    component = daemon.components().get("scanner", {})
    values: dict[str, Any] = component.get("values") or {}
    return values
