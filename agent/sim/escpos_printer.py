"""The brain of the simulated ESC/POS printer: its conditions, and what it makes of bytes.

Decides what is answered and what is printed; knows no port, no file and no time
(`agent.sim.printer` gives it those). Answers follow the documents of Epson's TM series; only the
commands a receipt or a driver uses are told apart, the others are skipped by their length.
"""

from __future__ import annotations

import codecs
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

#: What the printer holds back while it is off-line; more is lost.
BUFFER_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Everything that can be wrong with the printer, its cable or its answers."""

    paper: Literal["ok", "low", "out"] = "ok"
    cover_open: bool = False
    cutter_fault: bool = False
    overheated: bool = False
    unrecoverable: bool = False
    mechanical_fault: bool = False  #: n=3 bit 2: black-mark error at some makers
    feed_button: bool = False
    switched_off_line: bool = False  #: by its panel
    waiting_recovery: bool = False
    drawer_pin_high: bool = False
    one_bit_sensors: bool = False
    near_end_sensor: bool = True
    silent: bool = False  #: as if powered off
    garbage: bool = False
    slow_s: float = 0.0  #: delay of every answer
    stale: Literal["off", "next", "lag"] = "off"
    """next: one old status byte comes with the next answer; lag: every answer is the one before."""

    @property
    def error(self) -> bool:
        return self.cutter_fault or self.overheated or self.unrecoverable or self.mechanical_fault

    @property
    def off_line(self) -> bool:
        return (
            self.paper == "out"
            or self.cover_open
            or self.error
            or self.feed_button
            or self.switched_off_line
            or self.waiting_recovery
        )

    def status(self, n: int) -> int:
        """The reply to DLE EOT n (1 to 4)."""
        match n:
            case 1:
                bits = 0x04 * self.drawer_pin_high | 0x08 * self.off_line
                return 0x12 | bits | 0x20 * self.waiting_recovery
            case 2:
                bits = 0x04 * self.cover_open | 0x08 * self.feed_button
                return 0x12 | bits | 0x20 * (self.paper == "out") | 0x40 * self.error
            case 3:
                return 0x12 | self._errors()
            case 4:
                return 0x12 | self._paper()
        raise ValueError(f"no real-time status {n}")

    def automatic_status(self) -> bytes:
        """The four ASB bytes."""
        first = 0x10 | 0x04 * self.drawer_pin_high | 0x08 * self.off_line
        first |= 0x20 * self.cover_open | 0x40 * self.feed_button
        return bytes(
            (first, self._errors(), self._paper() >> 2 & 0x03 | self._paper() >> 3 & 0x0C, 0)
        )

    def _errors(self) -> int:
        bits = 0x04 * self.mechanical_fault | 0x08 * self.cutter_fault
        return bits | 0x20 * self.unrecoverable | 0x40 * self.overheated

    def _paper(self) -> int:
        """Roll sensor bits. With the cover open the sensor hangs in the air and sees no paper."""
        near, end = (0x04, 0x20) if self.one_bit_sensors else (0x0C, 0x60)
        if not self.near_end_sensor:
            near = 0
        if self.paper == "out" or self.cover_open:
            return near | end
        return near if self.paper == "low" else 0


#: Bytes that follow a command, where their number is fixed.
_ESC_PARAMETERS = {0x24: 2, 0x5C: 2, 0x63: 2, 0x70: 3, 0x57: 8} | dict.fromkeys(b"@2imSL<", 0)
_GS_PARAMETERS = {0x3A: 0, 0x5E: 3, 0x67: 4} | dict.fromkeys(b"$LPW\\", 2)
_FS_PARAMETERS = {0x26: 0, 0x2E: 0, 0x70: 2, 0x53: 2}
_TEXTS = {
    65: b"1.00 ESC/POS",
    66: b"posagent",
    67: b"SIM-80",
    68: b"SIM0000001",
    69: b"CHINA GB18030",
}


class Interpreter:
    """The printer's brain: bytes in, replies out, text on paper. Does no input or output."""

    def __init__(self) -> None:
        self.conditions = Conditions()
        self._asb_mask = 0
        self._replies: list[bytes] = []
        self._text: list[str] = []
        self._held = bytearray()  # received while off-line, printed later
        self._tail = b"\0\0"
        self._characters = codecs.getincrementaldecoder("gb18030")(errors="replace")
        self._commands = self._read_commands()
        next(self._commands)

    def feed(self, received: bytes) -> list[bytes]:
        """Take bytes from the line; the answers, in the order they are sent."""
        for byte in received:
            # Real-time commands are found on receipt, wherever they stand: off-line, in a full
            # buffer, and by accident in raster data, which is printed all the same.
            if self._tail == b"\x10\x04" and byte in {1, 2, 3, 4}:
                self._replies.append(bytes((self.conditions.status(byte),)))
            self._tail = self._tail[1:] + bytes((byte,))
            if self.conditions.off_line:
                if len(self._held) < BUFFER_BYTES:
                    self._held.append(byte)
            else:
                self._commands.send(byte)
        return self._take_replies()

    def change(self, conditions: Conditions) -> list[bytes]:
        """Switch conditions; the automatic status this causes, if it is armed."""
        before, self.conditions = self.conditions, conditions
        if _categories(before.automatic_status(), conditions.automatic_status()) & self._asb_mask:
            self._replies.append(conditions.automatic_status())
        if not conditions.off_line:
            held, self._held = self._held, bytearray()
            for byte in held:
                self._commands.send(byte)
        return self._take_replies()

    def take_text(self) -> str:
        """What was printed since the last call."""
        text = "".join(self._text)
        self._text.clear()
        return text

    def _take_replies(self) -> list[bytes]:
        replies, self._replies = self._replies, []
        return replies

    def _read_commands(self) -> Generator[None, int, None]:
        while True:
            byte = yield
            match byte:
                case 0x1B:
                    yield from self._escape()
                case 0x1D:
                    yield from self._group()
                case 0x1C:
                    command = yield
                    if command == 0x28:
                        yield from _skip_block()
                    else:
                        yield from _skip(_FS_PARAMETERS.get(command, 1))
                case 0x10:
                    yield from _skip_real_time()
                case 0x0A:
                    self._text.append("\n")
                case _ if byte >= 0x20:
                    self._text.append(self._characters.decode(bytes((byte,))))

    def _escape(self) -> Generator[None, int, None]:
        command = yield
        match command:
            case 0x28:
                yield from _skip_block()
            case 0x2A:  # bit image: m nL nH, 1 or 3 bytes a column
                mode = yield
                columns = yield from _number(2)
                yield from _skip(columns * (3 if mode in {32, 33} else 1))
            case 0x44:  # tab stops up to a NUL
                while (yield):
                    pass
            case 0x64:
                lines = yield
                self._text.append("\n" * lines)
            case 0x76:
                bits = self.conditions.automatic_status()[2]
                self._replies.append(bytes((bits,)))
            case 0x75:
                self._replies.append(bytes((self.conditions.drawer_pin_high,)))
            case _:
                if command in {0x69, 0x6D}:
                    self._text.append("\n--- cut ---\n")
                yield from _skip(_ESC_PARAMETERS.get(command, 1))

    def _group(self) -> Generator[None, int, None]:
        command = yield
        match command:
            case 0x28:
                yield from _skip_block()
            case 0x38:  # GS 8 L: as GS ( L, with a four-byte length
                yield
                yield from _skip((yield from _number(4)))
            case 0x76:  # GS v 0: raster image
                yield from _skip(2)
                width_bytes = yield from _number(2)
                height = yield from _number(2)
                yield from _skip(width_bytes * height)
            case 0x6B:
                yield from _skip_barcode()
            case 0x56:
                mode = yield
                yield from _skip(1 if mode in {65, 66, 97, 98, 103, 104} else 0)
                self._text.append("\n--- cut ---\n")
            case 0x61:
                self._asb_mask = yield
                if self._asb_mask:
                    self._replies.append(self.conditions.automatic_status())
            case 0x72:
                which = yield
                bits = self.conditions.automatic_status()[2] if which in {1, 49} else 0
                self._replies.append(bytes((bits,)))
            case 0x49:
                self._identify((yield))
            case _:
                yield from _skip(_GS_PARAMETERS.get(command, 1))

    def _identify(self, which: int) -> None:
        if which in _TEXTS:
            self._replies.append(b"\x5f" + _TEXTS[which] + b"\0")
        elif which in {1, 2, 3, 49, 50, 51}:
            self._replies.append({1: b"\x20", 2: b"\x02", 3: b"\x01"}[which % 48])


