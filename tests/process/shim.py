"""Switches of the LD_PRELOAD shim (tests/rigs/shim.c): flash and clocks that fail on command.

Built once per test session with the machine's own C compiler. Where there is none the tests that
need it are skipped with a reason that says what was not tried.
"""

from __future__ import annotations

import atexit
import errno
import functools
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "rigs" / "shim.c"
#: In the order of the enumeration in shim.c.
WORDS = (
    "sync_delay_us",
    "sync_hang",
    "sync_fail_at",
    "write_errno",
    "open_errno",
    "open_hang",
    "clock_offset_s",
    "syncs",
    "writes",
    "hanging",
)
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

needs_shim = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"),
    reason="no C compiler: failing flash, full disk and wrong clock were NOT tried",
)


@functools.cache
def _library() -> Path:
    assert COMPILER is not None
    directory = Path(tempfile.mkdtemp(prefix="posagent-shim-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    library = directory / "shim.so"
    subprocess.run(
        [COMPILER, "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"],
        check=True,
        capture_output=True,
        text=True,
    )
    return library


class Shim:
    """One process's shim: attributes of `WORDS` read and write the shared words."""

    def __init__(self, directory: Path, prefix: Path, hang: Path | None = None) -> None:
        self._file = directory / "shim.words"
        self._file.write_bytes(b"\0" * 8 * len(WORDS))
        self._fd = os.open(self._file, os.O_RDWR)
        self._words = mmap.mmap(self._fd, 8 * len(WORDS))
        self.environment = {
            "LD_PRELOAD": str(_library()),
            "POSAGENT_SHIM": str(self._file),
            "POSAGENT_SHIM_PREFIX": str(prefix.resolve()),
            "POSAGENT_SHIM_HANG": "" if hang is None else str(hang),
        }

    def set(self, name: str, value: int) -> None:
        """The very next call of the process obeys it."""
        struct.pack_into("@q", self._words, 8 * WORDS.index(name), value)

    def get(self, name: str) -> int:
        return int(struct.unpack_from("@q", self._words, 8 * WORDS.index(name))[0])

    def read_only(self) -> None:
        """As a flash that remounted itself read-only."""
        self.set("open_errno", errno.EROFS)
        self.set("write_errno", errno.EROFS)

    def full(self) -> None:
        self.set("write_errno", errno.ENOSPC)

    def well(self) -> None:
        """Everything works again."""
        for name in WORDS[:7]:
            self.set(name, 0)

    def close(self) -> None:
        self.well()
        self._words.close()
        os.close(self._fd)
