"""The rows of settlement lists in state.db: which were read, and what they said of each payment.

What a later list says of the same payment, or of the same line, supersedes what an earlier one
said; the earlier row stays. What a list says counts once it is done; one that came to nothing gives
back what it had superseded. Payments that are settled as they should lie in parts
(`core.why.reconcile.parts`): the newest list that has one counts. Lost with state.db without harm:
a list can be read again. Called by the actions through a port and by the offline reader.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from agent.core.why.reconcile.parts import SEQ, Part, unpacked

if TYPE_CHECKING:
    from agent.core.why.reconcile.kept import KeptFinding, KeptList

T = TypeVar("T")

_LIST = "number, profile, name, digest, state, actor, started_ms, ended_ms, body"
_FINDING = (
    "list, n, result, line, seq, key, how, amount_minor, listed_minor, fee_minor, currency, "
    "settled_day, due_day, occurred_ms, rrn, stan, batch, terminal_id, detail, mark"
)
_ADD = f"INSERT INTO settled ({_FINDING}) VALUES ({', '.join('?' * 20)})"
_BEGIN = f"INSERT INTO settlement_list ({_LIST}) VALUES (?, ?, ?, ?, 'running', ?, ?, NULL, '{{}}')"
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM settlement_list"
_END = "UPDATE settlement_list SET state = ?, ended_ms = ?, body = ? WHERE number = ?"
_SAME = (
    "SELECT number FROM settlement_list WHERE digest = ? AND state = 'done' "
    "ORDER BY number DESC LIMIT 1"
)
_OLDER_PAYMENT = (
    "UPDATE settled SET superseded = :list WHERE seq = :seq AND seq > 0 AND superseded = 0 "
    "AND list < :list"
)
_OLDER_LINE = (
    "UPDATE settled SET superseded = :list WHERE mark = :mark AND mark > 0 AND superseded = 0 "
    "AND list < :list"
)
#: Not of a list that is still being read.
_DONE = "list NOT IN (SELECT number FROM settlement_list WHERE state = 'running')"
_EARLIER = (
    "SELECT seq, list, settled_day, rrn, result FROM settled WHERE seq BETWEEN ? AND ? "
    f"AND seq > 0 AND superseded = 0 AND {_DONE} ORDER BY list"
)
_PARTS = (
    "SELECT list, first_n, body FROM settled_part "
    f"WHERE last_seq >= ? AND first_seq <= ? AND list > ? AND {_DONE} ORDER BY list DESC"
)
_ADD_PART = (
    "INSERT INTO settled_part (list, first_n, count, first_seq, last_seq, body) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_PART_PAGE = (
    "SELECT first_n, body FROM settled_part WHERE list = ? AND first_n + count > ? "
    "ORDER BY first_n LIMIT 3"
)
_OLDER_BETWEEN = (
    "SELECT list, n, seq FROM settled WHERE seq BETWEEN ? AND ? AND seq > 0 AND superseded = 0 "
    "AND list < ?"
)
_GIVEN_BACK = (
    "UPDATE settled SET superseded = 0 WHERE (list, n) IN "
    "(SELECT list, n FROM settled WHERE superseded = ? AND superseded > 0 LIMIT ?)"
)
_OF_PAYMENT = (
    f"SELECT {_FINDING}, superseded FROM settled WHERE seq = ? AND seq > 0 AND superseded = 0 "
    f"AND {_DONE} ORDER BY list DESC LIMIT 1"
)
_MORE_OF = (
    f"SELECT {_FINDING}, superseded FROM settled WHERE key = ? AND mark > 0 AND key <> '' "
    f"AND superseded = 0 AND {_DONE} ORDER BY list DESC, n LIMIT 5"
)
_COUNTS = (
    "SELECT result, count(*) FROM settled WHERE superseded = 0 AND result <> 'matched' "
    f"AND {_DONE} GROUP BY result"
)
_FIRST_OPEN = (
    f"SELECT {_FINDING}, superseded FROM settled WHERE superseded = 0 AND result <> 'matched' "
    f"AND result = ? AND {_DONE} ORDER BY list DESC, n LIMIT 1"
)
#: One turn on the writer; a page of findings is some 30 µs each.
PIECE = 100
_ROOM = 200
_PARTS_AT_ONCE = 20
#: Of a finding in a part (`core.why.reconcile.judging.Finding`).
_DAY, _RRN = 9, 12
_SETTLED = ("matched", "late", "amount_differs")


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class SettledRows:
    """What the actions need of the store."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def same(self, digest: str) -> int:
        """The number under which this very list was read; 0: it was not."""
        row = await self._db.state(lambda db: db.execute(_SAME, (digest,)).fetchone())
        return 0 if row is None else int(row[0])

    async def begin(self, profile: str, name: str, digest: str, actor: str, started_ms: int) -> int:
        """A list is being read; its number."""

        def work(db: sqlite3.Connection) -> int:
            number = int(db.execute(_NEXT).fetchone()[0])
            db.execute(_BEGIN, (number, profile, name, digest, actor, started_ms))
            return number

        return await self._db.state(work)

    async def add(self, number: int, first: int, rows: Sequence[Sequence[Any]]) -> None:
        """Findings of list `number`; they count once it is done."""
        for begin in range(0, len(rows), PIECE):
            some = rows[begin : begin + PIECE]
            told = [(number, first + begin + place, *row) for place, row in enumerate(some)]
            await self._db.state(partial(_added, rows=told))

    async def add_part(self, number: int, first: int, part: Part) -> None:
        """Findings of payments that are matched, some hundred at once; `first`: their number."""
        row = (number, first, part.size, part.first_seq, part.last_seq, part.body)

        def work(db: sqlite3.Connection) -> None:
            db.execute(_ADD_PART, row)

        await self._db.state(work)

    async def end(self, number: int, state: str, ended_ms: int, body: Mapping[str, Any]) -> None:
        """It is done, or refused: then nothing of it is kept but that."""
        if state != "done":
            await self._drop(number)
            while await self._db.state(partial(_given_back, number=number)):
                pass
        else:
            await self._supersede(number)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        row = (state, ended_ms, text, number)

        def work(db: sqlite3.Connection) -> None:
            db.execute(_END, row)

        await self._db.state(work)

    async def earlier(self, first: int, last: int) -> dict[int, tuple[int, int, str]]:
        """What earlier lists have of payments from `first` to `last`: list, day, RRN."""
        return await self._db.state(partial(_earlier, first=first, last=last))

    async def lists(self, limit: int) -> list[KeptList]:
        """The last ones, the newest first."""
        return await self._db.state(partial(lists, limit=limit))

    async def one(self, number: int | None) -> KeptList | None:
        """A list by its number; None: the last."""
        return await self._db.state(partial(one, number=number))

    async def findings(
        self, number: int, results: Sequence[str] | None, after: int, limit: int
    ) -> list[KeptFinding]:
        """Findings of a list; `results` None: all but what is matched, () everything."""
        return await self._db.state(
            partial(findings, number=number, results=results, after=after, limit=limit)
        )

    async def of_payment(self, seq: int) -> KeptFinding | None:
        """What the newest list says of a payment."""
        return await self._db.state(partial(of_payment, seq=seq))

    async def more_of(self, key: str) -> list[KeptFinding]:
        """Further lines of a payment: settled twice, or taken off again."""
        rows = await self._db.state(lambda db: db.execute(_MORE_OF, (key,)).fetchall())
        return [_finding(row) for row in rows]

    async def open_counts(self) -> dict[str, int]:
        """How many findings no later list took back, by class."""
        return await self._db.state(lambda db: dict(db.execute(_COUNTS).fetchall()))

    async def any_read(self) -> bool:
        """Whether a list was ever read here."""
        found = await self._db.state(
            lambda db: db.execute("SELECT 1 FROM settlement_list LIMIT 1").fetchone()
        )
        return found is not None

    async def an_open(self, result: str) -> KeptFinding | None:
        """One of a class, of the newest list."""
        return await self._db.state(partial(an_open, result=result))

    async def broken_off(self, ended_ms: int) -> None:
        """What was running when the agent ended is refused: nothing half-read is believed."""
        rows = await self._db.state(
            lambda db: db.execute(
                "SELECT number FROM settlement_list WHERE state = 'running'"
            ).fetchall()
        )
        for (number,) in rows:
            await self.end(number, "refused", ended_ms, {"problem": {"why": "broken_off"}})

    async def prune(self, before_ms: int) -> None:
        """Forget lists that ended before; a portion at a time."""
        rows = await self._db.state(
            lambda db: db.execute(
                "SELECT number FROM settlement_list WHERE ended_ms < ? ORDER BY number LIMIT 20",
                (before_ms,),
            ).fetchall()
        )
        for (number,) in rows:
            await self._drop(number)
            await self._db.state(partial(_forgotten, number=number))

    async def _drop(self, number: int) -> None:
        while await self._db.state(partial(_dropped, number=number)):
            pass
        while await self._db.state(partial(_parts_dropped, number=number)):
            pass

    async def _supersede(self, number: int) -> None:
        after: int | None = (
            -1 if await self._db.state(partial(_has_earlier, number=number)) else None
        )
        while after is not None:
            after = await self._db.state(partial(_superseded, number=number, after=after))
        place: int | None = (
            0 if await self._db.state(partial(_has_earlier, number=number)) else None
        )
        while place is not None:
            place = await self._db.state(partial(_superseded_by_part, number=number, after=place))


