"""The program that reads a settlement list and holds it against journal rows it is given.

Told, a line each: the profile and the days earlier lists of it are about (JSON); pieces of the file
(`F` and base64); `E` for its end, which is answered with the span of time whose payments are
needed; rows of payments in the journal's order (JSON arrays of arrays) and what earlier lists have
of those that follow (a JSON object); `P` after the last. Answers what somebody must look at, in
batches. Where lines are left that name their payment it asks for payments of other days, by key or
by span of time, and is told rows and `P` each time. Payments that are settled as they should come
in parts (`core.why.reconcile.parts`); then totals. Or one refusal. It keeps what it was told in
temporary files of its own, which have no name and vanish with it.
"""

from __future__ import annotations

import base64
import json
import marshal
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, Self

from agent.core.why.reconcile import parts
from agent.core.why.reconcile.classes import UNTOLD, Class
from agent.core.why.reconcile.encoding import Trial, decoded, lines_of, shown
from agent.core.why.reconcile.judging import Days, Finding
from agent.core.why.reconcile.matching import Row
from agent.core.why.reconcile.payments import Payment
from agent.core.why.reconcile.profile import ListError, Profile, profile_from
from agent.core.why.reconcile.session import Session
from agent.core.why.reconcile.tables import read

#: Findings in one line of answer.
BATCH = 250
CHUNK_BYTES = 262_144
#: Kept in memory before a shelf goes to the disk.
SHELF_BYTES = 65_536
_ROWS_AT_ONCE = 64
#: Findings that are sorted at once.
SORTED = 4_000
#: Keys asked for at once: rows of one turn on the store's thread.
ASKED = 400
#: After the last row that is told.
PAUSE = b"P"
_UNTOLD = frozenset(one.value for one in UNTOLD)
_EARLIER = slice(Payment._fields.index("earlier"), Payment._fields.index("earlier_rrn") + 1)


def answer(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The dialogue above."""
    source = iter(lines)
    told = json.loads(next(source))
    profile = profile_from(told)
    covered = [Days(*days) for days in told.get("covered", ())]
    try:
        with Shelves() as shelves:
            yield from _reconciled(profile, source, Session(profile, shelves, covered), shelves)
    except ListError as refusal:
        yield _json({"refused": refusal.plain()})


def _reconciled(
    profile: Profile, source: Iterator[bytes], session: Session, shelves: Shelves
) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        trial = Trial(profile.encoding)
        for told in source:
            if told[:1] != b"F":
                break
            piece = base64.b64decode(told[1:])
            trial.feed(piece)
            file.write(piece)
        trial.feed(b"", final=True)
        encoding = trial.chosen()
        file.seek(0)
        chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
        for line in read(profile, lines_of(decoded(chunks, encoding))):
            session.add_line(line)
    yield _json({"window": session.window(), "encoding": shown(encoding)})
    matched = Matched(shelves)

    def put(payment: Payment) -> None:
        session.add_payment(payment)
        matched.expect(payment.seq)

    answered = _told_rows(source, put)
    batch: list[Finding] = []
    for finding in session.findings():
        if finding.result == Class.MATCHED:
            matched.add(finding)
        elif finding.result not in _UNTOLD:
            batch.append(finding)
            if len(batch) == BATCH:
                yield _json({"found": batch})
                batch = []
    yield _json({"found": batch})
    if answered:
        yield from _asked(source, session)
    rest = (finding for finding in session.rest() if finding.result not in _UNTOLD)
    while batch := list(islice(rest, BATCH)):
        yield _json({"found": batch})
    # The store numbers parts behind everything else.
    for part in matched.parts():
        yield _json(part)
    yield _json({"done": session.totals()})


def _asked(source: Iterator[bytes], session: Session) -> Iterator[bytes]:
    """For payments of other days that lines which are left may be."""
    had: set[int] = set()

    def put(payment: Payment) -> None:
        if payment.seq not in had:
            had.add(payment.seq)
            session.add_elsewhere(payment)

    def put_new(payment: Payment) -> None:
        if payment.seq not in had:
            session.add_elsewhere(payment)

    for keys in session.keys(ASKED):
        yield _json({"wanted": {"keys": keys}})
        _told_rows(source, put)
    for span in session.spans():
        yield _json({"wanted": {"span": span}})
        _told_rows(source, put_new)


def _told_rows(source: Iterator[bytes], put: Callable[[Payment], None]) -> bool:
    """Rows up to the pause; False where the source is at its end: nobody can be asked more."""
    earlier: dict[str, list[Any]] = {}
    for told in source:
        if told == PAUSE:
            return True
        rows = json.loads(told)
        if isinstance(rows, dict):
            earlier |= rows
            continue
        for row in rows:
            if earlier and str(row[0]) in earlier:
                row[_EARLIER] = earlier[str(row[0])]
            put(Payment(*row))
        earlier = {}
    return False


class Matched:
    """Findings of payments that are settled as they should, brought into the journal's order."""

    def __init__(self, shelves: Shelves) -> None:
        self._new = shelves
        self._bounds: list[int] = []  # the first payment of each shelf
        self._expected = 0
        self._shelves: list[Shelf] = []

    def expect(self, seq: int) -> None:
        """Payments come in order: so many of them to a shelf, to be sorted at once."""
        if self._expected % SORTED == 0:
            self._bounds.append(seq)
            self._shelves.append(self._new())
        self._expected += 1

    def add(self, finding: Finding) -> None:
        place = max(0, bisect_right(self._bounds, finding.seq) - 1)
        self._shelves[place].add(tuple(finding))

    def parts(self) -> Iterator[dict[str, Any]]:
        """All of them, as they are kept."""
        for shelf in self._shelves:
            rows = sorted(shelf.rows(), key=itemgetter(parts.SEQ))
            shelf.clear()
            for begin in range(0, len(rows), parts.SIZE):
                some = rows[begin : begin + parts.SIZE]
                body = base64.b64encode(parts.packed(some)).decode()
                span = [some[0][parts.SEQ], some[-1][parts.SEQ], len(some)]
                yield {"part": span, "body": body}


class Shelves:
    """Makes shelves, and closes them all."""

    def __init__(self) -> None:
        self._made: list[Shelf] = []

    def __call__(self) -> Shelf:
        self._made.append(Shelf())
        return self._made[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for shelf in self._made:
            shelf.clear()


class Shelf:
    """Rows in a temporary file; small ones never reach the disk."""

    def __init__(self) -> None:
        self._file: Any = None
        self._held: list[Row] = []

    def add(self, row: Row) -> None:
        self._held.append(row)
        if len(self._held) >= _ROWS_AT_ONCE:
            if self._file is None:
                self._file = tempfile.SpooledTemporaryFile(max_size=SHELF_BYTES)  # noqa: SIM115
            # With its length before it: reading an open end is a call for each byte.
            packed = marshal.dumps(self._held)
            self._file.write(len(packed).to_bytes(4, "big") + packed)
            self._held = []

    def rows(self) -> Iterator[Row]:
        if self._file is not None:
            self._file.seek(0)
            while size := self._file.read(4):
                yield from marshal.loads(self._file.read(int.from_bytes(size, "big")))
        yield from self._held

    def clear(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._held = []


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
