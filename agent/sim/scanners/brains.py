"""The brains of the simulated scanners: what each maker's firmware makes of bytes.

Decides what is answered and how a code is sent; knows no port, no file and no time
(`agent.sim.scanners.scanner` gives it those). Written from the makers' manuals and sharing nothing
with the agent's own drivers, so that both can be tested against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Everything that can be set about the scanner, its cable or its answers."""

    model: str = "SIM-2000"
    firmware: str = "3.14"
    serial: str = "SN20260042"
    battery_percent: int = 80
    self_test: Literal["ok", "fail"] = "ok"
    answer: Literal["ok", "refused", "other"] = "ok"
    """refused: it does not know the question; other: it answers a question nobody put."""
    silent: bool = False
    garbage: bool = False
    slow_s: float = 0.0
    stale: Literal["off", "next", "lag"] = "off"
    """next: one old reply comes with the next; lag: every reply is the one before."""
    baud: int = 0  #: the speed it talks at; 0: whatever the port is set to


class Brain(Protocol):
    """One maker's firmware."""

    conditions: Conditions
    #: Orders it got that are no questions: a watcher that causes one disturbs the scanner.
    orders: list[str]

    def feed(self, received: bytes) -> list[bytes]:
        """Take bytes from the line; the answers."""
        ...

    def code(self, content: bytes | None) -> bytes:
        """A code as it is sent; None: the word for a try without one."""
        ...

    def pause(self) -> None:
        """The line was still for a moment: half a command is given up."""
        ...

    def later(self) -> list[bytes]:
        """Five seconds after the last byte: what it says by itself."""
        ...


class _Framed:
    """Collects bytes until a command is whole."""

    pattern: re.Pattern[bytes]

    def __init__(self) -> None:
        self.conditions = Conditions()
        self.orders: list[str] = []
        self._pending = b""

    def feed(self, received: bytes) -> list[bytes]:
        self._pending = (self._pending + received)[-512:]
        replies: list[bytes] = []
        while (found := self.pattern.search(self._pending)) is not None:
            self._pending = self._pending[found.end() :]
            replies += self._command(found)
        return replies

    def code(self, content: bytes | None) -> bytes:
        return (b"NR" if content is None else content) + b"\r"

    def pause(self) -> None:
        """People may type commands: it waits for ever."""

    def later(self) -> list[bytes]:
        return []

    def _command(self, found: re.Match[bytes]) -> list[bytes]:
        raise NotImplementedError


class Honeywell(_Framed):
    """Menu commands after SYN M CR, ended with a full stop or an exclamation mark."""

    pattern = re.compile(rb"\x16([MTU\x07])\r(?:([A-Z0-9_?^*]+)([.!]))?")

    def _command(self, found: re.Match[bytes]) -> list[bytes]:
        said, command, mark = self.conditions, found[2] or b"", found[3] or b""
        if found[1] != b"M":
            self.orders.append(f"SYN {found[1].hex()}")
            return []
        if not command:
            return []
        if said.answer == "other":
            return [b"CBRENA1\x06."]
        if command != b"REVINF" or said.answer == "refused":
            return [command + b"\x05" + mark]
        lines = (
            f"Product Name: {said.model}",
            "Boot Revision: CA000064BBC",
            "Software Part Number: BF000343BAA",
            f"Software Revision: {said.firmware}",
            f"Serial Number: {said.serial}",
            "Supported IF: Standard",
            "PCB Assembly ID: 0",
        )
        return [b"REVINF" + "\r\n".join(lines).encode() + b"\x06."]


class NewlandUnified(_Framed):
    """`~ SOH 0000 @ … ; ETX`."""

    pattern = re.compile(rb"~\x010000([@#])([^\x03]*?);\x03")

    def _command(self, found: re.Match[bytes]) -> list[bytes]:
        said, store, command = self.conditions, found[1], found[2]
        if command.startswith(b"SCNTRG") or command[-1:].isdigit():
            self.orders.append(command.decode("latin-1"))
        if said.answer == "other":
            return [b"\x02\x010000@C11ENA1\x06;\x03"]
        if command != b"QRYSYS" or said.answer == "refused":
            return [b"\x02\x010000" + store + command + b"\x05;\x03"]
        lines = (
            f"Product Name: {said.model}",
            f"Firmware Version: {said.firmware}",
            "Decoder Version: 1.2.9",
            f"Serial Number: {said.serial}",
            f"Battery: {said.battery_percent}%",
        )
        text = "\r\n".join(lines).encode()
        return [b"\x02\x010000" + store + command + text + b"\x06;\x03"]


