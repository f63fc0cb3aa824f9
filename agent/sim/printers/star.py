"""The brain of a Star printer in Line Mode: automatic status (ASB), its counter, text and cuts.

ESC ACK SOH asks for one status block and ESC RS a n has it sent on every change; ETB moves the
counter that proves a job was printed. Nothing of DLE EOT is known here: DLE is ignored, and the
EOT behind it is a command of its own, answered by a byte that looks like an ESC/POS reply – a trap
real printers set for whoever guesses the language. What that byte says is not simulated, only its
form; nor is ENQ's.
"""

from __future__ import annotations

from agent.sim.printers.brain import Brain, Command, Paper, number, skip, skip_text
from agent.sim.printers.conditions import Conditions

#: Lengths of the block and status versions, packed as Star packs them: bits 5, 3, 2, 1.
_PACKED = (0x02, 0x04, 0x08, 0x20)
BLOCK_BYTES = 9
STATUS_VERSION = 3  #: from 4 on a printer speaks StarPRNT
VERSION = b"\x1b\x23\x2a,SIM-TSP Ver1.00\x0a\x00"
SERIAL = b"\x1b\x1d\x29\x49\x01\x00\x49PrSrN=SIM0000002\x0a\x00"
EOT_REPLY = b"\x12"

_ESC_PARAMETERS = {0x1E: 2, 0x1D: 2, 0x06: 1, 0x26: 3, 0x44: 0, 0x42: 0} | dict.fromkeys(
    b"@EF0124567HIPSTU\x0e\x14\x0f\x12\x0c", 0
)


def packed(number_: int, header: int) -> int:
    """A small number in bits 5, 3, 2 and 1; `header` is bit 0."""
    bits = [mask for index, mask in enumerate(_PACKED) if number_ >> index & 1]
    return header | sum(bits)


def automatic_status(c: Conditions, count: int, *, etb: bool = False) -> bytes:
    """One status block; `count` is the ETB counter, five bits wide."""
    counter = (count & 7) << 1 | (count >> 3 & 3) << 5
    return bytes(
        (
            packed(BLOCK_BYTES, 0x01),
            packed(STATUS_VERSION, 0x00),
            0x02 * etb
            | 0x04 * c.drawer_pin_high
            | 0x08 * c.off_line
            | 0x20 * c.cover_open
            | 0x40 * c.switched_off_line,
            0x04 * c.mechanical_fault
            | 0x08 * c.cutter_fault
            | 0x20 * (c.unrecoverable or c.low_voltage)
            | 0x40 * c.overheated,
            0x04 * c.jam,
            0x04 * (not c.sees_plenty) | 0x08 * (not c.sees_paper),
            0x00,
            counter,
            0x00,
        )
    )


class StarBrain(Brain):
    """Understands one line to a Star printer."""

    def __init__(self, paper: Paper | None = None, conditions: Conditions | None = None) -> None:
        super().__init__(paper, conditions)
        self._automatic = False
        self._count = 0
        self._etb = False

    def _at_once(self, tail: bytes, byte: int) -> None:
        if tail[1:] == b"\x1b\x06" and byte == 0x01:
            self._replies.append(self._block())
        elif tail[2] == 0x10 and byte == 0x04 and not self._automatic:
            self._replies.append(EOT_REPLY)

    def _changed(self, before: Conditions) -> None:
        then = automatic_status(before, self._count)
        if self._automatic and then != automatic_status(self.conditions, self._count):
            self._replies.append(self._block())

    def _block(self) -> bytes:
        return automatic_status(self.conditions, self._count, etb=self._etb)

    def _command(self, first: int) -> Command:
        match first:
            case 0x1B:
                return (yield from self._escape())
            case 0x04 | 0x05 | 0x10:
                return False
            case 0x17:
                self._count = (self._count + 1) % 32
                self._etb = True
                if self._automatic:
                    self._replies.append(self._block())
                return False
            case 0x0A:
                self.paper.write("\n")
            case _ if first >= 0x20:
                self._print(first)
        return True

    def _escape(self) -> Command:
        command = yield
        match command:
            case 0x06:
                return (yield) != 0x01
            case 0x23:  # version, asked for by ESC # * LF NUL; ESC # N , ... LF NUL sets switches
                which = yield
                yield from skip_text()
                if which == 0x2A:
                    self._replies.append(VERSION)
                return which != 0x2A
            case 0x1E:
                return (yield from self._record())
            case 0x1D:
                return (yield from self._group())
            case 0x64:
                yield
                self.paper.cut()
            case 0x61:
                lines = yield
                self.paper.write("\n" * lines)
            case 0x4B | 0x4C:  # bit image: n1, and n2 of no meaning or the higher byte
                columns = yield from number(2)
                yield from skip(columns if command == 0x4C else columns & 0xFF)
            case 0x58:
                columns = yield from number(2)
                yield from skip(columns * 3)
            case _:
                yield from skip(_ESC_PARAMETERS.get(command, 1))
        return True

    def _record(self) -> Command:
        """ESC RS: settings of the printer; `a` arms automatic status, `E` clears the counter."""
        match (yield):
            case 0x61:
                self._automatic = bool((yield) & 0x7F)
                if self._automatic:
                    self._replies.append(self._block())
                return False
            case 0x45:
                yield
                self._count, self._etb = 0, False
                return False
            case _:
                yield
        return True

    def _group(self) -> Command:
        """ESC GS: `) I` asks for the serial number, `y` prints a QR code, others take two."""
        match (yield):
            case 0x29:
                which = yield
                yield from skip((yield from number(2)))
                if which == 0x49:
                    self._replies.append(SERIAL)
                return which != 0x49
            case 0x79:
                yield from self._qr_code()
            case 0x23:
                yield from skip(9)
            case 0x41 | 0x50 | 0x52:
                yield from skip(2)
            case _:
                yield
        return True

    def _qr_code(self) -> Command:
        match (yield):
            case 0x53:
                yield from skip(2)
            case 0x44:
                yield from skip(2)
                yield from skip((yield from number(2)))
            case _:
                return True
        return True
