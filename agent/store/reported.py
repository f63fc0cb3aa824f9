"""What payment apps report: stages of the payments they send themselves, batches, sign-on.

A report and what it does to its payment are one commit. Reports are evidence: each is kept as it
came, under its own number, with a MAC; the same again is no news, another under the same number is
refused. What a report is worth is decided by `core.money.stages`. Part of the journal, on its
thread.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agent.core.moment import Moment, at_ms, to_ms
from agent.core.money import batches, stages
from agent.core.money.batches import AppReport, Batch, SignOn
from agent.core.money.journal import Change, Record
from agent.core.money.stages import Effect, Kept, Report, Said, Settlement, Stage
from agent.core.money.transaction import Delivery
from agent.errors import CallerError
from agent.store.rows import Sealer, result_of, result_text
from agent.store.sql import QUERIES


class Rows(Protocol):
    """The journal, as far as it is moved from here."""

    def record(self, key: str, now: Moment) -> Record | None: ...
    def moved_on(self, seq: int, version: int, change: Change, now: Moment) -> Record: ...
    def pending_by_app(self, after_seq: int, limit: int, now: Moment) -> list[Record]: ...


class Reported:
    """The tables `stage`, `batch` and `sign_on`."""

    def __init__(self, db: sqlite3.Connection, rows: Rows, sealer: Sealer) -> None:
        self._db = db
        self._rows = rows
        self._sealer = sealer

    # -- one payment -----------------------------------------------------------------------

    def report(self, key: str, reports: Sequence[Report], now: Moment) -> tuple[Record, list[Kept]]:
        """Take reports in the order of their numbers. Raises CallerError and keeps none of them."""
        record = self._by_app(key, now)
        known = self.stages(record.seq)
        for report in sorted(reports, key=lambda one: one.n):
            same = next((kept for kept in known if kept.report.n == report.n), None)
            if same is not None:
                if same.report != report:
                    raise CallerError(
                        "stage.mismatch", f"report {report.n} of {key} said something else before"
                    )
                continue
            if len(known) >= stages.MOST_REPORTS:
                raise CallerError("stage.too_many", f"{key} has had {len(known)} reports")
            worth = stages.weigh(record, report, known)
            record = self._moved(record, worth.changes, now)
            kept = Kept(report=report, effect=worth.effect, stored_at=now.at)
            self._keep(record.seq, kept)
            known.append(kept)
        return record, sorted(known, key=lambda one: one.report.n)

    def settle(self, key: str, word: Settlement, now: Moment) -> Record:
        """A person's word about a payment. Raises CallerError where it is proven otherwise."""
        record = self._by_app(key, now)
        changes = stages.settle(record, word)
        if changes is None:
            raise CallerError("record.final", f"payment {key} is {record.state}, with proof")
        return self._moved(record, changes, now)

    def overdue(self, record: Record, changes: Sequence[Change], now: Moment) -> Record:
        """Commit what silence means, if the record is still where it was."""
        return self._moved(record, changes, now)

    def stages(self, seq: int) -> list[Kept]:
        """The reports of one payment by their numbers; one found altered is left out."""
        rows = self._db.execute(QUERIES["stages"], (seq,)).fetchall()
        return [_kept(row) for row in rows if self._genuine("stage", row)]

    def _by_app(self, key: str, now: Moment) -> Record:
        record = self._rows.record(key, now)
        if record is None:
            raise CallerError("transaction.unknown", f"the journal has no payment with key {key}")
        if record.transaction.delivery is not Delivery.APP:
            raise CallerError("record.by_agent", f"payment {key} is sent by the agent")
        return record

    def _moved(self, record: Record, changes: Iterable[Change], now: Moment) -> Record:
        for change in changes:
            record = self._rows.moved_on(record.seq, record.version, change, now)
        return record

    def _keep(self, seq: int, kept: Kept) -> None:
        report = kept.report
        self._add(
            "stage",
            (
                seq, report.n, report.stage.value, to_ms(report.at), to_ms(kept.stored_at),
                kept.effect.value, report.outcome.value if report.outcome else None,
                result_text(report.result), report.batch,
            ),
        )  # fmt: skip

    # -- one terminal ----------------------------------------------------------------------

    def told(self, report: AppReport) -> tuple[Batch | None, SignOn | None]:
        """Take a report about a terminal in; what is known of it now."""
        named = report.batch.batch if report.batch else None
        batch = self.batch(report.terminal_id, named) if named else None
        if (fresh := batches.batch_after(batch, report)) is not None:
            batch = fresh
            self._add("batch", _batch_columns(fresh))
        sign_on = self.sign_ons().get(report.terminal_id)
        if (now_on := batches.sign_on_after(sign_on, report)) is not None:
            sign_on = now_on
            self._add("sign_on", (now_on.terminal_id, int(now_on.signed_on), to_ms(now_on.at)))
        return batch, sign_on

    def batch(self, terminal_id: str, batch: str | None) -> Batch | None:
        """One batch, if it was told of."""
        row = self._db.execute(QUERIES["batch"], (terminal_id, batch)).fetchone()
        return None if row is None or not self._genuine("batch", row) else _batch(row)

    def batches(self) -> list[Batch]:
        """The batches told of last, the newest first."""
        rows = self._db.execute(QUERIES["newest_batches"]).fetchall()
        return [_batch(row) for row in rows if self._genuine("batch", row)]

    def open_batches(self) -> list[Batch]:
        """The batches that were opened and not closed, the oldest first."""
        rows = self._db.execute(QUERIES["open_batches"]).fetchall()
        return [_batch(row) for row in rows if self._genuine("batch", row)]

    def sign_ons(self) -> Mapping[str, SignOn]:
        """By terminal, whether it is signed on."""
        rows = self._db.execute(QUERIES["sign_ons"]).fetchall()
        return {
            row["terminal_id"]: SignOn(
                terminal_id=row["terminal_id"], signed_on=bool(row["signed_on"]),
                at=at_ms(row["at_ms"]),
            )
            for row in rows
            if self._genuine("sign_on", row)
        }  # fmt: skip

    # -- rows ------------------------------------------------------------------------------

    def _add(self, table: str, values: tuple[object, ...]) -> None:
        self._db.execute(QUERIES[f"add_{table}"], (*values, self._sealer.line(table, values)))

    def _genuine(self, table: str, row: sqlite3.Row) -> bool:
        *values, mac = tuple(row)
        try:
            return hmac.compare_digest(self._sealer.line(table, tuple(values)), mac)
        except TypeError:
            return False


