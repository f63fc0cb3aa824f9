"""The trail of who did what, in journal.db: written, read, checked, forgotten when it is old.

What a line is and what is wrong with a chain is `core.audit`; here are the rows and the seals on
both ends. A seal that does not hold is never made good: what follows leaves a gap in the numbers,
which stays visible. On the writer's thread; `Trail` serves the daemon, the functions the offline
reader too.
"""

from __future__ import annotations

import hmac
import logging
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from agent.clock import Clock
from agent.core.audit import NOTHING, Deed, Fault, Line, Mark, examined, written
from agent.errors import StoreError
from agent.record import dataclass
from agent.store.journal import Journal
from agent.store.rows import Sealer

log = logging.getLogger(__name__)
T = TypeVar("T")

DAY_MS = 86_400_000
KEEP_LINES = 50_000
#: Forgotten with one line that is written, so that nothing has to walk.
PRUNED_AT_ONCE = 20
#: Faults told; more are only counted by whoever looks again after these.
MOST_FAULTS = 100
#: Lines looked at before others have their turn with the store.
CHECKED_AT_ONCE = 200
_LEAST = -(1 << 63)  #: below every number

_COLUMNS = "n, at_ms, actor, op, target, outcome, count, before, hash"
_ADD = f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_NEXT = f"SELECT {_COLUMNS} FROM audit WHERE n > ? AND n <= ? ORDER BY n LIMIT ?"
_PAGE = f"""
SELECT {_COLUMNS} FROM audit WHERE at_ms >= ? AND n < ? ORDER BY n DESC LIMIT ?
"""
_LAST = "SELECT coalesce(max(n), 0) FROM audit"
_OLDEST = f"SELECT {_COLUMNS} FROM audit ORDER BY n LIMIT ?"
_FORGET = "DELETE FROM audit WHERE n <= ?"
_END = "SELECT n, hash, mac FROM audit_end WHERE name = ?"
_PUT_END = "INSERT OR REPLACE INTO audit_end (name, n, hash, mac) VALUES (?, ?, ?, ?)"


class Store(Protocol):
    """The journal behind the store's writer thread."""

    async def journal(self, work: Callable[[Journal], T]) -> T:
        """Run `work`; what it changed is committed when this returns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of a look at the whole trail."""

    lines: int
    first: int
    last: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """Both ends of the trail at one moment; a seal that does not hold is None."""

    start: Mark | None
    head: Mark | None
    newest: int


class Trail:
    """The daemon's."""

    def __init__(self, store: Store, clock: Clock, keep_days: int) -> None:
        self._store = store
        self._clock = clock
        self._keep_ms = keep_days * DAY_MS

    async def write(self, deed: Deed) -> None:
        """One line. What was done cannot be undone for want of it, so a StoreError is logged."""
        try:
            await self._store.journal(partial(add, deed=deed, at_ms=self.now_ms, keep_ms=self.keep))
        except StoreError as error:
            log.warning("event=audit_not_written op=%s code=%s", deed.op, error.code)

    async def page(self, since_ms: int, before: int, limit: int) -> list[Line]:
        """Lines since then, the newest first, below the number `before`. Raises StoreError."""
        return await self._store.journal(
            partial(page, since_ms=since_ms, before=before, limit=limit)
        )

    async def check(self) -> Checked:
        """The whole trail as it is now, against its hashes and its two seals. Raises StoreError.

        A page at a time: a payment must not wait for somebody who wants to see that.
        """
        begun = await self._store.journal(_begun)
        if begun is None:
            return Checked(lines=0, first=0, last=0, faults=())
        ends, lines = begun
        look = _Look(ends)
        look.page(lines)
        while not look.over:
            more = partial(_following, after=look.after, upto=ends.newest)
            look.page(await self._store.journal(more))
        return look.checked

    @property
    def now_ms(self) -> int:
        return self._clock.now().wall_ms

    @property
    def keep(self) -> int:
        """How long a line is kept; 0 while nobody can tell how old any is."""
        return self._keep_ms if self._clock.now().trusted else 0


def add(journal: Journal, deed: Deed, at_ms: int, keep_ms: int) -> Line:
    """Write one line behind the last; forget a few that are older than `keep_ms` (0: none)."""
    db, sealer = journal.table.db, journal.table.sealer
    line = written(deed, at_ms, _next(db, sealer))
    what = line.deed
    db.execute(
        _ADD,
        (line.n, at_ms, what.actor, what.op, what.target, what.outcome, what.count, line.before,
         line.hash),
    )  # fmt: skip
    _seal(db, sealer, "head", Mark(n=line.n, hash=line.hash))
    if keep_ms:
        _prune(db, sealer, at_ms - keep_ms, line.n - KEEP_LINES)
    return line


def page(journal: Journal, since_ms: int, before: int, limit: int) -> list[Line]:
    """Lines since then, the newest first, below the number `before`."""
    rows = journal.table.db.execute(_PAGE, (since_ms, before, limit))
    return [_line(tuple(row)) for row in rows]


