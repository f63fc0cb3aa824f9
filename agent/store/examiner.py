"""Holds a payment against the rules on the writer thread, where no figure can change meanwhile.

It gathers what `core.money.limits` judges by: the unsent money from the tally, what lies aside,
the age of the oldest, the payments taken lately. Nothing is scanned and nothing written. Sixty-four
tills that ask at once are answered one after the other, so no limit is passed by a race.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Protocol

from agent.core.moment import Moment, Stamp, at_least_ms
from agent.core.money import qr
from agent.core.money.journal import Amounts, Record
from agent.core.money.lately import Lately, Past, entered
from agent.core.money.limits import (
    Exposure,
    Finding,
    Ground,
    RefusedError,
    Rules,
    Ruling,
    Use,
    examine,
    fullest,
    gravest_first,
    rule_on,
)
from agent.core.money.originals import REFERRING, against_original
from agent.core.money.transaction import Kind, Submission, Transaction
from agent.store.recent import DECLINED, FINAL_NUMBERS, legible
from agent.store.table import Table

_BACK = frozenset({Kind.QR_CANCEL, Kind.QR_REFUND})
#: A payment refused for the backlog keeps "limit reached" up this long: room for a small one is
#: no room for the next.
REFUSED_MS = 900_000
#: Of currencies without a limit nothing is counted.
_NOTHING = Exposure()


class Rows(Protocol):
    """The journal, as far as it is read from here."""

    def record(self, key: str, now: Moment) -> Record | None: ...


class Examiner:
    """The rules over one journal."""

    def __init__(self, table: Table, rules: Rules) -> None:
        self.rules = rules
        self._table = table
        self._recent = table.tally.recent
        self._boot_no = table.boot_no
        self._refused_boot_ms: int | None = None

    def load(self, now: Moment) -> None:
        """At the start: the payments of the window."""
        watch = self.rules.watch
        if not self._recent.watching and watch is None:
            return
        rows = self._table.many("recent")
        if self._recent.watching:
            self._recent.load(rows, now, self._boot_no)
        if watch is not None:
            lately = self._table.tally.lately = Lately(watch)
            for row in reversed(rows):
                if (past := _past(row)) is not None:
                    lately.moved(past, new=True)

    def findings(self, t: Transaction, now: Moment) -> tuple[Finding, ...]:
        """All that speaks against taking it now."""
        seen = self._recent.like(t, now, self._boot_no)
        exposure = _NOTHING
        if t.currency is not None and any(self.rules.limits_on(t.currency, t.posting)):
            exposure = self._exposure(t.currency, now)
        found = examine(t, self.rules, exposure, seen, now)
        more = self._originals(t)
        if (lately := self._table.tally.lately) is not None:
            more += lately.findings(t, self.rules.limits, now.wall_ms)
        return gravest_first((*found, *more)) if more else found

    def unfinished(self, t: Transaction, now: Moment) -> str | None:
        """Key of an open payment that this one may be again."""
        lately = self._table.tally.lately
        one = None if lately is None else lately.unfinished(t, now.wall_ms)
        return None if one is None else one.key

    def _originals(self, t: Transaction) -> list[Finding]:
        """What the payment it refers to says against it."""
        if t.kind not in REFERRING or self.rules.watch is None:
            return []
        row = None if t.refers_to is None else self._table.one("by_key", t.refers_to)
        original = None if row is None else _past(row)
        settled = False
        if row is not None and t.kind is Kind.VOID and row["batch"] is not None:
            held = self._table.one("batch", row["terminal_id"], row["batch"])
            settled = held is not None and held["closed_ms"] is not None
        return list(against_original(t, original, settled=settled))

    def ruling(self, submission: Submission, now: Moment, *, in_doubt: bool) -> Ruling:
        """What a submission meets. Raises RefusedError."""
        t = submission.transaction
        findings = self.findings(t, now)
        if submission.entry_ms is not None and self.rules.watch is not None:
            findings = (*findings, *entered(submission.entry_ms, self.rules.watch))
        try:
            return rule_on(t, findings, self.rules, submission.confirmed, in_doubt=in_doubt)
        except RefusedError as error:
            if any(one.ground is Ground.LIMIT and not one.where for one in error.findings):
                self._refused_boot_ms = now.boot_ms
            raise

    def by_code(self, t: Transaction, rows: Rows, now: Moment) -> tuple[int, str]:
        """For what takes a payment by code back: how long it has to wait for its earliest moment,
        and why it comes too late, or ""."""
        windows = self.rules.qr.get(t.uplink)
        if windows is None or t.kind not in _BACK or t.refers_to is None:
            return 0, ""
        original = rows.record(t.refers_to, now)
        if original is None:
            return 0, ""
        wait_ms = 0
        if t.kind is Kind.QR_CANCEL:
            wait_ms = qr.cancel_wait_ms(original, windows, now, self._boot_no)
        return wait_ms, qr.too_late(t, windows, now, original.transaction.occurred_at)

    def fullest(self, now: Moment) -> tuple[Use | None, bool]:
        """The limit used up furthest, and whether it counts as reached."""
        if not self.rules.limits:
            return None, False
        currencies = {limit.currency for limit in self.rules.limits}
        use = fullest(self.rules, {c: self._exposure(c, now) for c in currencies})
        since = self._refused_boot_ms
        lately = since is not None and now.boot_ms - since < REFUSED_MS
        return use, use is not None and (use.percent >= 100 or (lately and use.found > 0))

    def _exposure(self, currency: str, now: Moment) -> Exposure:
        self._table.recount()
        own = self._table.tally.exposure(currency)
        aside = self._table.aside.amounts() or Amounts()
        count = own.count + (aside.count if currency in aside.by_currency else 0)
        oldest = self._table.oldest_unsent()
        age_ms = None
        if oldest is not None:
            stamp = Stamp(oldest["stored_ms"], oldest["stored_boot_ms"], oldest["stored_boot_no"])
            age_ms = at_least_ms(stamp, now, self._boot_no)
        return Exposure(
            count=count,
            total_minor=own.by_currency.get(currency, 0) + aside.by_currency.get(currency, 0),
            oldest_ms=age_ms,
        )


def _past(row: sqlite3.Row) -> Past | None:
    """A row as it is remembered; None: it is not what was written, and is put aside elsewhere."""
    if not legible(row):
        return None
    try:
        return Past(
            key=row["key"],
            terminal_id=row["terminal_id"],
            kind=Kind(row["kind"]),
            currency=row["currency"],
            amount_minor=row["amount_minor"],
            card=json.loads(row["card"]).get("masked") if row["card"] else None,
            occurred_ms=row["occurred_ms"],
            in_doubt=bool(row["in_doubt"]),
            final=row["state"] in FINAL_NUMBERS,
            declined=row["state"] == DECLINED,
        )
    except ValueError:  # a kind nobody knows
        return None
