"""What a Linux terminal says of itself in /proc, /sys and os-release, as hook answers.

Decides which files tell what, and which texts are a maker's placeholders; needs no root, starts no
program and writes nothing. What cannot be read is left out, never guessed. The hooks `identity`,
`inventory` and `probe.system` beside it call `main`. Plain Python 3.8 or later.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

Message = Dict[str, Any]

CONTRACT = 1
LINE_MAX_CHARACTERS = 200
RAW_MAX_CHARACTERS = 400
ITEMS_MAX = 256
#: The mount whose being read-only matters: the agent's own data.
DATA = "/var/lib/posagent"
#: What makers leave in a board's tables when they have nothing to say. Compared in lower case.
PLACEHOLDERS = frozenset(
    (
        "",
        "0",
        "0123456789",
        "123456789",
        "default string",
        "empty",
        "n/a",
        "na",
        "none",
        "not applicable",
        "not specified",
        "null",
        "o.e.m.",
        "oem",
        "system manufacturer",
        "system product name",
        "system serial number",
        "system version",
        "to be filled by o.e.m.",
        "unknown",
    )
)
#: Colder or hotter is a sensor that is not wired.
TEMPERATURES_C = (-40.0, 150.0)
USB_HUB, USB_PRINTER, USB_HID = "09", "07", "03"


class Untold(Exception):  # noqa: N818 - not an error of this program
    """Nothing can be said; why, in English and Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.reason = zh if os.environ.get("LANG", "").lower().startswith("zh") else en


# --- files ----------------------------------------------------------------------------------------


def text_of(path: Path) -> str:
    """One value, without its padding; "" where there is none to be read."""
    try:
        with path.open("rb") as file:
            content = file.read(4096)
    except OSError:
        return ""
    return content.replace(b"\0", b" ").decode("utf-8", "replace").strip()[:LINE_MAX_CHARACTERS]


def told(path: Path) -> str:
    """The same, but "" for a placeholder."""
    text = " ".join(text_of(path).split())
    return "" if text.lower() in PLACEHOLDERS or not text.strip("0.-: ") else text


def number_of(path: Path) -> int | None:
    """A whole number, or None."""
    text = text_of(path)
    return int(text) if text.lstrip("-").isdecimal() and len(text) < 19 else None


def folders(path: Path) -> list[Path]:
    """What lies in a directory of /sys, in order."""
    try:
        return sorted(path.iterdir())
    except OSError:
        return []


def link_name(path: Path) -> str:
    """The last part of what a link of /sys points to: the name of a driver."""
    try:
        return Path(os.readlink(path)).name
    except OSError:
        return ""


# --- identity -------------------------------------------------------------------------------------


def identity(root: Path) -> Message:
    """Make, model, serial and firmware: from DMI where there is one, else from the device tree."""
    dmi, tree = root / "sys/class/dmi/id", root / "proc/device-tree"
    found = {
        "make": told(dmi / "sys_vendor") or told(dmi / "board_vendor"),
        "model": told(dmi / "product_name") or told(dmi / "board_name"),
        "serial": told(dmi / "product_serial") or told(dmi / "board_serial"),
        "firmware": told(dmi / "bios_version"),
        "board": told(dmi / "board_name"),
    }
    source = "dmi"
    if not found["make"] and not found["model"]:
        # `compatible` is a list of "maker,board", the most exact one first.
        first = text_of(tree / "compatible").split(" ")[0]
        found = {
            "make": first.partition(",")[0] if "," in first else "",
            "model": told(tree / "model"),
            "serial": told(tree / "serial-number"),
            "firmware": "",
            "board": first,
        }
        source = "device-tree"
    if not any(found.values()):
        raise Untold(
            "neither DMI tables nor a device tree tell what this terminal is",
            "DMI和设备树都没有说明本机是什么设备",
        )
    found["os"] = os_release(root).get("PRETTY_NAME", "")
    found["source"] = source
    filled = {key: value[:LINE_MAX_CHARACTERS] for key, value in found.items() if value}
    return {"outcome": "told", **filled}


