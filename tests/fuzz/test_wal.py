"""Write-ahead logs of any content: a verdict, in bounded time, and true of good and torn ones."""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.wal import Log, _sum, read_log
from tests.fuzz.effort import SECRET, effort, mutated, silent

PAGE_BYTES = 512
STEP = PAGE_BYTES + 24


@cache
def good() -> bytes:
    """A log of a dozen commits, as SQLite writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.db"
        db = sqlite3.connect(path, isolation_level=None)
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("CREATE TABLE t (a)")
        for number in range(10):
            db.execute("INSERT INTO t VALUES (?)", (f"{SECRET} {number}" * 5,))
        raw = path.with_name("j.db-wal").read_bytes()
        db.close()
    return raw


@cache
def place() -> Path:
    return Path(tempfile.mkdtemp(prefix="wal-")) / "log"


def read(raw: bytes) -> Log:
    place().write_bytes(raw)
    found = read_log(place())
    silent(found.missing)
    return found


def headed(page_bytes: int, *, big: bool = False) -> bytes:
    """A header that adds up, with any size of page."""
    order = ">" if big else "<"
    head = struct.pack(">IIIIII", 0x377F0682 + big, 3007000, page_bytes, 0, 1, 2)
    return head + struct.pack(">II", *_sum(head, (0, 0), order))


TELLING = [b"\x00" * STEP, b"\xff" * 24, headed(PAGE_BYTES), b"\x37\x7f\x06\x82", b"\x00" * 4]


def test_a_good_log_misses_nothing() -> None:
    """Whole, or ended at any commit or inside one: what a power cut leaves."""
    assert read(good()) == Log()
    for end in range(32, len(good()), STEP // 2):
        assert not read(good()[:end]).missing


@effort(150)
@given(mutated(st.builds(good), TELLING))
def test_any_damage_gets_a_verdict(raw: bytes) -> None:
    """Changed, cut, moved: never an exception, never a quotation."""
    read(raw)


@effort(150)
@given(
    st.sampled_from([0, 1, 2, 3, 4, 7, 8, 24, 511, 512, 1024, 65536, 65537, 2**31, 2**32 - 1]),
    st.booleans(),
    st.binary(max_size=3_000),
)
def test_no_size_of_page_is_believed_blindly(page_bytes: int, big: bool, rest: bytes) -> None:
    """A header that adds up may still say nonsense: a verdict, not an exception."""
    own = struct.pack(">IIII", 1, 1, 1, 2)  # the salts of the header: a frame of this round
    read(headed(page_bytes, big=big) + own + rest)
    read(headed(page_bytes, big=big) + own * 40 + rest)


@effort(60)
@given(st.integers(0, 11), st.integers(0, STEP * 8 - 1))
def test_a_flipped_bit_in_front_of_later_commits_is_told(frame: int, bit: int) -> None:
    """What was synced before a later commit has changed since: told as missing or cut off."""
    raw = bytearray(good())
    frames = (len(raw) - 32) // STEP
    at = 32 + frame % (frames - 2) * STEP + bit // 8
    raw[at] ^= 1 << bit % 8
    found = read(bytes(raw))
    assert found.missing or found.cut_off


@pytest.mark.parametrize("content", [b"\x00", b"\xff", b""])
def test_the_largest_log_is_read_in_a_moment(content: bytes) -> None:
    """Eight mebibytes of frames that are none, or of this round again and again."""
    size = 8 * 1024 * 1024
    content = content or good()[32 : 32 + STEP]
    read(good()[:32] + (content * (size // len(content)))[:size])


def test_a_short_or_missing_log_is_no_damage(tmp_path: Path) -> None:
    """Nothing written yet."""
    assert read_log(tmp_path / "none") == Log()
    assert read(b"") == Log()
    assert read(good()[:31]) == Log()
