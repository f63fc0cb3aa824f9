"""`posagent alarm acknowledge`, and what `posagent status` says of the line to the fleet."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.cli import alarm, arguments
from agent.cli.screen import Screen
from agent.cli.session import Exit, Session
from agent.cli.status import Page
from agent.cli.texts import Language, Words
from agent.errors import OperatorError

TOLD = {
    "code": "printer.paper_out",
    "title": {"en": "out of paper", "zh": "打印机缺纸"},
    "acknowledged_by": "uid:1000",
}


class Agent:
    """The daemon, as far as it is asked here."""

    as_of = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, name: str, **given: Any) -> Any:
        self.asked.append((name, given))
        return TOLD


def session_of(lang: Language, *argv: str) -> Session:
    words = Words(lang)
    return Session(args=arguments.parse(argv, words), words=words, screen=Screen())


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "out of paper (printer.paper_out): noted by uid:1000"),
        ("zh", "打印机缺纸（printer.paper_out）：已知悉，uid:1000"),
    ],
)
def test_somebody_takes_note_of_an_alarm(
    lang: Language,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The running agent is asked, by the code; it says who stands beside the alarm now."""
    agent = Agent()
    monkeypatch.setattr(alarm, "changing", lambda _session: agent)
    argv = ("alarm", "acknowledge", "printer.paper_out")
    assert alarm.alarm(session_of(lang, *argv)) == Exit.OK
    assert agent.asked == [("alarm_acknowledge", {"code": "printer.paper_out"})]
    assert capsys.readouterr().out.strip() == said
    assert alarm.alarm(session_of(lang, *argv, "--json")) == Exit.OK
    assert json.loads(capsys.readouterr().out) == TOLD


def test_an_alarm_is_handed_over_until_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a note; all of it is shown in one line. Released, nobody has it in hand."""
    agent = Agent()
    monkeypatch.setattr(alarm, "changing", lambda _session: agent)
    argv = ("alarm", "acknowledge", "printer.paper_out", "--note", "roll ordered", "--to", "Li")
    alarm.alarm(session_of("en", *argv, "--until", "2026-12-01T08:00+08:00"))
    (_, asked) = agent.asked[-1]
    assert asked.pop("until").startswith("2026-12-01T")
    assert asked == {"code": "printer.paper_out", "note": "roll ordered", "to": "Li"}
    alarm.alarm(session_of("zh", "alarm", "release", "printer.paper_out"))
    assert agent.asked[-1] == ("alarm_release", {"code": "printer.paper_out"})
    assert capsys.readouterr().out.endswith("打印机缺纸（printer.paper_out）：待处理\n")
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    told = TOLD | {
        "acknowledged_to": "Li",
        "acknowledged_note": "roll ordered",
        "acknowledged_until": now.isoformat(),
    }
    said = alarm.noted(Words("en"), told, now)
    assert said.startswith("uid:1000, handed over to Li, until ")
    assert said.endswith(": roll ordered")


@pytest.mark.parametrize("until", ["2h", "3d", "18:00", "2026-12-01"])
def test_a_time_can_be_given_in_several_ways(until: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A span, the next time of a clock, a date."""
    agent = Agent()
    monkeypatch.setattr(alarm, "changing", lambda _session: agent)
    alarm.alarm(session_of("en", "alarm", "acknowledge", "a.b", "--until", until))
    assert datetime.fromisoformat(agent.asked[0][1]["until"]).tzinfo is not None


@pytest.mark.parametrize("until", ["soon", "0h", "25:00", "2026-13-01", "-1d"])
def test_what_is_no_time_is_refused_in_one_sentence(until: str) -> None:
    """With what it should have looked like."""
    with pytest.raises(OperatorError) as refused:
        alarm.alarm(session_of("en", "alarm", "acknowledge", "a.b", f"--until={until}"))
    assert until in refused.value.what
    assert "2h" in refused.value.hint


def line(**changed: Any) -> dict[str, Any]:
    told = {
        "spent_today_bytes": 31_400,
        "spent_is_estimate": False,
        "budget_kb": 150,
        "budget_step": "full",
        "thinned": 0,
        "withheld": 0,
        "lost": 0,
    }
    return told | changed


@pytest.mark.parametrize(
    ("lang", "told", "said"),
    [
        ("en", line(), ["today 31 kB", "of 150 kB"]),
        ("zh", line(), ["今日 31 kB", "预算 150 kB"]),
        ("en", line(budget_kb=0, spent_is_estimate=True), ["today about 31 kB"]),
        (
            "en",
            line(budget_step="alarms_and_money", thinned=7, withheld=2, lost=1),
            [
                *("today 31 kB", "of 150 kB", "only alarms and money"),
                *("thinned 7", "withheld 2", "lost 1"),
            ],
        ),
        (
            "zh",
            line(budget_step="fewer_readings", thinned=7, withheld=2, lost=1),
            ["今日 31 kB", "预算 150 kB", "减少上报", "合并 7 条", "拦下 2 项", "丢弃 1 条"],
        ),
        ("en", line(spent_today_bytes=0, budget_step=""), []),
    ],
)
def test_status_says_what_the_line_costs(
    lang: Language, told: dict[str, Any], said: list[str]
) -> None:
    """The day's bytes and budget, the step if less is told, and what was given up."""
    page = Page(session_of(lang, "status"), {"at": "2026-11-22T10:00:00+00:00"})
    assert page._spent(told) == said