def _kept(row: sqlite3.Row) -> Kept:
    return Kept(
        report=Report(
            n=row["n"],
            stage=Stage(row["stage"]),
            at=at_ms(row["at_ms"]),
            outcome=None if row["outcome"] is None else Said(row["outcome"]),
            result=result_of(row["result"]),
            batch=row["batch"],
        ),
        effect=Effect(row["effect"]),
        stored_at=at_ms(row["stored_ms"]),
    )


def _batch_columns(batch: Batch) -> tuple[object, ...]:
    amounts = json.dumps(dict(batch.by_currency), sort_keys=True) if batch.by_currency else None
    return (
        batch.terminal_id, batch.batch, _ms(batch.opened_at), _ms(batch.closed_at),
        None if batch.agreed is None else int(batch.agreed), batch.count, amounts,
    )  # fmt: skip


def _batch(row: sqlite3.Row) -> Batch:
    return Batch(
        terminal_id=row["terminal_id"],
        batch=row["batch"],
        opened_at=None if row["opened_ms"] is None else at_ms(row["opened_ms"]),
        closed_at=None if row["closed_ms"] is None else at_ms(row["closed_ms"]),
        agreed=None if row["agreed"] is None else bool(row["agreed"]),
        count=row["count"],
        by_currency=json.loads(row["amounts"]) if row["amounts"] else {},
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)
