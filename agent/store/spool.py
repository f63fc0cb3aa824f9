"""A file that lies beside the journal while it comes in pieces; never there after a start.

Not synced: what a power cut takes is sent again. Called by the actions through a port.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent.errors import StoreError


class Spool:
    """One file of the state directory, readable by nobody else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self) -> None:
        """Empty it."""
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            os.close(fd)
        except OSError as error:
            raise _refused(self._path, error) from error

    def add(self, piece: bytes) -> None:
        """The next bytes. Raises StoreError where there is no room for them."""
        try:
            with self._path.open("ab") as file:
                file.write(piece)
        except OSError as error:
            raise _refused(self._path, error) from error

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        """All of it again."""
        try:
            with self._path.open("rb") as file:
                while piece := file.read(size_bytes):
                    yield piece
        except OSError as error:
            raise _refused(self._path, error) from error

    def drop(self) -> None:
        """Nothing of it is left."""
        self._path.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> StoreError:
    return StoreError(
        "store.full", f"{path.name}: {error.strerror}", "free storage on this terminal"
    )
