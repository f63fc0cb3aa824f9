"""Scenes of the hardware: simulated devices where there are, vendor firmware's word where not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from agent.sim.modem import SimulatedModem
from agent.sim.modem import obey as obey_modem
from agent.sim.printer import SimulatedPrinter
from agent.sim.scanners.scanner import SimulatedScanner
from tests.causes.bench import Bench, terminal
from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import LoopThread

#: component -> code -> what its firmware says of it. What is well is said between two of them.
PUSHED: dict[str, dict[str, dict[str, Any]]] = {
    "printer": {
        "printer.paper_jam": {"paper_jam": True},
        "printer.ink_out": {"ink_out": True},
        "printer.low_voltage": {"low_voltage": True},
    },
    "keypad": {
        "keypad.stuck_key": {"stuck_keys": 1},
        "keypad.dead_keys": {"dead_keys": 2},
        "keypad.chatter": {"chatter_keys": 1},
        "keypad.disconnected": {"connected": False},
    },
    "security": {"security.tampered": {"tampered": True}},
    "partner": {
        "device.partner_interface": {"refused": True, "system": "ERP-7", "error": "bad date"}
    },
}
WELL: dict[str, dict[str, Any]] = {
    "printer": {"paper_jam": False, "ink_out": False, "low_voltage": False},
    "keypad": {"stuck_keys": 0, "dead_keys": 0, "chatter_keys": 0, "connected": True},
    "security": {"tampered": False},
    "partner": {"refused": False},
}
PRINTER: dict[str, dict[str, Any]] = {
    "printer.paper_out": {"paper": "out"},
    "printer.paper_low": {"paper": "low"},
    "printer.cover_open": {"cover_open": True},
    "printer.cutter_fault": {"cutter_fault": True},
    "printer.overheated": {"overheated": True},
    "printer.hardware_fault": {"unrecoverable": True},
    "printer.offline": {"switched_off_line": True},
    "printer.not_answering": {"silent": True},
}
SCANNER: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("scanner.battery_low", {"battery_percent": 9}, {"battery_percent": 80}),
    ("scanner.not_answering", {"silent": True}, {"silent": False}),
    ("device.interface_mismatch", {"garbage": True}, {"garbage": False}),
)


def pushed(bench: Bench) -> None:
    """What only the vendor's firmware can tell, by the push door."""
    doors = "".join(f'[[hook]]\ncomponent = "{one}"\ndoor = "push"\n' for one in PUSHED)
    with terminal(doors) as daemon:
        for component, codes in PUSHED.items():
            for code, state in codes.items():
                _push(daemon, component, WELL[component])
                _push(daemon, component, {**WELL[component], **state})
                named = ", ".join(f"{name} = {value}" for name, value in state.items())
                bench.proved(
                    daemon,
                    code,
                    f"firmware hook (push) says {component}: {named}",
                    undo=lambda one=component: _push(daemon, one, WELL[one]),
                )


def _push(daemon: Daemon, component: str, state: dict[str, Any]) -> None:
    reading = {"contract": 1, "outcome": "reading", "component": component, "state": state}
    answer = daemon.post("/v1/readings", {"readings": [reading]})
    assert answer.status == 200, answer.body


def printer(bench: Bench) -> None:
    """The simulated ESC/POS printer on a pseudo-terminal."""
    with LoopThread() as loop, Daemon() as place:
        sim = SimulatedPrinter(place.home / "printer")
        loop.do(sim.plug)
        settings = f'[printer]\ndevice = "{place.home / "printer"}"\nperiod_s = 0.5\n'
        try:
            with terminal(settings) as daemon:
                for code, wrong in PRINTER.items():
                    loop.do(lambda wrong=wrong: sim.switch(**wrong))
                    told = ", ".join(f"{name} = {value}" for name, value in wrong.items())
                    bench.proved(
                        daemon, code, f"simulated printer: {told}", undo=lambda: loop.do(sim.reset)
                    )
        finally:
            loop.do(sim.unplug)


def scanner(bench: Bench) -> None:
    """The simulated scanners: one that answers questions, one that reports its misses."""
    for vendor, dialect in (("newland_v2", "auto"), ("honeywell", "honeywell")):
        with LoopThread() as loop, Daemon() as place, _scanner(loop, place, vendor) as sim:
            settings = (
                f'[scanner]\ndevice = "{place.home / "scanner"}"\ndialect = "{dialect}"\n'
                'open = "always"\nperiod_s = 0.5\nanswer_timeout_s = 0.5\n'
            )
            with terminal(settings) as daemon:
                wait_until(lambda: _values(daemon).get("answers"), "the scanner was read")
                if dialect == "honeywell":
                    for _ in range(20):
                        loop.do(lambda: sim.scan(b"2813704"))
                        loop.do(lambda: sim.scan(None))
                    bench.proved(
                        daemon, "scanner.sensor_fault", "simulated scanner: every second scan fails"
                    )
                    continue
                for code, wrong, right in SCANNER:
                    loop.do(lambda wrong=wrong: sim.switch(**wrong))
                    told = ", ".join(f"{name} = {value}" for name, value in wrong.items())
                    bench.proved(
                        daemon,
                        code,
                        f"simulated scanner: {told}",
                        undo=lambda right=right: loop.do(lambda: sim.switch(**right)),
                    )
                loop.do(sim.unplug)
                bench.proved(daemon, "scanner.disconnected", "simulated scanner: unplugged")
                loop.do(sim.plug)


def _values(daemon: Daemon) -> dict[str, Any]:
    values: dict[str, Any] = daemon.components().get("scanner", {}).get("values", {})
    return values


@contextlib.contextmanager
def _scanner(loop: LoopThread, place: Daemon, vendor: str) -> Iterator[SimulatedScanner]:
    sim = SimulatedScanner(place.home / "scanner", vendor)
    loop.do(sim.plug)
    try:
        yield sim
    finally:
        loop.do(sim.unplug)


def modem(bench: Bench) -> None:
    """The simulated modem: its SIM, its cell."""
    with LoopThread() as loop, Daemon() as place:
        sim = SimulatedModem(place.home / "modem")

        def order(*words: str) -> None:
            for each in ("cable out", *words, "cable in"):
                assert loop.do(lambda each=each: obey_modem(sim, each)) == "ok"

        order("reset", "chatter on")
        settings = (
            "[signal]\nperiod_s = 1.0\n"
            '[discovery]\nhotplug = "poll"\npoll_s = 0.1\n'
            f'[cellular]\ndevice = "{sim.path}"\nopen = "always"\n'
        )
        try:
            with terminal(settings) as daemon:
                order("sim absent")
                bench.proved(daemon, "network.sim_problem", "simulated modem: no SIM card")
                order("sim ready", "rsrp -118")
                bench.proved(daemon, "network.weak_signal", "simulated modem: RSRP -118 dBm")
        finally:
            loop.do(lambda: obey_modem(sim, "cable out"))


SCENES = (pushed, printer, scanner, modem)
