"""A simulated ESC/POS receipt printer on a pseudo terminal.

For demonstrations, tests and anyone who writes a driver without a printer on the desk. It answers
real-time status, automatic status and identity like an Epson-style thermal printer, prints text
into memory (and a file), and every condition can be switched while it runs: by calling
`switch(...)` in the same process, or from another one through a control socket
(`serve` and `control`, one text line each way; `help` lists the commands).

Knows nothing of the agent and takes no tables from it, so that both can be tested against each
other. Needs a running asyncio loop and no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import tty
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

from agent.sim.escpos_printer import Conditions, Interpreter

#: Text and raw bytes kept in memory: the newest of each.
KEPT = 65_536
#: What arrives as if the speed were wrong.
GARBAGE = b"\xf8\x80\xfe"
#: What an off-line printer would have answered to an earlier DLE EOT 1.
STALE = b"\x1a"
CONTROL_TIMEOUT_S = 5.0
LINE_MAX_BYTES = 200
ANSWER_MAX_BYTES = 8 * KEPT


class SimulatedPrinter:
    """A printer at `path`, a symbolic link to a pseudo terminal that outlives pulled cables."""

    def __init__(self, path: Path, receipt_file: Path | None = None) -> None:
        self.path = path
        self.received = bytearray()  #: every byte sent to the printer, the newest KEPT
        self.printed = ""  #: the text on the receipts, the newest KEPT
        self._interpreter = Interpreter()
        self._receipt_file = receipt_file
        self._line: tuple[int, int] | None = None  # master, slave
        self._late: list[asyncio.TimerHandle] = []
        self._answer_before = STALE

    async def __aenter__(self) -> Self:
        self.plug()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    @property
    def conditions(self) -> Conditions:
        return self._interpreter.conditions

    @property
    def plugged(self) -> bool:
        return self._line is not None

    def switch(self, **changes: object) -> None:
        """Change conditions by name: `switch(paper="out", cover_open=True)`."""
        unknown = changes.keys() - asdict(self.conditions).keys()
        if unknown:
            raise ValueError(f"no such condition: {', '.join(sorted(unknown))}")
        self._change(replace(self.conditions, **changes))  # type: ignore[arg-type]  # names checked

    def reset(self) -> None:
        """Everything fine again, the cable in."""
        self._change(Conditions())
        self.plug()

    def plug(self) -> None:
        """Connect the cable: the port appears. Needs the running loop."""
        if self._line is not None:
            return
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        # The slave stays open here: without any holder the master reads as hung up.
        self._line = (master, slave)
        asyncio.get_running_loop().add_reader(master, self._on_bytes, master)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self.path)

    def unplug(self) -> None:
        """Pull the cable: the port vanishes, whoever has it open sees a hang-up."""
        if self._line is None:
            return
        (master, slave), self._line = self._line, None
        for timer in self._late:
            timer.cancel()
        self._late.clear()
        asyncio.get_running_loop().remove_reader(master)
        if self.path.is_symlink() and str(self.path.readlink()) == os.ttyname(slave):
            self.path.unlink()
        os.close(master)
        os.close(slave)

    def leave_stale_byte(self) -> None:
        """Put an old status byte on the line now: the answer to a query nobody waited for."""
        self._write(STALE)

    def _on_bytes(self, master: int) -> None:
        try:
            received = os.read(master, 4096)
        except BlockingIOError:
            return
        self.received += received
        del self.received[:-KEPT]
        if self.conditions.silent:
            return
        for reply in self._interpreter.feed(received):
            self._answer(reply)
        self._keep_receipt()

    def _change(self, conditions: Conditions) -> None:
        replies = self._interpreter.change(conditions)
        if not conditions.silent:
            for reply in replies:
                self._answer(reply)
        self._keep_receipt()

    def _answer(self, reply: bytes) -> None:
        match self.conditions:
            case Conditions(garbage=True):
                reply = GARBAGE
            case Conditions(stale="lag"):
                reply, self._answer_before = self._answer_before, reply
            case Conditions(stale="next"):
                reply = STALE + reply
                self.switch(stale="off")
        if self.conditions.slow_s:
            loop = asyncio.get_running_loop()
            self._late = [timer for timer in self._late if timer.when() > loop.time()]
            self._late.append(loop.call_later(self.conditions.slow_s, self._write, reply))
        else:
            self._write(reply)

    def _write(self, reply: bytes) -> None:
        if self._line is not None:
            # Nobody reads and the line is full: lost, as on a real one.
            with contextlib.suppress(BlockingIOError):
                os.write(self._line[0], reply)

    def _keep_receipt(self) -> None:
        text = self._interpreter.take_text()
        self.printed = (self.printed + text)[-KEPT:]
        if text and self._receipt_file is not None:
            with self._receipt_file.open("a", encoding="utf-8") as receipt:
                receipt.write(text)


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
    "feed": {"released": {"feed_button": False}, "held": {"feed_button": True}},
    "line": {"on": {"switched_off_line": False}, "off": {"switched_off_line": True}},
    "recovery": {"done": {"waiting_recovery": False}, "waiting": {"waiting_recovery": True}},
    "drawer": {"low": {"drawer_pin_high": False}, "high": {"drawer_pin_high": True}},
    "sensors": {"two": {"one_bit_sensors": False}, "one": {"one_bit_sensors": True}},
    "power": {"on": {"silent": False}, "off": {"silent": True}},
    "garbage": {"off": {"garbage": False}, "on": {"garbage": True}},
    "stale": {word: {"stale": word} for word in ("off", "next", "lag")},
}
ACTIONS: Mapping[tuple[str, str], Callable[[SimulatedPrinter], None]] = {
    ("cable", "in"): SimulatedPrinter.plug,
    ("cable", "out"): SimulatedPrinter.unplug,
    ("stale", "now"): SimulatedPrinter.leave_stale_byte,
    ("reset", ""): SimulatedPrinter.reset,
}


def obey(printer: SimulatedPrinter, command: str) -> str:
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
            plugged = {"path": str(printer.path), "plugged": printer.plugged}
            return json.dumps(plugged | asdict(printer.conditions))
        case "receipt", "":
            return json.dumps({"printed": printer.printed}, ensure_ascii=False)
        case "slow", _:
            return _slow(printer, word)
        case "help", _:
            return f"ok {_language()}"
    return f"error: {command.strip()!r} is not one of: {_language()}"


def _slow(printer: SimulatedPrinter, word: str) -> str:
    try:
        delay_s = 0.0 if word == "off" else float(word)
    except ValueError:
        delay_s = -1.0
    if not 0 <= delay_s <= 3_600:
        return "error: slow needs seconds between 0 and 3600, or off"
    printer.switch(slow_s=delay_s)
    return "ok"


def _language() -> str:
    words = {subject: list(switches) for subject, switches in SWITCHES.items()}
    for subject, word in ACTIONS:
        words.setdefault(subject, []).append(word)
    listed = [
        f"{subject} {'|'.join(filter(None, some))}".strip() for subject, some in words.items()
    ]
    return ", ".join([*listed, "slow SECONDS|off", "status", "receipt", "help"])


async def serve(
    path: Path, control_path: Path, stop: asyncio.Event, receipt_file: Path | None = None
) -> None:
    """A printer at `path`, obeying `control` at `control_path`, until `stop` is set.

    Raises OSError when another simulator already listens at `control_path`.
    """
    _free(control_path)
    writers: set[asyncio.StreamWriter] = set()
    async with SimulatedPrinter(path, receipt_file) as printer:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            try:
                async with asyncio.timeout(CONTROL_TIMEOUT_S):
                    # A connection accepted in the moment of stopping is told nothing.
                    while not stop.is_set() and (line := await reader.readline()):
                        writer.write(
                            obey(printer, line.decode("utf-8", "replace")).encode() + b"\n"
                        )
                        await writer.drain()
            except (ConnectionError, TimeoutError, ValueError):
                return  # gone, idle, or a line longer than LINE_MAX_BYTES: nothing owed
            finally:
                writers.discard(writer)
                writer.close()

        server = await asyncio.start_unix_server(answer, control_path, limit=LINE_MAX_BYTES)
        try:
            _keep_private(control_path)
            await stop.wait()
        finally:
            server.close()
            for writer in writers:
                writer.close()
            await server.wait_closed()
            _free(control_path)


async def control(control_path: Path, command: str) -> str:
    """Send one command to a simulator run by `serve`. Raises OSError when none listens there."""
    async with asyncio.timeout(CONTROL_TIMEOUT_S):
        reader, writer = await asyncio.open_unix_connection(control_path, limit=ANSWER_MAX_BYTES)
        try:
            writer.write(" ".join(command.split()).encode() + b"\n")
            answer = await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()
    return answer.decode("utf-8", "replace").rstrip("\n")


def _keep_private(control_path: Path) -> None:
    control_path.chmod(0o600)


def _free(control_path: Path) -> None:
    """Remove the socket a killed simulator left behind; refuse to take a living one's."""
    if not control_path.exists() or not stat.S_ISSOCK(control_path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONTROL_TIMEOUT_S)
        try:
            probe.connect(str(control_path))
        except ConnectionRefusedError:
            control_path.unlink()
            return
    raise OSError(f"another simulated printer already listens at {control_path}")
