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
from agent.core.money.journal import FINAL, Record, State
from agent.core.money.limits import Seen, alike_amounts
from agent.core.money.transaction import Transaction
from agent.store.rows import NUMBER, UNREADABLE

#: Kept at most: a busy till takes a thousand payments a day; each costs about half a kilobyte.
MOST = 4_096
#: The host did not take these, or they were taken back: taking such a payment again is no twin.
UNDONE = frozenset({State.DECLINED, State.VOIDED, State.LAPSED, State.REVERSED})
_UNDONE = frozenset(NUMBER[state] for state in UNDONE)
FINAL_NUMBERS = frozenset(NUMBER[state] for state in FINAL)
DECLINED = NUMBER[State.DECLINED]

#: Terminal, kind, currency, amount, and what makes two of those twins: the card, or STAN and batch.
#: Not one without the other: a bus takes the same fare a thousand times a day.
Sign = tuple[str, str, str | None, int | None, str, str]
Signs = tuple[Sign, ...]


_WHOLE = ("seq", "state", "occurred_ms", "stored_ms", "stored_boot_ms", "stored_boot_no")
_TEXTS = ("key", "terminal_id", "kind")
_MAYBE = ("currency", "card", "stan", "batch")
#: No amount is larger, and no time later; a damaged one may be.
_MOST_MINOR = 2**53


def legible(row: sqlite3.Row) -> bool:
    """Whether a row of the `recent` query can be remembered. Its MAC is checked where it is used;
    a damaged row must not keep the store from opening."""
    try:
        card, amount = row["card"], row["amount_minor"]
        return (
            all(isinstance(row[name], int) and 0 <= row[name] < _MOST_MINOR for name in _WHOLE)
            and all(isinstance(row[name], str) for name in _TEXTS)
            and all(row[name] is None or isinstance(row[name], str) for name in _MAYBE)
            and (amount is None or (isinstance(amount, int) and abs(amount) < _MOST_MINOR))
            and (not card or isinstance(json.loads(card).get("masked"), str | None))
        )
    except UNREADABLE:
        return False


class Recent:
    """The newest payments by what a twin would have in common with them."""

    def __init__(self, window_s: int) -> None:
        self._window_ms = window_s * 1000
        self._seen: dict[Sign, dict[int, Seen]] = {}
        self._order: dict[int, tuple[Signs, Stamp]] = {}
        #: What to undo, newest last: (seq, signs, what was there before).
        self._undo: list[tuple[int, Signs, Stamp, Seen | None]] = []

    @property
    def watching(self) -> bool:
        """Whether anybody asks."""
        return self._window_ms > 0

    def load(self, rows: Iterable[sqlite3.Row], now: Moment, boot_no: int) -> None:
        """Start from the `recent` query: newest first, up to what is too old."""
        found: list[tuple[int, Signs, Stamp, Seen]] = []
        for row in rows:
            if not legible(row):
                continue
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
            found.append((row["seq"], _signs(like, card, row["stan"], row["batch"]), stamp, seen))
        for seq, signs, stamp, seen in reversed(found):
            self._put(seq, signs, stamp, seen)

    def moved(self, before: Record | None, after: Record) -> None:
        """A record appeared or changed."""
        t = after.transaction
        if not self._window_ms or (t.card is None and t.batch is None):
            return
        signs = _signs_of(t, t.amount_minor)
        if after.state in UNDONE:
            if (was := self._take(after.seq)) is not None:
                self._undo.append((after.seq, signs, after.stored, was))
        elif before is None:
            self._put(after.seq, signs, after.stored, _seen(t))
            self._undo.append((after.seq, signs, after.stored, None))

    def clear(self) -> None:
        """Begin anew, without what is known."""
        self._seen.clear()
        self._order.clear()
        self._undo.clear()

    def mark(self) -> int:
        return len(self._undo)

    def rollback(self, mark: int = 0) -> None:
        while len(self._undo) > mark:
            seq, signs, stamp, was = self._undo.pop()
            if was is None:
                self._take(seq)
            else:
                self._put(seq, signs, stamp, was)

    def commit(self) -> None:
        self._undo.clear()
        while len(self._order) > MOST:
            self._take(next(iter(self._order)))

    def like(self, t: Transaction, now: Moment, boot_no: int) -> list[Seen]:
        """Those a new payment has to be compared with, the newest first."""
        if not self._window_ms or t.amount_minor is None or (t.card is None and t.batch is None):
            return []
        self._forget(now, boot_no)
        found: list[Seen] = []
        for amount in alike_amounts(t.amount_minor):
            alike: dict[int, Seen] = {}
            for sign in _signs_of(t, amount):
                alike |= self._seen.get(sign, {})
            found += [alike[seq] for seq in sorted(alike, reverse=True)]
        return found

    def _forget(self, now: Moment, boot_no: int) -> None:
        while self._order:
            seq, (_, stamp) = next(iter(self._order.items()))
            if at_least_ms(stamp, now, boot_no) <= self._window_ms:
                return
            self._take(seq)

    def _put(self, seq: int, signs: Signs, stamp: Stamp, seen: Seen) -> None:
        if signs:
            self._order[seq] = (signs, stamp)
        for sign in signs:
            self._seen.setdefault(sign, {})[seq] = seen

    def _take(self, seq: int) -> Seen | None:
        signs, _ = self._order.pop(seq, ((), None))
        seen = None
        for sign in signs:
            alike = self._seen[sign]
            seen = alike.pop(seq)
            if not alike:
                del self._seen[sign]
        return seen


def _signs(
    like: tuple[str, str, str | None, int | None],
    card: str | None,
    stan: str | None,
    batch: str | None,
) -> Signs:
    by_card: Signs = ((*like, "card", card),) if card else ()
    by_trace: Signs = ((*like, stan, batch),) if stan is not None and batch is not None else ()
    return by_card + by_trace


def _signs_of(t: Transaction, amount_minor: int | None) -> Signs:
    card = t.card.masked if t.card else None
    return _signs((t.terminal_id, t.kind.value, t.currency, amount_minor), card, t.stan, t.batch)


def _seen(t: Transaction) -> Seen:
    return Seen(
        key=t.key, amount_minor=t.amount_minor or 0, occurred_ms=to_ms(t.occurred_at),
        card=t.card.masked if t.card else None, stan=t.stan, batch=t.batch,
    )  # fmt: skip
