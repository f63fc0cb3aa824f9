"""Small files that must survive a power cut: whole and on disk, or as they were before.

Owner only, written beside, synced, renamed, and the directory synced after: without the last a
renamed file may still be the old one after the cut. Knows no content. Called by the key ring, the
store, and the watchers that keep a file of their own in the state directory. Blocking.
"""

from __future__ import annotations

import os
from pathlib import Path


def replaced(path: Path, content: bytes) -> None:
    """`path` holds exactly this when it returns. Raises OSError."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    # Never through what somebody else has put there: a link, a file others can read.
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names created, renamed or removed in `directory` durable. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