def _categories(before: bytes, now: bytes) -> int:
    """Which of the categories GS a can arm differ between two automatic status frames."""
    changed = [was ^ new for was, new in zip(before, now, strict=True)]
    categories = 0x01 * bool(changed[0] & 0x04) | 0x02 * bool(changed[0] & 0x28)
    categories |= 0x04 * bool(changed[1]) | 0x08 * bool(changed[2])
    return categories | 0x40 * bool(changed[0] & 0x40)


def _skip(count: int) -> Generator[None, int, None]:
    for _ in range(count):
        yield


def _number(size: int) -> Generator[None, int, int]:
    number = 0
    for index in range(size):
        number |= (yield) << 8 * index
    return number


def _skip_block() -> Generator[None, int, None]:
    """`( fn pL pH` and the data."""
    yield
    yield from _skip((yield from _number(2)))


def _skip_barcode() -> Generator[None, int, None]:
    """GS k: data up to a NUL (m up to 6) or counted (m from 65)."""
    if (yield) >= 65:
        yield from _skip((yield))
    else:
        while (yield):
            pass


def _skip_real_time() -> Generator[None, int, None]:
    """DLE EOT, DLE ENQ, DLE DC4: done on receipt (or not simulated), nothing to print."""
    command = yield
    function = yield
    if command == 0x04:
        yield from _skip(1 if function in {7, 8, 18} else 0)
    elif command == 0x14:
        yield from _skip({1: 2, 2: 2, 7: 1, 8: 7}.get(function, 1))
