"""What the kernel lists is read as it lays it out, and nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.watch.discovery.sysfs import attached, bits, ieee1284, usage_pages
from tests.watch.discovery.trees import (
    BAR_CODE,
    FULL_KEYBOARD,
    KEYBOARD,
    NUMBER_BLOCK,
    Tree,
    names,
    words,
)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "sys")


def test_a_usb_printer(tree: Tree) -> None:
    """Identifier, words, driver, IEEE-1284 string and node, without opening the node."""
    tree.usb(
        "1-1", "04B8:0E15", make="EPSON", model="TM-T20II", serial="J3BF001234", release="0201"
    )
    tree.printer("1-1", ieee1284="MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;")
    (device,) = attached(str(tree.root)).usb
    assert (device.usb_id, device.make, device.model) == ("04b8:0e15", "EPSON", "TM-T20II")
    assert (device.serial, device.release, device.drivers) == ("J3BF001234", "2.01", ("usblp",))
    assert device.nodes == ("usb/lp0",)
    assert ieee1284(device.functions[0].ieee1284)["MDL"] == "TM-T20II"
    assert attached(str(tree.root)).usb_of("usb/lp0") == device


def test_serial_lines_and_where_they_come_from(tree: Tree) -> None:
    """By CDC, by an adapter and of the board; a line without a chip behind it is none."""
    tree.usb("1-2", "1eab:1d06")
    tree.acm("1-2")
    tree.usb("1-3.1", "0403:6001")
    tree.adapter("1-3.1", "ftdi_sio")
    tree.board(0, console=True)
    tree.board(1, chip="0")
    found = attached(str(tree.root))
    told = {one.node: (one.driver, one.usb_port, one.console) for one in found.serial}
    assert told == {
        "ttyACM0": ("cdc_acm", "1-2", False),
        "ttyUSB0": ("ftdi_sio", "1-3.1", False),
        "ttyS0": ("serial", "", True),
    }
    assert names(found.usb, "nodes") == ["('ttyACM0',)", "('ttyUSB0',)"]


def test_keys_and_raw_hid(tree: Tree) -> None:
    """Which keys a device has, and which raw node belongs to a bar code scanner."""
    tree.usb("1-1", "0c2e:0b81")
    tree.hid("1-1", BAR_CODE)
    tree.usb("1-2", "04d9:1203")
    tree.hid("1-2", KEYBOARD, FULL_KEYBOARD)
    tree.keys("gpio-keys", NUMBER_BLOCK)
    found = attached(str(tree.root))
    assert [(one.node, one.bar_code, one.usb_port) for one in found.hids] == [
        ("hidraw0", True, "1-1"),
        ("hidraw1", False, "1-2"),
    ]
    assert {one.name: one.keys for one in found.inputs} == {
        "USB Keyboard": FULL_KEYBOARD,
        "gpio-keys": NUMBER_BLOCK,
    }
    assert names(found.inputs, "usb_port") == ["1-2", ""]
    assert set(found.usb[1].nodes) == {"hidraw1", "input/event0"}


def test_hubs_are_no_devices_and_an_absent_tree_is_told(tree: Tree, tmp_path: Path) -> None:
    """Nothing is found on an empty machine; without sysfs that is said and not "nothing"."""
    tree.usb("1-1", "1a40:0101", usb_class="09")
    found = attached(str(tree.root))
    assert (found.usb, found.serial, found.inputs, found.readable) == ((), (), (), True)
    assert attached(str(tmp_path / "nowhere")).readable is False


@pytest.mark.parametrize("word_bits", [32, 64])
def test_capabilities_of_both_word_sizes(word_bits: int) -> None:
    """A 32-bit kernel writes shorter words."""
    assert bits(words(FULL_KEYBOARD, word_bits), word_bits) == FULL_KEYBOARD
    assert bits("", word_bits) == frozenset()
    assert bits("xyz 1", word_bits) == frozenset()


def test_report_descriptors_that_make_no_sense_end() -> None:
    """Long items, torn ones and random bytes: pages or none, never an endless loop."""
    assert usage_pages(BAR_CODE) == {0x8C}
    assert 1 in usage_pages(KEYBOARD)
    assert usage_pages(b"\xfe\x02\x00\xaa\xbb" + BAR_CODE) == {0x8C}
    assert usage_pages(b"\x0b\x02\x00\x8c\x00") == {0x8C}
    for _ in range(500):
        usage_pages(os.urandom(64))
    for end in range(len(BAR_CODE)):
        usage_pages(BAR_CODE[:end])


def test_what_a_device_says_of_itself_cannot_steer_a_terminal(tree: Tree) -> None:
    """Control characters and torn text are blanks; an attribute has a bound."""
    tree.usb("1-1", "04b8:0202", make="EP\x1b[31mSON", model="x" * 100_000)
    device = attached(str(tree.root)).usb[0]
    assert device.make == "EP [31mSON"
    assert len(device.model) <= 4096


def test_links_in_circles_are_left(tree: Tree) -> None:
    """A tree that leads back into itself ends all the same."""
    folder = tree.usb("1-1", "04b8:0202")
    tree.printer("1-1")
    (folder / "1-1:1.0/loop").symlink_to(folder)
    (folder / "1-1:1.0/self").symlink_to("self")
    assert attached(str(tree.root)).usb[0].nodes == ("usb/lp0",)


def test_this_machine_can_be_read() -> None:
    """Whatever is plugged in where the tests run: nothing is raised."""
    found = attached()
    assert found.kernel
