"""Who holds a device: asked before a port is opened, and told when it cannot be.

Decides only what can be proved without touching the device: open descriptors under /proc, flock
and fcntl locks, lock files of the UUCP kind, and a terminal set to exclusive use. Other users'
descriptors can be read by root alone; what cannot be read is *not known*, never "free". It reads
files and blocks for milliseconds: callers on the event loop hand it to their `Blocking` port. Used
by the device watchers for "in use by", by discovery and by `posagent probe`.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.record import dataclass

#: asm-generic/ioctls.h: _IOR('T', 0x40, int); whether TIOCEXCL is set. Not in `termios`.
TIOCGEXCL = 0x80045440
#: Where programs that never heard of flock note their pid (FHS 5.9): LCK..ttyS0.
LOCK_FILES = ("/run/lock", "/var/lock")
#: linux/capability.h
CAP_SYS_PTRACE = 19
#: A lock: its number, kind, advisory or not, access, pid, device:inode.
_LOCK = re.compile(
    r"^\d+:\s+(?:FLOCK|POSIX|OFDLCK)\s+\S+\s+\S+\s+(-?\d+)\s+"
    r"([0-9a-f]+):([0-9a-f]+):(\d+)\s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that holds a device; `uid` is -1 where it cannot be read."""

    pid: int
    command: str
    uid: int
    how: str = "open"  #: open, locked or lock_file

    def __str__(self) -> str:
        """`java (pid 812, uid 10057)`, for the sentences of watchers."""
        user = f", uid {self.uid}" if self.uid >= 0 else ""
        return f"{self.command or 'a program'} (pid {self.pid}{user})"


def owner_of(
    path: str, proc: str = "/proc", lock_files: Sequence[str] = LOCK_FILES
) -> Owner | None:
    """Another process that holds the device at `path`; None where none is seen.

    Raises nothing. None does not prove that the device is free: the descriptors of other users
    are hidden from everybody but root.
    """
    try:
        real = os.path.realpath(path)
        found = _opener(real, Path(proc)) or _locker(real, Path(proc))
        return found or _noted(path, real, Path(proc), lock_files)
    except (OSError, ValueError):
        return None


def owners(
    paths: Sequence[str], proc: str = "/proc", lock_files: Sequence[str] = LOCK_FILES
) -> dict[str, Owner]:
    """`owner_of` for several devices in one walk over the processes."""
    found: dict[str, Owner] = {}
    try:
        real = {os.path.realpath(path): path for path in paths}
        for device, owner in _openers(frozenset(real), Path(proc)):
            found.setdefault(real[device], owner)
        for device, path in real.items():
            if path not in found:
                holder = _locker(device, Path(proc)) or _noted(path, device, Path(proc), lock_files)
                if holder is not None:
                    found[path] = holder
    except (OSError, ValueError):
        return found
    return found


def is_exclusive(fd: int) -> bool | None:
    """Whether an open terminal is set to exclusive use; None where the kernel does not say."""
    told = array.array("i", [0])
    try:
        fcntl.ioctl(fd, TIOCGEXCL, told)
    except OSError:
        return None
    return bool(told[0])


def _opener(real: str, proc: Path) -> Owner | None:
    return next((owner for _, owner in _openers(frozenset((real,)), proc)), None)


def _openers(devices: frozenset[str], proc: Path) -> Iterator[tuple[str, Owner]]:
    numbers = {number: device for device in devices if (number := _number(device))}
    for pid in processes(proc):
        if pid == os.getpid():
            continue
        folder = f"{proc}/{pid}/fd"
        try:
            descriptors = os.listdir(folder)  # noqa: PTH208 - tens of thousands: no objects
        except OSError:  # gone, or another user's
            continue
        told: set[str] = set()
        for name in descriptors:
            device = _device_of(f"{folder}/{name}", devices, numbers)
            if device and device not in told:
                told.add(device)
                yield device, _owner(pid, proc, "open")


def _device_of(link: str, devices: frozenset[str], numbers: dict[int, str]) -> str:
    try:
        target = os.readlink(link)  # noqa: PTH115 - as above
        if target in devices:
            return target
        # A container has nodes of its own for the same device. Only what looks like a node is
        # looked at: stat on a dead network mount would hang.
        if numbers and target.startswith("/dev/"):
            return numbers.get(_number(link), "")
    except OSError:
        return ""
    return ""


def _number(path: str) -> int:
    """The number of a character device; 0 for anything else."""
    try:
        told = Path(path).stat()
    except OSError:
        return 0
    return told.st_rdev if stat.S_ISCHR(told.st_mode) else 0


def _locker(real: str, proc: Path) -> Owner | None:
    try:
        told = Path(real).stat()
        lines = (proc / "locks").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    place = (os.major(told.st_dev), os.minor(told.st_dev), told.st_ino)
    for line in lines:
        found = _LOCK.match(line)
        if found is None:
            continue
        pid = int(found[1])
        same = (int(found[2], 16), int(found[3], 16), int(found[4])) == place
        # 0 and -1: the process lives in a container, or holds it by descriptor alone.
        if same and pid > 0 and pid != os.getpid():
            return _owner(pid, proc, "locked")
    return None


def _noted(path: str, real: str, proc: Path, folders: Sequence[str]) -> Owner | None:
    for folder in folders:
        for name in dict.fromkeys((Path(path).name, Path(real).name)):
            try:
                words = (Path(folder) / f"LCK..{name}").read_text("ascii", "replace").split()
            except OSError:
                continue
            if words and words[0].isdecimal():
                pid = int(words[0][:10])
                # What a crashed program left behind holds nothing.
                if pid != os.getpid() and (proc / str(pid)).is_dir():
                    return _owner(pid, proc, "lock_file")
    return None


def sees_everybody(status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process can see which files other users' programs have open."""
    if os.geteuid() == 0:
        return True
    try:
        for told in status.read_text("ascii").splitlines():
            if told.startswith("CapEff:"):
                return bool(int(told.split()[1], 16) >> CAP_SYS_PTRACE & 1)
    except (OSError, ValueError, IndexError):
        return False
    return False


def processes(proc: Path = Path("/proc")) -> list[int]:
    """The numbers of all processes that can be seen; none where /proc cannot be listed."""
    try:
        return sorted(int(one.name) for one in proc.iterdir() if one.name.isdecimal())
    except OSError:
        return []


def _owner(pid: int, proc: Path, how: str) -> Owner:
    """Name and user; of the command line nothing, for it may hold what nobody should read."""
    command, uid = "", -1
    try:
        named = (proc / str(pid) / "comm").read_text("utf-8", "replace").strip()
        command = "".join(one if one.isprintable() else " " for one in named)
        for line in (proc / str(pid) / "status").read_text("utf-8", "replace").splitlines():
            if line.startswith("Uid:"):
                uid = int(line.split()[1])
    except (OSError, ValueError, IndexError):
        return Owner(pid=pid, command=command, uid=uid, how=how)
    return Owner(pid=pid, command=command, uid=uid, how=how)
