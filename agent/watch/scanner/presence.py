"""Whether a scanner is plugged in, read from /sys and /dev without opening anything.

Decides what the kernel itself can prove: a USB device is there or not, has a driver or not, and
says who made it. A fixed serial line proves nothing. A keyboard scanner is never opened and never
grabbed: what is typed on it is the payment app's alone. Blocks for milliseconds; the watcher calls
it through its `Blocking` port.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from agent.record import dataclass
from agent.watch.discovery.sysfs import release

#: /sys/class/NAME/… of the nodes a scanner can have.
CLASSES = ("tty", "input", "hidraw", "usbmisc")
#: `usb:0c2e:0b61`, for a scanner that is better known by its USB id than by a node.
USB_ID = re.compile(r"^usb:([0-9a-f]{4}):([0-9a-f]{4})$", re.IGNORECASE)
#: USB vendor -> the dialects its scanners speak on a serial interface.
DIALECTS_OF = {
    "0c2e": ("honeywell",),
    "1eab": ("newland_v2", "newland_v1"),
    "05e0": ("ssi",),
    "05f9": ("datalogic",),
}
_LEVELS_MAX = 8
_FIELD_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Usb:
    """A USB device as it describes itself."""

    vendor: str
    product: str
    make: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""  #: bcdDevice, as the inventory writes it
    driver: str = ""  #: of its first interface that has one
    bound: bool = True  #: False: no interface has a driver
    battery_percent: int | None = None
    battery_charging: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What is known without opening: `connected` None where the kernel cannot tell."""

    connected: bool | None
    usb: Usb | None = None


def look(device: str, sysfs: Path = Path("/sys")) -> Presence:
    """The scanner `device` names: a node, or a USB id. Raises nothing."""
    wanted = USB_ID.match(device)
    if wanted:
        found = _by_id(wanted[1].lower(), wanted[2].lower(), sysfs)
        return Presence(connected=found is not None, usb=found)
    real = Path(os.path.realpath(device))
    try:
        if not real.exists():
            return Presence(connected=False)
    except OSError:  # a folder nobody may look into
        return Presence(connected=None)
    for name in CLASSES:
        node = sysfs / "class" / name / real.name
        if node.exists():
            usb = _usb_above(node / "device")
            return Presence(connected=None if usb is None else True, usb=usb)
    return Presence(connected=None)


def _by_id(vendor: str, product: str, sysfs: Path) -> Usb | None:
    try:
        devices = sorted((sysfs / "bus/usb/devices").iterdir())
    except OSError:
        return None
    for device in devices:
        if _text(device / "idVendor") == vendor and _text(device / "idProduct") == product:
            return _described(device)
    return None


def _usb_above(node: Path) -> Usb | None:
    """The USB device a node belongs to; None: it belongs to none."""
    place = Path(os.path.realpath(node))
    for _ in range(_LEVELS_MAX):
        if (place / "idVendor").is_file():
            return _described(place)
        if place == place.parent:
            break
        place = place.parent
    return None


def _described(device: Path) -> Usb:
    interfaces = [one for one in _below(device) if (one / "bInterfaceClass").is_file()]
    drivers = [Path(os.path.realpath(one / "driver")).name for one in interfaces if
               (one / "driver").exists()]  # fmt: skip
    percent, charging = _battery(device)
    return Usb(
        vendor=_text(device / "idVendor"),
        product=_text(device / "idProduct"),
        make=_text(device / "manufacturer"),
        model=_text(device / "product"),
        serial=_text(device / "serial"),
        firmware=release(_text(device / "bcdDevice")),
        driver=drivers[0] if drivers else "",
        bound=bool(drivers) or not interfaces,
        battery_percent=percent,
        battery_charging=charging,
    )


def _battery(device: Path) -> tuple[int | None, bool | None]:
    """The battery the kernel's HID driver reads from a cordless scanner."""
    for supply in sorted(device.glob("*/*/power_supply/*")) + sorted(
        device.glob("*/power_supply/*")
    ):
        told = _text(supply / "capacity")
        if told.isdecimal() and int(told) <= 100:
            status = _text(supply / "status")
            charging = None if status in {"", "Unknown"} else status in {"Charging", "Full"}
            return int(told), charging
    return None, None


def _below(device: Path) -> list[Path]:
    try:
        return sorted(one for one in device.iterdir() if one.is_dir())
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        words = file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return "".join(one if one.isprintable() else " " for one in words)[:_FIELD_MAX]
