"""Looking: backlog, health, status and why, over a real journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agent.actions import backlog, health, status, why
from agent.core.health.conditions import Severity
from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading, Unknown
from agent.core.health.tracker import Alarm, ComponentState
from agent.errors import StoreError
from agent.wire.api import Nothing, OneKey
from tests.actions.desk import AT, FAILED, Desktop, Line, on_desk


def test_the_backlog_names_what_stops_it(tmp_path: Path) -> None:
    """The channel in trouble longest, that there is none, else what most payments met."""

    async def test(desk: Desktop) -> None:
        desk.lines.lines = [
            Line("spare", "paused", "host.unauthorised", AT + timedelta(hours=1)),
            Line("main", "backing_off", "network.no_link", AT, AT + timedelta(hours=2)),
            Line("other", "shadow", "x.y", None),
        ]
        empty = await backlog.run(desk.ports, Nothing())
        assert (empty.total.count, empty.blocking_cause) == (0, "")
        await desk.take("a")
        await desk.move("a", *FAILED)
        full = await backlog.run(desk.ports, Nothing())
        assert full.blocking_cause == "network.no_link"
        assert full.next_attempt_at == AT + timedelta(hours=2)
        assert set(full.by_state) == {"waiting"}
        desk.lines.lines = []
        alone = await backlog.run(desk.ports, Nothing())
        assert alone.blocking_cause == "config.not_activated"
        desk.lines.lines = [Line()]
        quiet = await backlog.run(desk.ports, Nothing())
        assert (quiet.blocking_cause, quiet.next_attempt_at) == ("network.no_link", None)

    on_desk(tmp_path, test)


def test_health_keeps_the_four_ways_of_saying_nothing_apart(tmp_path: Path) -> None:
    """unknown is not a fault, not fitted is not unknown; alarms carry texts, owner and step."""
    outcomes: dict[str, Outcome] = {
        "reading": Reading({"paper": "ok"}, {"raw": "12"}),
        "not_fitted": NotFitted(),
        "not_observable": NotObservable("the port belongs to the payment app"),
        "unknown": Unknown("no answer", "printer.not_answering"),
    }

    async def test(desk: Desktop) -> None:
        desk.tracker.heard = [
            ComponentState(
                component=name, outcome=outcome, at=AT, duration_ms=1,
                success=name != "unknown",
            )
            for name, outcome in outcomes.items()
        ]  # fmt: skip
        desk.tracker.open = [
            Alarm(
                code=code, component="printer", severity=Severity.MAJOR, since_at=AT,
                shown_at=None, args={}, flaps=0, suppressed_by="",
            )
            for code in ("printer.paper_out", "not.in.the.catalogue")
        ]  # fmt: skip
        got = await health.run(desk.ports, Nothing())
        assert [one.outcome for one in got.components] == list(outcomes)
        assert got.components[2].reason == "the port belongs to the payment app"
        assert got.components[3].code == "printer.not_answering"
        assert got.alarms[0].step.zh
        assert got.alarms[1].title.en == "not.in.the.catalogue"

    on_desk(tmp_path, test)


class Dead:
    """A journal that cannot be read."""

    async def facts(self) -> object:
        raise StoreError("store.unavailable", "the flash is gone", "replace it")


def test_status_and_why_answer_without_a_journal(tmp_path: Path) -> None:
    """A dead store is said, not hidden behind an error."""

    async def test(desk: Desktop) -> None:
        ports = replace(desk.ports, journal=Dead())  # type: ignore[arg-type]
        shown = await status.run(ports, Nothing())
        assert (shown.store, shown.backlog) == (None, None)
        assert "the flash is gone" in shown.store_problem
        case = await why.gather(ports, "a")
        assert (case.journal, case.backlog) == (None, None)
        assert (await why.one(ports, OneKey(key="a"))).headline.en

    on_desk(tmp_path, test)


def test_why_gathers_the_case(tmp_path: Path) -> None:
    """The record, its history, health, channels and journal reach the explain engine."""

    async def test(desk: Desktop) -> None:
        desk.lines.lines = [Line("main", "backing_off", "network.no_link", AT)]
        await desk.take("a")
        await desk.move("a", *FAILED)
        case = await why.gather(desk.ports, "a")
        assert case.payment is not None
        assert case.payment.record is not None
        assert len(case.payment.steps) == 3
        assert case.channels is not None
        assert case.channels[0].name == "main"
        assert case.journal is not None
        verdict = await why.one(desk.ports, OneKey(key="a"))
        assert verdict.findings[0].code == "network.no_link"
        assert (await why.gather(desk.ports, None)).payment is None
        unknown = await why.gather(desk.ports, "b")
        assert unknown.payment is not None
        assert unknown.payment.record is None

    on_desk(tmp_path, test)