def lists(db: sqlite3.Connection, limit: int) -> list[KeptList]:
    """The last ones, the newest first."""
    rows = db.execute(f"SELECT {_LIST} FROM settlement_list ORDER BY number DESC LIMIT ?", (limit,))
    return [_list(row) for row in rows]


def one(db: sqlite3.Connection, number: int | None) -> KeptList | None:
    """A list by its number; None: the last."""
    if number is None:
        found = lists(db, 1)
        return found[0] if found else None
    row = db.execute(f"SELECT {_LIST} FROM settlement_list WHERE number = ?", (number,)).fetchone()
    return None if row is None else _list(row)


def findings(
    db: sqlite3.Connection, number: int, results: Sequence[str] | None, after: int, limit: int
) -> list[KeptFinding]:
    """A page of findings after `after`."""
    query = f"SELECT {_FINDING}, superseded FROM settled WHERE list = ? AND n > ?"
    args: list[Any] = [number, after]
    if results is None:
        query += " AND result <> 'matched'"
    elif results:
        query += f" AND result IN ({', '.join('?' * len(results))})"
        args += results
    limit = min(limit, 500)
    found = [_finding(row) for row in db.execute(f"{query} ORDER BY n LIMIT ?", (*args, limit))]
    if results is None or (results and "matched" not in results):
        return found
    # Parts are added last, so they are numbered behind everything else.
    for first_n, body in db.execute(_PART_PAGE, (number, max(after + 1, _next(found)))):
        rows = enumerate(unpacked(body), first_n)
        found += [_finding((number, n, *row)) for n, row in rows if n > after]
    return found[:limit]


