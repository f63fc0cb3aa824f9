"""Orders to a simulated printer from another process: one text line each way.

Decides what the words mean; what they do is the printer's, how they come in `agent.sim.orders`'s.
`help` lists the language; whoever may open the socket may give any order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from agent.sim.orders import clear, taken_at
from agent.sim.printers.printer import Printer, SimulatedPrinter

#: The control language: `SUBJECT WORD` -> the conditions it switches.
SWITCHES: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "paper": {word: {"paper": word} for word in ("ok", "low", "out")},
    "cover": {"closed": {"cover_open": False}, "open": {"cover_open": True}},
    "cutter": {"ok": {"cutter_fault": False}, "fault": {"cutter_fault": True}},
    "head": {"ok": {"overheated": False}, "hot": {"overheated": True}},
    "hardware": {
        "ok": {"unrecoverable": False, "mechanical_fault": False},
        "fault": {"unrecoverable": True},
        "mechanical": {"mechanical_fault": True},
    },
    "jam": {"none": {"jam": False}, "jammed": {"jam": True}},
    "voltage": {"ok": {"low_voltage": False}, "low": {"low_voltage": True}},
    "feed": {"released": {"feed_button": False}, "held": {"feed_button": True}},
    "line": {"on": {"switched_off_line": False}, "off": {"switched_off_line": True}},
    "recovery": {"done": {"waiting_recovery": False}, "waiting": {"waiting_recovery": True}},
    "drawer": {"low": {"drawer_pin_high": False}, "high": {"drawer_pin_high": True}},
    "sensors": {
        "two": {"one_bit_sensors": False, "near_end_sensor": True},
        "one": {"one_bit_sensors": True, "near_end_sensor": True},
        "end": {"near_end_sensor": False},
    },
    "slip": {word: {"slip": word} for word in ("none", "idle", "waiting", "no_paper")},
    "ink": {word: {"ink": word} for word in ("none", "ok", "low", "out", "absent")},
    "cheque": {word: {"cheque_reader": word} for word in ("none", "idle", "waiting")},
    "power": {"on": {"silent": False}, "off": {"silent": True}},
    "garbage": {"off": {"garbage": False}, "on": {"garbage": True}},
    "stale": {word: {"stale": word} for word in ("off", "next", "lag")},
}
ACTIONS: Mapping[tuple[str, str], Callable[[Printer], None]] = {
    ("cable", "in"): Printer.plug,
    ("cable", "out"): Printer.unplug,
    ("stale", "now"): Printer.leave_stale_byte,
    ("reset", ""): Printer.reset,
}


def obey(printer: Printer, command: str) -> str:
    """Carry out one line of the control language; the answer starts `ok`, `error` or is JSON."""
    subject, _, word = command.strip().lower().partition(" ")
    word = word.strip()
    if (subject, word) in ACTIONS:
        ACTIONS[subject, word](printer)
        return "ok"
    if word in SWITCHES.get(subject, {}):
        printer.switch(**SWITCHES[subject][word])
        return "ok"
    match subject, word:
        case "status", "":
            about = {
                "dialect": printer.dialect,
                "path": printer.line.name,
                "plugged": printer.plugged,
            }
            return json.dumps(about | asdict(printer.conditions))
        case "receipt", "":
            return json.dumps({"printed": printer.printed}, ensure_ascii=False)
        case "bytes", "":
            return json.dumps({"receipt": printer.receipt.hex(), "cuts": printer.paper.cuts})
        case "slow", _:
            return _slow(printer, word)
        case "baud", _:
            return _baud(printer, word)
        case "help", _:
            return f"ok {_language()}"
    return f"error: {command.strip()!r} is not one of: {_language()}"


def _slow(printer: Printer, word: str) -> str:
    try:
        delay_s = 0.0 if word == "off" else float(word)
    except ValueError:
        delay_s = -1.0
    if not 0 <= delay_s <= 3_600:
        return "error: slow needs seconds between 0 and 3600, or off"
    printer.switch(slow_s=delay_s)
    return "ok"


def _baud(printer: Printer, word: str) -> str:
    if word != "any" and not (word.isascii() and word.isdecimal() and 300 <= int(word) <= 921_600):
        return "error: baud needs the printer's speed, 300 to 921600, or any"
    printer.switch(baud=0 if word == "any" else int(word))
    return "ok"


def _language() -> str:
    words = {subject: list(switches) for subject, switches in SWITCHES.items()}
    for subject, word in ACTIONS:
        words.setdefault(subject, []).append(word)
    listed = [
        f"{subject} {'|'.join(filter(None, some))}".strip() for subject, some in words.items()
    ]
    return ", ".join(
        [*listed, "slow SECONDS|off", "baud SPEED|any", "status", "receipt", "bytes", "help"]
    )


async def serve(
    path: Path, control_path: Path, stop: asyncio.Event, receipt_file: Path | None = None
) -> None:
    """A printer on a serial port at `path`, obeying orders at `control_path`, until `stop`."""
    await serve_printer(SimulatedPrinter(path, receipt_file), control_path, stop)


async def serve_printer(
    printer: Printer,
    control_path: Path,
    stop: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run `printer`, obeying orders at `control_path`, until `stop` is set.

    Calls `ready` once it can be talked to. Raises OSError when another simulator already listens
    at `control_path`, or a port is taken.
    """

    async def obeyed(command: str) -> str:
        return obey(printer, command)

    clear(control_path)  # before the port is taken from whom it belongs to
    async with printer, taken_at(control_path, obeyed):
        ready()
        await stop.wait()
