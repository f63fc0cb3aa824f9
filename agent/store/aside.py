"""What was put aside because it could not be believed: whole journals, and single rows.

Nothing in here is ever sent again by itself, and all of it counts as unsent money until somebody
has looked. The tables are journal.db's; the damaged files themselves lie in `quarantine/`.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime

from agent.core.moment import Moment, at_ms
from agent.core.money.journal import Amounts
from agent.record import dataclass
from agent.store.sql import QUERIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A journal that was put aside."""

    id: int
    path: str
    at: datetime
    reason: str
    records: int | None  #: unsent records in it; None: not known
    amounts: Mapping[str, int] | None


class Aside:
    """The quarantine tables, on the writer thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        #: Keys of rows that could not be believed; a repeat of one starts held and in doubt.
        self.keys = self._keys()
        self._added = False  # in the batch under way

    def keep(self, row: sqlite3.Row, reason: str, now: Moment) -> None:
        """Take a row out of the journal, exactly as it was found."""
        kept = {
            name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in zip(row.keys(), tuple(row), strict=True)
        }
        key, seq = str(row["key"]), int(row["seq"])
        self._db.execute(
            QUERIES["add_quarantined_row"],
            (seq, key, now.wall_ms, reason, json.dumps(kept).encode()),
        )
        self._db.execute(QUERIES["delete_tx"], (seq,))
        self.keys.add(key)
        self._added = True

    def commit(self) -> None:
        self._added = False

    def rollback(self) -> None:
        """What was put aside in this batch is back where it was."""
        if self._added:
            self.keys = self._keys()
            self._added = False

    def _keys(self) -> set[str]:
        return {row["key"] for row in self._db.execute(QUERIES["quarantined_rows"])}

    def journals(self) -> list[Quarantined]:
        """The journals put aside, oldest first."""
        return [
            Quarantined(
                id=row["id"],
                path=row["path"],
                at=at_ms(row["at_ms"]),
                reason=row["reason"],
                records=row["records"],
                amounts=None if row["amounts"] is None else json.loads(row["amounts"]),
            )
            for row in self._db.execute(QUERIES["quarantine"])
        ]

    def counted(self, quarantine_id: int, records: int, amounts: Mapping[str, int]) -> None:
        """A damaged journal has been counted as far as it could be read."""
        self._db.execute(
            QUERIES["count_quarantine"], (records, json.dumps(dict(amounts)), quarantine_id)
        )

    def amounts(self) -> Amounts | None:
        """What lies aside in all. None: not known."""
        count = len(self.keys)
        sums: dict[str, int] = {}
        for item in self.journals():
            if item.records is None:
                return None
            count += item.records
            for currency, minor in (item.amounts or {}).items():
                sums[currency] = sums.get(currency, 0) + minor
        return Amounts(count=count, by_currency=sums)
