"""Files that are read again only when they are others than before.

What was made of a file is kept with its inode, size and times; looking whether it changed is one
stat. Knows no formats. Called by `agent.watch.software.sources` and `…manifests`, on a thread that
may wait.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.record import dataclass
from agent.watch.head import head_of

Signature = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """What a file says. `value` is None and `why` a reason where it could not be read."""

    value: Any
    changed_ms: int | None = (
        None  #: UTC, when it was put there: its inode's time, not its content's
    )
    why: str = ""


class Files:
    """What was read of each."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, object], tuple[Signature | None, Told]] = {}
        self.reads = 0  #: files opened so far

    def read(self, path: Path, parse: Callable[[Path], Any], what: object = None) -> Told:
        """`parse` of the file, made anew only if it changed. `what` tells two uses of it apart.

        `parse` may raise OSError and ValueError.
        """
        try:
            found = path.stat()
        except OSError as error:
            self._kept.pop((path, what), None)
            return Told(None, why=_why(path, error))
        signature = (
            found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns,
        )  # fmt: skip
        kept = self._kept.get((path, what))
        if kept is not None and kept[0] == signature:
            return kept[1]
        self.reads += 1
        try:
            told = Told(parse(path), found.st_ctime_ns // 1_000_000)
        except (OSError, ValueError) as error:
            told = Told(None, why=_why(path, error))
        self._kept[path, what] = signature, told
        return told


def text_of(path: Path, max_bytes: int) -> str:
    """The beginning of a file as text. Raises OSError."""
    return head_of(path, max_bytes).decode("utf-8", "replace")


def _why(path: Path, error: OSError | ValueError) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    hint = " (needs the right to read it)" if isinstance(error, PermissionError) else ""
    return f"{path}: {said}{hint}"
