"""The Linux hooks against terminals laid out as files: a till, a handheld, an empty one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.firmware_hooks.hooks_on_disk import HOOKS, keeps_contract, pythons, run

LINUX = HOOKS / "linux_generic"


def lay_out(root: Path, files: dict[str, str | bytes]) -> Path:
    """Files of /proc, /sys and /etc below `root`; a name ending in @ is a link to its content."""
    for name, content in files.items():
        path = root / name.rstrip("@")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("@"):
            path.symlink_to(str(content))
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode() + b"\n")
    return root


TILL: dict[str, str | bytes] = {
    "etc/os-release": 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n'
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
    "proc/sys/kernel/osrelease": "6.1.0-18-amd64",
    "proc/uptime": "93784.21 180000.10",
    "proc/meminfo": "MemTotal: 4000000 kB\nMemFree: 100000 kB\nMemAvailable: 2048000 kB",
    "proc/mounts": "/dev/sda1 / ext4 ro,relatime 0 0\n/dev/sda2 /var ext4 rw,noatime 0 0\n"
    "/dev/sda3 /variety ext4 ro 0 0",
    "sys/class/dmi/id/sys_vendor": "Example Tills Ltd.",
    "sys/class/dmi/id/product_name": "T-100",
    "sys/class/dmi/id/product_serial": "To be filled by O.E.M.",
    "sys/class/dmi/id/board_serial": "B-7781",
    "sys/class/dmi/id/board_name": "Default string",
    "sys/class/dmi/id/bios_version": "1.14",
    "sys/class/dmi/id/bios_vendor": "Example BIOS",
    "sys/class/thermal/thermal_zone0/temp": "27800",
    "sys/class/thermal/thermal_zone1/temp": "61500",
    "sys/class/thermal/thermal_zone2/temp": "-273000",
    "sys/class/thermal/thermal_zone3/temp": "200000",
    "sys/class/thermal/cooling_device0/temp": "99000",
    "sys/class/power_supply/AC/type": "Mains",
    "sys/class/power_supply/AC/online": "1",
    "sys/bus/usb/devices/usb1/idVendor": "1d6b",
    "sys/bus/usb/devices/usb1/idProduct": "0002",
    "sys/bus/usb/devices/usb1/bDeviceClass": "09",
    "sys/bus/usb/devices/1-2/idVendor": "04b8",
    "sys/bus/usb/devices/1-2/idProduct": "0202",
    "sys/bus/usb/devices/1-2/bDeviceClass": "00",
    "sys/bus/usb/devices/1-2/manufacturer": "EPSON",
    "sys/bus/usb/devices/1-2/product": "TM-T20",
    "sys/bus/usb/devices/1-2/serial": "J3XF001",
    "sys/bus/usb/devices/1-2/bcdDevice": "0100",
    "sys/bus/usb/devices/1-2/1-2:1.0/bInterfaceClass": "07",
    "sys/bus/usb/devices/1-2/1-2:1.0/driver@": "../../drivers/usblp",
    "sys/bus/usb/devices/1-3/idVendor": "0c2e",
    "sys/bus/usb/devices/1-3/idProduct": "0b61",
    "sys/bus/usb/devices/1-3/bDeviceClass": "00",
    "sys/bus/usb/devices/1-3/1-3:1.0/bInterfaceClass": "03",
    "sys/class/net/lo/operstate": "unknown",
    "sys/class/net/enp1s0/device/driver@": "../../drivers/r8169",
    "sys/class/net/enp1s0/device/subsystem@": "../../bus/pci",
    "sys/block/sda/device/model": "EX SSD 64G",
    "sys/block/sda/device/rev": "1.2",
    "sys/block/loop0/size": "0",
}
HANDHELD: dict[str, str | bytes] = {
    "usr/lib/os-release": "ID=pos-linux\nVERSION_ID=3.2\nPRETTY_NAME='POS Linux 3.2'",
    "proc/device-tree/model": b"Example H5 handheld\0",
    "proc/device-tree/serial-number": b"H5-000123\0",
    "proc/device-tree/compatible": b"example,h5\0rockchip,rk3288\0",
    "proc/mounts": "/dev/mmcblk0p5 /var/lib/posagent\\040x ext4 rw 0 0\n"
    "/dev/mmcblk0p6 /var/lib/posagent ext4 ro,nosuid 0 0\n/dev/root / ext4 rw 0 0",
    "sys/class/power_supply/battery/type": "Battery",
    "sys/class/power_supply/battery/present": "1",
    "sys/class/power_supply/battery/capacity": "14",
    "sys/class/power_supply/battery/status": "Discharging",
    "sys/class/power_supply/battery/model_name": "BP-26",
    "sys/class/power_supply/usb/type": "USB",
    "sys/class/power_supply/usb/online": "0",
    "sys/class/power_supply/hid-mouse/type": "Battery",
    "sys/class/power_supply/hid-mouse/scope": "Device",
    "sys/class/power_supply/hid-mouse/capacity": "3",
    "sys/block/mmcblk0/device/name": "8GTF4R",
    "sys/block/mmcblk0/device/fwrev": "0x1",
    "sys/block/mmcblk0/device/serial": "0x1234abcd",
}


def told(hook: str, root: Path, schema: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = run(LINUX / hook, LINUX_ROOT=str(root), **more)
    keeps_contract(answer, schema)
    return answer


@pytest.mark.parametrize("python", pythons(), ids=lambda path: Path(path).name)
def test_a_till_is_known_by_its_dmi_tables(python: str, tmp_path: Path) -> None:
    """Maker and model from DMI; a placeholder is no serial number, the board's is taken instead."""
    answer = told("identity", lay_out(tmp_path, TILL), "identity.answer", python=python)
    assert answer == {
        "contract": 1,
        "outcome": "told",
        "make": "Example Tills Ltd.",
        "model": "T-100",
        "serial": "B-7781",
        "firmware": "1.14",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "source": "dmi",
    }


