"""Puts a backup in the place of the journal, with no daemon running: all of it, or nothing changes.

The new journal is built beside the old one from pieces that each open and fit together, and only
then takes its place; a power cut in between is finished by the next start. What was there is put
aside, never overwritten, and counts as unsent money until somebody has looked. Nothing that is
restored is sent by itself (money rule 8): everything not final is held and in doubt, and the
journal is born anew, so that a payment it cannot know of is asked about first. A hand-over goes on,
because the other terminal has stopped for good: all of it is in doubt, asked about, then sent.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from agent.core.moment import Moment, at_ms
from agent.crypt import KEY_BYTES, KeyFile, SealedKey, TamperedError, unseal
from agent.durable import sync_directory
from agent.errors import OperatorError
from agent.record import dataclass
from agent.store import migrate, quarantine
from agent.store.backup import MAGIC, OWNED, TABLES, Length, binding, bound, columns
from agent.store.files import LockFile, private_directory
from agent.store.opening import JOURNAL, refused
from agent.store.recipient import unbox
from agent.store.schema import SCHEMA
from agent.store.sealing import KEY_FILE
from agent.store.sql import QUERIES

log = logging.getLogger(__name__)

READY = "restored"
ROW_KEY = "row.key"
#: Where the old journal goes, written down before anything is moved.
_ASIDE = "aside"
_HEAD_BYTES = 65_536
_PIECE_BYTES = 64 << 20
_ORDER = ("tx", *(name for name, _, _ in OWNED), *(name for name, _ in TABLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was put in place."""

    made_at: datetime
    device_id: str
    records: int
    unsent: int
    hand_over: bool
    aside: Path | None  #: where the journal went that was there before


@dataclass(frozen=True, slots=True)
class _File:
    """An opened backup: its head, and the key of its pieces."""

    raw: bytes
    head: dict[str, Any]
    key: bytes


def restore(
    state_dir: Path, file: Path, secret: bytes | None, now: Moment, key_file: Path | None = None
) -> Restored:
    """`key_file`: where this terminal keeps its ring, if not beside the journal.

    Raises OperatorError for a file that does not open or is damaged, StoreError `store.busy` while
    a daemon runs, or where the flash refuses; nothing has changed then.
    """
    ring = key_file or state_dir / KEY_FILE
    try:
        private_directory(state_dir)
        with LockFile(state_dir / "lock") as lock:
            lock.acquire("restore")
            finish(state_dir, ring)
            part = state_dir / f"{READY}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=0o700)
            try:
                done = _built(state_dir, ring, part, file, secret, now)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
            part.rename(state_dir / READY)
            sync_directory(state_dir)
            finish(state_dir, ring)
    except OSError as error:
        raise refused(error, state_dir / JOURNAL) from error
    except sqlite3.Error as error:
        raise refused(error, state_dir / JOURNAL) from error
    log.warning("event=journal_restored records=%d unsent=%d", done.records, done.unsent)
    return done


def finish(state_dir: Path, ring: Path) -> None:
    """Put in place what a restore has made ready; also after it was cut off. Under the lock."""
    ready = state_dir / READY
    if not ready.is_dir():
        return
    journal, fresh = state_dir / JOURNAL, ready / JOURNAL
    named = (ready / _ASIDE).read_text("utf-8").strip()
    if fresh.exists():
        # In this order: a journal is never beside keys that are not its own.
        folder = state_dir / quarantine.FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        for suffix in ("", quarantine.LOG):
            old = journal.with_name(JOURNAL + suffix)
            if old.exists():
                old.rename(folder / (named + suffix))
        for name, place in _keys(state_dir, ring):
            if (ready / name).exists():
                if place.exists() and place.read_bytes() != (ready / name).read_bytes():
                    _move(place, folder / f"{named}.{name}")
                _move(ready / name, place)
        sync_directory(folder)
        sync_directory(state_dir)
        fresh.rename(journal)
        sync_directory(state_dir)
    shutil.rmtree(ready)
    sync_directory(state_dir)
    log.warning("event=restore_finished path=%s", journal)


