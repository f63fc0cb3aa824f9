"""Which terminals and merchants this device takes payments for, as the fleet is told.

Nobody configures them: they are on every payment. A new one is told once; those of a journal that
has been here longer are known from its start. It decides nothing about money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from agent.core.fleet.messages import Identity
from agent.core.money.journal import Record

#: Of each. A device has a handful; whoever mints a new one for every payment is not followed.
MOST = 64

#: Terminal and merchant.
Pair = tuple[str, str]


class Terminals:
    """Those seen so far."""

    def __init__(self, identity: Identity, introduce: Callable[[Identity], None]) -> None:
        self._identity = identity
        self._introduce = introduce

    def heed(self, record: Record) -> None:
        """A record was committed."""
        t = record.transaction
        known = self._identity
        if t.terminal_id not in known.terminal_ids or t.merchant_id not in known.merchant_ids:
            self.add([(t.terminal_id, t.merchant_id)])

    def add(self, pairs: Iterable[Pair]) -> None:
        """Some more; the fleet hears of them if they are news."""
        before = self._identity
        found = list(pairs)
        self._identity = replace(
            before,
            terminal_ids=_with(before.terminal_ids, (terminal for terminal, _ in found)),
            merchant_ids=_with(before.merchant_ids, (merchant for _, merchant in found)),
        )
        if self._identity != before:
            self._introduce(self._identity)


def _with(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """Sorted, so that the order of payments makes no difference."""
    names = dict.fromkeys(known)
    for name in more:
        if len(names) < MOST:
            names[name] = None
    return tuple(sorted(names))
