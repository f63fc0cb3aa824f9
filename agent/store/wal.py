"""Reads a write-ahead log the way a sceptic does: is something missing from its middle?

SQLite recovers a WAL up to the first frame whose checksum fails and silently drops the rest. After
a power cut that is right: what follows was never acknowledged. But every commit is synced before
the next begins (`synchronous=FULL`), so a *later* commit behind the bad frame proves that the bad
one was on the flash and has changed since. Then acknowledged money is gone from the journal, and
whoever opens it must know. Format: SQLite "WAL-mode file format", sections 4.1-4.4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct(">IIIIIIII")
_FRAME = struct.Struct(">IIIIII")
_MAGIC = (0x377F0682, 0x377F0683)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a write-ahead log says about itself."""

    missing: str = ""  #: a sentence: committed frames were lost from its middle; "" otherwise
    #: The last commit is there to its end and yet does not add up. A power cut leaves this only
    #: when the end of an unfinished commit overtook its beginning; flash that changed a bit in
    #: the last commit always does. The two cannot be told apart: what the commit said is gone,
    #: and whoever opens the journal must not build on its absence.
    cut_off: bool = False


def missing_tail(path: Path) -> str:
    """A sentence saying that committed frames were lost, or "" when nothing speaks for it."""
    return read_log(path).missing


def read_log(path: Path) -> Log:
    """Reads the whole file, checksums included; a WAL is bounded at 8 MiB."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Log()
    if len(raw) < _HEADER.size:
        return Log()
    magic, _version, page_bytes, _seq, salt1, salt2, sum1, sum2 = _HEADER.unpack_from(raw)
    salts = (salt1, salt2)
    order = ">" if magic == _MAGIC[1] else "<"
    good_header = magic in _MAGIC and _sum(raw[:24], (0, 0), order) == (sum1, sum2)
    if not 512 <= page_bytes <= 65_536:
        return Log(missing="the header of the write-ahead log is damaged" if any(raw) else "")
    step = _FRAME.size + page_bytes
    frames = (len(raw) - _HEADER.size) // step
    bad = _first_bad(raw, page_bytes, salts, (sum1, sum2), order) if good_header else 0
    commits_behind, cut_off = 0, False
    for index in range(bad, frames):
        page, size, f1, f2, _, _ = _FRAME.unpack_from(raw, _HEADER.size + index * step)
        cut_off = bool(size) or (f1, f2) != salts  # what counts is the last frame
        if (f1, f2) != salts or not page:
            continue
        if commits_behind:
            # A commit, and after it a frame of a later one: the first had been synced.
            lost = f"committed changes behind frame {bad} of the write-ahead log are lost"
            return Log(missing=lost)
        commits_behind += size != 0
    return Log(cut_off=cut_off)


def _first_bad(
    raw: bytes, page_bytes: int, salts: tuple[int, int], running: tuple[int, int], order: str
) -> int:
    frames = (len(raw) - _HEADER.size) // (_FRAME.size + page_bytes)
    step = _FRAME.size + page_bytes
    for index in range(frames):
        start = _HEADER.size + index * step
        _, _, f1, f2, sum1, sum2 = _FRAME.unpack_from(raw, start)
        running = _sum(raw[start : start + 8], running, order)
        running = _sum(raw[start + _FRAME.size : start + step], running, order)
        if (f1, f2) != salts or running != (sum1, sum2):
            return index
    return frames


def _sum(chunk: bytes, running: tuple[int, int], order: str) -> tuple[int, int]:
    """The WAL checksum: a Fibonacci-weighted sum over pairs of 32-bit words."""
    s0, s1 = running
    words = struct.unpack(f"{order}{len(chunk) // 4}I", chunk)
    for index in range(0, len(words), 2):
        s0 = (s0 + words[index] + s1) & 0xFFFFFFFF
        s1 = (s1 + words[index + 1] + s0) & 0xFFFFFFFF
    return s0, s1