def os_release(root: Path) -> dict[str, str]:
    """The assignments of os-release(5)."""
    found: dict[str, str] = {}
    for name in ("etc/os-release", "usr/lib/os-release"):
        try:
            lines = (root / name).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            key, mark, value = line.strip().partition("=")
            if mark and not key.startswith("#"):
                found.setdefault(key, value.strip().strip("\"'"))
        break
    return found


# --- inventory ------------------------------------------------------------------------------------


def inventory(root: Path) -> Message:
    """Devices and software this system knows of. Hubs and virtual devices are left out."""
    items = [*_software(root), *_usb(root), *_network(root), *_storage(root), *_batteries(root)]
    if not items:
        raise Untold("/sys and /proc cannot be read", "无法读取/sys和/proc")
    told_items = [{k: v[:LINE_MAX_CHARACTERS] for k, v in one.items() if v} for one in items]
    return {"outcome": "told", "items": told_items[:ITEMS_MAX], "source": "/sys, /proc, os-release"}


def _software(root: Path) -> Iterator[dict[str, str]]:
    release = os_release(root)
    if release.get("ID"):
        yield {
            "kind": "software",
            "name": release["ID"][:64],
            "version": release.get("VERSION_ID", "") or release.get("BUILD_ID", ""),
        }
    kernel = text_of(root / "proc/sys/kernel/osrelease")
    if kernel:
        yield {"kind": "software", "name": "linux", "version": kernel}
    bios = told(root / "sys/class/dmi/id/bios_version")
    if bios:
        maker = told(root / "sys/class/dmi/id/bios_vendor")
        yield {"kind": "software", "name": "bios", "version": bios, "make": maker}


def _usb(root: Path) -> Iterator[dict[str, str]]:
    for device in folders(root / "sys/bus/usb/devices"):
        vendor, product = text_of(device / "idVendor"), text_of(device / "idProduct")
        if not vendor or text_of(device / "bDeviceClass") == USB_HUB:
            continue
        classes, drivers = [], []
        for interface in folders(device):
            if interface.name.startswith(device.name + ":"):
                classes.append(text_of(interface / "bInterfaceClass"))
                drivers.append(link_name(interface / "driver"))
        name = "printer" if USB_PRINTER in classes else "input" if USB_HID in classes else "usb"
        yield {
            "kind": "device",
            "name": name,
            "make": told(device / "manufacturer"),
            "model": told(device / "product"),
            "serial": told(device / "serial"),
            "firmware": told(device / "bcdDevice"),
            "interface": f"usb {vendor}:{product}",
            "driver": next((one for one in drivers if one), ""),
        }


def _network(root: Path) -> Iterator[dict[str, str]]:
    for interface in folders(root / "sys/class/net"):
        device = interface / "device"
        if not device.exists():
            continue  # bridges, tunnels, loopback
        bus = link_name(device / "subsystem")
        yield {
            "kind": "device",
            "name": "network",
            "model": interface.name,
            "interface": bus,
            "driver": link_name(device / "driver"),
        }


def _storage(root: Path) -> Iterator[dict[str, str]]:
    for block in folders(root / "sys/block"):
        device = block / "device"
        if not device.exists():
            continue  # loop, ram and mapped devices
        model = told(device / "name") or told(device / "model")
        firmware = told(device / "fwrev") or told(device / "firmware_rev") or told(device / "rev")
        yield {
            "kind": "device",
            "name": "storage",
            "model": model,
            "serial": told(device / "serial"),
            "firmware": firmware,
            "interface": block.name,
        }


def _batteries(root: Path) -> Iterator[dict[str, str]]:
    for supply in folders(root / "sys/class/power_supply"):
        if text_of(supply / "type") == "Battery":
            yield {
                "kind": "device",
                "name": "battery",
                "make": told(supply / "manufacturer"),
                "model": told(supply / "model_name"),
                "serial": told(supply / "serial_number"),
                "interface": supply.name,
            }


# --- probe.system ---------------------------------------------------------------------------------


