"""What a device probably is, how sure that is, and what nobody serves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from agent.config import Config
from agent.config.devices import Discovery
from agent.core.health.reading import NotObservable, Reading
from agent.core.health.standard import STANDARD
from agent.watch.discovery import known as table
from agent.watch.discovery.hotplug import Interest
from agent.watch.discovery.survey import Finding, Survey, kind_of_keys, survey
from agent.watch.discovery.sysfs import attached
from agent.watch.discovery.watcher import DevicesWatcher, absent, interests
from tests.watch.discovery.trees import BAR_CODE, FULL_KEYBOARD, KEYBOARD, NUMBER_BLOCK, Tree

T = TypeVar("T")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "sys")


def judged(tree: Tree, **more: dict[str, str]) -> Survey:
    return survey(attached(str(tree.root)), **more)  # type: ignore[arg-type]


def only(tree: Tree) -> Finding:
    (finding,) = judged(tree).findings
    return finding


def test_a_known_receipt_printer_is_sure(tree: Tree) -> None:
    """By its identifier and by what it says of itself."""
    tree.usb("1-1", "04b8:0e15")
    tree.printer("1-1", ieee1284="MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;")
    finding = only(tree)
    assert (finding.kind, finding.certainty, finding.table) == ("printer", "sure", "printer")
    assert (finding.device, finding.dialect) == ("/dev/usb/lp0", "escpos")
    assert finding.name == "EPSON TM-T20II"
    assert finding.reasons == ("printer_class", "ieee1284", "usb_id")


def test_an_office_printer_is_not_proposed(tree: Tree) -> None:
    """The class alone does not make a receipt printer."""
    tree.usb("1-1", "03f0:1234", make="HP", model="LaserJet")
    tree.printer("1-1", ieee1284="MFG:HP;CMD:PCL,PJL;MDL:LaserJet;")
    finding = only(tree)
    assert (finding.certainty, finding.table) == ("unsure", "")
    assert "dialect_unknown" in finding.reasons


def test_a_scanner_by_each_interface(tree: Tree) -> None:
    """Serial, HID POS and keyboard: proposed at the node that fits."""
    tree.usb("1-1", "1eab:1d06")
    tree.acm("1-1")
    tree.usb("1-2", "1eab:1d10")
    tree.hid("1-2", BAR_CODE)
    tree.usb("1-3", "1eab:1d03")
    tree.hid("1-3", KEYBOARD, FULL_KEYBOARD)
    found = {one.interface: one for one in judged(tree).findings}
    assert {one: (f.device, f.dialect, f.kind) for one, f in found.items()} == {
        "usb_serial": ("/dev/ttyACM0", "newland", "scanner"),
        "hid_pos": ("/dev/hidraw0", "", "scanner"),
        "hid_keyboard": ("/dev/input/event0", "", "scanner"),
    }
    assert all(one.certainty == "sure" for one in found.values())


def test_an_unknown_scanner_is_known_by_its_reports(tree: Tree) -> None:
    """HID usage page 8C is a bar code scanner whoever made it."""
    tree.usb("1-2", "1234:5678", make="Nobody", model="Scan")
    tree.hid("1-2", BAR_CODE)
    assert (only(tree).kind, only(tree).reasons) == ("scanner", ("hid_pos",))


def test_a_keyboard_may_be_a_scanner_and_is_left(tree: Tree) -> None:
    """No reliable way tells them apart: unsure, and said so."""
    tree.usb("1-3", "04d9:1203")
    tree.hid("1-3", KEYBOARD, FULL_KEYBOARD)
    assert (only(tree).kind, only(tree).certainty) == ("keyboard", "unsure")
    assert only(tree).reasons == ("keyboard_or_scanner",)


def test_a_number_block_is_a_keypad_and_a_power_button_nothing(tree: Tree) -> None:
    """By the keys it has."""
    tree.keys("gpio-keys", NUMBER_BLOCK)
    tree.keys("Power Button", frozenset({116}))
    assert (only(tree).kind, only(tree).table) == ("keypad", "keypad")
    assert kind_of_keys(frozenset()) == ""
    assert kind_of_keys(frozenset({*range(2, 12), 28, 30, 48, 46, 32, 18, 33})) == "keypad"


def test_lines_nobody_knows_are_unsure_and_the_console_is_named(tree: Tree) -> None:
    """An adapter says nothing of what hangs on it; a console is nobody's to ask."""
    tree.usb("1-1", "0403:6001")
    tree.adapter("1-1", "ftdi_sio")
    tree.board(0, console=True)
    tree.board(1)
    told = {one.device: (one.reasons, one.table) for one in judged(tree).findings}
    assert told == {
        "/dev/ttyUSB0": (("adapter",), ""),
        "/dev/ttyS0": (("console",), ""),
        "/dev/ttyS1": (("serial_unknown",), ""),
    }