def _keys(state_dir: Path, ring: Path) -> tuple[tuple[str, Path], ...]:
    """What each key is called in a restored journal's folder, and where it belongs."""
    copy = ring.with_name(ring.name + ".copy")
    return (ROW_KEY, state_dir / ROW_KEY), (KEY_FILE, ring), (f"{KEY_FILE}.copy", copy)


def _move(source: Path, target: Path) -> None:
    """Also to another file system; cut off in between, it is simply done again."""
    beside = target.with_name(target.name + ".part")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(source.read_bytes())
        out.flush()
        os.fsync(out.fileno())
    beside.replace(target)
    sync_directory(target.parent)
    source.unlink()


def _built(  # noqa: PLR0917 - what a restore is made of
    state_dir: Path, ring: Path, part: Path, file: Path, secret: bytes | None, now: Moment,
) -> Restored:  # fmt: skip
    with _opened(file) as source:
        backup = _file(source, state_dir / ROW_KEY, ring, secret)
        pieces = _pieces(source, backup)
        first = next(pieces)
        _put_keys(part, first)
        journal = state_dir / JOURNAL
        aside = quarantine.named(journal, now) if journal.exists() else None
        (part / _ASIDE).write_text(aside.name if aside else f"none-{JOURNAL}", "utf-8")
        db = _empty(part / JOURNAL, int(backup.head["schema"]), first["meta"], now)
        try:
            db.execute("BEGIN")
            for piece in pieces:
                _insert(db, piece["rows"])
            _doubt(db, backup.head, int(first["last_seq"]), now)
            if aside is not None:
                said = f"put aside when the backup of {_made(backup.head):%Y-%m-%d} was restored"
                values = (str(aside), now.wall_ms, said, None, None)
                db.execute(QUERIES["add_quarantine"], values)
            db.execute("COMMIT")
            records, unsent = db.execute("SELECT count(*), coalesce(sum(state < 4), 0) FROM tx"
            ).fetchone()  # fmt: skip
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _damaged("what was read of it does not make a journal")
        finally:
            db.close()
    for made in part.iterdir():
        _sync(made)
    sync_directory(part)
    return Restored(
        made_at=_made(backup.head), device_id=str(backup.head["device"]), records=records,
        unsent=unsent, hand_over=bool(backup.head["hand_over"]), aside=aside,
    )  # fmt: skip


# -- the file ----------------------------------------------------------------------------------


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise OperatorError(
            "backup.file", f"cannot read {file}: {(error.strerror or str(error)).lower()}"
        ) from error


def _file(source: BinaryIO, row_key: Path, ring_file: Path, secret: bytes | None) -> _File:
    if source.read(len(MAGIC)) != MAGIC:
        raise OperatorError("backup.damaged", "that is no backup of this agent")
    raw = source.readline(_HEAD_BYTES).removesuffix(b"\n")
    try:
        head = json.loads(raw)
        wrapped = base64.b64decode(head["wrapped"])
        schema, backup_id = int(head["schema"]), str(head["backup"])
        if not {"at_ms", "device", "hand_over"} <= head.keys():
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise _damaged("its head cannot be read") from None
    if schema > SCHEMA:
        raise OperatorError(
            "store.newer_schema",
            f"the backup was made by a newer agent (schema {schema}, this one knows {SCHEMA})",
            "install that agent first",
        )
    try:
        if "to" in head:
            if secret is None:
                raise OperatorError(
                    "backup.key_needed",
                    f"the backup is sealed to the recovery key {str(head['to'])[:14]}…",
                    "give its secret half: --key FILE",
                )
            return _File(raw, head, unbox(secret, wrapped))
        ring = KeyFile(ring_file).read()
        if ring is None or not row_key.exists():
            raise OperatorError(
                "backup.key_needed",
                "the backup is sealed with the key ring of the terminal it was made on",
                f"put back that terminal's {ring_file} and {row_key}",
            )
        sealed_key = SealedKey(key_id=int(head["key_id"]), wrapped=wrapped)
        return _File(raw, head, ring.unwrap(sealed_key, bound(backup_id)))
    except (TamperedError, KeyError, ValueError):
        raise OperatorError(
            "backup.wrong_key", "the backup does not open with this key, or its head was altered"
        ) from None


