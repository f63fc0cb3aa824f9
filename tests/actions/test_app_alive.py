"""The payment app's word of itself reaches whoever watches it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent.actions import stages
from agent.watch.payment_app import Activity
from agent.wire.stages import AliveArgs
from tests.actions.desk import Desktop, on_desk
from tests.fakes import FakeClock


def test_what_it_says_is_taken_where_somebody_listens(tmp_path: Path) -> None:
    """Version and busy; without a daemon nobody does, and that is said."""
    activity = Activity(FakeClock())

    async def test(desk: Desktop) -> None:
        args = AliveArgs(version="2.1", busy=True)
        assert not (await stages.app_alive(desk.ports, args)).taken
        listening = replace(desk.ports, app=activity)
        assert (await stages.app_alive(listening, args)).taken
        assert (activity.version, activity.busy) == ("2.1", True)
        await stages.app_alive(listening, AliveArgs())
        assert (activity.version, activity.busy) == ("2.1", False)

    on_desk(tmp_path, test)
