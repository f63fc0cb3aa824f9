"""Which messages of a terminal have been heard: repeats of QoS 1 are known by outbox and number.

Bounded: a few runs of numbers are remembered, the newest; below them a repeat counts as new, never
a new message as a repeat (states are ordered by number anyway). Called by `terminal`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from enum import Enum, auto

#: Runs of numbers without a gap. Gaps come from rows that were thinned or superseded.
MAX_RUNS = 16


class Told(Enum):
    """What a number means."""

    NEW = auto()
    REPEAT = auto()
    FORMER = auto()  #: of an outbox that has been replaced since


class Numbers:
    """Of one terminal. `outbox_id` is the one that counts now."""

    __slots__ = ("former", "outbox_id", "runs")

    def __init__(self) -> None:
        self.outbox_id = ""
        self.former = ""
        self.runs = array("q")  #: first, last, first, last … ascending, never touching

    def hear(self, outbox_id: str, seq: int) -> Told:
        """Take note of a message."""
        if outbox_id != self.outbox_id:
            if outbox_id == self.former:
                return Told.FORMER
            self.former, self.outbox_id = self.outbox_id, outbox_id
            self.runs = array("q")
        return Told.NEW if self._note(seq) else Told.REPEAT

    def _note(self, seq: int) -> bool:
        runs = self.runs
        at = bisect_right(runs, seq)
        # An odd place is inside a run; a run's last number itself bisects behind it.
        if at % 2 or (at and runs[at - 1] == seq):
            return False
        joins_left = at > 0 and runs[at - 1] == seq - 1
        joins_right = at < len(runs) and runs[at] == seq + 1
        if joins_left and joins_right:
            del runs[at - 1 : at + 1]
        elif joins_left:
            runs[at - 1] = seq
        elif joins_right:
            runs[at] = seq
        else:
            runs[at:at] = array("q", (seq, seq))
            if len(runs) > 2 * MAX_RUNS:
                del runs[:2]
        return True
