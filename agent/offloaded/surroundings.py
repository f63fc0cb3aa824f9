"""What a support bundle tells of the machine: kernel messages, our log, memory, disks, our files.

Each is asked with a deadline of its own, and what it cannot tell is a sentence. Contents of files
are read only where the kernel or the journal writes them; of our own files only name, size and age
are told. Runs in the offloaded program or in the command line, never in the daemon.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

DEADLINE_S = 4.0
#: Of the end of each.
LOG_BYTES, KERNEL_BYTES, PROC_BYTES = 1_048_576, 262_144, 16_384
#: Files named of one directory.
MOST_FILES = 500
_PROC = ("version", "uptime", "loadavg", "meminfo", "mounts")


class NotToldError(Exception):
    """It could not be collected: why."""


def collectors(
    root: str, unit: str, log_lines: int, folders: list[str]
) -> Mapping[str, Callable[[], str]]:
    """By the name of the member."""
    return {
        "journal.log": lambda: _journal(root, unit, log_lines),
        "kernel.log": lambda: _kernel(root),
        "machine.txt": lambda: _machine(root, folders),
        "files.txt": lambda: _files(folders),
    }


def _journal(root: str, unit: str, lines: int) -> str:
    if root or shutil.which("journalctl") is None:
        raise NotToldError("there is no journal here")
    told = _ran("journalctl", "-u", unit, "-n", str(lines), "--no-pager", "-o", "short-iso")
    return told[-LOG_BYTES:]


def _kernel(root: str) -> str:
    if root:
        return _tail(Path(root, "var/log/dmesg"), KERNEL_BYTES)
    if shutil.which("dmesg") is None:
        raise NotToldError("there is no dmesg here")
    return _ran("dmesg")[-KERNEL_BYTES:]


def _ran(*order: str) -> str:
    try:
        done = subprocess.run(
            order, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotToldError(f"{order[0]} was not done within {DEADLINE_S:g} s") from None
    except OSError as error:
        raise NotToldError(f"{order[0]}: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
        raise NotToldError(f"{order[0]} ended with {done.returncode}: {said[:120]}")
    return done.stdout.decode("utf-8", "replace")


def _tail(file: Path, most_bytes: int) -> str:
    try:
        with file.open("rb") as opened:
            if stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                size = opened.seek(0, os.SEEK_END)
                opened.seek(max(0, size - most_bytes))
            return opened.read(most_bytes).decode("utf-8", "replace")
    except OSError as error:
        raise NotToldError(f"{file}: {error.strerror}") from None


def _machine(root: str, folders: list[str]) -> str:
    told: list[str] = []
    for name in _PROC:
        try:
            told += [f"== /proc/{name}", _tail(Path(root or "/", "proc", name), PROC_BYTES)]
        except NotToldError as error:
            told += [f"== /proc/{name}", f"not told: {error}"]
    for folder in folders:
        try:
            room = os.statvfs(folder)
        except OSError as error:
            told.append(f"== {folder}: {error.strerror}")
            continue
        whole, free = room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize
        told.append(f"== {folder}: {free} of {whole} bytes free, {room.f_favail} file nodes free")
    return "\n".join(told) + "\n"


def _files(folders: list[str]) -> str:
    told: list[str] = []
    for folder in folders:
        told.append(f"== {folder}")
        try:
            found = sorted(Path(folder).iterdir())
        except OSError as error:
            told.append(f"not told: {error.strerror}")
            continue
        for file in found[:MOST_FILES]:
            try:
                facts = file.lstat()
            except OSError:
                continue
            at = datetime.fromtimestamp(facts.st_mtime, UTC)
            told.append(
                f"{stat.filemode(facts.st_mode)} {facts.st_uid}:{facts.st_gid} "
                f"{facts.st_size:>10} {at:%Y-%m-%dT%H:%M:%SZ} {file.name}"
            )
        if len(found) > MOST_FILES:
            told.append(f"and {len(found) - MOST_FILES} more")
    return "\n".join(told) + "\n"
