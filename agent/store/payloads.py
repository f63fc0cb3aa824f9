"""The bytes of payments: sealed when written, and checked against their keyed digest when read.

A payment has one payload; after key loss the app may replace it, and the old one is kept (money
rule 9). Beside it may lie the messages the app prepared: the query and the reversals by reason.
Once a payment is final and its app has said so, all of it is destroyed with its key; digests stay.
No other file touches payload bytes. Part of the journal, on its thread.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import sqlite3
from collections.abc import Sequence

from agent.core.moment import Moment
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Payload, Submission, payload_digest
from agent.crypt import TamperedError
from agent.errors import CallerError, InternalError
from agent.store.rows import UNREADABLE
from agent.store.sealing import DESTROYED, SEALED, MissingKeyError, Seals
from agent.store.sql import QUERIES
from agent.store.table import Table

log = logging.getLogger(__name__)

#: Versions of one payload: the row id has a byte for them.
MAX_VERSIONS = 255
#: Of a payment that cannot be sent because its payload cannot be opened here.
LOCKED = "software.data_error"


class Payloads:
    """The table `payload`."""

    def __init__(self, table: Table, seals: Seals) -> None:
        self._table = table
        self.seals = seals

    def bring(self, record: Record, version: int, submission: Submission | None) -> None:
        """A payload of another journal; None: it was destroyed there."""
        if submission is not None:
            self.insert(record, submission, version)
            return
        number = _number(record, version)
        values = (number, DESTROYED, 0, "application/octet-stream", None, b"", None, None, None)
        self._table.db.execute(QUERIES["insert_payload"], values)

    def insert(self, record: Record, submission: Submission, version: int = 1) -> None:
        """Bytes of a payment. Those of the first version are proved by its row's fingerprint."""
        reversals = None
        if submission.reversal_payloads:
            reversals = json.dumps(
                {r: base64.b64encode(b).decode() for r, b in submission.reversal_payloads.items()}
            ).encode()
        own = None if version == 1 else self._digest(submission)
        payload = submission.payload
        number = _number(record, version)
        box = self.seals.box(
            number, payload.content_type, payload.body, submission.query_payload, reversals
        )
        self._table.db.execute(
            QUERIES["insert_payload"],
            (
                number, box.seal, box.key_id, payload.content_type, box.wrapped, box.body,
                box.query_body, box.reversals, own,
            ),
        )  # fmt: skip

    def checked(self, record: Record, most_bytes: int | None = None) -> tuple[Payload | None, str]:
        """The bytes to send, or None and why they are not to be believed (or too many).

        Raises MissingKeyError for bytes whose key is not here.
        """
        found, reason = self._found(record, most_bytes)
        return (None, reason) if found is None else (found.payload, "")

    def prepared(self, record: Record) -> Submission:
        """All that was handed over. Raises InternalError for bytes that cannot be believed,
        CallerError for those that were destroyed."""
        found, reason = self._found(record, None)
        if found is not None:
            return found
        if reason == _GONE:
            raise CallerError("payload.destroyed", f"what was handed over with {record.key}: gone")
        raise InternalError("store.no_payload", f"{record.key}: {reason}")

    def ready(
        self, records: Sequence[Record], most_bytes: int, now: Moment
    ) -> tuple[list[Record], dict[int, Payload]]:
        """Those that may be worked on, and their small payloads by number.

        What is sealed with a key that is not here is held: it is asked about, and never sent.
        """
        found: list[Record] = []
        payloads: dict[int, Payload] = {}
        for record in records:
            if self.seals.missing and (note := self._locked(record)):
                if record.state is State.HELD:
                    found.append(record)
                else:
                    self._hold(record, note, now)
                continue
            payload, _ = self.checked(record, most_bytes)
            found.append(record)
            if payload is not None:
                payloads[record.seq] = payload
        return found, payloads

    def erase(self, record: Record) -> bool:
        """Destroy the bytes of a final record, in all versions. False: they were gone already."""
        assert record.final
        first = record.seq << 8
        done = self._table.db.execute(QUERIES["erase_payloads"], (first, first + 256)).rowcount
        return done > 0

    def verdict(self, record: Record) -> str:
        """What speaks against the stored bytes of a record; "": nothing.

        Raises MissingKeyError.
        """
        found, reason = self._found(record, None)
        return "" if found is not None or (reason == _GONE and record.final) else reason

    def query(self, record: Record) -> bytes | None:
        """The message that asks for the outcome; None also where it cannot be opened here."""
        try:
            return self.prepared(record).query_payload
        except MissingKeyError:
            return None

    def _locked(self, record: Record) -> str:
        """Why the payload of a record cannot be opened; "": it can, as far as keys go."""
        kept = self._table.one("payload_seal", _number(record, record.payload_version))
        if kept is None or kept["seal"] != SEALED or kept["key_id"] not in self.seals.missing:
            return ""
        return f"its payload is sealed with key {kept['key_id']}, which is not on this terminal"

    def _hold(self, record: Record, note: str, now: Moment) -> None:
        row = self._table.one("by_seq", record.seq)
        known = None if row is None else self._table.look(row, now)
        if known is None or known.record.version != record.version:
            return
        log.error("event=payload_locked seq=%s", record.seq)
        self._table.move(known, Change(event=Event.HOLD, cause=LOCKED, note=note), now)

    def _found(self, record: Record, most_bytes: int | None) -> tuple[Submission | None, str]:
        # Fingerprint and bytes may have been altered together: the row's MAC covers the one, and
        # it is checked again by the change that goes before the first byte.
        number = _number(record, record.payload_version)
        if most_bytes is None:
            kept = self._table.one("payload", record.seq, number)
        else:
            kept = self._table.one("small_payload", record.seq, number, most_bytes)
        if kept is None:
            return None, "its payload is missing"
        if kept["seal"] == DESTROYED:
            return None, _GONE
        found = proved(self.seals, record, number, kept, self._table.sealer.secret)
        return found, "" if found is not None else "its payload was altered"

    def _digest(self, submission: Submission) -> bytes:
        return payload_digest(submission, self._table.sealer.secret)


_GONE = "its payload was destroyed"


def _number(record: Record, version: int) -> int:
    return record.seq * 256 + version


def proved(
    seals: Seals, record: Record, number: int, kept: sqlite3.Row, secret: bytes
) -> Submission | None:
    """What was handed over, if the stored bytes are still that. Raises MissingKeyError."""
    try:
        found = _submission(record, kept["content_type"], *seals.opened(number, kept))
        same = hmac.compare_digest(payload_digest(found, secret), kept["payload_fp"])
    except (TamperedError, *UNREADABLE):
        return None
    return found if same else None


def _submission(
    record: Record, content_type: str, body: bytes, query: bytes | None, reversals: bytes | None
) -> Submission:
    """As it was handed over, from its stored bytes."""
    named = json.loads(reversals) if reversals is not None else {}
    return Submission(
        transaction=record.transaction,
        payload=Payload(content_type=content_type, body=body),
        query_payload=query,
        reversal_payloads={r: base64.b64decode(text) for r, text in named.items()},
    )