def test_a_handheld_is_known_by_its_device_tree(tmp_path: Path) -> None:
    """The strings there end with a zero byte; the maker is the first word of `compatible`."""
    answer = told("identity", lay_out(tmp_path, HANDHELD), "identity.answer")
    assert (answer["make"], answer["model"], answer["serial"]) == (
        "example",
        "Example H5 handheld",
        "H5-000123",
    )
    assert answer["board"] == "example,h5"
    assert answer["os"] == "POS Linux 3.2"
    assert answer["source"] == "device-tree"


@pytest.mark.parametrize("text", ["To Be Filled By O.E.M.", "0000000", "None", " ", "....", "N/A"])
def test_placeholders_are_not_names(text: str, tmp_path: Path) -> None:
    """What a maker forgot to fill in does not become the terminal's model."""
    files = {"sys/class/dmi/id/sys_vendor": text, "sys/class/dmi/id/product_name": text}
    answer = told("identity", lay_out(tmp_path, dict(files)), "identity.answer")
    assert answer["outcome"] == "unknown"


def test_the_inventory_names_what_is_attached(tmp_path: Path) -> None:
    """Printer by its interface class, scanner as an input, no hub, no loopback, no loop device."""
    answer = told("inventory", lay_out(tmp_path, TILL), "inventory.answer")
    items = {(item["name"], item.get("interface", "")): item for item in answer["items"]}
    assert set(items) == {
        ("debian", ""), ("linux", ""), ("bios", ""), ("printer", "usb 04b8:0202"),
        ("input", "usb 0c2e:0b61"), ("network", "pci"), ("storage", "sda"),
    }  # fmt: skip
    assert items["printer", "usb 04b8:0202"] == {
        "kind": "device",
        "name": "printer",
        "make": "EPSON",
        "model": "TM-T20",
        "serial": "J3XF001",
        "firmware": "0100",
        "interface": "usb 04b8:0202",
        "driver": "usblp",
    }
    assert items["network", "pci"]["driver"] == "r8169"


def test_a_till_on_mains_has_no_battery(tmp_path: Path) -> None:
    """The hottest sensible zone, /var's mount and not /'s or /variety's, no battery keys."""
    answer = told("probe.system", lay_out(tmp_path, TILL), "reading")
    assert answer["state"] == {
        "temperature_c": 61.5,
        "storage_read_only": False,
        "memory_available_mb": 2000,
        "uptime_s": 93784,
    }


def test_a_handheld_on_battery_with_a_read_only_partition(tmp_path: Path) -> None:
    """Its own battery, not the mouse's; the longest mount point counts, wherever it stands."""
    answer = told("probe.system", lay_out(tmp_path, HANDHELD), "reading")
    assert answer["state"] == {
        "battery_percent": 14,
        "battery_charging": False,
        "storage_read_only": True,
    }


@pytest.mark.parametrize(
    ("status", "online", "expected"),
    [("Charging", "1", True), ("Full", "0", True), ("Not charging", "1", True),
     ("Not charging", "0", False), ("Unknown", "0", None), ("Unknown", "1", True)],
)  # fmt: skip
def test_charging(status: str, online: str, expected: bool | None, tmp_path: Path) -> None:
    """A full battery on its charger is not a battery running down."""
    files = {
        **HANDHELD,
        "sys/class/power_supply/battery/status": status,
        "sys/class/power_supply/usb/online": online,
    }
    answer = told("probe.system", lay_out(tmp_path, files), "reading")
    assert answer["state"].get("battery_charging") is expected


@pytest.mark.parametrize("content", ["", "abc", "101", "-1", "9" * 30, "5.5"])
def test_a_broken_gauge_is_left_out(content: str, tmp_path: Path) -> None:
    """A capacity that is no percentage is not told."""
    files = {**HANDHELD, "sys/class/power_supply/battery/capacity": content}
    answer = told("probe.system", lay_out(tmp_path, files), "reading")
    assert "battery_percent" not in answer["state"]


@pytest.mark.parametrize("hook", ["identity", "inventory", "probe.system"])
def test_an_empty_system_is_unknown(hook: str, tmp_path: Path) -> None:
    """Nothing to read: unknown with a reason, in both languages, and exit 0."""
    schema = "reading" if hook.startswith("probe") else f"{hook}.answer"
    answer = told(hook, tmp_path, schema)
    assert answer["outcome"] == "unknown"
    assert answer["reason"].isascii()
    assert not told(hook, tmp_path, schema, lang="zh_CN.UTF-8")["reason"].isascii()


@pytest.mark.parametrize("hook", ["identity", "inventory", "probe.system"])
def test_on_this_very_machine(hook: str) -> None:
    """Whatever machine this is, the answer keeps the contract."""
    told(hook, Path("/"), "reading" if hook.startswith("probe") else f"{hook}.answer")


def test_the_hooks_work_where_they_are_copied_to(tmp_path: Path) -> None:
    """A folder inside the hooks' directory, with a link to each hook; nothing is written there."""
    hooks = tmp_path / "hooks.d"
    shutil.copytree(LINUX, hooks / "linux_generic", ignore=shutil.ignore_patterns("__pycache__"))
    (hooks / "identity").symlink_to("linux_generic/identity")
    root = lay_out(tmp_path / "root", TILL)
    assert run(hooks / "identity", LINUX_ROOT=str(root))["model"] == "T-100"
    assert not list(hooks.rglob("*.pyc"))
    assert os.access(hooks / "identity", os.X_OK)
