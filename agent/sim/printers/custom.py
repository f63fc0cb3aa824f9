"""The brain of a Custom printer: ESC/POS, with the maker's FULL status beside it.

DLE EOT 20 answers six bytes (`10 0F`, paper, user, recoverable, unrecoverable), DLE EOT 17 the
print status, GS E0 n sends the chosen bytes on every change. Bits as documented for the KPM and
TG series; a jam is reported as what it does there: the cutter cannot work.
"""

from __future__ import annotations

from agent.sim.printers.brain import Command
from agent.sim.printers.conditions import Conditions
from agent.sim.printers.escpos import EscPosBrain

TEXTS = {
    65: b"1.05",
    66: b"CUSTOM SPA",
    67: b"SIM-KPM",
    68: b"SIM0000003",
    69: b"CHINA GB18030",
}


def full_status(c: Conditions) -> bytes:
    """Paper, user, recoverable and unrecoverable status."""
    paper = 0x01 * (not c.sees_paper) | 0x04 * (not c.sees_plenty)
    user = 0x02 * c.cover_open | 0x20 * c.feed_button
    recoverable = 0x01 * c.overheated | 0x08 * c.low_voltage
    unrecoverable = 0x01 * (c.cutter_fault or c.jam or c.mechanical_fault) | 0x08 * c.unrecoverable
    return bytes((paper, user, recoverable, unrecoverable))


class CustomBrain(EscPosBrain):
    """Understands one line to a Custom printer."""

    texts = TEXTS
    _full_mask = 0

    def _at_once(self, tail: bytes, byte: int) -> None:
        super()._at_once(tail, byte)
        if tail[1:] == b"\x10\x04" and byte == 20:
            self._replies.append(b"\x10\x0f" + full_status(self.conditions))
        elif tail[1:] == b"\x10\x04" and byte == 17:
            self._replies.append(bytes((0x12 | 0x20 * (not self.conditions.sees_paper),)))

    def _changed(self, before: Conditions) -> None:
        super()._changed(before)
        then, now = self._chosen(before), self._chosen(self.conditions)
        if now != then:
            self._replies.append(bytes((0x10, self._full_mask)) + now)

    def _chosen(self, c: Conditions) -> bytes:
        everything = full_status(c)
        return bytes(everything[n] for n in range(4) if self._full_mask >> n & 1)

    def _question(self, command: int) -> Command:
        if command == 0xE0:
            self._full_mask = (yield) & 0x0F
            return False
        return (yield from super()._question(command))
