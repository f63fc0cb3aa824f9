"""Reads what can still be read of a damaged journal, to be counted or looked at by a person.

`.recover` and its like may bring deleted rows back and alter values; nothing found this way is
believed for sending. Counting is for the backlog and the guard: money put aside is still unsent.
What still has its MAC, its digest and its seal can be taken back (`salvaged`), and only held.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from agent.store.rows import FIRST_FINAL

log = logging.getLogger(__name__)


def count_copy(path: Path) -> tuple[int, dict[str, int]] | None:
    """Count on a copy: a journal put aside must stay exactly as it was found."""
    import shutil  # damage is rare, and these bring the archive formats along (0.8 MB)
    import tempfile

    with tempfile.TemporaryDirectory(prefix="posagent-") as scratch:
        copy = Path(scratch) / "journal.db"
        try:
            for suffix in ("", "-wal"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, copy.with_name(copy.name + suffix))
        except OSError as error:
            log.warning("event=quarantine_not_copied reason=%r", error.strerror)
            return None
        return count_unsent(copy)


def count_unsent(path: Path) -> tuple[int, dict[str, int]] | None:
    """Unsent records and their amounts by currency in a *copy* of a journal.

    None when nothing at all can be read; otherwise a lower bound where pages are missing.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error:
        return None
    try:
        return _walk(db)
    finally:
        db.close()


def _walk(db: sqlite3.Connection) -> tuple[int, dict[str, int]] | None:
    count, amounts, last, top = 0, dict[str, int](), 0, 0
    try:
        # One row from each end bounds the walk even when the middle is gone.
        top = db.execute("SELECT max(seq) FROM tx").fetchone()[0] or 0
    except sqlite3.Error:
        return None
    while last < top:
        try:
            rows = db.execute(
                "SELECT seq, state, amount_minor, currency FROM tx NOT INDEXED "
                "WHERE seq > ? ORDER BY seq LIMIT 100",
                (last,),
            )
            read = 0
            for seq, state, minor, currency in rows:
                read, last = read + 1, seq
                if isinstance(state, int) and state < FIRST_FINAL:
                    count += 1
                    if isinstance(currency, str) and isinstance(minor, int):
                        amounts[currency] = amounts.get(currency, 0) + minor
            if not read:
                break
        except sqlite3.Error:
            last += 1  # step over the page that cannot be read
    return count, amounts
