"""Small files of /proc and /sys, read without surprises: what cannot be read is not there.

An attribute may vanish between being listed and being read, belong to root, answer EIO because its
chip sleeps, or hold anything at all. None of that is a fault of what it describes. Called by every
watcher that looks at the kernel's files; blocks for as long as a small read takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 65_536


def text(path: Path, most: int = MOST_BYTES) -> str:
    """What a file says, stripped; "" where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(most).decode("utf-8", "replace").strip().strip("\0")
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return ""


def number(said: str) -> float | None:
    """A finite decimal number."""
    try:
        value = float(said)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(said: str) -> int | None:
    """A whole number, decimal or 0x…; None for anything else."""
    try:
        return int(said.strip(), 0) if len(said) <= 40 else None
    except ValueError:
        return None


def inside(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """What a directory holds, in order; nothing where it cannot be read."""
    try:
        yield from sorted(folder.glob(pattern))
    except OSError:
        return
