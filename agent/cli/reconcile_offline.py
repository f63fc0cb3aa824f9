"""A settlement list against the store of a dead daemon: read only, and nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from agent.actions.reconcile import found_out, line_out
from agent.actions.reconciling import Reconciler
from agent.cli.source import Places
from agent.clock import SystemClock
from agent.core.why.reconcile.kept import KeptFinding, KeptList
from agent.core.why.reconcile.parts import Part, unpacked
from agent.offload import HereOffload
from agent.store.offline import OfflineStore, open_offline
from agent.store.paid import PaidRows
from agent.store.settled import SettledRows


class _Held(SettledRows):
    """What would be kept, in memory; what earlier lists said is read from the snapshot."""

    def __init__(self, store: OfflineStore) -> None:
        super().__init__(store)
        self.list = KeptList(0, "", "", "", "running", "cli", 0, None, {})
        self.found: list[KeptFinding] = []

    async def same(self, digest: str) -> int:
        del digest
        return 0

    async def begin(self, profile: str, name: str, digest: str, actor: str, started_ms: int) -> int:
        self.list = KeptList(0, profile, name, digest, "running", actor, started_ms, None, {})
        return 0

    async def add(self, number: int, first: int, rows: Sequence[Sequence[Any]]) -> None:
        self.found += [KeptFinding(number, first + n, *row) for n, row in enumerate(rows)]

    async def add_part(self, number: int, first: int, part: Part) -> None:
        self.found += [
            KeptFinding(number, first + n, *row) for n, row in enumerate(unpacked(part.body))
        ]

    async def end(self, number: int, state: str, ended_ms: int, body: Mapping[str, Any]) -> None:
        del number
        self.list = self.list._replace(state=state, ended_ms=ended_ms, body=body)


class _InMemory:
    """A spool for a file that is on this very machine."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def begin(self) -> None:
        """Nothing to empty."""

    def add(self, piece: bytes) -> None:
        """It is there."""
        del piece

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        del size_bytes
        return iter(self._pieces)

    def drop(self) -> None:
        """Goes with this process."""


async def reconciled(
    where: Places, pieces: Sequence[bytes], name: str, profile: str, settled_on: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The list and its findings, as the daemon would tell them."""
    from agent.offloaded import program

    async with open_offline(where.state_dir, where.key_file) as store:
        held, clock = _Held(store), SystemClock()
        reading = Reconciler(
            where.config.reconcile,
            rows=held,
            paid=PaidRows(store, clock),
            offload=HereOffload(program),
            clock=clock,
            spool=_InMemory(pieces),
            dialogue=False,
        )
        size = sum(map(len, pieces))
        import_id, _ = await reading.begin(
            profile, name, sha256="", size_bytes=size, settled_on=settled_on, actor="cli"
        )
        for number, piece in enumerate(pieces):
            reading.piece(import_id, number, piece)
        await reading.end(import_id)
        while reading.running is not None:
            await reading.finished(0, 60.0)
        found = [msgspec.to_builtins(found_out(one)) for one in held.found]
        return msgspec.to_builtins(line_out(held.list)), found
