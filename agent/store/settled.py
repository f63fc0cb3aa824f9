"""The rows of settlement lists in state.db: which were read, and what they said of each payment.

What a later list says of the same payment, or of the same line, supersedes what an earlier one
said; the earlier row stays. Lost with state.db without harm: a list can be read again. Called by
the actions through a port and by the offline reader.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

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
_EARLIER = (
    "SELECT seq, list, settled_day, rrn FROM settled WHERE seq BETWEEN ? AND ? AND seq > 0 "
    "AND superseded = 0 AND result IN ('matched', 'late', 'amount_differs')"
)
_OF_PAYMENT = (
    f"SELECT {_FINDING}, superseded FROM settled WHERE seq = ? AND seq > 0 AND superseded = 0 "
    "ORDER BY list DESC LIMIT 1"
)
_MORE_OF = (
    f"SELECT {_FINDING}, superseded FROM settled WHERE key = ? AND mark > 0 AND key <> '' "
    "AND superseded = 0 ORDER BY list DESC, n LIMIT 5"
)
_COUNTS = (
    "SELECT result, count(*) FROM settled WHERE superseded = 0 AND result <> 'matched' "
    "GROUP BY result"
)
_FIRST_OPEN = (
    f"SELECT {_FINDING}, superseded FROM settled WHERE superseded = 0 AND result <> 'matched' "
    "AND result = ? ORDER BY list DESC, n LIMIT 1"
)
#: One turn on the writer; a page of findings is some 30 µs each.
PIECE = 100
_ROOM = 200


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

    async def end(self, number: int, state: str, ended_ms: int, body: Mapping[str, Any]) -> None:
        """It is done, or refused: then nothing of it is kept but that."""
        if state != "done":
            await self._drop(number)
        else:
            await self._supersede(number)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        row = (state, ended_ms, text, number)

        def work(db: sqlite3.Connection) -> None:
            db.execute(_END, row)

        await self._db.state(work)

    async def earlier(self, first: int, last: int) -> dict[int, tuple[int, int, str]]:
        """What earlier lists have of payments from `first` to `last`: list, day, RRN."""
        rows = await self._db.state(
            lambda db: db.execute(_EARLIER, (first, last)).fetchmany(10_000)
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

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

    async def _supersede(self, number: int) -> None:
        after: int | None = (
            -1 if await self._db.state(partial(_has_earlier, number=number)) else None
        )
        while after is not None:
            after = await self._db.state(partial(_superseded, number=number, after=after))


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
    rows = db.execute(f"{query} ORDER BY n LIMIT ?", (*args, min(limit, 500)))
    return [_finding(row) for row in rows]


def of_payment(db: sqlite3.Connection, seq: int) -> KeptFinding | None:
    """What the newest list says of a payment."""
    row = db.execute(_OF_PAYMENT, (seq,)).fetchone()
    return None if row is None else _finding(row)


def an_open(db: sqlite3.Connection, result: str) -> KeptFinding | None:
    """One of a class, of the newest list."""
    row = db.execute(_FIRST_OPEN, (result,)).fetchone()
    return None if row is None else _finding(row)


def _added(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    db.executemany(_ADD, rows)


def _has_earlier(db: sqlite3.Connection, number: int) -> bool:
    row = db.execute("SELECT 1 FROM settled WHERE list < ? LIMIT 1", (number,)).fetchone()
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
