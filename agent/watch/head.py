"""The beginning of a file somebody else writes: a pid file, a version file, a manifest.

Decides that only a regular file is read, and no more of it than asked for: whoever may write there
could otherwise put a pipe in its place, which hangs, or a device without end. What the kernel
writes is `kernel_files`. Called by the watchers of software and of the payment app. Blocking.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def head_of(path: Path, max_bytes: int) -> bytes:
    """The first bytes. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return file.read(max_bytes)
