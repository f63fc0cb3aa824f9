"""The highest sequence taken from each key, kept outside the databases.

Two slots behind those of the counters file, written in turn like them; older agents neither read
nor overwrite them. What is kept nowhere else: since when there was no gap. Where both slots are
gone, whoever relies on sequences must know that older commands may have been done already. Called
by `store.orders`, on the writer's thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from agent.record import dataclass

_SLOT_BYTES = 512
_FIRST = 2 * _SLOT_BYTES  #: behind the counters
_HEAD = struct.Struct(">IIQ")  # magic, crc32 of the rest, generation
_MAGIC = 0x504F5351
#: Keys remembered; 8 of them fill little more than half of a slot.
MOST_KEYS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What stands in the newest slot."""

    generation: int = 0
    since_ms: int = 0  #: wall clock; 0: not known
    last: Mapping[str, int]


class Sequences:
    """Those of one terminal."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = path
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raw = b""
        found = [
            kept
            for start in (_FIRST, _FIRST + _SLOT_BYTES)
            if (kept := _slot(raw[start : start + _SLOT_BYTES])) is not None
        ]
        self._kept = max(found, key=lambda kept: kept.generation, default=Kept(last={}))

    @property
    def since_ms(self) -> int | None:
        """Since when every sequence was kept; None: they were lost, nobody knows when."""
        return self._kept.since_ms or None

    @property
    def all(self) -> Mapping[str, int]:
        """By `name_of` the keys."""
        return self._kept.last

    def last(self, key_id: str) -> int:
        """The highest sequence of this key; 0: none."""
        return self._kept.last.get(name_of(key_id), 0)

    def begin(self, now_ms: int) -> None:
        """From now on none is lost. Raises OSError."""
        self._write(now_ms, self._kept.last)

    def raise_to(self, key_id: str, seq: int) -> None:
        """Never take this sequence or a lower one of this key again. Raises OSError."""
        self.raise_name(name_of(key_id), seq)

    def raise_name(self, name: str, seq: int) -> None:
        """The same by `name_of` the key. Raises OSError."""
        if seq <= self._kept.last.get(name, 0):
            return
        others = {one: kept for one, kept in self._kept.last.items() if one != name}
        while len(others) >= MOST_KEYS:  # the one that was not heard of for longest
            del others[next(iter(others))]
        self._write(self._kept.since_ms, {**others, name: seq})

    def _write(self, since_ms: int, last: Mapping[str, int]) -> None:
        kept = Kept(generation=self._kept.generation + 1, since_ms=since_ms, last=last)
        body = json.dumps([since_ms, dict(last)], separators=(",", ":")).encode()
        tail = struct.pack(">Q", kept.generation) + body
        slot = struct.pack(">II", _MAGIC, zlib.crc32(tail)) + tail
        if len(slot) > _SLOT_BYTES:
            raise ValueError("more than a slot holds")
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            at = _FIRST + (kept.generation % 2) * _SLOT_BYTES
            os.pwrite(fd, slot.ljust(_SLOT_BYTES, b"\0"), at)
            os.fsync(fd)
        finally:
            os.close(fd)
        self._kept = kept


def name_of(key_id: str) -> str:
    """A key's id in eight characters; two keys that share them share their sequence."""
    return hashlib.blake2b(key_id.encode(), digest_size=4).hexdigest()


def _slot(raw: bytes) -> Kept | None:
    if len(raw) < _HEAD.size:
        return None
    magic, crc, generation = _HEAD.unpack_from(raw)
    tail = raw[8:].rstrip(b"\0")
    if magic != _MAGIC or zlib.crc32(tail) != crc:
        return None
    try:
        since_ms, last = json.loads(tail[8:])
        return Kept(
            generation=generation,
            since_ms=int(since_ms),
            last={str(name): int(seq) for name, seq in last.items()},
        )
    except (ValueError, TypeError, AttributeError):
        return None
