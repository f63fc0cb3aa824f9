"""A drill ends the agent hard only in a moment in which nobody pays."""

from __future__ import annotations

from pathlib import Path

from agent.core.drill.report import Step, Verdict
from agent.main.drill import Drills
from agent.store import Store
from tests.main.test_drills import Halves, Health, drilled, ended


def test_somebody_who_begins_to_pay_at_the_last_moment_is_not_cut_off(tmp_path: Path) -> None:
    """It was quiet when it was asked for, and until the restart was written down."""

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        restarts: list[str] = []

        def idle() -> bool:
            return not any(one.restarting_ms for one in kept)

        kept = []
        put = drills._rows.put

        async def seen(drill: object, keep: int) -> None:
            await put(drill, keep)  # type: ignore[arg-type]
            kept.append(drill)

        drills._rows.put = seen  # type: ignore[method-assign,assignment]
        drills.equip(idle, lambda: restarts.append("now"))
        report = await ended(drills, (await drills.begin("uid:0", 1, restart=True)).number)
        step = report.done(Step.RESTART)
        assert step is not None
        assert (restarts, step.verdict, step.facts["why"]) == ([], Verdict.SKIPPED, "busy")

    drilled(tmp_path, work)
