"""The program that reads a settlement list and holds it against journal rows it is given.

Told, a line each: the profile (JSON); pieces of the file (`F` and base64); `E` for its end, which
is answered with the span of time whose payments are needed; rows of payments (JSON arrays of
arrays). Answers findings in batches, then totals, or one refusal. It keeps what it was told in
temporary files of its own, which have no name and vanish with it.
"""

from __future__ import annotations

import base64
import json
import marshal
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, Self

from agent.core.why.reconcile.encoding import Trial, decoded, lines_of, shown
from agent.core.why.reconcile.judging import Finding
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


def answer(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The dialogue above."""
    source = iter(lines)
    profile = profile_from(json.loads(next(source)))
    try:
        yield from _reconciled(profile, source)
    except ListError as refusal:
        yield _json({"refused": refusal.plain()})


def _reconciled(profile: Profile, source: Iterator[bytes]) -> Iterator[bytes]:
    with Shelves() as shelves:
        yield from _in_shelves(profile, source, shelves)


def _in_shelves(profile: Profile, source: Iterator[bytes], shelves: Shelves) -> Iterator[bytes]:
    session = Session(profile, shelves)
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
    for told in source:
        for row in json.loads(told):
            session.add_payment(Payment(*row))
    batch: list[Finding] = []
    for finding in session.findings():
        batch.append(finding)
        if len(batch) == BATCH:
            yield _json({"found": batch})
            batch = []
    yield _json({"found": batch})
    yield _json({"done": session.totals()})


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
