"""When the write-ahead log is carried over into the database.

It is never cut short while the agent runs, only begun again: writing over blocks the file has
already costs one sync of their content, growing it costs the file system's own journal as well
(0.25 against 0.45 ms a commit on ext4, and as much more flash). So the file keeps its largest size
and does not say how much of it is in use; what has been changed since tells when it is worth it.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Checkpoints are few on purpose (each is two syncs and a chance to be cut), and bounded.
BYTES = 1 << 20
HARD_BYTES = 8 << 20
#: Rows changed, one payment at a time, that fill about a MiB.
CHANGES = 600


class LogBound:
    """On the writer's thread; `changes` is the connection's count of changed rows."""

    def __init__(self, log_file: Path) -> None:
        self._file = str(log_file)
        self._size_bytes = 0  # when it was last carried over
        self._changes = 0

    def due(self, changes: int, *, idle: bool) -> bool:
        """Whether to do it now: in a quiet moment a MiB is worth it, in between only the bound."""
        try:
            size_bytes = os.stat(self._file).st_size  # noqa: PTH116 - after every commit
        except OSError:
            return False
        # Larger than it was when it was begun again: everything before that is in use.
        if size_bytes > self._size_bytes and size_bytes >= (BYTES if idle else HARD_BYTES):
            return True
        return idle and changes - self._changes >= CHANGES

    def carried_over(self, changes: int) -> None:
        """The next commit begins at the front of the file."""
        self._changes = changes
        try:
            self._size_bytes = os.stat(self._file).st_size  # noqa: PTH116
        except OSError:
            self._size_bytes = 0
