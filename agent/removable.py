"""A USB stick or memory card that is plugged in and mounted, and a file written onto it.

Found by what the kernel says of its block device (removable, or behind USB), never by its name; the
terminal's own disks are out of the question. It mounts nothing. Called by the command line and by
whoever offers a button for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.durable import sync_directory
from agent.errors import OperatorError
from agent.record import dataclass

_ESCAPE = re.compile(r"\\([0-7]{3})")
#: Never a place for a stick, whatever is mounted there.
_OURS = frozenset({"/", "/boot", "/boot/efi", "/usr", "/var", "/etc", "/home", "/data"})
COPY_BYTES = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """Something a technician plugged in."""

    device: str  #: sdb
    folder: Path  #: where it is mounted
    writable: bool
    free_bytes: int


def mounted(root: str = "") -> Sequence[Medium]:
    """The media there are, by device. `root` stands before /sys, /proc and the mount points."""
    found = []
    for source, target, options in _mounts(root):
        disk = _disk(root, source.rpartition("/")[2]) if source.startswith("/dev/") else ""
        if not disk or target in _OURS or not _goes(root, disk):
            continue
        folder = Path(root + target)
        try:
            room = os.statvfs(folder)
        except OSError:
            continue
        found.append(
            Medium(
                device=disk,
                folder=folder,
                writable="rw" in options and os.access(folder, os.W_OK),
                free_bytes=room.f_bavail * room.f_frsize,
            )
        )
    return sorted(found, key=lambda medium: (medium.device, medium.folder))


def chosen(media: Sequence[Medium]) -> Medium:
    """The one to write to. Raises OperatorError, in one sentence a person can act on."""
    if not media:
        raise OperatorError("usb.none", "no USB stick is mounted", "plug one in, then try again")
    writable = [medium for medium in media if medium.writable]
    if not writable:
        raise OperatorError(
            "usb.read_only",
            f"the medium at {media[0].folder} cannot be written",
            "slide its write lock, or run this as root",
        )
    if len({medium.device for medium in writable}) > 1:
        raise OperatorError("usb.several", "more than one USB stick is mounted", "leave one in")
    return writable[0]


def copied(file: Path, medium: Medium, name: str) -> Path:
    """Put `file` onto the medium, on its flash when this returns. Raises OperatorError."""
    size = file.stat().st_size
    if size > medium.free_bytes:
        raise OperatorError(
            "usb.full",
            f"{medium.folder} has {medium.free_bytes} bytes free, {size} are needed",
            "free some space on it, or take another one",
        )
    target = medium.folder / name
    part = target.with_name(name + ".part")
    try:
        # Whoever prepared the stick knows the name: nothing that waits there is written through.
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as out, file.open("rb") as source:
            while piece := source.read(COPY_BYTES):
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
        sync_directory(medium.folder)
        # Read back from the medium's own file system: a stick that was pulled fails here.
        if target.stat().st_size != size:
            raise OSError(0, "the file is shorter than it was written")
    except OSError as error:
        raise OperatorError(
            "usb.failed",
            f"cannot write to {medium.folder}: {(error.strerror or str(error)).lower()}",
            "check the stick, or take another one",
        ) from error
    return target


def _mounts(root: str) -> Iterator[tuple[str, str, Sequence[str]]]:
    try:
        text = Path(root or "/", "proc/mounts").read_text("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) >= 4:
            yield _plain(fields[0]), _plain(fields[1]), fields[3].split(",")


def _plain(field: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)


def _disk(root: str, name: str) -> str:
    """The whole disk a block device is, or is a partition of; "" if it is none."""
    blocks = Path(root or "/", "sys/block")
    if (blocks / name).exists():
        return name
    try:
        disks = sorted(disk.name for disk in blocks.iterdir())
    except OSError:
        return ""
    return next((disk for disk in disks if (blocks / disk / name).exists()), "")


def _goes(root: str, disk: str) -> bool:
    """Whether it can be pulled out."""
    place = Path(root or "/", "sys/block", disk)
    try:
        if (place / "removable").read_text("ascii").strip() == "1":
            return True
        return any(part.startswith("usb") for part in place.resolve().parts)
    except (OSError, ValueError):
        return False
