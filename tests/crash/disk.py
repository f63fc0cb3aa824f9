"""A file system that writes down everything that happens to it, and fails on command.

Runs in a process of its own (`python -m tests.crash.disk MOUNT BACKING LOG`), in the foreground and
single-threaded, so that the log has one order. Files live in BACKING; every change is appended to
LOG as one pickled tuple before it is done. It is told things through extended attributes of its
root: `user.note` puts a note of the workload between the operations, `user.fault` (JSON) says which
operation fails, `user.count` empties the counters. It decides nothing about crashes: `replay` does.

Tuples: ("create", path, ino) ("mkdir", path) ("write", ino, offset, bytes) ("truncate", ino, size)
("sync", ino) ("sync_failed", ino) ("syncdir", path) ("rename", old, new) ("unlink", path)
("note", text).
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent
#: What a fault can be set on. "open" counts only openings that may write or create.
KINDS = ("write", "sync", "truncate", "open")


def unusable() -> str:
    """Why no file system can be mounted here, or ""."""
    if not Path("/dev/fuse").exists():
        return "no /dev/fuse"
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("fusermount3") is None:
        return "fusermount3 is not installed (Debian: fuse3)"
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        return f"mfusepy cannot be used ({error})"
    return ""


@dataclass(slots=True)
class Fault:
    """The `at`-th operation of a kind fails: once, or it and all that follow."""

    kind: str = ""
    at: int = 0
    errno: int = 0
    forever: bool = False

    def hits(self, kind: str, count: int) -> bool:
        """`count` operations of this kind have come, this one included."""
        if kind != self.kind:
            return False
        return count >= self.at if self.forever else count == self.at


def _operations(backing: Path, log_path: Path) -> Any:  # an mfusepy.Operations
    from mfusepy import FuseOSError, Operations

    log = log_path.open("ab")

    class Recorder(Operations):
        """Passes everything on to `backing`; raising OSError is answering with its errno."""

        use_ns = True

        def __init__(self) -> None:
            self.fault = Fault()
            self.counts: Counter[str] = Counter()
            self.read_only = False

        def _real(self, path: str) -> str:
            return str(backing) + path

        def _wrote(self, *operation: object) -> None:
            pickle.dump(operation, log)

        def _check(self, kind: str) -> None:
            self.counts[kind] += 1
            hit = self.fault.hits(kind, self.counts[kind])
            if hit and self.fault.forever and self.fault.errno == errno.EROFS:
                self.read_only = True  # a flash that remounts itself refuses every change
            if hit or (self.read_only and kind != "sync"):
                raise FuseOSError(self.fault.errno)

        # -- told from outside

        def setxattr(
            self, path: str, name: str, value: bytes, options: int, position: int = 0
        ) -> int:
            if name == "user.note":
                self._wrote("note", value.decode())
                log.flush()
            elif name == "user.fault":
                self.fault, self.read_only = Fault(**json.loads(value)), False
                self.counts.clear()
            else:
                raise FuseOSError(errno.ENOTSUP)
            return 0

        def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
            if name == "user.count":
                return json.dumps(self.counts).encode()
            raise FuseOSError(errno.ENODATA)

        def destroy(self, path: str) -> None:
            log.close()

        # -- names

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            found = os.lstat(self._real(path))
            names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_ino", "st_blocks")
            times = {f"st_{t}time": getattr(found, f"st_{t}time_ns") for t in "amc"}
            return {name: getattr(found, name) for name in names} | times

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *os.listdir(self._real(path))]  # noqa: PTH208 - names, not paths

        def statfs(self, path: str) -> dict[str, int]:
            found = os.statvfs(self._real(path))
            names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files")
            read_only = os.ST_RDONLY if self.read_only else 0
            return {name: getattr(found, name) for name in (*names, "f_frsize", "f_namemax")} | {
                "f_flag": found.f_flag | read_only
            }

        def mkdir(self, path: str, mode: int) -> int:
            self._check("open")
            os.mkdir(self._real(path), mode)  # noqa: PTH102 - strings are what FUSE gives
            self._wrote("mkdir", path)
            return 0

        def unlink(self, path: str) -> int:
            self._check("open")
            self._wrote("unlink", path)
            os.unlink(self._real(path))  # noqa: PTH108
            return 0

        def rmdir(self, path: str) -> int:
            self._wrote("unlink", path)
            os.rmdir(self._real(path))  # noqa: PTH106
            return 0

        def rename(self, old: str, new: str) -> int:
            self._check("open")
            self._wrote("rename", old, new)
            os.rename(self._real(old), self._real(new))  # noqa: PTH104
            return 0

        def chmod(self, path: str, mode: int) -> int:
            os.chmod(self._real(path), mode)  # noqa: PTH101
            return 0

        def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
            return 0

        # -- files

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            self._check("open")
            fd = os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
            self._wrote("create", path, os.fstat(fd).st_ino)
            return fd

        def open(self, path: str, flags: int) -> int:
            if flags & os.O_ACCMODE != os.O_RDONLY:
                self._check("open")
            fd = os.open(self._real(path), flags & ~(os.O_NOFOLLOW | os.O_APPEND))
            if flags & os.O_TRUNC:
                self._wrote("truncate", os.fstat(fd).st_ino, 0)
            return fd

        def release(self, path: str, fh: int) -> int:
            os.close(fh)
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            self._check("write")
            self._wrote("write", os.fstat(fh).st_ino, offset, bytes(data))
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            self._check("truncate")
            self._wrote("truncate", os.stat(self._real(path)).st_ino, length)  # noqa: PTH116
            os.truncate(self._real(path), length)
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            ino = os.fstat(fh).st_ino
            try:
                self._check("sync")
            except OSError:
                # What Linux does: the pages are marked clean and are never written by themselves.
                self._wrote("sync_failed", ino)
                raise
            self._wrote("sync", ino)
            return 0

        def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
            self._check("sync")
            self._wrote("syncdir", path)
            return 0

    return Recorder()


class Mounted:
    """The recording file system at `path`, in a process of its own, while the context lasts."""

    def __init__(self, home: Path) -> None:
        self.path = home / "mount"
        self.backing = home / "backing"
        self.log = home / "operations"
        for directory in (self.path, self.backing):
            directory.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.disk", self.path, self.backing, self.log], cwd=ROOT
        )
        ends = time.monotonic() + 20.0
        while not self.path.is_mount():
            assert self._process.poll() is None, "the recording file system did not start"
            assert time.monotonic() < ends, "the recording file system was not mounted in 20 s"
            time.sleep(0.01)  # a poll of a condition
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        lazily = ["-z"] if kind is not None else []
        subprocess.run(["fusermount3", "-u", *lazily, self.path], check=True, capture_output=True)
        self._process.wait(20.0)

    def fail(self, fault: Fault) -> None:
        """From the next operation on; a fault without a kind heals the disk."""
        told = {name: getattr(fault, name) for name in ("kind", "at", "errno", "forever")}
        os.setxattr(self.path, "user.fault", json.dumps(told).encode())

    def counts(self) -> dict[str, int]:
        """Operations of each kind since the last `fail`."""
        found: dict[str, int] = json.loads(os.getxattr(self.path, "user.count"))
        return found


def note(mount: Path, text: str) -> None:
    """Put a note between the operations, outside every file of the disk."""
    os.setxattr(mount, "user.note", text.encode())


def main(mount: str, backing: str, log: str) -> None:
    from mfusepy import FUSE

    FUSE(
        _operations(Path(backing), Path(log)), mount, foreground=True, nothreads=True,
        fsname="posagent-crash", attr_timeout=0, entry_timeout=0,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
