"""What is attached, as the kernel describes it: read from sysfs, touching no device.

Decides what the attributes mean (classes, capabilities, identifiers); what a device probably is and
how it should be configured is `agent.watch.discovery.survey`. The root is a parameter: tests use
trees of their own, and a container may see the host's elsewhere. Nothing here opens a device node,
so nothing can be disturbed by it. It reads files and blocks for milliseconds: called through the
daemon's `Blocking` port, and by `posagent probe --discover`.
"""

from __future__ import annotations

import platform
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from agent.record import dataclass

#: USB-IF: class codes of a device or a function.
AUDIO, CDC, HID, IMAGE, PRINTER, STORAGE, HUB, CDC_DATA, SMART_CARD, VIDEO = (
    0x01, 0x02, 0x03, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0E,
)  # fmt: skip
VENDOR_SPECIFIC = 0xFF
#: USB-IF HID Usage Tables for bar code scanners (POS usage tables 1.02).
BAR_CODE_PAGE = 0x8C
#: 6.5 put a bus of its own between the port of a board and its driver.
_SERIAL_BASE = frozenset({"port", "ctrl"})
_USB_PORT = re.compile(r"^\d+-\d+(\.\d+)*$")
_FUNCTION = re.compile(r"/(\d+-\d+(?:\.\d+)*):\d+\.(\d+)(?:/|$)")
#: An attribute longer than this is not one of ours.
ATTRIBUTE_MAX_BYTES = 4_096
#: Kernel: `type` 0 is PORT_UNKNOWN, a line with no chip behind it.
PORT_UNKNOWN = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One interface of a USB device."""

    number: int
    usb_class: int
    subclass: int
    protocol: int
    driver: str  #: "" where none is bound
    ieee1284: str = ""
    nodes: tuple[str, ...] = ()  #: below /dev


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbDevice:
    """One USB device that is no hub."""

    port: str  #: where it is plugged, as `1-1.4`
    usb_id: str  #: `vendor:product`, lower-case hexadecimal
    release: str  #: bcdDevice as `1.00`: what makers use for the firmware
    make: str
    model: str
    serial: str
    usb_class: int
    functions: tuple[Function, ...]

    @property
    def drivers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.driver for one in self.functions if one.driver))

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(node for one in self.functions for node in one.nodes)

    def has(self, usb_class: int) -> bool:
        return any(one.usb_class == usb_class for one in self.functions)


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPort:
    """A serial line, of the board or by USB."""

    node: str
    driver: str
    console: bool
    usb_port: str = ""  #: of the USB device that provides it


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An evdev device, with the codes of the keys it can send (of the device, not pressed)."""

    node: str
    name: str
    bus: int
    usb_id: str
    keys: frozenset[int]
    usb_port: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawHid:
    """A hidraw device, and whether its reports are those of a bar code scanner."""

    node: str
    bar_code: bool
    usb_port: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Everything that was found; `readable` is False where there is no sysfs to be read."""

    usb: tuple[UsbDevice, ...] = ()
    serial: tuple[SerialPort, ...] = ()
    inputs: tuple[Input, ...] = ()
    hids: tuple[RawHid, ...] = ()
    kernel: str = ""
    readable: bool = True

    def usb_at(self, port: str) -> UsbDevice | None:
        return next((one for one in self.usb if one.port == port), None)

    def usb_of(self, node: str) -> UsbDevice | None:
        """The USB device behind a node below /dev."""
        return next((one for one in self.usb if node in one.nodes), None)


def attached(root: str = "/sys") -> Attached:
    """Read it all. Raises nothing: what cannot be read is left out."""
    top = Path(root)
    if not (top / "class").is_dir():
        return Attached(readable=False, kernel=platform.release())
    inputs = tuple(_inputs(top))
    hids = tuple(_hids(top))
    serial = tuple(_serial(top))
    return Attached(
        usb=tuple(_usb(top)), serial=serial, inputs=inputs, hids=hids, kernel=platform.release()
    )


def ieee1284(text: str) -> dict[str, str]:
    """`MFG:EPSON;MDL:TM-T20;` as words: the keys upper-case and short, the values as they are."""
    long = {"MANUFACTURER": "MFG", "MODEL": "MDL", "COMMAND SET": "CMD", "SERN": "SN"}
    told: dict[str, str] = {}
    for part in text.split(";"):
        name, colon, value = part.partition(":")
        if colon:
            key = name.strip().upper()
            told.setdefault(long.get(key, key), value.strip())
    return told


def bits(text: str, word_bits: int = 0) -> frozenset[int]:
    """The numbers of the bits in a capability line: words in hexadecimal, the highest first.

    The kernel writes words of its own size; `word_bits` 0: this machine's, or 64 where a word is
    longer than 32 bits can be.
    """
    words = text.split()
    size = word_bits or (64 if any(len(one) > 8 for one in words) else struct.calcsize("l") * 8)
    found: set[int] = set()
    try:
        for place, word in enumerate(reversed(words)):
            value = int(word, 16)
            found |= {place * size + bit for bit in range(value.bit_length()) if value >> bit & 1}
    except ValueError:
        return frozenset()
    return frozenset(found)


def release(bcd: str) -> str:
    """`0201` of bcdDevice as `2.01`; "" where there is none."""
    if not bcd:
        return ""
    digits = bcd.rjust(4, "0")
    return f"{digits[:2].lstrip('0') or '0'}.{digits[2:4]}"


def usage_pages(descriptor: bytes) -> frozenset[int]:
    """The usage pages a HID report descriptor names (HID 1.11, 6.2.2: short and long items)."""
    pages: set[int] = set()
    at = 0
    while at < len(descriptor):
        head = descriptor[at]
        if head == 0xFE:  # a long item: its size follows
            at += 3 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
            continue
        size = (0, 1, 2, 4)[head & 3]
        value = int.from_bytes(descriptor[at + 1 : at + 1 + size], "little")
        if head & 0xFC == 0x04:  # global item: usage page
            pages.add(value)
        elif head & 0xFC == 0x08 and size == 4:  # a usage that brings its page along
            pages.add(value >> 16)
        at += 1 + size
    return frozenset(pages)


def _usb(top: Path) -> Iterator[UsbDevice]:
    folder = top / "bus/usb/devices"
    for device in _below(folder):
        if not _USB_PORT.match(device.name):
            continue
        usb_class = _hex(device / "bDeviceClass")
        if usb_class == HUB:
            continue
        functions = [
            _function(one) for one in _below(folder) if one.name.startswith(f"{device.name}:")
        ]
        yield UsbDevice(
            port=device.name,
            usb_id=f"{_text(device / 'idVendor')}:{_text(device / 'idProduct')}".lower(),
            release=release(_text(device / "bcdDevice")),
            make=_text(device / "manufacturer"),
            model=_text(device / "product"),
            serial=_text(device / "serial"),
            usb_class=usb_class,
            functions=tuple(functions),
        )


def _function(folder: Path) -> Function:
    return Function(
        number=_hex(folder / "bInterfaceNumber"),
        usb_class=_hex(folder / "bInterfaceClass"),
        subclass=_hex(folder / "bInterfaceSubClass"),
        protocol=_hex(folder / "bInterfaceProtocol"),
        driver=_driver(folder),
        ieee1284=_text(folder / "ieee1284_id"),
        nodes=tuple(dict.fromkeys(_nodes(folder))),
    )


def _nodes(folder: Path, depth: int = 6) -> Iterator[str]:
    """The names of nodes below an interface: every `uevent` there that gives one."""
    for child in _below(folder):
        # Links lead out of the interface (subsystem, driver) or back to it (device).
        if child.is_symlink() or not child.is_dir():
            continue
        node = _node(child)
        # `usb_device` and endpoints have nodes as well, but nobody is to read those.
        if node and not node.startswith("bus/usb/"):
            yield node
        if depth:
            yield from _nodes(child, depth - 1)


def _node(folder: Path) -> str:
    for line in _text(folder / "uevent", lines=True).splitlines():
        if line.startswith("DEVNAME="):
            return line.removeprefix("DEVNAME=").removeprefix("/dev/")
    return ""


def _serial(top: Path) -> Iterator[SerialPort]:
    for port in _below(top / "class/tty"):
        if not (port / "device").exists() or _text(port / "type") == PORT_UNKNOWN:
            continue
        yield SerialPort(
            node=_node(port) or port.name.replace("!", "/"),
            driver=_driver(port / "device"),
            console=_text(port / "console") == "Y",
            usb_port=_usb_port(port / "device"),
        )


def _inputs(top: Path) -> Iterator[Input]:
    for event in _below(top / "class/input"):
        device = event / "device"
        if not event.name.startswith("event"):
            continue
        vendor, product = _text(device / "id/vendor"), _text(device / "id/product")
        yield Input(
            node=_node(event) or f"input/{event.name}",
            name=_text(device / "name"),
            bus=_hex(device / "id/bustype"),
            usb_id=f"{vendor}:{product}".lower(),
            keys=bits(_text(device / "capabilities/key")),
            usb_port=_usb_port(device),
        )


def _hids(top: Path) -> Iterator[RawHid]:
    for raw in _below(top / "class/hidraw"):
        try:
            descriptor = (raw / "device/report_descriptor").read_bytes()[:ATTRIBUTE_MAX_BYTES]
        except OSError:
            descriptor = b""
        yield RawHid(
            node=raw.name,
            bar_code=BAR_CODE_PAGE in usage_pages(descriptor),
            usb_port=_usb_port(raw / "device"),
        )


def _driver(folder: Path) -> str:
    """Who serves it. A port of the board is asked for the chip, not for the kernel's own layers."""
    try:
        place = folder.resolve()
        for _ in range(4):
            driver = place / "driver"
            if driver.exists() and (name := driver.resolve().name) not in _SERIAL_BASE:
                return name
            if not driver.exists() and place == folder.resolve():
                return ""
            place = place.parent
    except (OSError, RuntimeError):
        return ""
    return ""


def _usb_port(device: Path) -> str:
    try:
        found = _FUNCTION.findall(str(device.resolve()))
    except (OSError, RuntimeError):
        return ""
    return str(found[-1][0]) if found else ""


def _below(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path, *, lines: bool = False) -> str:
    """An attribute. What a device says of itself may hold anything: control characters go."""
    try:
        with path.open("rb") as file:
            raw = file.read(ATTRIBUTE_MAX_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    if lines:
        return raw
    return "".join(one if one.isprintable() else " " for one in raw).strip()


def _hex(path: Path) -> int:
    try:
        return int(_text(path), 16)
    except ValueError:
        return 0
