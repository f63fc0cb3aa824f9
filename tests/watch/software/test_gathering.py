"""What an update is judged by: the money that was unsent before it, counted after it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from agent.config.software import Software
from agent.core.software.carried import Carried, Found
from agent.core.software.update import Phase, Update
from agent.watch.software.gathering import Gathering, Ports
from tests.fakes import FakeClock

DAY_MS = 86_400_000
UNSENT = Carried(ranges=((1, 5),), amounts={"CNY": 500})


class Scene:
    """A journal in which so many of the five are found."""

    def __init__(self, keep_days: int) -> None:
        self.count = 5
        self.clock = FakeClock(wall_ms=1_800_000_000_000)
        told: Any = SimpleNamespace(
            found=self.found, installed=self.installed, alarms=list, components=list
        )
        self.facts = Gathering(
            Software(),
            Ports(
                act=told, backlog=told, money=told, keep_ms=keep_days * DAY_MS, health=told,
                versions=told, clock=self.clock, blocking=told,
            ),
        )  # fmt: skip

    async def found(self, before: Carried) -> Found:
        del before
        return Found(count=self.count, amounts={"CNY": 100 * self.count})

    async def installed(self, component: str) -> None:
        del component

    def lost(self, waited_ms: int = 0) -> str:
        """What is said to be missing of an update that has waited so long."""
        update = Update(
            update="u", component="agent", package="", version="2", file="", sha256="",
            size_bytes=0, phase=Phase.WAITING, carried=UNSENT.text(),
            phase_ms=self.clock.now().wall_ms - waited_ms,
        )  # fmt: skip
        return asyncio.run(self.facts.of(update)).lost


def test_what_one_update_was_missing_is_not_the_next_ones() -> None:
    """Each is looked at anew, though the agent was not started between them."""
    scene = Scene(180)
    scene.count = 3
    assert scene.lost() == "2 of 5 unsent payments are missing"
    scene.facts.begin_phase()
    scene.count = 5
    assert scene.lost() == ""
    scene.facts.begin_phase()
    scene.count = 4
    assert scene.lost() == "1 of 5 unsent payments are missing"


def test_payments_settled_and_forgotten_take_no_update_back() -> None:
    """The terminal was off for longer than final payments are kept: nothing is said to be gone."""
    scene = Scene(1)
    scene.count = 0
    assert scene.lost(2 * DAY_MS) == ""
    scene.facts.begin_phase()
    assert "5 of 5" in scene.lost(DAY_MS // 3)