def test_a_pin_pad_is_named_and_never_proposed(tree: Tree) -> None:
    """It belongs to the payment app, serial line and all."""
    tree.usb("1-1", "11ca:0220", model="VX 805")
    tree.acm("1-1")
    finding = only(tree)
    assert (finding.kind, finding.table, finding.device) == ("pinpad", "", "")
    assert "never_asked" in finding.reasons
    assert judged(tree).unserved == ()


def test_what_is_configured_is_told_as_that(tree: Tree) -> None:
    """The configuration comes before every guess."""
    tree.board(1)
    (finding,) = judged(tree, configured={"printer": "/dev/ttyS1"}).findings
    assert (finding.kind, finding.component) == ("printer", "printer")
    assert finding.reasons[-1] == "configured"


@pytest.mark.parametrize(
    ("usb_id", "usb_class", "sub", "needs"),
    [
        ("04b8:0202", "07", "01", "usblp"),
        ("1eab:1d06", "02", "02", "cdc_acm"),
        ("04d9:1203", "03", "01", "usbhid"),
        ("1a86:7523", "ff", "00", "ch341"),
        ("0403:6001", "ff", "00", "ftdi_sio"),
        ("10c4:ea60", "ff", "00", "cp210x"),
    ],
)
def test_a_function_of_ours_without_a_driver_is_not_recognised(
    tree: Tree, usb_id: str, usb_class: str, sub: str, needs: str
) -> None:
    """The driver that is missing is named."""
    tree.usb("1-1", usb_id)
    tree.function("1-1", usb_class, sub=sub)
    (left,) = judged(tree).not_recognised
    assert (left.usb_id, left.needs, left.ours) == (usb_id, needs, True)
    assert survey(attached(str(tree.root)), ignored=(usb_id,)).unserved == ()


@pytest.mark.parametrize("usb_class", ["01", "06", "08", "0b", "0e", "e0", "fe"])
def test_what_programs_serve_is_no_trouble(tree: Tree, usb_class: str) -> None:
    """A card reader, a camera or a radio without a kernel driver is nothing of ours."""
    tree.usb("1-1", "1234:5678")
    tree.function("1-1", usb_class)
    assert judged(tree).unserved == ()


def test_an_unknown_device_counts_when_a_configured_one_is_missing(tree: Tree) -> None:
    """Unknown is not a fault: only beside a missing printer it probably is the printer."""
    tree.usb("1-1", "1234:5678", make="Acme", model="Till Printer")
    tree.function("1-1", "ff")
    told = judged(tree)
    assert [one.usb_id for one in told.unserved] == ["1234:5678"]
    assert told.not_recognised == ()
    beside = judged(tree, missing={"printer": "/dev/usb/lp0"})
    assert [one.name for one in beside.not_recognised] == ["Acme Till Printer"]


def test_a_program_at_the_device_is_no_missing_driver(tree: Tree) -> None:
    """libusb has taken it from usblp: served, and told as such."""
    tree.usb("1-1", "04b8:0202")
    tree.function("1-1", "07", "usbfs", sub="01")
    assert judged(tree).unserved == ()
    assert "libusb" in only(tree).reasons


def test_every_row_of_the_table_is_well_formed() -> None:
    """Identifiers in lower case, kinds and sources of the closed lists, nothing twice."""
    for usb_id, row in table.DEVICES.items():
        assert re.fullmatch("[0-9a-f]{4}:[0-9a-f]{4}", usb_id)
        assert row.source in ("ids", "linux", "odoo", "field")
        assert row.make or row.model
    assert all(re.fullmatch("[0-9a-f]{4}", vendor) for vendor in table.VENDORS)
    assert not any(row.sure for row in table.VENDORS.values())
    assert table.known("ffff:ffff") is None
    newland = table.known("1eab:8203")
    assert newland is not None
    assert (newland.model, newland.dialect) == ("bar code scanner (HID keyboard)", "newland")


