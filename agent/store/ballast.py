"""A file of real blocks, given up when the storage is full so that answers can still be written.

A host has posted the payment and the disk has no room to say so: that is what it is for. It is made
in small pieces while nobody waits, again after there is room, and while it is gone new payments are
refused (gate). Written with chance bytes: file systems that compress or skip zeros would keep
nothing free. On the writer thread only.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from agent.durable import sync_directory

log = logging.getLogger(__name__)

PIECE_BYTES = 65_536
#: Made again only when this many times its size is free: else it would come and go.
MARGIN = 2
AGAIN_S = 5.0
BETWEEN_S = 0.01


class Ballast:
    """The reserve of one store. A size of 0: there is none."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._made_bytes = self._found()
        #: Given up, or never made for want of room.
        self.gone = not self.whole and not self._roomy()
        self._next_s = 0.0

    @property
    def whole(self) -> bool:
        return self._made_bytes >= self._size_bytes

    def room(self) -> bool:
        """Whether there is enough left for a payment beside what is under way."""
        return self._free_bytes() >= self._size_bytes // 2

    def give_up(self) -> bool:
        """Free its blocks. False if there were none."""
        freed = self._made_bytes > 0
        self._made_bytes, self.gone = 0, self._size_bytes > 0
        if freed:
            self._remove()
            log.warning("event=reserve_in_use freed_bytes=%d", self._size_bytes)
        return freed

    def wait_s(self, now_s: float) -> float | None:
        """How long until there is something to do; None: nothing."""
        return None if self.whole else max(0.0, self._next_s - now_s)

    def step(self, now_s: float) -> None:
        """Make a piece of it, if there is room."""
        if self.whole:
            return
        self._next_s = now_s + AGAIN_S
        if not self._made_bytes and not self._roomy():
            self.gone = True
            return
        try:
            whole = self._piece()
        except OSError as error:
            log.info("event=reserve_not_made reason=%r", error.strerror)
            self._made_bytes, self.gone = 0, True
            self._remove()
            return
        self._next_s = now_s + BETWEEN_S
        if whole and self.gone:
            self.gone = False
            log.info("event=reserve_back bytes=%d", self._size_bytes)

    def _piece(self) -> bool:
        """One more; whether it was the last."""
        length = min(PIECE_BYTES, self._size_bytes - self._made_bytes)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._path, flags | (0 if self._made_bytes else os.O_TRUNC), 0o600)
        try:
            if os.pwrite(fd, os.urandom(length), self._made_bytes) != length:
                raise OSError(0, "a piece was cut short")
            os.fsync(fd)
        finally:
            os.close(fd)
        self._made_bytes += length
        return self.whole

    def _found(self) -> int:
        try:
            return os.stat(self._path).st_size if self._size_bytes else 0  # noqa: PTH116
        except OSError:
            return 0

    def _remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
            sync_directory(self._path.parent)
        except OSError as error:
            log.warning("event=reserve_stuck reason=%r", error.strerror)

    def _roomy(self) -> bool:
        return self._free_bytes() >= MARGIN * self._size_bytes

    def _free_bytes(self) -> int:
        try:
            found = os.statvfs(self._path.parent)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize
