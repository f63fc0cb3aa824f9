"""What a runner remembers of its records between attempts; losing it costs retries, never money."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.core.money.delivery import Trouble

#: Records remembered; beyond it the oldest memory goes.
MAX_TROUBLES = 10_000


@dataclass(slots=True, kw_only=True)
class Memory:
    """What is remembered of records between attempts."""

    troubles: dict[int, Trouble] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    #: Records whose host cannot be asked about them, where that differs from one to the next.
    unaskable: set[int] = field(default_factory=set)

    def trouble(self, seq: int, trouble: Trouble) -> None:
        self.troubles.pop(seq, None)
        self.troubles[seq] = trouble
        while len(self.troubles) > MAX_TROUBLES:
            del self.troubles[next(iter(self.troubles))]

    def asked_again(self, seq: int) -> int:
        count = self.asked.pop(seq, 0) + 1
        self.asked[seq] = count
        while len(self.asked) > MAX_TROUBLES:
            del self.asked[next(iter(self.asked))]
        return count

    def forget(self, seq: int) -> None:
        self.troubles.pop(seq, None)
        self.asked.pop(seq, None)
        self.unaskable.discard(seq)
