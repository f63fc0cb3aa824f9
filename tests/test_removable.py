"""A USB stick is found by what the kernel says of it, and written so that it may be pulled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.errors import OperatorError
from agent.removable import Medium, chosen, copied, mounted


def machine(root: Path, *mounts: str, **disks: str) -> str:
    """Disks as name=removable, with one partition each, and what is mounted."""
    (root / "proc").mkdir(parents=True)
    (root / "proc/mounts").write_text("".join(f"{line} 0 0\n" for line in mounts))
    for name, removable in disks.items():
        (root / f"sys/block/{name}/{name}1").mkdir(parents=True)
        (root / f"sys/block/{name}/removable").write_text(f"{removable}\n")
    for line in mounts:
        folder = line.split(" ")[1].replace("\\040", " ").lstrip("/")
        (root / folder).mkdir(parents=True, exist_ok=True)
    return str(root)


def test_only_what_can_be_pulled_out_is_a_medium(tmp_path: Path) -> None:
    """Not the terminal's own disks, nor a stick it runs from, nor what is no disk at all."""
    root = machine(
        tmp_path / "r",
        "/dev/mmcblk0 / ext4 rw", "/dev/sda1 / vfat rw", "/dev/sdb1 /media/my\\040stick vfat rw",
        "tmpfs /media/ram tmpfs rw", "/dev/sdz1 /media/gone vfat rw",
        mmcblk0="0", sda="1", sdb="1",
    )  # fmt: skip
    (medium,) = mounted(root)
    assert (medium.device, medium.folder) == ("sdb", Path(root, "media/my stick"))
    assert medium.writable
    assert mounted(str(tmp_path / "nothing here")) == []


def test_a_disk_behind_usb_counts_although_it_calls_itself_fixed(tmp_path: Path) -> None:
    """External disks do."""
    root = machine(tmp_path / "r", "/dev/sdc1 /mnt/disk ext4 ro")
    real = tmp_path / "r/sys/devices/usb1/1-1/sdc"
    (real / "sdc1").mkdir(parents=True)
    (real / "removable").write_text("0\n")
    (tmp_path / "r/sys/block").mkdir()
    (tmp_path / "r/sys/block/sdc").symlink_to(real)
    (medium,) = mounted(root)
    assert not medium.writable
    with pytest.raises(OperatorError, match="cannot be written"):
        chosen([medium])


def test_one_writable_stick_or_a_sentence(tmp_path: Path) -> None:
    """None, two, or one that is full: nothing is written and a person knows what to do."""
    one = Medium(device="sda", folder=tmp_path, writable=True, free_bytes=10)
    other = Medium(device="sdb", folder=tmp_path, writable=True, free_bytes=10)
    assert chosen([one]) is one
    with pytest.raises(OperatorError, match="no USB stick"):
        chosen([])
    with pytest.raises(OperatorError, match="more than one"):
        chosen([one, other])
    file = tmp_path / "file"
    file.write_bytes(b"x" * 11)
    with pytest.raises(OperatorError, match="11 are needed"):
        copied(file, one, "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


def test_it_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Under its name once it is synced; a stick that is gone is a sentence."""
    file, stick = tmp_path / "file", tmp_path / "stick"
    file.write_bytes(b"bundle" * 1000)
    stick.mkdir()
    medium = Medium(device="sda", folder=stick, writable=True, free_bytes=1_000_000)
    assert copied(file, medium, "b.tar.gz").read_bytes() == file.read_bytes()
    assert [one.name for one in stick.iterdir()] == ["b.tar.gz"]
    gone = Medium(device="sda", folder=tmp_path / "gone", writable=True, free_bytes=1_000_000)
    with pytest.raises(OperatorError, match="cannot write"):
        copied(file, gone, "b.tar.gz")


def test_a_link_on_the_stick_leads_nowhere(tmp_path: Path) -> None:
    """The name is no secret: a link waiting under it must not turn the terminal's own files into a
    bundle, nor a pipe hold up whoever copies."""
    file, stick, journal = tmp_path / "file", tmp_path / "stick", tmp_path / "journal.db"
    file.write_bytes(b"bundle")
    journal.write_bytes(b"money")
    stick.mkdir()
    medium = Medium(device="sda", folder=stick, writable=True, free_bytes=1_000_000)
    for name in ("b.tar.gz.part", "b.tar.gz"):
        (stick / name).symlink_to(journal)
    assert copied(file, medium, "b.tar.gz").read_bytes() == b"bundle"
    assert journal.read_bytes() == b"money"
    assert not (stick / "b.tar.gz").is_symlink()
    os.mkfifo(stick / "c.tar.gz.part")
    assert copied(file, medium, "c.tar.gz").read_bytes() == b"bundle"
