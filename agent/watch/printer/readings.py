"""From a printer's decoded answers to the values the health conditions judge.

Decides which value each dialect can tell: one it cannot tell is left out, so that no condition
takes silence for health. The bytes themselves stay beside the values as evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent.config.devices import Printer
from agent.core.health.reading import Reading, Value
from agent.watch.drivers import escpos
from agent.watch.drivers.escpos import Fault, Sensor

if TYPE_CHECKING:
    from agent.watch.drivers.ieee1284 import PortStatus
    from agent.watch.drivers.parts import Part

#: Which values each answer to DLE EOT n settles, for whoever has only some of them.
_TOLD_BY: Mapping[int, tuple[str, ...]] = {
    1: ("online", "offline", "waiting_recovery"),
    2: ("cover_open",),
    3: ("cutter_fault", "overheated"),
    4: ("paper",),
}


def from_answers(config: Printer, answers: Mapping[int, int], sensor: Sensor) -> Reading:
    """All four answers to DLE EOT 1 to 4."""
    faults = frozenset().union(*(escpos.decode(n, b, sensor).faults for n, b in answers.items()))
    evidence = {"device": config.device}
    evidence |= {f"n{n}": f"{byte:02x}" for n, byte in answers.items()}
    return _reading(faults, evidence, f"0x{answers[3]:02x}")


def from_some_answers(config: Printer, answers: Mapping[int, int], sensor: Sensor) -> Reading:
    """Those answers somebody passed on: only what they settle is said."""
    if len(answers) == len(escpos.QUERIES):
        return from_answers(config, answers, sensor)
    faults = frozenset().union(*(escpos.decode(n, b, sensor).faults for n, b in answers.items()))
    values = _values(faults)
    told = {name for n in answers for name in _TOLD_BY[n]}
    if 3 in answers and Fault.UNRECOVERABLE in faults:
        told.add("hardware_fault")
    if 2 not in answers:
        told.discard("overheated")  # the same bit is an open cover at some makers
    evidence = {"device": config.device}
    evidence |= {f"n{n}": f"{byte:02x}" for n, byte in sorted(answers.items())}
    return Reading({name: values[name] for name in values if name in told}, evidence)


def from_automatic(config: Printer, frame: bytes, sensor: Sensor) -> Reading:
    """One automatic status frame of an ESC/POS printer."""
    faults = escpos.decode_asb(frame, sensor).faults
    evidence = {"device": config.device, "automatic_status": frame.hex(" ")}
    return _reading(faults, evidence, f"0x{frame[1]:02x}")


def from_star(config: Printer, frame: bytes) -> Reading:
    """One status frame of a Star printer."""
    from agent.watch.drivers import star

    told = star.decode(frame)
    evidence = {"device": config.device, "automatic_status": frame.hex(" ")}
    evidence["language"] = "StarPRNT" if told.version >= star.STARPRNT_FROM else "Star line mode"
    reading = _reading(told.faults, evidence, f"0x{frame[3]:02x}")
    values: dict[str, Value] = {**reading.values, "paper_jam": Fault.PAPER_JAM in told.faults}
    return Reading(values, reading.evidence)


def from_custom(config: Printer, frame: bytes) -> Reading:
    """The FULL status of a Custom printer, which does not say whether it is on-line."""
    from agent.watch.drivers import custom

    values = asdict(custom.state_of(custom.signs(frame) or frozenset()))
    evidence = {"device": config.device, "full_status": frame.hex(" ")}
    if values["hardware_fault"]:
        evidence["error"] = f"0x{frame[5]:02x}"
    return Reading(values, evidence)


def from_port_status(told: PortStatus, evidence: Mapping[str, str]) -> Reading:
    """The three lines of a USB printer that answers nothing else."""
    values: dict[str, Value] = {"present": True, "in_use": False}
    if not told.unknown:
        values |= {"online": told.online, "offline": not told.online, "paper_out": told.paper_out}
        # The error line is raised for paper and for off-line, too: alone it names a fault.
        values["hardware_fault"] = bool(told.error and told.online and not told.paper_out)
    return Reading(values, evidence)


def with_parts(reading: Reading, answers: Mapping[Part, int]) -> Reading:
    """A reading and what the parts asked about say."""
    from agent.watch.drivers import parts

    values: dict[str, Value] = dict(reading.values)
    evidence = dict(reading.evidence)
    inks: list[frozenset[str]] = []
    for part, byte in answers.items():
        told = parts.decode(part, byte)
        evidence[part.value] = f"{byte:02x}"
        if part in {parts.Part.INK, parts.Part.INK_SECOND}:
            inks.append(told.words)
        else:
            values[part.value] = ",".join(sorted(told.words)) or "ok"
    if inks:
        values["ink_out"] = any(parts.ink_out(words) for words in inks)
        values["ink_low"] = any("near_end" in words for words in inks)
    return Reading(values, evidence)


def _reading(faults: frozenset[Fault], evidence: dict[str, str], error: str) -> Reading:
    values = _values(faults)
    if values["hardware_fault"]:
        evidence["error"] = error  # what a vendor's service asks for
    return Reading(values=values, evidence=evidence)


def _values(faults: frozenset[Fault]) -> dict[str, Value]:
    state = escpos.state_of(faults)
    return {**asdict(state), "offline": not state.online}
