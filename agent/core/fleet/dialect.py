"""Which version of MQTT one endpoint is spoken to in: 5 first, 3.1.1 where 5 is not understood.

Decides from how CONNECTs were answered; the session machine, its only caller, says so. Brokers of
the old version differ in how they say no: some answer, some hang up, some misread the greeting and
stay silent for ever. A broker that is restarting or overloaded does the last two as well, so a
verdict is never final: 5 is tried again after the broker ended a connection, and after a day.
"""

from __future__ import annotations

from enum import StrEnum

#: Unanswered CONNECTs in a row before a version that has worked is doubted.
PATIENCE = 8
DAY_MS = 86_400_000
#: A broker that ends every connection is not greeted twice each time.
AT_MOST_EVERY_MS = 3_600_000


class Dialect(StrEnum):
    """The protocol versions spoken."""

    V5 = "5"
    V311 = "3.1.1"


class Tongue:
    """What is known of one endpoint. `fixed`: the configured version, never another."""

    def __init__(self, fixed: Dialect | None = None) -> None:
        self.fixed = fixed is not None
        self.dialect = fixed or Dialect.V5
        self._patience = 0  # CONNECTs that may go unanswered before the version is doubted
        self._five_worked = False
        self._again_ms = 0  # when 5 is worth another try
        self._tried_again_ms = -AT_MOST_EVERY_MS

    @property
    def doubtful(self) -> bool:
        """Whether a CONNECT now should not be waited for too long.

        Only in 5: an overloaded broker that answers late must be met by a patient try as well.
        """
        return not self.fixed and not self._patience and self.dialect is Dialect.V5

    def choose(self, now_ms: int) -> Dialect:
        """The version of the CONNECT that is sent now."""
        if not self.fixed and self.dialect is Dialect.V311 and now_ms >= self._again_ms:
            self.dialect = Dialect.V5
            self._patience = 0
            self._tried_again_ms = now_ms
        return self.dialect

    def understood(self) -> None:
        """A CONNACK said yes."""
        self._patience = PATIENCE
        self._five_worked = self._five_worked or self.dialect is Dialect.V5

    def unanswered(self) -> bool:
        """The CONNECT met silence or a closed door; whether to blame the version."""
        doubted = not self._patience
        self._patience = max(0, self._patience - 1)
        return doubted

    def refused(self, now_ms: int) -> bool:
        """Not this version: take the other one. Whether both have been tried now."""
        both = self.dialect is Dialect.V311
        self.dialect = Dialect.V5 if both else Dialect.V311
        # Where 5 has worked and 3.1.1 fares no better, the version was not to blame.
        self._patience = PATIENCE if both and self._five_worked else 0
        self._again_ms = now_ms + DAY_MS
        return both

    def ended(self, now_ms: int) -> None:
        """The broker closed a connection that worked: it may come back as another one."""
        soonest_ms = max(now_ms, self._tried_again_ms + AT_MOST_EVERY_MS)
        self._again_ms = min(self._again_ms, soonest_ms)
