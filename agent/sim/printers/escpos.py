"""The brain of a printer that speaks ESC/POS, as documented for Epson's TM series.

Decides what is answered to DLE EOT, GS a, GS r, GS I, ESC v and ESC u and what goes on paper;
only the commands a receipt or a driver uses are told apart, the others are skipped by their
length. Real-time status of stations that are not fitted is not answered, as on a real one.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.sim.printers.brain import Brain, Command, Paper, number, skip, skip_block, skip_text
from agent.sim.printers.conditions import Conditions

#: Bytes that follow a command, where their number is fixed and not one.
_ESC_PARAMETERS = {0x24: 2, 0x5C: 2, 0x63: 2, 0x70: 3, 0x57: 8} | dict.fromkeys(b"@2imSL<\x0c", 0)
_GS_PARAMETERS = {0x3A: 0, 0x5E: 3, 0x67: 4} | dict.fromkeys(b"$LPW\\", 2)
_FS_PARAMETERS = {0x26: 0, 0x2E: 0, 0x70: 2, 0x53: 2}
_DC4_PARAMETERS = {1: 2, 2: 2, 3: 5, 7: 1, 8: 7}
TEXTS: Mapping[int, bytes] = {
    65: b"1.00 ESC/POS",
    66: b"posagent",
    67: b"SIM-80",
    68: b"SIM0000001",
    69: b"CHINA GB18030",
}


def status(c: Conditions, n: int) -> int:
    """The reply to DLE EOT n (1 to 4)."""
    match n:
        case 1:
            bits = 0x04 * c.drawer_pin_high | 0x08 * c.off_line
            return 0x12 | bits | 0x20 * c.waiting_recovery
        case 2:
            bits = 0x04 * c.cover_open | 0x08 * c.feed_button
            return 0x12 | bits | 0x20 * (c.paper == "out") | 0x40 * c.error
        case 3:
            return 0x12 | _errors(c)
        case 4:
            return 0x12 | _paper(c)
    raise ValueError(f"no real-time status {n}")


def station_status(c: Conditions, n: int, a: int) -> int | None:
    """The reply about a station (DLE EOT 5, 7, 8 and 18); None: not fitted, so not answered."""
    match n, a:
        case 5, _ if c.slip != "none":
            bits = {"idle": 0x04, "waiting": 0x08, "no_paper": 0x60}[c.slip]
        case 7, 1 | 2 if c.ink != "none":
            bits = {"ok": 0, "low": 0x04, "out": 0x08, "absent": 0x20}[c.ink]
        case 8, 1 if c.cheque_reader != "none":
            bits = {"idle": 0x04, "waiting": 0x08}[c.cheque_reader]
        case 18, 1 | 2:
            bits = 0
        case _:
            return None
    return 0x12 | bits


def automatic_status(c: Conditions) -> bytes:
    """The four ASB bytes."""
    first = 0x10 | 0x04 * c.drawer_pin_high | 0x08 * c.off_line
    first |= 0x20 * c.cover_open | 0x40 * c.feed_button
    return bytes((first, _errors(c), _paper(c) >> 2 & 0x03 | _paper(c) >> 3 & 0x0C, 0))


def _errors(c: Conditions) -> int:
    # Jammed paper stops the mechanism; a supply out of range is among what cannot be recovered.
    bits = 0x04 * (c.mechanical_fault or c.jam) | 0x08 * c.cutter_fault
    return bits | 0x20 * (c.unrecoverable or c.low_voltage) | 0x40 * c.overheated


def _paper(c: Conditions) -> int:
    near, end = (0x04, 0x20) if c.one_bit_sensors else (0x0C, 0x60)
    return near * (not c.sees_plenty) | end * (not c.sees_paper)


class EscPosBrain(Brain):
    """Understands the ESC/POS of one line to the printer."""

    texts = TEXTS

    def __init__(self, paper: Paper | None = None, conditions: Conditions | None = None) -> None:
        super().__init__(paper, conditions)
        self._asb_mask = 0

    def _at_once(self, tail: bytes, byte: int) -> None:
        c = self.conditions
        if tail[1:] == b"\x10\x04":
            if byte in {1, 2, 3, 4}:
                self._replies.append(bytes((status(c, byte),)))
            elif byte == 5:
                self._reply_about_station(5, 0)
        elif tail[:2] == b"\x10\x04" and tail[2] in {7, 8, 18}:
            self._reply_about_station(tail[2], byte)
        elif tail == b"\x10\x14\x07" and byte == 1:
            self._replies.append(automatic_status(c))

    def _reply_about_station(self, n: int, a: int) -> None:
        answer = station_status(self.conditions, n, a)
        if answer is not None:
            self._replies.append(bytes((answer,)))

    def _changed(self, before: Conditions) -> None:
        now = automatic_status(self.conditions)
        if _categories(automatic_status(before), now) & self._asb_mask:
            self._replies.append(now)

    def _command(self, first: int) -> Command:
        match first:
            case 0x1B:
                return (yield from self._escape())
            case 0x1D:
                return (yield from self._group())
            case 0x1C:
                command = yield
                if command == 0x28:
                    yield from skip_block()
                else:
                    yield from skip(_FS_PARAMETERS.get(command, 1))
            case 0x10:
                return (yield from self._real_time())
            case 0x0A:
                self.paper.write("\n")
            case _ if first >= 0x20:
                self._print(first)
        return True

    def _escape(self) -> Command:
        command = yield
        match command:
            case 0x28:
                yield from skip_block()
            case 0x2A:  # bit image: m nL nH, 1 or 3 bytes a column
                mode = yield
                columns = yield from number(2)
                yield from skip(columns * (3 if mode in {32, 33} else 1))
            case 0x40:
                self._asb_mask = 0
            case 0x44:  # tab stops
                yield from skip_text()
            case 0x64:
                lines = yield
                self.paper.write("\n" * lines)
            case 0x76:
                self._replies.append(automatic_status(self.conditions)[2:3])
                return False
            case 0x75:
                self._replies.append(bytes((self.conditions.drawer_pin_high,)))
                return False
            case _:
                if command in {0x69, 0x6D}:
                    self.paper.cut()
                yield from skip(_ESC_PARAMETERS.get(command, 1))
        return True

    def _group(self) -> Command:
        command = yield
        match command:
            case 0x28:
                yield from skip_block()
            case 0x38:  # GS 8 L: as GS ( L, with a four-byte length
                yield
                yield from skip((yield from number(4)))
            case 0x76:  # GS v 0: raster image
                yield from skip(2)
                width_bytes = yield from number(2)
                height = yield from number(2)
                yield from skip(width_bytes * height)
            case 0x6B:  # bar code: counted (m from 65) or up to a NUL
                if (yield) >= 65:
                    yield from skip((yield))
                else:
                    yield from skip_text()
            case 0x56:
                mode = yield
                yield from skip(1 if mode in {65, 66, 97, 98, 103, 104} else 0)
                self.paper.cut()
            case _:
                return (yield from self._question(command))
        return True

    def _question(self, command: int) -> Command:
        match command:
            case 0x61:
                self._asb_mask = yield
                if self._asb_mask:
                    self._replies.append(automatic_status(self.conditions))
            case 0x72:
                which = yield
                bits = automatic_status(self.conditions)[2] if which in {1, 49} else 0
                self._replies.append(bytes((bits,)))
            case 0x49:
                self._identify((yield))
            case _:
                yield from skip(_GS_PARAMETERS.get(command, 1))
                return True
        return False

    def _identify(self, which: int) -> None:
        if which in self.texts:
            self._replies.append(b"\x5f" + self.texts[which] + b"\0")
        elif which in {1, 2, 3, 49, 50, 51}:
            self._replies.append({1: b"\x20", 2: b"\x02", 3: b"\x01"}[which % 48])

    def _real_time(self) -> Command:
        """DLE EOT, DLE ENQ, DLE DC4: done on receipt, or not simulated. Only questions are no
        part of the receipt: recovering or clearing the buffer changes it."""
        command = yield
        function = yield
        match command:
            case 0x04:
                yield from skip(1 if function in {7, 8, 18} else 0)
                return False
            case 0x14:
                yield from skip(_DC4_PARAMETERS.get(function, 1))
                return function != 7
        return True


def _categories(before: bytes, now: bytes) -> int:
    """Which of the categories GS a can arm differ between two automatic status frames."""
    changed = [was ^ new for was, new in zip(before, now, strict=True)]
    categories = 0x01 * bool(changed[0] & 0x04) | 0x02 * bool(changed[0] & 0x28)
    categories |= 0x04 * bool(changed[1]) | 0x08 * bool(changed[2])
    return categories | 0x40 * bool(changed[0] & 0x40)
