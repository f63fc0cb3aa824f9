"""Who uses a pseudo terminal that stands for a serial line, as simulators make them.

Decides that a process which holds the other end (`/dev/ptmx`) of the same terminal is the printer's
side and no second reader; everybody else who has it open is. It reads /proc and blocks for
milliseconds: callers on the event loop hand it to their `Blocking` port.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from agent.link.owners import Owner, processes

#: As the link of a descriptor reads, with and without a devpts of its own (containers).
_OTHER_END = frozenset({"/dev/ptmx", "/dev/pts/ptmx"})
_INDEX = re.compile(r"^tty-index:\s+(\d+)$", re.MULTILINE)


def user_of(device: str, proc: Path = Path("/proc")) -> Owner | None:
    """A process that has the terminal open and does not hold its other end. Raises nothing."""
    real = os.path.realpath(device)
    for pid in processes(proc):
        if pid == os.getpid():
            continue
        held = _held(proc / str(pid) / "fd")
        if real in held.values() and not any(
            target in _OTHER_END and _belongs(proc / str(pid) / "fdinfo" / number, real)
            for number, target in held.items()
        ):
            return Owner(pid=pid, command=_command(proc / str(pid)), uid=_uid(proc / str(pid)))
    return None


def _held(descriptors: Path) -> dict[str, str]:
    """What each descriptor of a process leads to; nothing where it is gone, or another user's."""
    held: dict[str, str] = {}
    try:
        numbers = os.listdir(descriptors)  # noqa: PTH208 - names for as many small reads
    except OSError:
        return held
    for number in numbers:
        # One that was closed since says nothing about the others: a program at work opens and
        # closes files all the time.
        with contextlib.suppress(OSError):
            held[number] = os.readlink(descriptors / number)  # noqa: PTH115 - as above
    return held


def _belongs(told: Path, real: str) -> bool:
    """Whether this is the other end of that terminal; yes where the kernel does not say."""
    try:
        index = _INDEX.search(told.read_text("ascii", "replace"))
    except OSError:
        return True
    return index is None or Path(real).name == index[1]


def _command(process: Path) -> str:
    try:
        named = (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return "".join(one if one.isprintable() else " " for one in named)


def _uid(process: Path) -> int:
    try:
        return process.stat().st_uid
    except OSError:
        return -1
