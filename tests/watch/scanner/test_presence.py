"""Whether a scanner is there, from a recorded /sys; nothing is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.watch.scanner.presence import Presence, Usb, look


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A machine with an ACM scanner, a cordless keyboard scanner and a fixed serial line."""
    sysfs, dev = tmp_path / "sys", tmp_path / "dev"
    dev.mkdir()
    usb = sysfs / "devices/usb1"
    files = {
        "1-1/idVendor": "1eab\n", "1-1/idProduct": "1a03\n", "1-1/manufacturer": "Newland\n",
        "1-1/product": "FM430\n", "1-1/serial": "FD42\n", "1-1/bcdDevice": "0112\n",
        "1-1/1-1:1.0/bInterfaceClass": "02\n", "1-1/1-1:1.0/tty/ttyACM0/dev": "166:0\n",
        "1-2/idVendor": "0c2e", "1-2/idProduct": "0b61", "1-2/product": "Voyager\x07 1602g",
        "1-2/1-2:1.0/bInterfaceClass": "03\n", "1-2/1-2:1.0/0003:0C2E.1/input/input5/name": "",
        "1-2/1-2:1.0/0003:0C2E.1/power_supply/hid-1/capacity": "12\n",
        "1-2/1-2:1.0/0003:0C2E.1/power_supply/hid-1/status": "Discharging\n",
    }  # fmt: skip
    for name, content in files.items():
        (usb / name).parent.mkdir(parents=True, exist_ok=True)
        (usb / name).write_text(content)
    drivers = sysfs / "bus/usb/drivers"
    for interface, driver in (("1-1/1-1:1.0", "cdc_acm"), ("1-2/1-2:1.0", "usbhid")):
        (drivers / driver).mkdir(parents=True)
        (usb / interface / "driver").symlink_to(drivers / driver)
    (sysfs / "bus/usb/devices").mkdir()
    for name in ("1-1", "1-2"):
        (sysfs / "bus/usb/devices" / name).symlink_to(usb / name)
    nodes = {
        "tty/ttyACM0": usb / "1-1/1-1:1.0",
        "input/event5": usb / "1-2/1-2:1.0/0003:0C2E.1/input/input5",
        "tty/ttyS1": sysfs / "devices/platform/serial8250",
    }
    (sysfs / "devices/platform/serial8250").mkdir(parents=True)
    for name, parent in nodes.items():
        (sysfs / "class" / name).mkdir(parents=True)
        (sysfs / "class" / name / "device").symlink_to(parent)
        (dev / Path(name).name).touch()
    (dev / "by-id").symlink_to(dev / "ttyACM0")
    return tmp_path


NEWLAND = Usb(
    vendor="1eab", product="1a03", make="Newland", model="FM430", serial="FD42", firmware="1.12",
    driver="cdc_acm",
)  # fmt: skip
VOYAGER = Usb(
    vendor="0c2e", product="0b61", model="Voyager  1602g", driver="usbhid", battery_percent=12,
    battery_charging=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("device", "found"),
    [
        ("ttyACM0", Presence(connected=True, usb=NEWLAND)),
        ("by-id", Presence(connected=True, usb=NEWLAND)),
        ("event5", Presence(connected=True, usb=VOYAGER)),
        ("ttyS1", Presence(connected=None)),
        ("ttyACM7", Presence(connected=False)),
    ],
)
def test_a_node_is_traced_to_its_device(tree: Path, device: str, found: Presence) -> None:
    """USB devices are there or not and say who they are; a fixed line says nothing."""
    assert look(str(tree / "dev" / device), tree / "sys") == found


@pytest.mark.parametrize(
    ("device", "usb"), [("usb:1eab:1a03", NEWLAND), ("usb:0C2E:0B61", VOYAGER)]
)
def test_a_usb_id_is_found_on_the_bus(tree: Path, device: str, usb: Usb) -> None:
    """A scanner can be named by its USB id alone."""
    assert look(device, tree / "sys") == Presence(connected=True, usb=usb)


def test_a_usb_id_that_is_not_there_is_gone(tree: Path) -> None:
    """Another id, or no USB at all: not connected."""
    assert look("usb:05e0:1200", tree / "sys") == Presence(connected=False)
    assert look("usb:05e0:1200", tree / "nowhere") == Presence(connected=False)


def test_a_device_no_driver_took_is_told(tree: Path) -> None:
    """Plugged in is not the same as usable."""
    (tree / "sys/devices/usb1/1-2/1-2:1.0/driver").unlink()
    usb = look("usb:0c2e:0b61", tree / "sys").usb
    assert usb is not None
    assert (usb.bound, usb.driver) == (False, "")


def test_a_node_that_cannot_be_looked_at_is_neither_there_nor_gone(tmp_path: Path) -> None:
    """Nothing is raised about it."""
    assert look("/dev/" + "x" * 300, tmp_path) == Presence(connected=None)
