"""What settlement lists say in every verdict: of one payment, and of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.actions.ports.reconcile import Lists
    from agent.core.money.journal import Record
    from agent.core.why.case import Said, Settled
    from agent.core.why.text import Line


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


async def settled(lists: Lists | None, record: Record) -> tuple[Settled | None, Line | None]:
    """The proof that this payment is settled, if a list was read that has it; and what it says."""
    from agent.core.why.reconcile.kept import compared_of, settled_of

    found = None if lists is None else await lists.of_payment(record.seq)
    if lists is None or found is None:
        return None, None
    of = await lists.one(found.number)
    return settled_of(found, of), compared_of(found, of)


def _overtaken(result: str, record: Record) -> bool:
    """A payment that was open when the list was read has come to its end since."""
    return result == "open_here" and record.final
