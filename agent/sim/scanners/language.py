"""The words a simulated scanner obeys, and running one that takes them from another process.

Decides what the words mean; what they do is the scanner's. `help` lists them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from agent.sim.orders import taken_at
from agent.sim.scanners.scanner import SimulatedScanner

#: The control language: `SUBJECT WORD` -> the conditions it switches.
SWITCHES: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "power": {"on": {"silent": False}, "off": {"silent": True}},
    "garbage": {"off": {"garbage": False}, "on": {"garbage": True}},
    "answer": {word: {"answer": word} for word in ("ok", "refused", "other")},
    "self-test": {word: {"self_test": word} for word in ("ok", "fail")},
    "stale": {word: {"stale": word} for word in ("off", "next", "lag")},
}
ACTIONS: Mapping[tuple[str, str], Callable[[SimulatedScanner], None]] = {
    ("cable", "in"): SimulatedScanner.plug,
    ("cable", "out"): SimulatedScanner.unplug,
    ("stale", "now"): SimulatedScanner.leave_stale_reply,
    ("scan", ""): SimulatedScanner.scan,
    ("scan", "nothing"): lambda scanner: scanner.scan(None),
    ("reset", ""): SimulatedScanner.reset,
}
#: Subjects that take a number: what it sets, least and most, and its type.
NUMBERS: Mapping[str, tuple[str, float, float, type]] = {
    "battery": ("battery_percent", 0, 100, int),
    "slow": ("slow_s", 0, 3_600, float),
    "baud": ("baud", 0, 115_200, int),
}


def obey(scanner: SimulatedScanner, command: str) -> str:
    """Carry out one line of the control language; the answer starts `ok`, `error` or is JSON."""
    subject, _, word = command.strip().lower().partition(" ")
    word = word.strip()
    if (subject, word) in ACTIONS:
        ACTIONS[subject, word](scanner)
        return "ok"
    if word in SWITCHES.get(subject, {}):
        scanner.switch(**SWITCHES[subject][word])
        return "ok"
    if subject in NUMBERS:
        return _number(scanner, subject, word)
    match subject, word:
        case "status", "":
            about = {
                "vendor": scanner.vendor,
                "path": str(scanner.path),
                "plugged": scanner.plugged,
                "orders": scanner.brain.orders,
            }
            return json.dumps(about | asdict(scanner.conditions))
        case "help", _:
            return f"ok {_language()}"
    return f"error: {command.strip()!r} is not one of: {_language()}"


def _number(scanner: SimulatedScanner, subject: str, word: str) -> str:
    name, least, most, kind = NUMBERS[subject]
    try:
        value = kind(word)
    except ValueError:
        value = most + 1
    if not least <= value <= most:
        return f"error: {subject} needs a number between {least:g} and {most:g}"
    scanner.switch(**{name: value})
    return "ok"


def _language() -> str:
    words = {subject: list(switches) for subject, switches in SWITCHES.items()}
    for subject, word in ACTIONS:
        words.setdefault(subject, []).append(word)
    listed = [
        f"{subject} {'|'.join(filter(None, some))}".strip() for subject, some in words.items()
    ]
    return ", ".join([*listed, *(f"{subject} NUMBER" for subject in NUMBERS), "status", "help"])


async def serve(
    scanner: SimulatedScanner,
    control_path: Path,
    stop: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run it, obeying orders given at `control_path`, until `stop` is set. Raises OSError."""

    async def answer(order: str) -> str:
        return obey(scanner, order)

    async with taken_at(control_path, answer), scanner:
        ready()
        await stop.wait()
