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

from agent.sim.language import Language
from agent.sim.language import serve as serve_device
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


def _status(printer: Printer) -> dict[str, object]:
    about = {"dialect": printer.dialect, "path": printer.line.name, "plugged": printer.plugged}
    return about | asdict(printer.conditions)


def _receipt(printer: Printer, _word: str) -> str:
    return json.dumps({"printed": printer.printed}, ensure_ascii=False)


def _bytes(printer: Printer, _word: str) -> str:
    return json.dumps({"receipt": printer.receipt.hex(), "cuts": printer.paper.cuts})


LANGUAGE = Language[Printer](
    switches=SWITCHES,
    actions=ACTIONS,
    others={
        "slow": ("slow SECONDS|off", _slow),
        "baud": ("baud SPEED|any", _baud),
        "receipt": ("receipt", _receipt),
        "bytes": ("bytes", _bytes),
    },
    status=_status,
)
obey = LANGUAGE.obey


async def serve(
    path: Path, control_path: Path, stop: asyncio.Event, receipt_file: Path | None = None
) -> None:
    """A printer on a serial port at `path`, obeying orders at `control_path`, until `stop`."""
    await serve_device(SimulatedPrinter(path, receipt_file), obey, control_path, stop)
