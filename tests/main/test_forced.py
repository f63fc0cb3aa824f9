"""What people did while no daemon ran, taken into the trail."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.guarding import FORCED_FILE, forced, line_of, provisioned
from agent.errors import StoreError
from agent.main import forced as taking
from agent.store.audit import Trail
from tests.fakes import FakeClock
from tests.store.stores import opened


def test_a_store_that_refuses_in_between_repeats_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All lines or none: at the next start each is taken in once, and the file goes."""
    deeds = [provisioned("uid:0", "adopt", "replace"), forced("uid:0", "removal", "Li: away", 3)]
    real, times = taking.add, 0

    def full_once(journal: Any, **line: Any) -> Any:
        nonlocal times
        times += 1
        if times == 2:
            raise StoreError("store.full", "no space")
        return real(journal, **line)

    monkeypatch.setattr(taking, "add", full_once)

    async def story() -> list[str]:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            file = store.directory / FORCED_FILE
            file.write_text("torn\n" + "".join(line_of(deed, 5) for deed in deeds))
            assert await taking.taken_in(store, store.directory) == 0
            assert file.exists()
            assert await taking.taken_in(store, store.directory) == 2
            assert not file.exists()
            return [line.deed.op for line in await Trail(store, clock, 400).page(0, 1 << 40, 10)]

    assert sorted(asyncio.run(story())) == ["guard_force", "provision_adopt"]
