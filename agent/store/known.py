"""Rows that were believed or written a moment ago, so that moving one on need not read it again.

A delivery moves the same row twice within milliseconds; reading and checking it each time costs
more than the change. What is kept here is never trusted for itself: the UPDATE that uses it names
every column with the value remembered (`update_tx`). A row that is anything else on the flash is
not touched, and the caller reads and checks it afresh. So a rolled-back commit, another version
and an altered row all end the same way: the slow one.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.money.journal import Record
from agent.store.rows import Values

#: One page of work and what is in flight; about 2 kB each.
MAX_ROWS = 128


@dataclass(frozen=True, slots=True)
class Known:
    """A row as it was last seen on the flash: what was made of it, and its columns."""

    record: Record
    values: Values


class KnownRows:
    """The last few, by number."""

    def __init__(self) -> None:
        self._rows: dict[int, Known] = {}

    def keep(self, known: Known) -> None:
        """Final rows are not moved on, so they are not kept."""
        seq = known.record.seq
        self._rows.pop(seq, None)
        if known.record.final:
            return
        self._rows[seq] = known
        if len(self._rows) > MAX_ROWS:
            del self._rows[next(iter(self._rows))]

    def at(self, seq: int, version: int) -> Known | None:
        """The row, if it was last seen at this version."""
        known = self._rows.get(seq)
        return known if known is not None and known.record.version == version else None

    def drop(self, seq: int) -> None:
        self._rows.pop(seq, None)