class Here:
    """Runs blocking calls on the caller's thread."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        del name, deadline_s
        return function()


def read(tree_root: Path, devices: dict[str, str] | None = None) -> Reading | NotObservable:
    watcher = DevicesWatcher(
        Discovery(sysfs=str(tree_root)), devices or {}, Here(), lambda: "polling"
    )
    outcome = asyncio.run(watcher.read())
    assert isinstance(outcome, Reading | NotObservable)
    return outcome


def held(reading: Reading) -> list[str]:
    judges = STANDARD.judged_by("devices")
    return [condition.code for condition, sign in judges if sign.judge(reading.values)]


def test_the_watcher_raises_and_clears_the_alarm(tree: Tree, tmp_path: Path) -> None:
    """A printer without a driver raises device.not_recognised with what was seen."""
    tree.usb("1-1", "04b8:0202", make="EPSON", model="TM-T70")
    folder = tree.function("1-1", "07", sub="01")
    reading = read(tree.root)
    assert isinstance(reading, Reading)
    assert held(reading) == ["device.not_recognised"]
    assert reading.evidence["usb_id"] == "04b8:0202"
    assert reading.evidence["driver"] == "usblp missing"
    assert reading.evidence["kernel"]
    driver = tmp_path / "sys/bus/usb/drivers/usblp"
    driver.mkdir(parents=True)
    (folder / "driver").symlink_to(driver)
    reading = read(tree.root)
    assert isinstance(reading, Reading)
    assert held(reading) == []
    assert reading.values["usb"] == 1
    assert reading.values["hotplug"] == "polling"


def test_a_machine_without_sysfs_cannot_be_observed(tmp_path: Path) -> None:
    """Not observable is no alarm and no "nothing attached"."""
    assert isinstance(read(tmp_path / "none"), NotObservable)


def test_a_missing_configured_device_is_looked_for(tree: Tree, tmp_path: Path) -> None:
    """Through the watcher: the path of the configuration is looked at, never opened."""
    tree.usb("1-1", "1234:5678")
    tree.function("1-1", "ff")
    gone = read(tree.root, {"printer": str(tmp_path / "lp0")})
    assert isinstance(gone, Reading)
    assert held(gone) == ["device.not_recognised"]
    there = read(tree.root, {"printer": "/dev/null", "scanner": "usb:1eab:1d06"})
    assert isinstance(there, Reading)
    assert held(there) == []


def test_whom_a_plug_concerns() -> None:
    """Those with a device here, by path or by name, and the look at everything; no network."""
    config = msgspec.convert(
        {"printer": {"device": "tcp://h:9100"}, "scanner": {"device": "usb:1eab:1d06"},
         "keypad": {"name": "gpio-keys"}},
        Config,
    )  # fmt: skip
    assert {one.component: one.device for one in interests(config)} == {
        "scanner": "usb:1eab:1d06",
        "keypad": "gpio-keys",
        "devices": "",
    }
    assert interests(Config()) == [Interest(component="devices")]


def test_the_network_of_a_telephone_is_no_serial_line(tmp_path: Path) -> None:
    """RNDIS has the class of a line and a protocol of its own: no driver of ours is missing."""
    tree = Tree(tmp_path)
    tree.usb("1-1", "18d1:4ee3", make="Acme", model="Phone")
    folder = tree.function("1-1", "02", sub="02")
    (folder / "bInterfaceProtocol").write_text("ff\n")
    assert survey(attached(str(tree.root))).not_recognised == ()


def test_a_path_that_cannot_be_looked_at_is_not_missing() -> None:
    """Not known is not absent, and the rest is looked at all the same."""
    odd = "/dev/" + "x" * 300  # longer than a name may be
    assert absent({"printer": odd, "scanner": "/dev/nothing-here"}) == {
        "scanner": "/dev/nothing-here"
    }
