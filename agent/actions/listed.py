"""What settlement lists say in every verdict: of one payment, and of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.actions.ports_reconcile import Lists

if TYPE_CHECKING:
    from agent.core.money.journal import Record
    from agent.core.why.case import Said, Settled


class ListEvidence:
    """An `Evidence` over the lists that are kept."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists

    async def about(self, record: Record | None) -> Sequence[Said]:
        from agent.core.why.reconcile.kept import said_of, said_of_all

        if record is not None:
            told = []
            found = await self._lists.of_payment(record.seq)
            for one in [found, *await self._lists.more_of(record.key)]:
                if one is None or _overtaken(one.result, record):
                    continue
                said = said_of(one, await self._lists.one(one.number))
                if said is not None:
                    told.append(said)
            return told
        counts = await self._lists.open_counts()
        some = {}
        for result, count in counts.items():
            if count == 1 and (one := await self._lists.an_open(result)) is not None:
                some[result] = one
        return said_of_all(counts, some)


async def settled(lists: Lists | None, record: Record) -> Settled | None:
    """The proof that this payment is settled, if a list was read that has it."""
    from agent.core.why.reconcile.kept import settled_of

    found = None if lists is None else await lists.of_payment(record.seq)
    if lists is None or found is None:
        return None
    return settled_of(found, await lists.one(found.number))


def _overtaken(result: str, record: Record) -> bool:
    """A payment that was open when the list was read has come to its end since."""
    return result == "open_here" and record.final
