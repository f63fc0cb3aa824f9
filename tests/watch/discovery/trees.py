"""Builds sysfs trees as the kernel lays them out: devices once, everything else links to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

#: A boot keyboard's report descriptor begins like this (HID 1.11, E.6).
KEYBOARD = bytes.fromhex("05010906a101050719e029e71500250175019508810295017508810195057501c0")
#: POS usage tables 1.02: a bar code scanner, report 2.
BAR_CODE = bytes.fromhex("058c0902a10185020966150026ff007508953e8102c0")
FULL_KEYBOARD = frozenset({*range(1, 89), *range(96, 128)})
NUMBER_BLOCK = frozenset({14, 28, 55, 69, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 96})


def words(codes: frozenset[int], word_bits: int = 64) -> str:
    """Key codes as a capability line."""
    highest = max(codes, default=0) // word_bits
    found = [
        sum(1 << code % word_bits for code in codes if code // word_bits == place)
        for place in range(highest, -1, -1)
    ]
    return " ".join(f"{one:x}" for one in found)


class Tree:
    """One machine's sysfs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._bus = root / "devices/pci0000:00/0000:00:14.0/usb1"
        for folder in ("class/tty", "class/input", "class/hidraw", "bus/usb/devices"):
            (root / folder).mkdir(parents=True)
        self._bus.mkdir(parents=True)
        self._write(self._bus, idVendor="1d6b", idProduct="0002", bDeviceClass="09")
        self._link(root / "bus/usb/devices/usb1", self._bus)
        self._events = 0
        self._raws = 0

    def usb(
        self,
        port: str,
        usb_id: str,
        *,
        make: str = "",
        model: str = "",
        serial: str = "",
        usb_class: str = "00",
        release: str = "0100",
    ) -> Path:
        """A device without a function yet."""
        device = self._bus / port
        device.mkdir()
        vendor, product = usb_id.split(":")
        self._write(
            device, idVendor=vendor, idProduct=product, bDeviceClass=usb_class, bcdDevice=release,
            manufacturer=make, product=model, serial=serial,
            uevent="DEVTYPE=usb_device\nDEVNAME=bus/usb/001/004",
        )  # fmt: skip
        self._link(self.root / "bus/usb/devices" / port, device)
        return device

    def function(
        self, port: str, usb_class: str, driver: str = "", *, number: int = 0, sub: str = "00"
    ) -> Path:
        """One interface of a device, bound to `driver`."""
        folder = self._bus / port / f"{port}:1.{number}"
        folder.mkdir()
        self._write(
            folder, bInterfaceNumber=f"{number:02x}", bInterfaceClass=usb_class,
            bInterfaceSubClass=sub, bInterfaceProtocol="00", uevent="DEVTYPE=usb_interface",
        )  # fmt: skip
        self._link(self.root / "bus/usb/devices" / folder.name, folder)
        self._bind(folder, driver, "usb")
        return folder

    def printer(self, port: str, number: int = 0, ieee1284: str = "") -> None:
        """A printer-class function at usblp."""
        folder = self.function(port, "07", "usblp", sub="01")
        if ieee1284:
            self._write(folder, ieee1284_id=ieee1284)
        node = folder / f"usbmisc/lp{number}"
        node.mkdir(parents=True)
        self._write(node, uevent=f"MAJOR=180\nMINOR={number}\nDEVNAME=usb/lp{number}")
        self._link(node / "device", folder)

    def acm(self, port: str, number: int = 0) -> None:
        """A CDC serial line."""
        folder = self.function(port, "02", "cdc_acm", sub="02")
        self.function(port, "0a", "cdc_acm", number=1)
        self._tty(folder / f"tty/ttyACM{number}", folder)

    def adapter(self, port: str, driver: str, number: int = 0) -> None:
        """A vendor's own serial adapter."""
        folder = self.function(port, "ff", driver)
        line = folder / f"ttyUSB{number}"
        line.mkdir()
        self._bind(line, driver, "usb-serial")
        self._tty(line / f"tty/ttyUSB{number}", line)

    def board(self, number: int, *, chip: str = "4", console: bool = False) -> None:
        """A serial port of the board, below the bus 6.5 gave them."""
        chipset = self.root / f"devices/pnp0/00:0{number}"
        port = chipset / f"00:0{number}:0/00:0{number}:0.0"
        port.mkdir(parents=True)
        self._bind(chipset, "serial", "pnp")
        self._bind(port.parent, "ctrl", "serial-base")
        self._bind(port, "port", "serial-base")
        node = self._tty(port / f"tty/ttyS{number}", port)
        self._write(node, type=chip, console="Y" if console else "N")

    def line(self, name: str) -> None:
        """A serial line at any node below /dev, as a test's own pseudo terminal."""
        port = self.root / "devices/platform/uart"
        port.mkdir(parents=True)
        self._bind(port, "serial", "platform")
        node = self._tty(port / "tty" / name.replace("/", "!"), port)
        self._write(node, uevent=f"DEVNAME={name}")

    def hid(self, port: str, descriptor: bytes, keys: frozenset[int] = frozenset()) -> None:
        """A HID function with a raw node, and an input node if it has keys."""
        folder = self.function(port, "03", "usbhid", sub="01")
        device = folder / f"0003:{port}.0001"
        raw = device / f"hidraw/hidraw{self._raws}"
        raw.mkdir(parents=True)
        (device / "report_descriptor").write_bytes(descriptor)
        self._write(raw, uevent=f"DEVNAME=hidraw{self._raws}")
        self._link(raw / "device", device)
        self._link(self.root / f"class/hidraw/hidraw{self._raws}", raw)
        self._raws += 1
        if keys:
            self._input(device, "USB Keyboard", keys, bus="0003")

    def keys(self, name: str, keys: frozenset[int], *, word_bits: int = 64) -> None:
        """A keypad of the board."""
        device = self.root / f"devices/platform/{name.replace(' ', '-')}"
        device.mkdir(parents=True)
        self._input(device, name, keys, bus="0019", word_bits=word_bits)

    def _input(
        self, device: Path, name: str, keys: frozenset[int], *, bus: str, word_bits: int = 64
    ) -> None:
        number = self._events
        self._events += 1
        folder = device / f"input/input{number}"
        event = folder / f"event{number}"
        (folder / "id").mkdir(parents=True)
        (folder / "capabilities").mkdir()
        event.mkdir()
        self._write(folder, name=name)
        self._write(folder / "id", bustype=bus, vendor="04d9", product="1203")
        self._write(folder / "capabilities", key=words(keys, word_bits))
        self._write(event, uevent=f"MAJOR=13\nMINOR={64 + number}\nDEVNAME=input/event{number}")
        self._link(event / "device", folder)
        self._link(self.root / f"class/input/event{number}", event)

    def _tty(self, node: Path, device: Path) -> Path:
        node.mkdir(parents=True)
        self._write(node, uevent=f"DEVNAME={node.name}")
        self._link(node / "device", device)
        self._link(self.root / "class/tty" / node.name, node)
        return node

    def _bind(self, folder: Path, driver: str, bus: str) -> None:
        if driver:
            place = self.root / f"bus/{bus}/drivers/{driver}"
            place.mkdir(parents=True, exist_ok=True)
            self._link(folder / "driver", place)

    @staticmethod
    def _link(at: Path, to: Path) -> None:
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(os.path.relpath(to, at.parent))

    @staticmethod
    def _write(folder: Path, **attributes: str) -> None:
        for name, text in attributes.items():
            if text:
                (folder / name).write_text(f"{text}\n")


def names(found: Sequence[object], attribute: str) -> list[str]:
    """One attribute of everything found."""
    return [str(getattr(one, attribute)) for one in found]