def _pieces(source: BinaryIO, backup: _File) -> Iterator[dict[str, Any]]:
    """Each piece in its place; the one marked as the last must be the end of the file."""
    index, last = 0, False
    while not last:
        frame = source.read(Length.size)
        length = Length.unpack(frame)[0] if len(frame) == Length.size else 0
        if not 0 < length <= _PIECE_BYTES:
            raise _damaged("it was cut off")
        box = source.read(length)
        if len(box) != length:
            raise _damaged("it was cut off")
        plain, last = _piece(backup, box, index)
        try:
            yield json.loads(zlib.decompress(plain))
        except (ValueError, zlib.error):
            raise _damaged(f"piece {index} cannot be read") from None
        index += 1
    if source.read(1):
        raise _damaged("something follows its end")


def _piece(backup: _File, box: bytes, index: int) -> tuple[bytes, bool]:
    for last in (False, True):
        try:
            return unseal(backup.key, box, binding(backup.raw, index, last=last)), last
        except TamperedError:
            continue
    raise _damaged(f"piece {index} is not what was sealed")


def _damaged(how: str) -> OperatorError:
    return OperatorError("backup.damaged", f"the backup is damaged: {how}", "use another copy")


def _made(head: dict[str, Any]) -> datetime:
    return at_ms(int(head["at_ms"]))


# -- the journal -------------------------------------------------------------------------------


def _put_keys(part: Path, first: dict[str, Any]) -> None:
    """The keys that came with it; under the terminal's own ring those that are there stay."""
    if "row_key" not in first:
        return
    secret = bytes.fromhex(first["row_key"])
    if len(secret) != KEY_BYTES:
        raise _damaged("its row key has the wrong size")
    fd = os.open(part / ROW_KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(secret)
    if first["ring"]:
        KeyFile(part / KEY_FILE).put(
            {int(number): bytes.fromhex(key) for number, key in first["ring"].items()}
        )


def _empty(path: Path, schema: int, meta: dict[str, str], now: Moment) -> sqlite3.Connection:
    """A journal without payments, at the schema the backup was made at."""
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("page_size = 1024", "journal_mode = OFF", "synchronous = OFF"):
            db.execute(f"PRAGMA {pragma}")  # nobody relies on it before it is whole and synced
        migrate.create(db, now, schema)
        for name, value in meta.items():
            if name not in ("schema", "schema_sum", "born_ms"):
                db.execute(QUERIES["set_meta"], (name, value))
        db.execute(QUERIES["set_meta"], ("clean", "no"))
    except BaseException:
        db.close()
        raise
    return db


def _insert(db: sqlite3.Connection, rows: dict[str, list[list[Any]]]) -> None:
    for name in _ORDER:
        # A row may have been forgotten while the backup was made: it is then in it twice, as
        # itself and as its tombstone.
        for row in rows.get(name, ()):
            values = tuple(columns(row))
            marks = ",".join("?" * len(values))
            db.execute(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", values)


def _doubt(db: sqlite3.Connection, head: dict[str, Any], last_seq: int, now: Moment) -> None:
    """What the first start does to everything that is not final, before anything is sent."""
    made = f"{_made(head):%Y-%m-%d %H:%M} UTC"
    hand_over = bool(head["hand_over"])
    note = (
        f"handed over by another terminal at {made}; it is asked about before it is sent"
        if hand_over
        else f"restored from the backup of {made}; it may have been sent since"
    )
    newest = db.execute("SELECT coalesce(max(seq), 0) FROM tx").fetchone()[0]
    below = max(last_seq, newest)
    suspicion = json.dumps({"below": below, "note": note, "doubt": hand_over})
    born_ms = max(now.wall_ms, int(head["at_ms"]))
    for name, value in (
        ("suspicion", suspicion), ("last_seq", str(below)), ("born_ms", str(born_ms)),
        ("restored", json.dumps({"backup": head["backup"], "at_ms": now.wall_ms})),
    ):  # fmt: skip
        db.execute(QUERIES["set_meta"], (name, value))
    db.execute("DELETE FROM tombstone WHERE key IN (SELECT key FROM tx)")


def _sync(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