def system(root: Path) -> Message:
    """Temperature, battery, memory, and whether the agent's data lie on a read-only mount."""
    state: Message = {
        "temperature_c": _temperature_c(root),
        "storage_read_only": _read_only(root),
        "memory_available_mb": _memory_mb(root),
        "uptime_s": _uptime_s(root),
        **_battery(root),
    }
    state = {key: value for key, value in state.items() if value is not None}
    if not state:
        raise Untold("/sys and /proc cannot be read", "无法读取/sys和/proc")
    return {
        "component": "system",
        "outcome": "reading",
        "state": state,
        "raw": _raw(root),
        "source": "/sys/class/thermal, /sys/class/power_supply, /proc/mounts, /proc/meminfo",
    }


def _temperature_c(root: Path) -> float | None:
    """The hottest zone that makes sense."""
    low, high = TEMPERATURES_C
    found = []
    for zone in folders(root / "sys/class/thermal"):
        milli = number_of(zone / "temp") if zone.name.startswith("thermal_zone") else None
        if milli is not None and low < milli / 1000 < high and milli != 0:
            found.append(milli / 1000)
    return round(max(found), 1) if found else None


def _raw(root: Path) -> str:
    """The files themselves, for who doubts what was made of them."""
    zones = [zone / "temp" for zone in folders(root / "sys/class/thermal")]
    supplies = folders(root / "sys/class/power_supply")
    files = zones + [
        supply / name for supply in supplies for name in ("online", "capacity", "status")
    ]
    told_now = [(path, text_of(path)) for path in files]
    pairs = [f"{path.parent.name}/{path.name}={text}" for path, text in told_now if text]
    return " ".join(pairs)[:RAW_MAX_CHARACTERS]


def _battery(root: Path) -> Message:
    """Nothing where no battery is fitted; its charge cannot be told from a charger alone."""
    percent, charging, powered = None, None, False
    for supply in folders(root / "sys/class/power_supply"):
        kind = text_of(supply / "type")
        if kind == "Battery" and text_of(supply / "scope") != "Device":  # not a mouse's battery
            if number_of(supply / "present") == 0:
                continue
            capacity = number_of(supply / "capacity")
            if capacity is not None and 0 <= capacity <= 100:
                percent = capacity if percent is None else min(percent, capacity)
            status = text_of(supply / "status")
            if status in ("Charging", "Full"):
                charging = True
            elif status in ("Discharging", "Not charging") and charging is None:
                charging = False
        elif kind in ("Mains", "USB") and number_of(supply / "online") == 1:
            powered = True
    if percent is None and charging is None:
        return {}
    # On the charger although "Not charging": the charger holds a full or warm battery.
    return {"battery_percent": percent, "battery_charging": True if powered else charging}


def _read_only(root: Path) -> bool | None:
    """Of the mount that holds the agent's data; the last one where several lie on each other."""
    best, answer = -1, None
    try:
        lines = (root / "proc/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 4:
            continue
        place = fields[1].replace("\\040", " ").rstrip("/")
        inside = (DATA + "/").startswith(place + "/")
        if inside and len(place) >= best:
            best, answer = len(place), "ro" in fields[3].split(",")
    return answer


def _memory_mb(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "MemAvailable:" and words[1].isdecimal():
            return int(words[1]) // 1024
    return None


def _uptime_s(root: Path) -> int | None:
    first = text_of(root / "proc/uptime").split(" ")[0]
    try:
        return int(float(first))
    except (ValueError, OverflowError):
        return None


# --- the hooks ------------------------------------------------------------------------------------


def main(answer: Callable[[Path], Message], component: str = "") -> int:
    """Answer one request: JSON on stdin, which says nothing these hooks need, JSON on stdout."""
    if not sys.stdin.isatty():
        sys.stdin.read()
    message: Message = {"contract": CONTRACT}
    try:
        message.update(answer(Path(os.environ.get("LINUX_ROOT", "/"))))
    except Untold as untold:
        message.update(outcome="unknown", reason=untold.reason)
        if component:
            message["component"] = component
    json.dump(message, sys.stdout)
    sys.stdout.write("\n")
    return 0
