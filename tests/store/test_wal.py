"""What a write-ahead log says about itself, also when it was begun again over older rounds."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agent.store.opening import connect
from agent.store.wal import Log, read_log

HEADER, FRAME, PAGE = 32, 24, 1024
STEP = FRAME + PAGE
SOUND, CUT_OFF = Log(), Log(cut_off=True)


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A database under the store's rules, with a table in it."""
    with closing(connect(path)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE IF NOT EXISTS t (x)")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        yield db


def commit(db: sqlite3.Connection, rows: int = 3) -> None:
    """One transaction of about so many frames."""
    db.execute("BEGIN")
    for _ in range(rows):
        db.execute("INSERT INTO t VALUES (randomblob(900))")
    db.execute("COMMIT")


class Copy:
    """A log as a power cut left it, to be damaged."""

    def __init__(self, log: Path, to: Path) -> None:
        self.path = to
        self.raw = bytearray(log.read_bytes())

    def read(self) -> Log:
        self.path.write_bytes(self.raw)
        return read_log(self.path)

    def commits(self) -> list[range]:
        """The frames of each commit of the newest round."""
        found, first = [], 0
        for index in range((len(self.raw) - HEADER) // STEP):
            _, size, salt1 = struct.unpack_from(">III", self.raw, HEADER + index * STEP)
            if salt1 != struct.unpack_from(">I", self.raw, 16)[0]:
                break
            if size:
                found.append(range(first, index + 1))
                first = index + 1
        return found

    def fill(self, frame: int, start: int, end: int, old: bytes | None = None) -> None:
        """Bytes of a frame as they were before it was written."""
        at = HEADER + frame * STEP
        self.raw[at + start : at + end] = (old or bytes(len(self.raw)))[at + start : at + end]


@pytest.fixture(params=["new", "begun again", "after a start", "after a start, begun again"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Copy, bytes]]:
    """A log of five commits, and what lay in its blocks before the last of them."""
    source = tmp_path / "j.db-wal"
    if "start" in request.param:
        with database(tmp_path / "j.db") as db:
            commit(db)
    with database(tmp_path / "j.db") as db:
        if "again" in request.param:
            for _ in range(3):
                for _ in range(20):
                    commit(db)
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        for _ in range(4):
            commit(db)
        before = source.read_bytes()
        commit(db)
        copy = Copy(source, tmp_path / "cut")
        yield copy, before.ljust(len(copy.raw), b"\0")


def test_a_sound_log_raises_no_doubt(log: tuple[Copy, bytes]) -> None:
    """Frames of earlier rounds behind its end are no part of it."""
    copy, _ = log
    assert len(copy.commits()) >= 5
    assert copy.read() == SOUND


def test_a_power_cut_that_wrote_in_order_raises_no_doubt(log: tuple[Copy, bytes]) -> None:
    """The last commit stops at a sector before the word that ends it: nothing was acknowledged."""
    copy, before = log
    last = copy.commits()[-1]
    whole, ends = bytes(copy.raw), HEADER + (len(last) - 1 + last[0]) * STEP
    for cut in range((HEADER + last[0] * STEP) // 512 * 512, ends + 1, 512):
        copy.raw[:] = whole[:cut] + before[cut:]
        assert copy.read() == SOUND, cut


def test_a_last_commit_that_came_in_another_order_is_doubted(log: tuple[Copy, bytes]) -> None:
    """Its end arrived and its beginning did not: as if it had been there and had changed."""
    copy, before = log
    copy.fill(copy.commits()[-1][0], 0, STEP, before)
    assert copy.read() == CUT_OFF


@pytest.mark.parametrize("value", [0x00, 0xFF, 0x5A])
def test_a_wiped_sector_at_the_end_of_the_last_commit_is_doubted(
    log: tuple[Copy, bytes], value: int
) -> None:
    """It may have held the very word that ended a commit that was acknowledged."""
    copy, _ = log
    head = HEADER + copy.commits()[-1][-1] * STEP
    start = head // 512 * 512
    copy.raw[start : start + 512] = bytes([value]) * 512
    assert copy.read() == CUT_OFF


def test_what_lies_further_behind_raises_no_doubt(log: tuple[Copy, bytes]) -> None:
    """Old frames that have changed were of no use before either."""
    copy, _ = log
    first = copy.commits()[-1][-1] + 1
    for frame in range(first + 1, (len(copy.raw) - HEADER) // STEP):
        copy.fill(frame, 0, FRAME)
    assert copy.read() == SOUND


@pytest.mark.parametrize("bit", range(FRAME * 8))
def test_any_bit_of_the_last_head_is_found(log: tuple[Copy, bytes], bit: int) -> None:
    """Also the one that makes the end of a commit look like its middle."""
    copy, _ = log
    copy.raw[HEADER + copy.commits()[-1][-1] * STEP + bit // 8] ^= 1 << bit % 8
    assert copy.read() == CUT_OFF


def test_the_only_bit_of_the_size_is_found(tmp_path: Path) -> None:
    """A database of 2, 4, 8 … pages: one bit less and the commit has no end."""
    with database(tmp_path / "j.db") as db:
        copies = []
        for number in range(12):
            commit(db, 1)
            copies.append(Copy(tmp_path / "j.db-wal", tmp_path / f"cut-{number}"))
    tried = 0
    for copy in copies:
        at = HEADER + copy.commits()[-1][-1] * STEP + 4
        size = int.from_bytes(copy.raw[at : at + 4], "big")
        if size.bit_count() == 1:
            copy.raw[at : at + 4] = bytes(4)
            assert copy.read() == CUT_OFF
            tried += 1
    assert tried >= 2


def test_a_hole_with_a_later_commit_behind_it_is_damage(log: tuple[Copy, bytes]) -> None:
    """Every frame of every earlier commit, a bit of its head, its salts or its page."""
    copy, _ = log
    whole = bytes(copy.raw)
    for frames in copy.commits()[:-1]:
        for frame in frames:
            for at in (0, 5, 9, 14, 18, 23, FRAME + 7, STEP - 1):
                copy.raw[:] = whole
                copy.raw[HEADER + frame * STEP + at] ^= 0x10
                assert "lost" in copy.read().missing, (frame, at)


@pytest.mark.parametrize("bit", range(HEADER * 8))
def test_any_bit_of_the_header_is_damage(log: tuple[Copy, bytes], bit: int) -> None:
    """SQLite would drop the whole log without a word; the page size is no exception."""
    copy, _ = log
    copy.raw[bit // 8] ^= 1 << bit % 8
    assert "header" in copy.read().missing


def test_a_head_torn_between_two_sectors_is_no_commit(tmp_path: Path) -> None:
    """An old word "a commit ends here" before new salts proves no commit."""
    with database(tmp_path / "j.db") as db:
        for _ in range(300):
            commit(db, 1)
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        before = (tmp_path / "j.db-wal").read_bytes()
        commit(db, 400)
        copy = Copy(tmp_path / "j.db-wal", tmp_path / "cut")
    frames = copy.commits()[-1]
    old_ends = [
        frame
        for frame in frames[1:-1]
        if (HEADER + frame * STEP + 8) % 512 == 0
        and int.from_bytes(before[HEADER + frame * STEP + 4 :][:4], "big")
    ]
    whole = bytes(copy.raw)
    for frame in old_ends:
        copy.raw[:] = whole
        copy.fill(frame, 0, 8, before)
        assert copy.read() == CUT_OFF, frame
    assert old_ends


def test_a_large_change_that_was_taken_back_is_no_later_commit(tmp_path: Path) -> None:
    """Its frames stay behind the end of the log, under the same salts; they prove nothing."""
    with database(tmp_path / "j.db") as db:
        commit(db)
        db.execute("BEGIN")
        for _ in range(1500):  # more than the page cache holds
            db.execute("INSERT INTO t VALUES (randomblob(900))")
        db.execute("ROLLBACK")
        commit(db)
        copy = Copy(tmp_path / "j.db-wal", tmp_path / "cut")
    assert len(copy.raw) > 1 << 20
    copy.fill(copy.commits()[-1][0], 0, STEP)
    assert copy.read() == CUT_OFF


def test_a_log_that_was_to_be_cut_short_is_no_part_of_the_new_one(tmp_path: Path) -> None:
    """The cut never reached the flash; the first salts may be the same, since both count from 1."""
    with database(tmp_path / "j.db") as db:
        commit(db)  # the very first log begins anywhere
    with database(tmp_path / "j.db") as db:
        for _ in range(6):
            commit(db)
        old = Copy(tmp_path / "j.db-wal", tmp_path / "old")
    with database(tmp_path / "j.db") as db:
        commit(db)
        new = Copy(tmp_path / "j.db-wal", tmp_path / "cut")
    assert old.raw[16:20] == new.raw[16:20]
    for kept in (HEADER, HEADER + STEP, len(new.raw)):
        new.raw[:] = new.raw[:kept] + old.raw[kept:]
        assert new.read() == SOUND
