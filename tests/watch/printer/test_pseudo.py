"""A pseudo terminal that stands for a printer's line: who is its maker, and who uses it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from agent.watch.printer.pseudo import user_of

MAKE = """
import os, sys
maker, own = os.openpty()
print(os.ttyname(own), flush=True)
sys.stdin.readline()
"""
#: Has a terminal of its own, and uses another's.
USE = """
import os, sys
makers = os.openpty() if sys.argv[2] == "makes" else None
used = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
print("uses", flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[tuple[int, str]]:
    """(pid, what it said first) of a program that waits to be ended."""
    running = subprocess.Popen(
        [sys.executable, "-c", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    try:
        yield running.pid, running.stdout.readline().strip()
    finally:
        running.communicate("\n")


def test_only_its_maker_is_no_user(tmp_path: Path) -> None:
    """Who holds the other end is the printer; anybody else uses it, with or without a lock."""
    with process(MAKE) as (_, terminal):
        link = tmp_path / "printer"
        link.symlink_to(terminal)
        assert user_of(str(link)) is None
        with process(USE, terminal, "plain") as (pid, said):
            assert said == "uses"
            owner = user_of(str(link))
            assert owner is not None
            assert (owner.pid, owner.how) == (pid, "open")
            assert owner.command.startswith("python")
        assert user_of(str(link)) is None


def test_the_other_end_of_another_terminal_does_not_count() -> None:
    """A program with a terminal of its own, such as an emulator, is a user of this one."""
    with process(MAKE) as (_, terminal), process(USE, terminal, "makes") as (pid, said):
        assert said == "uses"
        owner = user_of(terminal)
        assert owner is not None
        assert owner.pid == pid


def test_without_processes_to_look_at_nobody_is_seen(tmp_path: Path) -> None:
    """No /proc: not known, and no error."""
    assert user_of("/dev/pts/0", tmp_path / "none") is None
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "fd" / "3").symlink_to("/dev/pts/99")
    owner = user_of("/dev/pts/99", tmp_path)
    assert owner is not None
    assert (owner.pid, owner.command) == (7, "")


def test_a_file_the_program_closes_meanwhile_does_not_hide_it(tmp_path: Path) -> None:
    """A program at work opens and closes files; its port stays its port, or we print into it."""
    descriptors = tmp_path / "7" / "fd"
    descriptors.mkdir(parents=True)
    for number in ("3", "5"):
        (descriptors / number).write_text("")  # listed, and not a link any more when it is read
    (descriptors / "4").symlink_to("/dev/pts/99")
    owner = user_of("/dev/pts/99", tmp_path)
    assert owner is not None
    assert owner.pid == 7
