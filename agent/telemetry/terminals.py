"""Which terminals and merchants this device takes payments for, as the fleet is told.

Nobody configures them: they are on every payment. A new one is told once; those of a journal that
has been here longer are known from its start. It decides nothing about money.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from agent.core.fleet.messages import Identity
from agent.core.money.journal import Record

#: Of each. A device has a handful; whoever mints a new one for every payment is not followed.
MOST = 64

#: Terminal and merchant.
Pair = tuple[str, str]


class Introducing(Protocol):
    """Who tells the fleet (`agent.telemetry.publisher`)."""

    @property
    def identity(self) -> Identity: ...
    def introduce(self, identity: Identity) -> None: ...


class Terminals:
    """Those seen so far."""

    def __init__(self, fleet: Introducing) -> None:
        self._fleet = fleet

    def heed(self, record: Record) -> None:
        """A record was committed."""
        t, known = record.transaction, self._fleet.identity
        if t.terminal_id not in known.terminal_ids or t.merchant_id not in known.merchant_ids:
            self.add([(t.terminal_id, t.merchant_id)])

    def add(self, pairs: Iterable[Pair]) -> None:
        """Some more; the fleet hears of them if they are news."""
        before, found = self._fleet.identity, list(pairs)
        after = replace(
            before,
            terminal_ids=_with(before.terminal_ids, (terminal for terminal, _ in found)),
            merchant_ids=_with(before.merchant_ids, (merchant for _, merchant in found)),
        )
        if after != before:
            self._fleet.introduce(after)


def _with(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """Sorted, so that the order of payments makes no difference."""
    names = dict.fromkeys(known)
    for name in more:
        if len(names) < MOST:
            names[name] = None
    return tuple(sorted(names))
