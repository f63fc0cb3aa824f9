"""The words a simulated scanner obeys; what they do is the scanner's. `help` lists them."""

from __future__ import annotations

from dataclasses import asdict

from agent.sim.language import Language
from agent.sim.scanners.scanner import SimulatedScanner


def _status(scanner: SimulatedScanner) -> dict[str, object]:
    about = {
        "vendor": scanner.vendor,
        "path": str(scanner.path),
        "plugged": scanner.plugged,
        "orders": scanner.brain.orders,
    }
    return about | asdict(scanner.conditions)


LANGUAGE = Language[SimulatedScanner](
    switches={
        "power": {"on": {"silent": False}, "off": {"silent": True}},
        "garbage": {"off": {"garbage": False}, "on": {"garbage": True}},
        "answer": {word: {"answer": word} for word in ("ok", "refused", "other")},
        "self-test": {word: {"self_test": word} for word in ("ok", "fail")},
        "stale": {word: {"stale": word} for word in ("off", "next", "lag")},
    },
    actions={
        ("cable", "in"): SimulatedScanner.plug,
        ("cable", "out"): SimulatedScanner.unplug,
        ("stale", "now"): SimulatedScanner.leave_stale_reply,
        ("scan", ""): SimulatedScanner.scan,
        ("scan", "nothing"): lambda scanner: scanner.scan(None),
        ("reset", ""): SimulatedScanner.reset,
    },
    numbers={
        "battery": ("battery_percent", 0, 100, int),
        "slow": ("slow_s", 0, 3_600, float),
        "baud": ("baud", 0, 115_200, int),
    },
    status=_status,
)
obey = LANGUAGE.obey
