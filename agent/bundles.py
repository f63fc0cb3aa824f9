"""Where support bundles lie: a folder of their own that never grows beyond the newest few.

Names, sizes and pieces only; what is in them is `agent.offloaded.bundle`'s business. Called by the
actions through main, and by the command line over a folder of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent import chance
from agent.record import dataclass

#: What one answer of the local API carries.
PIECE_BYTES = 262_144
_FILE = re.compile(r"[0-9a-f]{16}\.tar\.gz")


class Shelf:
    """The bundles kept in one folder."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep

    def place(self) -> tuple[str, Path]:
        """Id and file of the next one; what is older than the newest few is gone. OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for part in self._folder.glob("*.part"):
            part.unlink(missing_ok=True)
        for old in self._kept()[max(0, self._keep - 1) :]:
            old.unlink(missing_ok=True)
        bundle_id = chance.name()
        return bundle_id, self._folder / f"{bundle_id}.tar.gz"

    def piece(self, bundle_id: str, number: int) -> tuple[bytes, bool] | None:
        """Some bytes, and whether they are the last; None: there is no such piece."""
        file = self._folder / f"{bundle_id}.tar.gz"
        if not _FILE.fullmatch(file.name):
            return None
        try:
            with file.open("rb") as opened:
                size = os.fstat(opened.fileno()).st_size
                opened.seek(number * PIECE_BYTES)
                found = opened.read(PIECE_BYTES)
        except OSError:
            return None
        return (found, (number + 1) * PIECE_BYTES >= size) if found else None

    def _kept(self) -> Sequence[Path]:
        """The newest first."""
        found = [file for file in self._folder.iterdir() if _FILE.fullmatch(file.name)]
        return sorted(found, key=lambda file: (-file.stat().st_mtime_ns, file.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an action needs to make one. `log` gives the newest lines of our own log."""

    shelf: Shelf
    max_bytes: int
    log_lines: int
    root: str  #: of the system; "" where it is the real one
    unit: str
    folders: Sequence[str]
    secret_files: Sequence[str]
    config: Sequence[str]  #: in force, secrets masked
    log: Sequence[str]
    facts: Mapping[str, str]
