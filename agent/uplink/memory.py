"""What is remembered of payments between attempts; losing it costs retries, never money."""

from __future__ import annotations

from dataclasses import field
from typing import TypeVar

from agent.core.moment import Moment
from agent.core.money.delivery import Trouble
from agent.core.money.journal import Record
from agent.record import dataclass

T = TypeVar("T")

#: Records remembered; beyond it the oldest memory goes.
MAX_REMEMBERED = 10_000


@dataclass(slots=True, kw_only=True)
class Memory:
    """One uplink's."""

    troubles: dict[int, Trouble] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    rests: dict[int, int] = field(default_factory=dict)  #: boot ms until which it is left alone
    #: Version of the payload that came without a question its host could be asked.
    unaskable: dict[int, int] = field(default_factory=dict)
    store_failures: int = 0  #: in a row

    def trouble(self, seq: int, trouble: Trouble) -> None:
        _keep(self.troubles, seq, trouble)

    def asked_again(self, seq: int) -> int:
        count = self.asked.get(seq, 0) + 1
        _keep(self.asked, seq, count)
        return count

    def rest(self, seq: int, until_boot_ms: int) -> None:
        _keep(self.rests, seq, until_boot_ms)

    def rests_ms(self, seq: int, now: Moment) -> int:
        """How much longer we leave it alone because we ourselves failed at it."""
        left_ms = self.rests.get(seq, 0) - now.boot_ms
        if left_ms <= 0:
            self.rests.pop(seq, None)
        return max(0, left_ms)

    def cannot_ask(self, record: Record) -> None:
        """Its host cannot be asked about it, whatever holds for the next one."""
        _keep(self.unaskable, record.seq, record.payload_version)

    def can_ask(self, record: Record) -> bool:
        return self.unaskable.get(record.seq) != record.payload_version

    def forget(self, seq: int) -> None:
        self.troubles.pop(seq, None)
        self.asked.pop(seq, None)
        self.unaskable.pop(seq, None)


def _keep(memory: dict[int, T], seq: int, what: T) -> None:
    memory.pop(seq, None)
    memory[seq] = what
    while len(memory) > MAX_REMEMBERED:
        del memory[next(iter(memory))]