class NewlandClassic(_Framed):
    """`$$$$` into the setting mode, `#…;` there, `%%%%` out of it."""

    pattern = re.compile(rb"\$\$\$\$|%%%%|#([0-9]{8});")

    def __init__(self) -> None:
        super().__init__()
        self.setting = False

    def _command(self, found: re.Match[bytes]) -> list[bytes]:
        said = self.conditions
        match found[0]:
            case b"$$$$":
                self.setting = True
                return [b"@@@@"]
            case b"%%%%":
                self.setting = False
                return [b"^^^^"]
        if not self.setting:
            return []
        number = found[1].decode("ascii")
        if number != "99900301":
            self.orders.append(number)
        if said.answer == "other":
            return [b"!99900024;"]
        if number != "99900301" or said.answer == "refused":
            return [f"?{number};".encode()]
        info = (
            f"Firmware {said.firmware};Decoder v2.7;Model {said.model};Serial Number {said.serial};"
        )
        return [f"!{number};&{{{info}}}".encode()]

    def later(self) -> list[bytes]:
        if not self.setting:
            return []
        self.setting = False
        return [b"^^^^"]


class Ssi:
    """Zebra and Symbol: packets with a checksum, each code wanting to be acknowledged."""

    def __init__(self) -> None:
        self.conditions = Conditions()
        self.orders: list[str] = []
        self._pending = b""

    def feed(self, received: bytes) -> list[bytes]:
        self._pending += received
        replies: list[bytes] = []
        while self._pending:
            size = self._pending[0] + 2
            if self._pending[0] < 4:  # a lone NUL is WAKEUP
                self._pending = self._pending[1:]
            elif len(self._pending) < size:
                break
            else:
                one, self._pending = self._pending[:size], self._pending[size:]
                replies += self._take(one)
        return replies

    def _take(self, one: bytes) -> list[bytes]:
        if sum(one[:-2]) + int.from_bytes(one[-2:], "big") & 0xFFFF or one[2] != 4:
            return [_ssi(0xD1, b"\x01")]
        said = self.conditions
        if one[1] != 0xA3:
            self.orders.append(f"{one[1]:02x}")
            return [_ssi(0xD1, b"\x02")]
        if said.answer == "refused":
            return [_ssi(0xD1, b"\x06")]
        if said.answer == "other":
            return [_ssi(0xD4, b"\xa3\x00\xa3")]
        return [_ssi(0xA4, f"{said.firmware} 0{said.serial} {said.model} 5F2C".encode())]

    def code(self, content: bytes | None) -> bytes:
        return _ssi(0xF3, b"\x0b" + (b"NR" if content is None else content))

    def pause(self) -> None:
        self._pending = b""

    def later(self) -> list[bytes]:
        return []


def _ssi(opcode: int, content: bytes) -> bytes:
    head = bytes((4 + len(content), opcode, 0, 0)) + content
    return head + (0x10000 - sum(head)).to_bytes(2, "big")


class Datalogic:
    """Magellan: single letters, some of which are orders."""

    ORDERS: Mapping[int, str] = {
        0x01: "beep", 0x07: "beep", 0x42: "beep", 0x44: "disable", 0x45: "enable",
        0x46: "not on file", 0x52: "reset", 0x54: "trigger", 0x58: "release",
    }  # fmt: skip

    def __init__(self) -> None:
        self.conditions = Conditions()
        self.orders: list[str] = []

    def feed(self, received: bytes) -> list[bytes]:
        replies: list[bytes] = []
        for byte in received:
            if byte in self.ORDERS:
                self.orders.append(self.ORDERS[byte])
            elif byte in b"ih":
                replies.append(self._told(bytes((byte,))))
        return replies

    def _told(self, letter: bytes) -> bytes:
        said = self.conditions
        if said.answer == "other":
            letter = b"h" if letter == b"i" else b"i"
        if letter == b"i":
            return _datalogic(
                {"M": said.model, "S": said.serial, "A": "R96-1234", "R": said.firmware, "H": "7"}
            )
        return _datalogic({"m": "NA", "h": "FAIL" if said.self_test == "fail" else "OK", "v": "OK"})

    def code(self, content: bytes | None) -> bytes:
        return (b"NR" if content is None else content) + b"\r"

    def pause(self) -> None:
        """Each letter is a command."""

    def later(self) -> list[bytes]:
        return []


def _datalogic(frames: Mapping[str, str]) -> bytes:
    body = b"".join(
        b"\x02" + f"{letter}{told}".encode() + b"\x03" for letter, told in frames.items()
    )
    return b"\x01" + body + b"\x04"


VENDORS: Mapping[str, Callable[[], Brain]] = {
    "honeywell": Honeywell,
    "newland_v1": NewlandClassic,
    "newland_v2": NewlandUnified,
    "ssi": Ssi,
    "datalogic": Datalogic,
}
