"""Seals payloads for one journal: what is bound to a row, its keys, and their turning over.

Everything handed over for sending lies in one sealed box a payload version. The box is bound to
database, number, version and type, its wrapped key also to the number of the ring's key, so that no
row passes for another. Key numbers in use are kept in `meta`, never looked for in the rows. After
a rotation the wrapped keys are renewed a few rows at a time; a key that nothing names is removed.
On the writer thread only; it decides nothing about payments.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

from agent.config import Storage
from agent.crypt import KeyFile, KeyRing, SealedKey, TamperedError, seal, unseal
from agent.errors import HardwareError, OperatorError, StoreError
from agent.record import dataclass
from agent.store import quarantine
from agent.store.sql import QUERIES

log = logging.getLogger(__name__)

#: What `payload.seal` says.
CLEAR, SEALED, DESTROYED = 0, 1, 2
KEY_FILE = "payload.keys"
#: Rows whose wrapped key is renewed in one piece of work: about 2 ms.
PIECE = 32
_IN_USE = "payload_keys"
_TURNED_TO = "payload_keys_turned_to"

#: Lengths + 1 of query and reversals; 0: none. The body is the rest.
_LENGTHS = struct.Struct(">II")
_ROW = struct.Struct(">QB")


class MissingKeyError(OperatorError):
    """The payload is whole, but its key is not on this terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How payloads are kept; `unwrap` is the seam for firmware that keeps the ring wrapped."""

    file: Path
    on: bool = True
    unwrap: Callable[[bytes], bytes] | None = None
    makes: bool = True  #: False: looks only, and makes no key


def sealing_of(state_dir: Path, storage: Storage | None) -> Sealing:
    """As [store] says; without it, as is usual."""
    usual = state_dir / KEY_FILE
    if storage is None:
        return Sealing(file=usual)
    return Sealing(file=Path(storage.key_file) if storage.key_file else usual, on=storage.seal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxed:
    """The columns of a payload that depend on sealing."""

    seal: int
    key_id: int
    wrapped: bytes | None
    body: bytes
    query_body: bytes | None
    reversals: bytes | None


class Seals:
    """The key ring over one journal."""

    def __init__(
        self, database_id: bytes, ring: KeyRing | None, *, on: bool, in_use: frozenset[int]
    ) -> None:
        self.database_id = database_id
        self.ring = ring
        self.on = on and ring is not None
        self.in_use = in_use

    @property
    def missing(self) -> frozenset[int]:
        """Keys that rows name and that are not here."""
        return self.in_use - (self.ring.ids if self.ring else frozenset())

    @property
    def old(self) -> frozenset[int]:
        """Keys that rows may name although a newer one is there."""
        return self.in_use & self.ring.ids - {self.ring.newest} if self.ring else frozenset()

    @property
    def unused(self) -> frozenset[int]:
        """Keys in the file that no row names any more."""
        return self.ring.ids - self.in_use - {self.ring.newest} if self.ring else frozenset()

    def box(
        self, number: int, content_type: str, body: bytes, query: bytes | None,
        reversals: bytes | None,
    ) -> Boxed:  # fmt: skip
        """What to write for a payload with this row number."""
        if not self.on or self.ring is None:
            return Boxed(
                seal=CLEAR, key_id=0, wrapped=None, body=body, query_body=query,
                reversals=reversals,
            )  # fmt: skip
        lengths = _LENGTHS.pack(_length(query), _length(reversals))
        plain = b"".join((lengths, query or b"", reversals or b"", body))
        bound_to = self._bound(number, content_type)
        key, sealed = self.ring.fresh(bound_to)
        return Boxed(
            seal=SEALED, key_id=sealed.key_id, wrapped=sealed.wrapped,
            body=seal(key, plain, bound_to), query_body=None, reversals=None,
        )  # fmt: skip

    def opened(self, number: int, kept: sqlite3.Row) -> tuple[bytes, bytes | None, bytes | None]:
        """Body, query and reversals of a row.

        Raises TamperedError, or MissingKeyError for a key that is not here.
        """
        if kept["seal"] == CLEAR:
            query, reversals = kept["query_body"], kept["reversals"]
            return (
                bytes(kept["body"]),
                None if query is None else bytes(query),
                None if reversals is None else bytes(reversals),
            )
        if kept["seal"] != SEALED:
            raise TamperedError("no seal of this agent")
        key_id = kept["key_id"]
        if self.ring is None or key_id not in self.ring.ids:
            if key_id not in self.missing:
                raise TamperedError("a key that was never in use")
            raise MissingKeyError(
                "store.key_missing",
                f"sealed with key {key_id}, which is not on this terminal",
                "put the key ring back from its backup and restart the agent",
            )
        bound_to = self._bound(number, kept["content_type"])
        sealed = SealedKey(key_id=key_id, wrapped=kept["wrapped"])
        plain = unseal(self.ring.unwrap(sealed, bound_to), kept["body"], bound_to)
        query_length, reversals_length = _LENGTHS.unpack_from(plain)
        start = _LENGTHS.size
        query, start = _part(plain, start, query_length)
        reversals, start = _part(plain, start, reversals_length)
        return plain[start:], query, reversals

    def renewed(self, number: int, kept: sqlite3.Row) -> SealedKey | None:
        """The row's key under the newest key of the ring; None: it is, or cannot be put there.

        Raises TamperedError.
        """
        if self.ring is None or kept["seal"] != SEALED or kept["key_id"] not in self.old:
            return None
        sealed = SealedKey(key_id=kept["key_id"], wrapped=kept["wrapped"])
        return self.ring.rewrap(sealed, self._bound(number, kept["content_type"]))

    def _bound(self, number: int, content_type: str) -> bytes:
        return self.database_id + _ROW.pack(number >> 8, number & 255) + content_type.encode()


def _length(part: bytes | None) -> int:
    return 0 if part is None else len(part) + 1


def _part(plain: bytes, start: int, length: int) -> tuple[bytes | None, int]:
    if not length:
        return None, start
    end = start + length - 1
    return plain[start:end], end


# -- keys of one journal ---------------------------------------------------------------------


def begin(db: sqlite3.Connection, sealing: Sealing, database_id: bytes) -> Seals:
    """The ring, made if this is the first start. What is missing is told, and is no error: states
    are known without it. Raises StoreError where the firmware does not open it now."""
    # In a page that is written anyway nothing of what was destroyed stays behind; pages that are
    # given back hold ciphertext and are not written once more for it.
    db.execute("PRAGMA secure_delete = FAST").fetchone()
    written = _in_use(db, database_id)
    in_use = written or frozenset()
    file = KeyFile(sealing.file, sealing.unwrap)
    try:
        if sealing.makes and (sealing.on or in_use):
            sealing.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            ring: KeyRing | None = file.load(max(in_use, default=0) or _series())[0]
        else:
            ring = _looked_at(file)
    except HardwareError as error:
        raise StoreError("store.unavailable", error.what, error.hint) from error
    if written is None and ring is not None:
        in_use = ring.ids  # nobody can say; none is given up then
    seals = Seals(database_id, ring, on=sealing.on, in_use=in_use)
    if seals.missing:
        log.critical("event=keys_missing path=%s keys=%s", sealing.file, sorted(seals.missing))
    if sealing.makes and seals.on:
        _adopt(db, seals)
    return seals


def _series() -> int:
    """Where a terminal's first key is counted from: drawn, so that a ring put back beside one that
    was made meanwhile, or on another terminal, has no other key under the same number."""
    return 1_000 * (1 + secrets.randbelow(999_999))


def _looked_at(file: KeyFile) -> KeyRing | None:
    """The ring for somebody who only looks: without it, states are shown all the same."""
    try:
        return file.read()
    except OperatorError as error:
        log.warning("event=keys_not_read reason=%r", error.what)
        return None


def told(seals: Seals, file: Path) -> str:
    """What a missing key means, in a sentence; "" when none is missing."""
    if not seals.missing:
        return ""
    numbers = ", ".join(str(number) for number in sorted(seals.missing))
    return (
        f"key {numbers} of sealed payloads is missing from {file}: states, amounts and results are "
        "known, but the payments sealed with it cannot be sent and are held"
    )


def _in_use(db: sqlite3.Connection, database_id: bytes) -> frozenset[int] | None:
    """As it was last committed; None where that cannot be read: a key given up for a flipped bit
    would be money given up."""
    row = db.execute(QUERIES["get_meta"], (_IN_USE,)).fetchone()
    if row is None:
        return frozenset()
    numbers, _, check = str(row[0]).partition(" ")
    if check != _sum(numbers, database_id):
        log.error("event=keys_in_use_unreadable")
        return None
    return frozenset(int(number) for number in numbers.split(",") if number)


def _sum(numbers: str, database_id: bytes) -> str:
    return hashlib.blake2b(numbers.encode(), digest_size=8, key=database_id).hexdigest()


def _adopt(db: sqlite3.Connection, seals: Seals) -> None:
    """Write down that rows may name the newest key, before one does."""
    if seals.ring is None or seals.ring.newest in seals.in_use:
        return
    seals.in_use |= {seals.ring.newest}
    _keep(db, seals, 0)


def _keep(db: sqlite3.Connection, seals: Seals, turned_to: int) -> None:
    numbers = ",".join(str(number) for number in sorted(seals.in_use))
    text = f"{numbers} {_sum(numbers, seals.database_id)}"
    db.execute(QUERIES["set_meta"], (_IN_USE, text))
    db.execute(QUERIES["set_meta"], (_TURNED_TO, str(turned_to)))


class Turning:
    """Rotation, over the store's own thread; every method is one piece of its work."""

    def __init__(self, sealing: Sealing, journal_file: Path) -> None:
        self._file = KeyFile(sealing.file, sealing.unwrap)
        self._journal_file = journal_file

    def rotate(self, db: sqlite3.Connection, seals: Seals) -> int:
        """One more key; new payments use it once this is committed. Its number.

        The file first: cut off behind it, the next start finds a newest key nobody used yet.
        """
        if seals.ring is None:
            raise OperatorError("keys.off", "payloads are not sealed here ([store] seal = false)")
        before = seals.ring, seals.in_use
        try:
            seals.ring = self._file.rotate(seals.ring, max(seals.in_use, default=0))
            _adopt(db, seals)
        except BaseException:
            seals.ring, seals.in_use = before
            raise
        log.warning("event=key_rotated key=%s", seals.ring.newest)
        return seals.ring.newest

    def piece(self, db: sqlite3.Connection, seals: Seals, altered: Callable[[int], None]) -> bool:
        """Renew the wrapped keys of some more rows. True: nothing is left to do.

        `altered` is told of a row whose key does not open. Where it got to is committed with it.
        """
        if not seals.old:
            return True
        row = db.execute(QUERIES["get_meta"], (_TURNED_TO,)).fetchone()
        after = int(row[0]) if row and row[0].isdecimal() else 0
        rows = db.execute(QUERIES["wrapped_keys"], (after, PIECE)).fetchall()
        for kept in rows:
            try:
                renewed = seals.renewed(kept["id"], kept)
            except (TamperedError, TypeError, ValueError):
                altered(kept["id"])
                continue
            if renewed is not None:
                db.execute(QUERIES["rewrap"], (renewed.key_id, renewed.wrapped, kept["id"]))
        if len(rows) == PIECE:
            db.execute(QUERIES["set_meta"], (_TURNED_TO, str(rows[-1]["id"])))
            return False
        # What was added meanwhile is under the newest key already.
        seals.in_use -= seals.old
        _keep(db, seals, 0)
        log.warning("event=keys_turned_over in_use=%s", sorted(seals.in_use))
        return False

    def forget(self, db: sqlite3.Connection, seals: Seals) -> frozenset[int]:
        """Remove from the file what no row names: in a piece of work of its own, so that what says
        so is committed. Not while a journal lies in quarantine: it may name any of them."""
        written = _in_use(db, seals.database_id)
        if written is None or seals.ring is None or not seals.unused:
            return frozenset()
        gone = seals.unused - written
        if not gone or quarantine.journals(self._journal_file):
            return frozenset()
        try:
            seals.ring = self._file.forget(seals.ring, *gone)
        except OperatorError:
            log.debug("event=keys_not_ours")  # the firmware's
            return frozenset()
        log.warning("event=keys_removed keys=%s", sorted(gone))
        return gone
