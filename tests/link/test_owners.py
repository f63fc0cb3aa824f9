"""Who holds a device is told from /proc alone, and nothing is raised about it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.link.owners import Owner, is_exclusive, owner_of, owners, sees_everybody

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
if sys.argv[2] == "lock":
    fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held(path: str, how: str) -> Iterator[int]:
    """Another process that has `path` open until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.pid
        finally:
            process.stdin.close()
            process.wait(10)


@pytest.fixture
def terminal() -> Iterator[str]:
    upper, lower = pty.openpty()
    yield os.ttyname(lower)
    os.close(upper)
    os.close(lower)


def fake(proc: Path, pid: int, target: str, *, uid: int = 1000, comm: str = "payapp") -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "fd" / "7").symlink_to(target)
    (proc / str(pid) / "comm").write_text(f"{comm}\n")
    (proc / str(pid) / "status").write_text(f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")


def test_a_process_that_has_the_port_open_is_named(terminal: str) -> None:
    """pid, command and uid of the holder; we ourselves hold it too and do not count."""
    with held(terminal, "open") as pid:
        owner = owner_of(terminal)
        assert owner is not None
        assert (owner.pid, owner.uid, owner.how) == (pid, os.getuid(), "open")
        assert owner.command.startswith("python")
        assert owners([terminal, "/dev/null-not"])[terminal] == owner
    assert owner_of(terminal) is None


def test_a_lock_is_enough_where_descriptors_are_hidden(terminal: str, tmp_path: Path) -> None:
    """/proc/locks names the pid to everybody, /proc/PID/fd only to root and the same user."""
    with held(terminal, "lock") as pid:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / "locks").write_bytes(Path("/proc/locks").read_bytes())
        owner = owner_of(terminal, proc=str(tmp_path))
        assert owner == Owner(pid=pid, command="", uid=-1, how="locked")
        assert str(owner) == f"a program (pid {pid})"


def test_our_own_lock_is_nobodys(terminal: str, tmp_path: Path) -> None:
    """A watcher that holds its port must not report itself."""
    fd = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert owner_of(terminal) is None
    finally:
        os.close(fd)


def test_a_stale_lock_file_holds_nothing(tmp_path: Path) -> None:
    """LCK..ttyUSB0 counts while its process lives."""
    proc, locks = tmp_path / "proc", tmp_path / "lock"
    locks.mkdir()
    fake(proc, 41, "/dev/other", comm="minicom")
    (locks / "LCK..ttyUSB0").write_text("       41\n")
    found = owner_of("/dev/ttyUSB0", str(proc), [str(locks)])
    assert found == Owner(pid=41, command="minicom", uid=1000, how="lock_file")
    (locks / "LCK..ttyUSB0").write_text("       42\n")
    assert owner_of("/dev/ttyUSB0", str(proc), [str(locks)]) is None


def test_a_name_by_id_is_followed_to_the_port(tmp_path: Path) -> None:
    """/dev/serial/by-id/... and the node it points to are one device."""
    node = tmp_path / "ttyACM0"
    node.write_text("")
    (tmp_path / "by-id").symlink_to(node)
    fake(tmp_path / "proc", 9, str(node))
    owner = owner_of(str(tmp_path / "by-id"), str(tmp_path / "proc"))
    assert owner is not None
    assert str(owner) == "payapp (pid 9, uid 1000)"


def test_another_node_of_the_same_device_is_the_same_device(terminal: str, tmp_path: Path) -> None:
    """A container's own /dev node is found by its number."""
    fake(tmp_path / "proc", 9, "/dev/zero")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert owner_of(str(tmp_path / "zero"), str(tmp_path / "proc")) is not None
    assert owner_of(terminal, str(tmp_path / "proc")) is None


@pytest.mark.parametrize("path", ["", "/nowhere/at/all", "a\0b", "/dev"])
def test_nothing_is_raised(path: str, tmp_path: Path) -> None:
    """No such device, no /proc, a name no kernel takes: nobody is seen."""
    (tmp_path / "locks").write_text("garbage\n1: FLOCK  ADVISORY  WRITE x 00:00:1 0 EOF\n")
    assert owner_of(path) is None
    assert owner_of(path, proc=str(tmp_path)) is None
    assert owner_of(path, proc=str(tmp_path / "none")) is None


def test_exclusive_use_of_a_terminal_is_seen(terminal: str, tmp_path: Path) -> None:
    """TIOCEXCL, and None for what is no terminal."""
    fd = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    try:
        assert is_exclusive(fd) is False
        fcntl.ioctl(fd, termios.TIOCEXCL)
        assert is_exclusive(fd) is True
        fcntl.ioctl(fd, termios.TIOCNXCL)
    finally:
        os.close(fd)
    with (tmp_path / "file").open("w") as plain:
        assert is_exclusive(plain.fileno()) is None


def test_thousands_of_processes_are_looked_through_in_time(tmp_path: Path) -> None:
    """No stat, no object for what is no device: the look must fit into a watcher's deadline."""
    for pid in range(1, 401):
        folder = tmp_path / str(pid) / "fd"
        folder.mkdir(parents=True)
        for number in range(40):
            (folder / str(number)).symlink_to(f"socket:[{pid}{number}]")
    fake(tmp_path, 999, "/dev/ttyNone0", comm="a\nb\x1b[31m")
    began = time.process_time()
    found = owner_of("/dev/ttyNone0", str(tmp_path), ())
    spent_s = time.process_time() - began
    assert found is not None
    assert (found.pid, found.command) == (999, "a b [31m")
    assert spent_s < 1.0, f"{spent_s:.2f} s for 16 000 descriptors"


@pytest.mark.parametrize(
    ("status", "sees"),
    [
        ("CapEff:\t0000000000080000\n", True),
        ("CapEff:\t0000000000000000\n", False),
        ("CapEff:\n", False),
        ("CapEff:\tzz\n", False),
        ("Name:\tposagent\n", False),
    ],
)
def test_who_sees_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, sees: bool
) -> None:
    """root, or who may trace any process; in doubt nobody."""
    file = tmp_path / "status"
    file.write_text(status)
    assert sees_everybody(tmp_path / "missing") is (os.geteuid() == 0)
    monkeypatch.setattr("os.geteuid", lambda: 1_000)
    assert sees_everybody(file) is sees
    assert sees_everybody(tmp_path / "missing") is False
