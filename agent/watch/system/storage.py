"""Storage: which file systems matter, how full they are, whether they turned read-only.

Matters: the one that holds the store, and the configured mount points. An image that is built
read-only (squashfs, erofs) is always full and never a fault; a file system seen writable that is
read-only now has given up on its flash.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from agent.record import dataclass
from agent.watch.kernel_files import text, whole

#: Cannot be written by design.
IMAGES = frozenset({"squashfs", "erofs", "iso9660", "cramfs", "romfs"})
_ESCAPED = re.compile(r"\\([0-7]{3})")
MB = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A line of /proc/self/mounts."""

    device: str
    point: Path
    kind: str
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One file system as it is now."""

    path: str
    free_mb: int
    total_mb: int
    limit_mb: int

    @property
    def share(self) -> float:
        """What is left against what must be; at most 1: too little."""
        return self.free_mb / self.limit_mb

    def __str__(self) -> str:
        return f"{self.path} {self.free_mb}/{self.total_mb} MB"


def mounts(told: str) -> list[Mount]:
    """What is mounted, in the kernel's order; lines that are none are left out."""
    found: list[Mount] = []
    for line in told.splitlines():
        fields = line.split(" ")
        if len(fields) >= 4 and fields[1].startswith("/"):
            found.append(
                Mount(
                    device=fields[0],
                    point=Path(_ESCAPED.sub(lambda hit: chr(int(hit[1], 8)), fields[1])),
                    kind=fields[2],
                    read_only="ro" in fields[3].split(","),
                )
            )
    return found


def mounted(root: Path) -> list[Mount]:
    """What is mounted on this machine."""
    return mounts(text(root / "proc/self/mounts", 1 << 20))


def holding(path: Path, every: Iterable[Mount]) -> Mount | None:
    """The mount that holds `path`. Of two on one place the later counts."""
    best: Mount | None = None
    for one in every:
        longer = best is None or len(one.point.parts) >= len(best.point.parts)
        if path.is_relative_to(one.point) and longer:
            best = one
    return best


def read_only(root: Path, storage: Path) -> bool | None:
    """Whether the file system holding `storage` is mounted read-only; None if not told."""
    found = holding(storage, mounted(root))
    return None if found is None else found.read_only


def further(wanted: Iterable[str], every: list[Mount]) -> list[Mount]:
    """Of the wanted mount points those that are mounted and no image."""
    found: list[Mount] = []
    for point in wanted:
        here = [one for one in every if one.point == Path(point)]
        if here and here[-1].kind not in IMAGES:
            found.append(here[-1])
    return found


def volume(path: Path, limit_mb: int) -> Volume | None:
    """How full it is; None where nobody can tell."""
    try:
        told = os.statvfs(path)
    except OSError:
        return None
    total_mb = told.f_blocks * told.f_frsize // MB
    if not total_mb:
        return None
    return Volume(
        path=str(path),
        free_mb=told.f_bavail * told.f_frsize // MB,
        total_mb=total_mb,
        # A partition of 32 MB for settings is not low because it is small.
        limit_mb=max(1, min(limit_mb, total_mb // 10)),
    )


def device_of(path: Path) -> int | None:
    """The kernel's number of the file system: two paths on one are looked at once."""
    try:
        return path.stat().st_dev
    except OSError:
        return None


def errors(root: Path, mount: Mount) -> int | None:
    """Errors ext4 found on it since it was made or checked; None where nobody counts."""
    name = mount.device.rsplit("/", 1)[-1]
    return whole(text(root / "sys/fs/ext4" / name / "errors_count")) if name else None


def existing(path: Path) -> Path:
    """`path`, or the nearest directory above it that is there already."""
    for one in (path, *path.parents):
        try:
            if one.exists():
                return one.resolve()
        except OSError:
            continue
    return Path("/")


def held_kb(path: Path) -> int | None:
    """Real blocks of a file, in KiB; None where it is not there."""
    try:
        return path.stat().st_blocks // 2
    except OSError:
        return None
