"""Rows that were believed or written a moment ago, so that moving one on need not read it again.

A delivery moves the same row twice within milliseconds; reading and checking it each time costs
more than the change. The UPDATE that uses it names the row's version and MAC (`update_tx`): after a
rolled-back commit, or if somebody else moved the row, nothing is touched and the caller reads it
afresh. A row altered under its MAC gets a new one made of what was believed, which does not fit
it, so that it is put aside when it is read again; what was sent meanwhile is what was believed.
"""

from __future__ import annotations

from agent.store.rows import Known

#: One page of work and what is in flight; about 3 kB each.
MAX_ROWS = 128


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
