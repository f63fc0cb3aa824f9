"""A simulated printer: a brain of some dialect, its line, and everything wrong between them.

Every condition can be switched while it runs, by `switch(...)` in the same process or through
`agent.sim.printers.orders` from another. Answers are delayed, spoilt, swapped or swallowed here;
what they should have been is the brain's. A printer with two interfaces is two of these that share
one `Paper`: each line is read for itself, and whole commands go on the one roll.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal, Self

from agent.sim.printers.brain import Brain, Paper
from agent.sim.printers.conditions import Conditions
from agent.sim.printers.custom import CustomBrain
from agent.sim.printers.escpos import EscPosBrain
from agent.sim.printers.lines import Line, PtyLine, mangled
from agent.sim.printers.star import StarBrain

Dialect = Literal["escpos", "star", "custom"]

#: Text and raw bytes kept in memory: the newest of each.
KEPT = 65_536
#: What arrives as if the speed were wrong.
GARBAGE = b"\xf8\x80\xfe"
BRAINS: Mapping[Dialect, Callable[[Paper], Brain]] = {
    "escpos": EscPosBrain,
    "star": StarBrain,
    "custom": CustomBrain,
}
#: What an off-line printer would have answered to an earlier question.
STALE: Mapping[Dialect, bytes] = {"escpos": b"\x1a", "star": b"\x12", "custom": b"\x1a"}


class Printer:
    """One printer on one line."""

    def __init__(
        self,
        line: Line,
        *,
        dialect: Dialect = "escpos",
        receipt_file: Path | None = None,
        paper: Paper | None = None,
    ) -> None:
        self.line = line
        self.dialect = dialect
        self.paper = paper or Paper()
        self.received = bytearray()  #: every byte sent to the printer, the newest KEPT
        self.printed = ""  #: the text on the receipts, the newest KEPT
        self._interpreter = BRAINS[dialect](self.paper)
        self._receipt_file = receipt_file
        self._late: list[asyncio.TimerHandle] = []
        self._answer_before = STALE[dialect]

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
        return self.line.plugged

    @property
    def receipt(self) -> bytes:
        """What was printed, byte for byte: every command but the questions."""
        return bytes(self.paper.receipt)

    def switch(self, **changes: object) -> None:
        """Change conditions by name: `switch(paper="out", cover_open=True)`."""
        unknown = changes.keys() - asdict(self.conditions).keys()
        if unknown:
            raise ValueError(f"no such condition: {', '.join(sorted(unknown))}")
        self._change(replace(self.conditions, **changes))  # type: ignore[arg-type]  # names checked

    def reset(self) -> None:
        """Everything fine again, the cable in; how its sensors are built stays as it is."""
        before = self.conditions
        self._change(
            Conditions(
                one_bit_sensors=before.one_bit_sensors, near_end_sensor=before.near_end_sensor
            )
        )
        self.plug()

    def plug(self) -> None:
        """Connect the cable. Needs the running loop."""
        self.line.plug(self._on_bytes)

    def unplug(self) -> None:
        """Pull the cable: the port vanishes, whoever has it open sees a hang-up."""
        self.line.unplug()
        for timer in self._late:
            timer.cancel()
        self._late.clear()

    def leave_stale_byte(self) -> None:
        """Put an old status byte on the line now: the answer to a query nobody waited for."""
        self._write(STALE[self.dialect])

    def _on_bytes(self, received: bytes) -> None:
        self.received += received
        del self.received[:-KEPT]
        if self.conditions.silent:
            return
        if self._deaf:
            received = mangled(received, self.line.speed, self.conditions.baud)
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
                reply = STALE[self.dialect] + reply
                self.switch(stale="off")
        if self._deaf:
            reply = mangled(reply, self.conditions.baud, self.line.speed)
        if self.conditions.slow_s:
            loop = asyncio.get_running_loop()
            self._late = [timer for timer in self._late if timer.when() > loop.time()]
            self._late.append(loop.call_later(self.conditions.slow_s, self._write, reply))
        else:
            self._write(reply)

    @property
    def _deaf(self) -> bool:
        """Whether the two ends of the line are set to different speeds."""
        own = self.conditions.baud
        return bool(own and self.line.speed and own != self.line.speed)

    def _write(self, reply: bytes) -> None:
        self.line.write(reply)

    def _keep_receipt(self) -> None:
        text = self.paper.take_text()
        self.printed = (self.printed + text)[-KEPT:]
        if text and self._receipt_file is not None:
            with self._receipt_file.open("a", encoding="utf-8") as receipt:
                receipt.write(text)


class SimulatedPrinter(Printer):
    """A printer on a serial port at `path`, the kind most tests and demonstrations need."""

    def __init__(
        self, path: Path, receipt_file: Path | None = None, *, dialect: Dialect = "escpos"
    ) -> None:
        super().__init__(PtyLine(path), dialect=dialect, receipt_file=receipt_file)
        self.path = path