def of_payment(db: sqlite3.Connection, seq: int) -> KeptFinding | None:
    """What the newest list says of a payment."""
    row = db.execute(_OF_PAYMENT, (seq,)).fetchone()
    for number, first_n, body in db.execute(_PARTS, (seq, seq, 0 if row is None else row[0])):
        for n, one in enumerate(unpacked(body), first_n):
            if one[SEQ] == seq:
                return _finding((number, n, *one))
    return None if row is None else _finding(row)


def an_open(db: sqlite3.Connection, result: str) -> KeptFinding | None:
    """One of a class, of the newest list."""
    row = db.execute(_FIRST_OPEN, (result,)).fetchone()
    return None if row is None else _finding(row)


def _added(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    db.executemany(_ADD, rows)


def _next(found: list[KeptFinding]) -> int:
    return found[-1].n + 1 if found else 0


def _earlier(db: sqlite3.Connection, first: int, last: int) -> dict[int, tuple[int, int, str]]:
    found: dict[int, tuple[int, int, str]] = {}
    for number, _, body in db.execute(_PARTS, (first, last, 0)).fetchall()[::-1]:
        for one in unpacked(body):
            if first <= one[SEQ] <= last:
                found[one[SEQ]] = (number, one[_DAY], one[_RRN])
    for seq, number, day, rrn, result in db.execute(_EARLIER, (first, last)).fetchmany(10_000):
        if seq not in found or found[seq][0] < number:
            found.pop(seq, None)
            if result in _SETTLED:
                found[seq] = (number, day, rrn)
    return found


def _has_earlier(db: sqlite3.Connection, number: int) -> bool:
    row = db.execute(
        "SELECT 1 FROM settlement_list WHERE number < ? AND state = 'done' LIMIT 1", (number,)
    ).fetchone()
    return row is not None


def _superseded(db: sqlite3.Connection, number: int, after: int) -> int | None:
    """What earlier lists said of the same; where to go on, None at the end."""
    rows = db.execute(
        "SELECT n, seq, mark FROM settled WHERE list = ? AND n > ? ORDER BY n LIMIT ?",
        (number, after, PIECE),
    ).fetchall()
    for _, seq, mark in rows:
        if seq:
            db.execute(_OLDER_PAYMENT, {"list": number, "seq": seq})
        if mark:
            db.execute(_OLDER_LINE, {"list": number, "mark": mark})
    return rows[-1][0] if len(rows) == PIECE else None


def _superseded_by_part(db: sqlite3.Connection, number: int, after: int) -> int | None:
    """The same of the payments of one part."""
    part = db.execute(
        "SELECT first_n, first_seq, last_seq, body FROM settled_part "
        "WHERE list = ? AND first_n >= ? ORDER BY first_n LIMIT 1",
        (number, after),
    ).fetchone()
    if part is None:
        return None
    first_n, first, last, body = part
    older = db.execute(_OLDER_BETWEEN, (first, last, number)).fetchall()
    if older:
        has = {one[SEQ] for one in unpacked(body)}
        db.executemany(
            "UPDATE settled SET superseded = ? WHERE list = ? AND n = ?",
            [(number, of, n) for of, n, seq in older if seq in has],
        )
    return int(first_n) + 1


def _given_back(db: sqlite3.Connection, number: int) -> bool:
    return db.execute(_GIVEN_BACK, (number, _ROOM)).rowcount == _ROOM


def _parts_dropped(db: sqlite3.Connection, number: int) -> bool:
    gone = db.execute(
        "DELETE FROM settled_part WHERE id IN (SELECT id FROM settled_part WHERE list = ? LIMIT ?)",
        (number, _PARTS_AT_ONCE),
    ).rowcount
    return gone == _PARTS_AT_ONCE


def _dropped(db: sqlite3.Connection, number: int) -> bool:
    gone = db.execute(
        "DELETE FROM settled WHERE list = ? AND n IN "
        "(SELECT n FROM settled WHERE list = ? ORDER BY n LIMIT ?)",
        (number, number, _ROOM),
    ).rowcount
    return gone == _ROOM


def _forgotten(db: sqlite3.Connection, number: int) -> None:
    db.execute("DELETE FROM settlement_list WHERE number = ?", (number,))


def _finding(row: Any) -> KeptFinding:
    # Loaded with the first list: most terminals never read one.
    from agent.core.why.reconcile.kept import KeptFinding

    return KeptFinding(*row)


def _list(row: Any) -> KeptList:
    from agent.core.why.reconcile.kept import KeptList

    body = row[8]
    try:
        told = json.loads(body)
    except ValueError:
        told = {}  # flash left something else: that it was read is still worth telling
    return KeptList._make((*row[:8], told if isinstance(told, dict) else {}))
