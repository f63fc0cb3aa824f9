"""Circumstances are noted with each payment and written in batches; never more than was seen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.config import Config
from agent.core.health.reading import Reading
from agent.core.health.tracker import Alarm, ComponentState
from agent.main.arounds import Arounds
from agent.store import Store
from agent.store.arounds import AroundRows
from agent.store.part import StorePart
from tests.core.why.cases import record

AT = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Health:
    interface: str = "wlan0"

    def alarms(self) -> list[Alarm]:
        return []

    def components(self) -> list[ComponentState]:
        told = Reading({"interface": self.interface, "link_up": True})
        return [
            ComponentState(
                component="connectivity", outcome=told, at=AT, duration_ms=1, success=True
            )
        ]


@dataclass
class Ground:
    """As much of the floor as is stood on."""

    store: Store
    keeper: StorePart
    config: Config
    ways: None = None


def test_payments_in_a_row_share_a_row_and_gaps_stay_unknown(tmp_path: Path) -> None:
    """A change begins a new one; later changes of a payment are none; what was written grows."""

    async def body() -> None:
        store = Store(tmp_path / "state", SystemClock())
        await store.start()
        try:
            ground: Any = Ground(store, StorePart(store), Config())
            health = Health()
            arounds = Arounds(ground, health)
            await arounds.write()  # nothing yet, nothing written
            for seq in (1, 2, 3):
                arounds.heed(replace(record(), seq=seq))
            arounds.heed(replace(record(), seq=9, version=2))
            await arounds.write()
            health.interface = "wwan0"
            arounds.heed(replace(record(), seq=4))
            arounds.heed(replace(record(), seq=7))
            await arounds.write()
            born_at = await ground.keeper.born_at()
            spans = await AroundRows(store).page(born_at, -1)
            assert [(one.first_seq, one.last_seq, one.around.network) for one in spans] == [
                (1, 3, "wifi"), (4, 4, "cellular"), (7, 7, "cellular"),
            ]  # fmt: skip
        finally:
            store.stop(5.0)

    asyncio.run(body())
