"""What the kernel shows of a USB printer, as files, and what its driver would answer.

A tree like `/sys` and `/dev` below a directory of one's own, for software that takes another root:
the interface with its `ieee1284_id`, the device above it, `class/usbmisc/lp0`, and a device node
that is a pseudo terminal. A pseudo terminal knows no LPGETSTATUS and is never EBUSY, so those two
are doubles to be put where the software calls the system: `open` and `ioctl` behave as the calls
of that name do on `/dev/usb/lp0`. The kernel's own usblp is not in here.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

from agent.sim.printers.conditions import Conditions
from agent.sim.printers.lines import Hear, PtyLine
from agent.sim.printers.printer import Dialect, Printer

LPGETSTATUS = 0x060B
#: LPIOC_GET_DEVICE_ID of any length: _IOC(_IOC_READ, 'P', 1, length).
_DEVICE_ID = 0x8000_5001
_DEVICE_ID_MASK = 0xC000_FFFF

DEVICE_ID = "MFG:posagent;CMD:ESC/POS;MDL:SIM-80;CLS:PRINTER;SN:SIM0000001;"


def port_status(c: Conditions) -> int:
    """The IEEE-1284 status byte: no-error 08, selected 10, out of paper 20."""
    return 0x08 * (not c.error) | 0x10 * (not c.off_line) | 0x20 * (not c.sees_paper)


class UsbLine:
    """A line that also leaves a USB printer's traces below `root`."""

    def __init__(
        self,
        root: Path,
        conditions: Callable[[], Conditions],
        *,
        name: str = "lp0",
        device_id: str = DEVICE_ID,
    ) -> None:
        self.root = root
        self._name = name
        self.device_id = device_id
        self.node = root / "dev" / "usb" / name
        self._conditions = conditions
        self.in_use = False  #: another process has it open: opening it is EBUSY
        self.opened = 0
        self._device = root / "sys" / "devices" / "pci0000:00" / "usb1" / "1-1"
        self._pty = PtyLine(self.node)

    @property
    def name(self) -> str:
        return str(self.node)

    @property
    def plugged(self) -> bool:
        return self._pty.plugged

    @property
    def speed(self) -> int:
        return 0

    def plug(self, hear: Hear) -> None:
        if self.plugged:
            return
        self.node.parent.mkdir(parents=True, exist_ok=True)
        self._pty.plug(hear)
        self._leave_traces()

    def unplug(self) -> None:
        if not self.plugged:
            return
        (self._class / self._name).unlink()
        _remove(self._device)
        self._pty.unplug()

    def write(self, reply: bytes) -> None:
        self._pty.write(reply)

    def open(self, path: str | Path, flags: int) -> int:
        """As os.open: EBUSY while somebody else has it."""
        if Path(path) == self.node and self.in_use:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        self.opened += 1
        return os.open(path, flags | os.O_NOCTTY)

    def ioctl(self, fd: int, request: int, buffer: bytes = b"\0\0\0\0") -> bytes:
        """As fcntl.ioctl with an immutable buffer, for the two requests usblp knows."""
        if not self.plugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if request == LPGETSTATUS:
            return struct.pack("i", port_status(self._conditions())) + buffer[4:]
        if request & _DEVICE_ID_MASK == _DEVICE_ID:
            told = self.device_id.encode("ascii")
            whole = struct.pack(">H", len(told) + 2) + told
            return whole[: len(buffer)].ljust(len(buffer), b"\0")
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    @property
    def _class(self) -> Path:
        return self.root / "sys" / "class" / "usbmisc"

    def _leave_traces(self) -> None:
        interface = self._device / "1-1:1.0"
        entry = interface / "usbmisc" / self._name
        entry.mkdir(parents=True)
        for path, text in {
            self._device / "idVendor": "0525",
            self._device / "idProduct": "a4a8",
            self._device / "manufacturer": "posagent",
            self._device / "product": "SIM-80",
            self._device / "serial": "SIM0000001",
            interface / "bInterfaceClass": "07",
            interface / "bInterfaceSubClass": "01",
            interface / "bInterfaceProtocol": "02",
            interface / "bInterfaceNumber": "00",
            interface / "ieee1284_id": self.device_id,
            entry / "dev": "180:0",
            entry / "uevent": f"MAJOR=180\nMINOR=0\nDEVNAME=usb/{self._name}",
        }.items():
            path.write_text(text + "\n", "ascii")
        (entry / "device").symlink_to("../..")
        driver = self.root / "sys" / "bus" / "usb" / "drivers" / "usblp"
        driver.mkdir(parents=True, exist_ok=True)
        (interface / "driver").symlink_to(driver)
        self._class.mkdir(parents=True, exist_ok=True)
        (self._class / self._name).symlink_to(entry)


class UsbPrinter(Printer):
    """A printer on USB, as far as its traces below `root` go."""

    def __init__(self, root: Path, *, dialect: Dialect = "escpos") -> None:
        self.usb = UsbLine(root, lambda: self.conditions)
        super().__init__(self.usb, dialect=dialect)


def _remove(tree: Path) -> None:
    """The device has gone, and with it everything below; links are not followed."""
    for path in tree.iterdir():
        if path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink()
    tree.rmdir()
