"""What the payment apps know: what they asked for and what was acknowledged to them.

Kept outside the disk that is crashed. For each payment it lists every state the journal was asked
to reach, in order, and how far that was acknowledged; after a crash the journal may stand anywhere
between the two, seen through the recovery rule that *sending* has become *waiting, in doubt*.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.core.money.journal import Record, State
from agent.core.money.transaction import (
    Kind,
    Payload,
    Posting,
    Submission,
    Transaction,
)

#: Younger than any journal: an older payment would start in doubt (money rule 8).
OCCURRED_AT = datetime(2035, 1, 1, tzinfo=UTC)

Standing = tuple[State, bool]  #: state, in doubt


@functools.cache
def submission_of(key: str) -> Submission:
    """The payment that belongs to a key: amount, time and bytes follow from it."""
    digest = hashlib.sha256(key.encode()).digest()
    amount_minor = 1 + int.from_bytes(digest[:3], "big")
    # Mostly one small page, sometimes several overflow pages.
    padding = "x" * (digest[3] if digest[4] % 8 else digest[3] * 16)
    body = json.dumps({"key": key, "amount": amount_minor, "padding": padding}).encode()
    return Submission(
        transaction=Transaction(
            key=key,
            terminal_id="T0000001",
            merchant_id="M00000000000001",
            kind=Kind.SALE,
            posting=Posting.ADVICE,
            occurred_at=OCCURRED_AT,
            uplink="host",
            amount_minor=amount_minor,
            currency="CNY",
            stan=f"{int.from_bytes(digest[5:7], 'big'):06d}",
        ),
        payload=Payload(content_type="application/json", body=body),
    )


def recovered(standing: Standing) -> Standing:
    """What recovery makes of it (U22)."""
    return (State.WAITING, True) if standing[0] is State.SENDING else standing


@dataclass(slots=True)
class Life:
    """One payment."""

    tried: list[Standing] = field(default_factory=list)
    acknowledged: int = 0  #: how many of `tried`, counted from the first


@dataclass(slots=True)
class History:
    """The notes so far."""

    lives: dict[str, Life] = field(default_factory=dict)
    notes: int = 0
    unreadable: bool = False  #: a start, without any power cut, found the end of the log so

    def heed(self, text: str) -> None:
        """One note: `try KEY STATE DOUBT` before the call, `ack KEY` after it returned; or
        `unreadable log`."""
        self.notes += 1
        word, key, *rest = text.split()
        if word == "unreadable":
            self.unreadable = True
            return
        life = self.lives.setdefault(key, Life())
        if word == "try":
            life.tried.append((State(rest[0]), rest[1] == "1"))
        else:
            life.acknowledged = len(life.tried)

    def acknowledged(self) -> Iterator[str]:
        """Payments whose hand-over was acknowledged."""
        return (key for key, life in self.lives.items() if life.acknowledged)

    def allowed(self, key: str) -> frozenset[Standing]:
        """Where the journal may stand with this payment after a crash now."""
        found = self._meant(key)
        if found & {(State.QUEUED, False), (State.WAITING, False)}:
            # Doubt where none is needed costs a question to the host and is never wrong.
            found.add((State.WAITING, True))
        if (State.HELD, False) in found:
            found.add((State.HELD, True))  # its release may have been what was lost
        return frozenset(found)

    def doubted(self, record: Record) -> bool:
        """Whether a record is in doubt that could be without, had the log been readable."""
        return record.in_doubt and (record.state, True) not in self._meant(record.key)

    def _meant(self, key: str) -> set[Standing]:
        life = self.lives[key]
        return {recovered(s) for s in life.tried[max(0, life.acknowledged - 1) :]}

    def knows(self, record: Record) -> str:
        """What is wrong with a record found after a crash, or ""."""
        if record.key not in self.lives:
            return f"invented: {record.key}"
        standing = (record.state, record.in_doubt)
        if standing not in self.allowed(record.key):
            return f"wrong state: {record.key} is {standing}, allowed {self.allowed(record.key)}"
        return ""
