"""Whether the journal takes a payment it does not know yet, and whether it still sends.

Three things close it: a storage whose last reserve is in use, caps that keep a flood from filling
the flash, and a hand-over to another terminal. What the customer already saw approved is refused
only where there is really no room (money rule 3), and after a hand-over, when another terminal
keeps the money. What is known already is answered as ever. On the writer thread; `refusal` is also
read from the loop's.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable

from agent.core.money.journal import Event
from agent.core.money.limits import TAKES_NEW
from agent.core.money.transaction import CustomerSaw, Posting, Submission, Transaction
from agent.errors import CallerError, StoreError
from agent.record import dataclass
from agent.store.sql import QUERIES

#: How often the size is measured: the bytes taken over in between are at most this.
MEASURED_BYTES = 1 << 20
#: What a payment takes beside its payload, all its life.
ROW_BYTES = 2_048
#: A cap that refused somebody counts as reached for this long.
REFUSED_S = 60.0
_META = "handed_over"
#: What a journal that was handed over does not do any more: everything that sends, or makes sure
#: that something is never sent.
_FORWARD = frozenset({Event.ATTEMPT, Event.LAPSE, Event.VOID, Event.RELEASE, Event.HURRY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How large the journal may become before new payments are refused; 0: no cap."""

    unsent: int = 0
    size_bytes: int = 0


def must_take(t: Transaction) -> bool:
    """Whether it has happened already, or takes back or closes what has."""
    return (
        t.customer_saw is CustomerSaw.APPROVED
        or t.posting is Posting.ADVICE
        or t.kind not in TAKES_NEW
        or t.attempts > 0
    )


class Gate:
    """In front of one journal."""

    def __init__(self, caps: Caps | None = None, room: Callable[[], bool] | None = None) -> None:
        self._caps = caps or Caps()
        self._room = room or (lambda: True)
        self._capped: StoreError | None = None
        self._capped_until_s = 0.0  # monotonic
        self._size_bytes = 0
        self._since_bytes = MEASURED_BYTES  # taken over since it was measured
        #: The reserve is in use; set by the writer.
        self.low = False
        #: When it was handed over and to which backup, as JSON; "" for a journal in service.
        self.handed_over = ""

    def load(self, db: sqlite3.Connection) -> None:
        """What was said of it before the last stop."""
        row = db.execute(QUERIES["get_meta"], (_META,)).fetchone()
        self.handed_over = "" if row is None else str(row[0])
        self._since_bytes = MEASURED_BYTES

    def hand_over(self, db: sqlite3.Connection, backup_id: str, wall_ms: int) -> None:
        """For good: from the next commit on another terminal has this money."""
        said = json.dumps({"backup": backup_id, "at_ms": wall_ms})
        db.execute(QUERIES["set_meta"], (_META, said))
        self.handed_over = said

    def check(self, submission: Submission, unsent: int, db: sqlite3.Connection) -> None:
        """Raises StoreError or CallerError for a new payment that is not taken."""
        t = submission.transaction
        if self.handed_over:
            raise _elsewhere()
        if self.low and not (must_take(t) and self._room()):
            raise _low()
        size_bytes = self._measured(len(submission.payload.body), db)
        if must_take(t):
            return
        caps = self._caps
        if caps.unsent and unsent >= caps.unsent:
            raise self._cap(f"{unsent} payments are unsent, {caps.unsent} is the cap")
        if caps.size_bytes and size_bytes >= caps.size_bytes:
            raise self._cap(f"the journal has {size_bytes >> 20} MiB, its cap")
        self._capped = None

    def forward(self, event: Event) -> None:
        """Raises CallerError where another terminal goes on instead of this one."""
        if self.handed_over and event in _FORWARD:
            raise _elsewhere()

    @property
    def refusal(self) -> StoreError | None:
        """Why new payments are not taken although the storage can be written, or None."""
        if self.handed_over:
            return StoreError("store.handed_over", _elsewhere().what)
        if self.low:
            return _low()
        if self._capped is not None and time.monotonic() < self._capped_until_s:
            return self._capped
        return None

    def _measured(self, body_bytes: int, db: sqlite3.Connection) -> int:
        if not self._caps.size_bytes:
            return 0
        self._since_bytes += body_bytes + ROW_BYTES
        if self._since_bytes >= MEASURED_BYTES:
            self._since_bytes = 0
            pages, free, page_bytes = (
                db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            self._size_bytes = (pages - free) * page_bytes
        return self._size_bytes + self._since_bytes

    def _cap(self, what: str) -> StoreError:
        self._capped = StoreError("store.capped", f"{what}; not recorded")
        self._capped_until_s = time.monotonic() + REFUSED_S
        return StoreError(self._capped.code, self._capped.what)


def _low() -> StoreError:
    return StoreError(
        "store.full",
        "the storage is full; its last reserve is kept for payments under way; not recorded",
        "free storage, then repeat with the same key",
    )


def _elsewhere() -> CallerError:
    return CallerError(
        "store.handed_over", "this journal was handed over to another terminal and sends no more"
    )
