"""Marks of a machine: which count, that only hashes are kept, and what a start makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import hardware
from agent.core.terminal.hardware import Verdict
from tests.process.test_hardware import machine


def test_what_can_be_plugged_or_made_up_is_no_mark(tmp_path: Path) -> None:
    """Cards, USB adapters, addresses given by software and numbers nobody set are left out."""
    root = machine(tmp_path, 1)
    (root / "sys/class/dmi/id/product_serial").write_text("To be filled by O.E.M.\n")
    (root / "sys/block/mmcblk0/device/type").write_text("SD\n")
    net = root / "sys/class/net"
    usb = root / "sys/devices/usb1/1-1/net/eth1"
    usb.mkdir(parents=True)
    (net / "eth1").mkdir()
    (net / "eth1/device").symlink_to(usb)
    (net / "eth1/address").write_text("00:1a:2b:3c:4d:99\n")
    (net / "eth0/address").write_text("02:1a:2b:3c:4d:01\n")
    assert hardware.marks(str(root)) == {"board": frozenset({"brd-771"})}


@pytest.mark.parametrize(
    "left",
    [
        "0", "00000000", "00000000-0000-0000-0000-000000000000", "To Be Filled By O.E.M.",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "03000200-0400-0500-0006-000700080009",
        "O.E.M.", "OEM Serial", "Default string", "Not Set", "SerNum0", "Base Board Serial Number",
        "123456789", "0123456789ABCDEF", "xxxxxxxx", "11111111", "..........", "(null)",
        "00020003-0004-0005-0006-000700080009", "fefefefe-fefe-fefe-fefe-fefefefefefe",
        "Type2 - Board Serial Number", "BSN12345678901234567", "NotSpecified", "Undefined",
        "No Enclosure", "123456", "Serial Number xxx1", "Invalid entry 9", "Sample 42",
    ],
)  # fmt: skip
def test_what_makers_leave_for_a_number_is_none(tmp_path: Path, left: str) -> None:
    """Two copies of one image would have it in common, and look like one repaired terminal."""
    root = machine(tmp_path, 1)
    for name in ("product_serial", "product_uuid"):
        (root / "sys/class/dmi/id" / name).write_text(f"{left}\n")
    assert "case" not in hardware.marks(str(root))


def test_the_file_names_no_number(tmp_path: Path) -> None:
    """Hashed under a salt of its own: not the numbers, nor the same hash in another store."""
    found = hardware.marks(str(machine(tmp_path / "m", 1)), "FW-7")
    told = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        hardware.examined(tmp_path / name, found, 1)
        told.append((tmp_path / name / hardware.FILE).read_text())
    assert (tmp_path / "a" / hardware.FILE).stat().st_mode & 0o777 == 0o600
    values = {value for ones in found.values() for value in ones}
    assert not any(value in told[0] for value in values)
    one, two = (hardware.kept(tmp_path / name) for name in ("a", "b"))
    assert one is not None
    assert two is not None
    assert one.marks.keys() == two.marks.keys()
    assert not any(one.marks[kind] & two.marks[kind] for kind in one.marks)


def test_each_further_machine_is_a_find_of_its_own(tmp_path: Path) -> None:
    """A copy keeps its time of discovery over restarts; a copy of the copy gets a newer one; at
    home again it is over."""
    state = tmp_path / "state"
    state.mkdir()
    first, second, third = (hardware.marks(str(machine(tmp_path / f"m{n}", n))) for n in (1, 2, 3))
    assert hardware.examined(state, first, 10).verdict is Verdict.SAME
    assert hardware.examined(state, second, 20).since_ms == 20
    assert hardware.examined(state, {"case": second["case"]}, 30).since_ms == 20
    assert hardware.examined(state, third, 40).since_ms == 40
    assert hardware.examined(state, {}, 50).verdict is Verdict.UNKNOWN
    assert hardware.examined(state, first, 60).since_ms == 0
    assert hardware.examined(state, second, 70).since_ms == 70
    hardware.adopt(state, second)
    standing = hardware.examined(state, second, 80)
    assert (standing.verdict, standing.release) == (Verdict.SAME, True)
    hardware.settled(state)
    assert not hardware.examined(state, second, 90).release


def test_an_address_made_anew_at_every_start_fills_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store knows stays readable, and a copy elsewhere is still seen."""
    monkeypatch.setattr(hardware, "replaced", Path.write_bytes)  # without a sync each time
    state = tmp_path / "state"
    state.mkdir()
    for number in range(1_500):
        marks = {"case": frozenset({"sn-1"}), "interface": frozenset({f"mac-{number}"})}
        found = hardware.examined(state, marks, 5)
        assert found.verdict in (Verdict.SAME, Verdict.PARTLY), number
    assert (state / hardware.FILE).stat().st_size < 2_000
    other = {"case": frozenset({"sn-2"}), "interface": frozenset({"mac-x"})}
    assert hardware.examined(state, other, 5).verdict is Verdict.COPIED


def test_a_repair_is_learnt(tmp_path: Path) -> None:
    """One part new at a time, every part may be new in the end."""
    old = hardware.marks(str(machine(tmp_path / "m1", 1)))
    new = hardware.marks(str(machine(tmp_path / "m2", 2)))
    state = tmp_path / "state"
    state.mkdir()
    hardware.examined(state, old, 1)
    now = dict(old)
    for kind in sorted(new):
        now[kind] = new[kind]
        assert hardware.examined(state, now, 2).verdict is Verdict.PARTLY
    assert hardware.examined(state, new, 3).since_ms == 0


@pytest.mark.parametrize("said", ["", "{}", "[]", '{"salt": "zz", "marks": {}}', "null"])
def test_a_damaged_file_is_as_none(tmp_path: Path, said: str) -> None:
    """It is begun anew, and never keeps the store from opening."""
    (tmp_path / hardware.FILE).write_text(said)
    found = hardware.marks(str(machine(tmp_path / "m", 1)))
    assert hardware.examined(tmp_path, found, 1).verdict is Verdict.SAME
    assert hardware.kept(tmp_path) is not None