class _Look:
    """A look at the whole trail, page by page: each begins where the last one ended."""

    def __init__(self, ends: _Ends) -> None:
        self._ends = ends
        self._before = ends.start
        self._lines = 0
        self._first = self._last = 0
        self._faults: list[Fault] = []
        self.after = _LEAST
        self.over = False

    def page(self, lines: list[Line]) -> None:
        """The next lines; fewer than asked for are the last."""
        self.over = len(lines) < CHECKED_AT_ONCE
        for fault in examined(lines, self._before, self._ends.head):
            # Only at the end it is sure that no more follow.
            if fault not in self._faults and (self.over or fault.what != "cut"):
                self._faults.append(fault)
            if len(self._faults) == MOST_FAULTS:
                self.over = True
                break
        if lines:
            end = lines[-1]
            self._lines += len(lines)
            self._first, self._last = self._first or lines[0].n, end.n
            self._before, self.after = Mark(n=end.n, hash=end.hash), end.n

    @property
    def checked(self) -> Checked:
        """What came of it."""
        return Checked(
            lines=self._lines, first=self._first, last=self._last, faults=tuple(self._faults)
        )


def _begun(journal: Journal) -> tuple[_Ends, list[Line]] | None:
    """Ends and first lines at one moment: the oldest may be forgotten in the next."""
    db, sealer = journal.table.db, journal.table.sealer
    if _untouched(db):
        return None
    newest = int(db.execute(_LAST).fetchone()[0])
    start, head = _sealed(db, sealer, "start"), _sealed(db, sealer, "head")
    return _Ends(start=start, head=head, newest=newest), _following(journal, _LEAST, newest)


def _following(journal: Journal, after: int, upto: int) -> list[Line]:
    rows = journal.table.db.execute(_NEXT, (after, upto, CHECKED_AT_ONCE))
    return [_line(tuple(row)) for row in rows]


def _untouched(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever written: a journal of today."""
    ends = db.execute("SELECT count(*) FROM audit_end").fetchone()[0]
    return not ends and not db.execute(_LAST).fetchone()[0]


def _next(db: sqlite3.Connection, sealer: Sealer) -> Mark:
    """What the next line is chained to."""
    head = _sealed(db, sealer, "head")
    newest = int(db.execute(_LAST).fetchone()[0])
    if head is not None and newest <= head.n:
        return head  # lines cut off leave their numbers empty for ever
    if not newest and _untouched(db):
        _seal(db, sealer, "start", Mark())
        return Mark()
    log.critical("event=audit_seal_broken newest=%d", newest)
    return Mark(n=max(newest, 0 if head is None else head.n) + 1, hash=NOTHING)


def _prune(db: sqlite3.Connection, sealer: Sealer, before_ms: int, upto: int) -> None:
    """Forget the oldest, and seal where the trail begins now; one that is broken is left alone."""
    start = _sealed(db, sealer, "start")
    if start is None:
        return
    last = start
    for row in db.execute(_OLDEST, (PRUNED_AT_ONCE,)).fetchall():
        line = _line(tuple(row))
        if (line.at_ms >= before_ms and line.n > upto) or line.n != last.n + 1:
            break
        if line.before != last.hash or _rehashed(line) != line.hash:
            break
        last = Mark(n=line.n, hash=line.hash)
    if last is not start:
        db.execute(_FORGET, (last.n,))
        _seal(db, sealer, "start", last)


def _rehashed(line: Line) -> bytes:
    return written(line.deed, line.at_ms, Mark(n=line.n - 1, hash=line.before)).hash


def _line(row: Sequence[object]) -> Line:
    """A row as it stands; of what no column can hold a hash never fits."""
    n, at_ms, actor, op, target, outcome, count, before, own = row
    deed = Deed(
        actor=str(actor), op=str(op), target=str(target), outcome=str(outcome), count=_int(count)
    )
    return Line(n=_int(n), at_ms=_int(at_ms), deed=deed, before=_bytes(before), hash=_bytes(own))


def _int(told: object) -> int:
    return told if isinstance(told, int) else -1


def _bytes(told: object) -> bytes:
    return told if isinstance(told, bytes) else b""


def _sealed(db: sqlite3.Connection, sealer: Sealer, name: str) -> Mark | None:
    row = db.execute(_END, (name,)).fetchone()
    if row is None:
        return None
    n, own, mac = row
    try:
        fits = hmac.compare_digest(_mac(sealer, name, n, own), mac)
    except (TypeError, AttributeError):
        return None
    return Mark(n=n, hash=own) if fits else None


def _seal(db: sqlite3.Connection, sealer: Sealer, name: str, mark: Mark) -> None:
    db.execute(_PUT_END, (name, mark.n, mark.hash, _mac(sealer, name, mark.n, mark.hash)))


def _mac(sealer: Sealer, name: str, n: int, own: bytes) -> bytes:
    return sealer.line("audit_end", (name, n, own.hex()))
