"""The USB devices of the guest: kernel gadgets, each on a simulated bus of its own.

Decides how each is built and plugged; what it says is the business of `players`. Both ends are the
kernel's own drivers: the device side here, and on the host side usblp, cdc-acm and usbhid, which
see a device like any other.
"""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.rig.guest.results import RigError

#: In this order; the first with the number of simulated buses.
MODULES = (
    ("dummy_hcd", "num=4"),
    ("libcomposite",),
    ("usb_f_printer",),
    ("usb_f_acm",),
    ("usb_f_hid",),
    ("usblp",),
    ("cdc_acm",),
    ("usbhid",),
    ("ftdi_sio",),
    ("uinput",),
    ("evdev",),
)
CONFIGFS = Path("/sys/kernel/config/usb_gadget")
PATIENCE_S = 30.0
#: A boot keyboard: what a scanner in keyboard mode says it is.
KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395067508150025650507190029658100c0"
)
REPORT_BYTES = 8


def load_modules() -> list[tuple[str, str]]:
    """Load every module; name and complaint ("" when it is there)."""
    found = []
    for module in MODULES:
        done = subprocess.run(["modprobe", *module], capture_output=True, text=True, check=False)
        found.append((module[0], done.stderr.strip() if done.returncode else ""))
    if not CONFIGFS.exists():
        mount = ["mount", "-t", "configfs", "none", str(CONFIGFS.parent)]
        subprocess.run(mount, capture_output=True, check=False)
    return found


def wait_for(condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
    """Raises RigError when it does not come true in time."""
    ends = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends:
            raise RigError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gadget:
    """One USB device with one function, on a bus of its own."""

    name: str
    bus: int
    vendor: int
    product: int
    maker: str
    model: str
    serial: str
    function: str  # printer.0, acm.0, hid.0
    settings: Mapping[str, bytes]
    appears: Path  # on the host side
    played: Path  # on the device side

    @property
    def _place(self) -> Path:
        return CONFIGFS / self.name

    def make(self) -> None:
        """Describe the device to the kernel and plug it in."""
        for folder in ("strings/0x409", f"functions/{self.function}", "configs/c.1"):
            (self._place / folder).mkdir(parents=True)
        words = {"manufacturer": self.maker, "product": self.model, "serialnumber": self.serial}
        for name, word in words.items():
            (self._place / "strings/0x409" / name).write_text(word)
        (self._place / "idVendor").write_text(f"{self.vendor:#06x}")
        (self._place / "idProduct").write_text(f"{self.product:#06x}")
        for name, content in self.settings.items():
            (self._place / "functions" / self.function / name).write_bytes(content)
        link = self._place / "configs/c.1" / self.function
        link.symlink_to(self._place / "functions" / self.function)
        self.plug()

    def plug(self) -> None:
        """Bind it to its bus; returns when the host side has its device file."""
        (self._place / "UDC").write_text(f"dummy_udc.{self.bus}")
        wait_for(self.appears.exists, f"{self.appears} of {self.name}")
        wait_for(self.played.exists, f"{self.played} of {self.name}")

    def unplug(self) -> None:
        """Pull the cable: the device is gone from its bus."""
        (self._place / "UDC").write_text("\n")
        wait_for(lambda: not self.appears.exists(), f"{self.appears} gone")


#: GET_DEVICE_ID of the gadget does not count its own two length bytes: usblp cuts two off.
_DEVICE_ID = b"MFG:EPSON;MDL:TM-T88V;CMD:ESC/POS;CLS:PRINTER;SN:RIG0000001;  "

PRINTER = Gadget(
    name="printer",
    bus=0,
    vendor=0x04B8,
    product=0x0202,
    maker="EPSON",
    model="TM-T88V",
    serial="RIG0000001",
    function="printer.0",
    settings={"pnp_string": _DEVICE_ID, "q_len": b"10"},
    appears=Path("/dev/usb/lp0"),
    played=Path("/dev/g_printer0"),
)
SCANNER = Gadget(
    name="scanner",
    bus=1,
    vendor=0x0C2E,
    product=0x0CAA,
    maker="Honeywell",
    model="Scanner",
    serial="RIG0000002",
    function="acm.0",
    settings={},
    appears=Path("/dev/serial/by-id/usb-Honeywell_Scanner_RIG0000002-if00"),
    played=Path("/dev/ttyGS0"),
)
HID_SCANNER = Gadget(
    name="hidscanner",
    bus=2,
    vendor=0x1EAB,
    product=0x1D06,
    maker="Newland",
    model="HidScanner",
    serial="RIG0000003",
    function="hid.0",
    settings={
        "protocol": b"1",
        "subclass": b"1",
        "report_length": b"%d" % REPORT_BYTES,
        "report_desc": KEYBOARD,
    },
    appears=Path("/dev/input/by-id/usb-Newland_HidScanner_RIG0000003-event-kbd"),
    played=Path("/dev/hidg0"),
)


SERIAL_PRINTER = Gadget(
    name="serialprinter",
    bus=3,
    vendor=0x04B8,
    product=0x0203,
    maker="EPSON",
    model="SerialPrinter",
    serial="RIG0000004",
    function="acm.1",
    settings={},
    appears=Path("/dev/serial/by-id/usb-EPSON_SerialPrinter_RIG0000004-if00"),
    played=Path("/dev/ttyGS1"),
)
ALL = (PRINTER, SCANNER, HID_SCANNER, SERIAL_PRINTER)


def open_played(path: Path, flags: int = os.O_RDWR) -> int:
    """The device side's file, as soon as udev and the driver let us. Raises RigError."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            return os.open(path, flags)
        except OSError as error:
            passing = error.errno in {errno.ENOENT, errno.EBUSY, errno.ENODEV, errno.ENXIO}
            if not passing or time.monotonic() > ends:
                raise RigError(f"{path}: {error}") from error
            time.sleep(0.1)
