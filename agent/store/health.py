"""Health kept over restarts: open conditions, their history, the last word of each component.

Owns the tables `alarm`, `health_history` and `reading` of state.db, which may be deleted without
losing money. Knows no condition and judges nothing. `HealthRows` serves the running daemon through
the store's writer thread; the functions serve it and the command line, which reads the same file
with the daemon dead.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from agent.core.health.noting import Note, Wish
from agent.core.health.reading import (
    NotFitted,
    NotObservable,
    Outcome,
    Reading,
    Unknown,
    Value,
)
from agent.core.health.tracker import Change, ComponentState, HistoryLine, OpenAlarm
from agent.core.moment import Moment, at_ms, to_ms

T = TypeVar("T")

KEEP_DAYS = 90
KEEP_ROWS = 50_000
#: What one question about the past may bring back; a flapping line fills 90 days with far more.
HISTORY_LIMIT = 5_000

_PUT_ALARM = """
INSERT INTO alarm (code, since_ms, shown_ms, flaps, args, acknowledged_by, acknowledged_ms,
    acknowledged_note, acknowledged_until_ms, acknowledged_to)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_HISTORY = """
INSERT INTO health_history (code, what, at_ms, boot_ms, args) VALUES (?, ?, ?, ?, ?)
"""
_PUT_READING = """
INSERT INTO reading (component, at_ms, kind, body) VALUES (?, ?, ?, ?)
ON CONFLICT (component) DO UPDATE SET
    at_ms = excluded.at_ms, kind = excluded.kind, body = excluded.body
"""
# The newest are kept when there are too many, and told in the order they happened.
_HISTORY = """
SELECT code, what, at_ms, args FROM (
    SELECT * FROM health_history WHERE at_ms >= ? AND at_ms <= ?
    ORDER BY at_ms DESC, id DESC LIMIT ?
) ORDER BY at_ms, id
"""
_PRUNE_COUNT = """
DELETE FROM health_history WHERE id <= (
    SELECT id FROM health_history ORDER BY id DESC LIMIT 1 OFFSET ?
)
"""


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class HealthRows:
    """What `agent.watch` needs from the store."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def load(self) -> list[OpenAlarm]:
        """The conditions open when the daemon stopped."""
        return await self._db.state(open_alarms)

    async def save(
        self,
        changes: Sequence[Change],
        alarms: Sequence[OpenAlarm],
        components: Sequence[ComponentState],
    ) -> None:
        """In one transaction: add `changes` to the history, make `alarms` all that is open."""

        def work(connection: sqlite3.Connection) -> None:
            add_history(connection, changes)
            replace_alarms(connection, alarms)
            put_readings(connection, components)

        await self._db.state(work)

    async def history(self, since: datetime, until: datetime) -> list[HistoryLine]:
        """What happened from `since` to `until`, oldest first."""
        return await self._db.state(lambda connection: history(connection, since, until))

    async def prune(self, now: Moment) -> int:
        """Drop what is older than 90 days or beyond 50,000 rows; how many went."""
        return await self._db.state(lambda connection: prune(connection, now))


def open_alarms(connection: sqlite3.Connection) -> list[OpenAlarm]:
    """Every condition that is not plain fine, oldest first."""
    rows = connection.execute(
        "SELECT code, since_ms, shown_ms, flaps, args, acknowledged_by, acknowledged_ms, "
        "acknowledged_note, acknowledged_until_ms, acknowledged_to "
        "FROM alarm ORDER BY since_ms, code"
    )
    return [
        OpenAlarm(
            code=code, since_ms=since, shown_ms=shown, flaps=flaps, args=_plain(args),
            note=_note(*note),
        )
        for code, since, shown, flaps, args, *note in rows
    ]  # fmt: skip


def replace_alarms(connection: sqlite3.Connection, alarms: Sequence[OpenAlarm]) -> None:
    """Make `alarms` all that is open. The table has a handful of rows at most."""
    connection.execute("DELETE FROM alarm")
    connection.executemany(
        _PUT_ALARM,
        (
            (
                one.code,
                one.since_ms,
                one.shown_ms,
                one.flaps,
                _text(one.args),
                *_noted(one.note),
            )
            for one in alarms
        ),
    )


def _note(by: str, at: int | None, text: str, until: int | None, to: str) -> Note | None:
    if at is None:
        return None
    return Note(by=by, at_ms=at, wish=Wish(text=text, until_ms=until, to=to))


def _noted(note: Note | None) -> tuple[object, ...]:
    if note is None:
        return "", None, "", None, ""
    return note.by, note.at_ms, note.wish.text, note.wish.until_ms, note.wish.to


def add_history(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """One row for each change."""
    connection.executemany(
        _ADD_HISTORY,
        (
            (one.code, one.what, one.at.wall_ms, one.at.boot_ms, _text(one.alarm.args))
            for one in changes
        ),
    )


def history(
    connection: sqlite3.Connection, since: datetime, until: datetime, limit: int = HISTORY_LIMIT
) -> list[HistoryLine]:
    """The changes between two times, both included; if too many, the newest `limit`."""
    rows = connection.execute(_HISTORY, (to_ms(since), to_ms(until), limit))
    return [
        HistoryLine(code=code, what=what, at=at_ms(at), args=_plain(args))
        for code, what, at, args in rows
    ]


def prune(connection: sqlite3.Connection, now: Moment) -> int:
    """Drop old and surplus history. By age only while the clock can be believed."""
    dropped = 0
    if now.trusted:
        oldest_ms = now.wall_ms - KEEP_DAYS * 86_400_000
        dropped += connection.execute(
            "DELETE FROM health_history WHERE at_ms < ?", (oldest_ms,)
        ).rowcount
    return dropped + connection.execute(_PRUNE_COUNT, (KEEP_ROWS,)).rowcount


def put_readings(connection: sqlite3.Connection, components: Sequence[ComponentState]) -> None:
    """Make these the last words of their components."""
    connection.executemany(
        _PUT_READING,
        ((one.component, to_ms(one.at), *_packed(one)) for one in components),
    )


def last_readings(connection: sqlite3.Connection) -> list[ComponentState]:
    """The last word of every component, by name. A row nobody can read any more is left out."""
    found: list[ComponentState] = []
    for component, at, kind, body in connection.execute(
        "SELECT component, at_ms, kind, body FROM reading ORDER BY component"
    ):
        told = _loaded(body)
        outcome = _outcome(kind, told)
        duration = told.get("duration_ms")
        if outcome is not None:
            found.append(
                ComponentState(
                    component=component,
                    outcome=outcome,
                    at=at_ms(at),
                    duration_ms=duration if isinstance(duration, int) else 0,
                    success=not isinstance(outcome, Unknown),
                )
            )
    return found


def _packed(state: ComponentState) -> tuple[str, str]:
    body: dict[str, object] = {"duration_ms": state.duration_ms}
    match state.outcome:
        case Reading(values=values, evidence=evidence):
            kind = "reading"
            body |= {"values": dict(values), "evidence": dict(evidence)}
        case NotFitted():
            kind = "not_fitted"
        case NotObservable(why=why):
            kind = "not_observable"
            body["why"] = why
        case Unknown(reason=reason, code=code, evidence=evidence):
            kind = "unknown"
            body |= {"reason": reason, "code": code, "evidence": dict(evidence)}
    return kind, _text(body)


def _outcome(kind: str, told: Mapping[str, object]) -> Outcome | None:
    evidence = {name: str(value) for name, value in _members(told.get("evidence")).items()}
    match kind:
        case "reading":
            return Reading(_values(told.get("values")), evidence)
        case "not_fitted":
            return NotFitted()
        case "not_observable":
            return NotObservable(str(told.get("why", "")))
        case "unknown":
            return Unknown(str(told.get("reason", "")), str(told.get("code", "")), evidence)
    return None


def _text(value: Mapping[str, object]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))


def _loaded(text: str) -> Mapping[str, object]:
    """A JSON object; empty where flash or an older release left something else."""
    try:
        return _members(json.loads(text))
    except ValueError:
        return {}


def _plain(text: str) -> Mapping[str, Value]:
    return _values(_loaded(text))


def _members(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _values(value: object) -> Mapping[str, Value]:
    return {
        name: inner
        for name, inner in _members(value).items()
        if inner is None or isinstance(inner, str | int | float)
    }
