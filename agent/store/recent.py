"""Payments taken lately, for the question whether a new one has a twin. Costs no flash at all.

An index in the database would rewrite a page of 1 KiB with every payment; this one lies in memory,
is read back from the newest rows at the start and forgets what is older than the window. Lives on
the writer thread inside the batch: what is rolled back is taken out again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from agent.core.moment import Moment, Stamp, at_least_ms, to_ms
from agent.core.money.journal import Record, State
from agent.core.money.limits import Seen, alike_amounts
from agent.core.money.transaction import Transaction
from agent.store.rows import NUMBER

#: Kept at most: a busy till takes a thousand payments a day; each costs about half a kilobyte.
MOST = 4_096
#: The host did not take these, or they were taken back: taking such a payment again is no twin.
UNDONE = frozenset({State.DECLINED, State.VOIDED, State.LAPSED, State.REVERSED})
_UNDONE = frozenset(NUMBER[state] for state in UNDONE)

#: Terminal, kind, currency, amount.
Like = tuple[str, str, str | None, int | None]


class Recent:
    """The newest payments by what a twin would have in common with them."""

    def __init__(self, window_s: int) -> None:
        self._window_ms = window_s * 1000
        self._seen: dict[Like, dict[int, Seen]] = {}
        self._order: dict[int, tuple[Like, Stamp]] = {}
        #: What to undo, newest last: (seq, like, what was there before).
        self._undo: list[tuple[int, Like, Stamp, Seen | None]] = []

    @property
    def watching(self) -> bool:
        """Whether anybody asks."""
        return self._window_ms > 0

    def load(self, rows: Iterable[sqlite3.Row], now: Moment, boot_no: int) -> None:
        """Start from the `recent` query: newest first, up to what is too old."""
        found: list[tuple[int, Like, Stamp, Seen]] = []
        for row in rows:
            stamp = Stamp(row["stored_ms"], row["stored_boot_ms"], row["stored_boot_no"])
            if at_least_ms(stamp, now, boot_no) > self._window_ms:
                break
            if row["state"] in _UNDONE:
                continue
            card = json.loads(row["card"]).get("masked") if row["card"] else None
            seen = Seen(
                key=row["key"], amount_minor=row["amount_minor"] or 0,
                occurred_ms=row["occurred_ms"], card=card, stan=row["stan"], batch=row["batch"],
            )  # fmt: skip
            like = (row["terminal_id"], row["kind"], row["currency"], row["amount_minor"])
            found.append((row["seq"], like, stamp, seen))
        for seq, like, stamp, seen in reversed(found):
            self._put(seq, like, stamp, seen)

    def moved(self, before: Record | None, after: Record) -> None:
        """A record appeared or changed."""
        if not self.watching:
            return
        like = _like(after.transaction)
        if after.state in UNDONE:
            if (was := self._take(after.seq, like)) is not None:
                self._undo.append((after.seq, like, after.stored, was))
        elif before is None:
            self._put(after.seq, like, after.stored, _seen(after.transaction))
            self._undo.append((after.seq, like, after.stored, None))

    def mark(self) -> int:
        return len(self._undo)

    def rollback(self, mark: int = 0) -> None:
        while len(self._undo) > mark:
            seq, like, stamp, was = self._undo.pop()
            if was is None:
                self._take(seq, like)
            else:
                self._put(seq, like, stamp, was)

    def commit(self) -> None:
        self._undo.clear()
        while len(self._order) > MOST:
            seq = next(iter(self._order))
            self._take(seq, self._order[seq][0])

    def like(self, t: Transaction, now: Moment, boot_no: int) -> list[Seen]:
        """Those a new payment has to be compared with, the newest first."""
        if not self.watching or t.amount_minor is None:
            return []
        self._forget(now, boot_no)
        terminal_id, kind, currency, amount_minor = _like(t)
        assert amount_minor is not None
        return [
            seen
            for amount in alike_amounts(amount_minor)
            for seen in reversed(self._seen.get((terminal_id, kind, currency, amount), {}).values())
        ]

    def _forget(self, now: Moment, boot_no: int) -> None:
        while self._order:
            seq, (like, stamp) = next(iter(self._order.items()))
            if at_least_ms(stamp, now, boot_no) <= self._window_ms:
                return
            self._take(seq, like)

    def _put(self, seq: int, like: Like, stamp: Stamp, seen: Seen) -> None:
        self._seen.setdefault(like, {})[seq] = seen
        self._order[seq] = (like, stamp)

    def _take(self, seq: int, like: Like) -> Seen | None:
        if self._order.pop(seq, None) is None:
            return None
        of_like = self._seen[like]
        seen = of_like.pop(seq)
        if not of_like:
            del self._seen[like]
        return seen


def _like(t: Transaction) -> Like:
    return (t.terminal_id, t.kind.value, t.currency, t.amount_minor)


def _seen(t: Transaction) -> Seen:
    return Seen(
        key=t.key, amount_minor=t.amount_minor or 0, occurred_ms=to_ms(t.occurred_at),
        card=t.card.masked if t.card else None, stan=t.stan, batch=t.batch,
    )  # fmt: skip
