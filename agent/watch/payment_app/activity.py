"""When the payment app last spoke, and what it said of itself.

Every call only a payment app makes is a sign of life; `POST /v1/app/alive` is the one for when it
has nothing else to say. Its version is taken from there or from the payments it hands over. Filled
by the local API and the journal, read by the watcher; nothing here is kept over a restart.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.clock import Clock
from agent.core.money.journal import Record

#: Operations of the local API only a payment app has reason to ask for.
CALLS = frozenset(
    {"submit", "check", "stages_report", "app_state", "app_alive", "acknowledge", "replace",
     "reverse", "void", "device_bytes"}
)  # fmt: skip
#: How long "busy" counts without another word: no payment takes longer.
BUSY_MS = 600_000


class Activity:
    """The app as its calls show it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._called_ms: int | None = None
        self._busy_ms: int | None = None
        self.version = ""
        self.terminal_id = ""
        self.merchant_id = ""
        #: Called at the first call after a silence the watcher thought too long.
        self.spoke: Callable[[], None] | None = None

    def called(self, operation: str) -> None:
        """Somebody with the right to it asked for `operation`."""
        if operation not in CALLS:
            return
        self._called_ms = self._clock.now().boot_ms
        if self.spoke is not None:
            self.spoke()

    def alive(self, version: str, busy: bool) -> None:
        """The app's own word of itself."""
        self.version = version or self.version
        self._busy_ms = self._clock.now().boot_ms if busy else None

    def gone(self) -> None:
        """Its process was seen to end: whatever it was at, it is no more."""
        self._busy_ms = None

    def heed(self, record: Record) -> None:
        """A payment changed: what it was handed over with."""
        if record.version > 1:
            return
        transaction = record.transaction
        self.terminal_id = transaction.terminal_id
        self.merchant_id = transaction.merchant_id
        if transaction.app is not None:
            self.version = transaction.app.version

    @property
    def called_ms_ago(self) -> int | None:
        """Since the last call; None: none since the agent started."""
        if self._called_ms is None:
            return None
        return self._clock.now().boot_ms - self._called_ms

    @property
    def busy(self) -> bool:
        """Whether it said that a payment is being taken."""
        return self._busy_ms is not None and self._clock.now().boot_ms - self._busy_ms < BUSY_MS
