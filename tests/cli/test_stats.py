"""`posagent stats` as it is drawn: both languages, narrow and wide, what is not known left out."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agent.cli import arguments, stats
from agent.cli.screen import Screen, width
from agent.cli.session import Exit, Session
from agent.cli.texts import Language, Words
from agent.errors import OperatorError

SHARE = {"count": 7, "of": 90, "rate": 0.0778, "low": 0.0383, "high": 0.1519}
GROUPS = [
    {"value": "wifi", "label": {"zh": "无线局域网", "en": "Wi-Fi"}, "share": SHARE, "days": 9,
     "verdict": "more", "p": 0.01},
    {"value": "unknown", "label": {"zh": "未知", "en": "unknown"}, "share": SHARE, "days": 1,
     "verdict": "too_few", "p": None},
]  # fmt: skip
TITLE = {"zh": "网络类型", "en": "network type"}
TOLD: dict[str, Any] = {
    "payments": 120, "confirmed": 90, "waiting": 20, "ended": 8, "clock": 2, "read": None,
    "late_after_s": 60.0, "late": SHARE, "late_looked_at": 7, "comparisons": 1,
    "times": {"count": 90, "p50_s": 0.9, "p90_s": 2.5, "p99_s": 400.0, "longest_s": 90_000.0},
    "histogram": [
        {"from_s": 0.0, "below_s": 1.0, "count": 80}, {"from_s": 1.0, "below_s": 300.0, "count": 0},
        {"from_s": 300.0, "below_s": None, "count": 10},
    ],
    "causes": [
        {"code": "host.no_reply", "title": {"zh": "主机无应答", "en": "no reply"}, "share": SHARE},
        {"code": "", "title": {"zh": "无记录", "en": "nothing on record"}, "share": SHARE},
    ],
    "factors": [
        {"name": "network", "title": TITLE, "verdict": "goes_with", "groups": GROUPS},
        {"name": "weekday", "title": {"zh": "星期", "en": "weekday"}, "verdict": "too_few",
         "groups": []},
    ],
}  # fmt: skip


class Agent:
    """The daemon, as far as it is asked here."""

    as_of = None

    def __init__(self, **changes: Any) -> None:
        self.told = copy.deepcopy(TOLD) | changes
        self.asked: dict[str, Any] = {}

    def ask(self, name: str, **given: Any) -> Any:
        assert name == "stats"
        self.asked = given
        return self.told


def drawn(
    agent: Agent,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lang: Language = "en",
    columns: int = 100,
    *argv: str,
) -> list[str]:
    monkeypatch.setattr(stats, "readable", lambda _session: agent)
    words, screen = Words(lang), Screen()
    screen.columns = columns
    session = Session(args=arguments.parse(("stats", *argv), words), words=words, screen=screen)
    assert stats.stats(session) == Exit.OK
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", [48, 80, 110])
@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["120 payments", "Wi-Fi: 7 of 90 late", "no reply (host.no_reply)  7", "< 5 min"]),
        ("zh", ["共 120 笔", "无线局域网", "主机无应答 (host.no_reply)  7", "< 5 分"]),
    ],
)
def test_the_bars_are_as_wide_as_the_screen_allows(
    lang: Language,
    said: list[str],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing reaches beyond it, wide characters counted; the longest bar fills it; no bar for
    nothing; a group with too few shows its counts and no rate."""
    lines = drawn(Agent(), monkeypatch, capsys, lang, columns)
    assert [line for line in lines if width(line) > columns] == []
    bars = [line for line in lines if line.rstrip().endswith("#")]
    lengths = [line.count("#") for line in bars]
    assert len(bars) == 2
    assert lengths[0] > 6 * lengths[1] > 0
    assert columns - 4 <= width(bars[0]) <= columns
    whole = "\n".join(lines)
    assert [one for one in said if one not in whole] == []
    few = next(line for line in lines if ("unknown:" in line or "未知" in line))
    assert "%" not in few


@pytest.mark.parametrize(("lang", "said"), [("en", "Only 25 % of"), ("zh", "25 %")])
def test_a_part_of_the_journal_is_called_one(
    lang: Language,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Above every figure that is of that part."""
    lines = drawn(Agent(read=0.25), monkeypatch, capsys, lang)
    assert said in lines[1]


def test_what_is_not_known_is_not_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """None confirmed: no bars; none judged: no rate; none at all: one sentence."""
    nothing = {"rate": None, "low": None, "high": None, "count": 0, "of": 0}
    lines = drawn(Agent(times=None, late=nothing, causes=[]), monkeypatch, capsys)
    assert not [line for line in lines if "#" in line]
    assert "None could be judged yet." in lines
    assert drawn(Agent(payments=0), monkeypatch, capsys) == ["No payment in this time."]


def test_what_is_asked_for_is_passed_on_and_nonsense_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A time without a zone is this terminal's; one sentence for what is no time or no number."""
    agent = Agent()
    argv = ("--since", "2026-11-01", "--by", "network", "--late-after", "30")
    drawn(agent, monkeypatch, capsys, "en", 80, *argv)
    assert agent.asked["since"].startswith("2026-11-01T00:00:00")
    assert (agent.asked["by"], agent.asked["late_after_s"]) == ("network", 30.0)
    for bad in (("--since", "yesterday"), ("--late-after", "nan"), ("--late-after", "-1")):
        with pytest.raises(OperatorError):
            drawn(agent, monkeypatch, capsys, "en", 80, *bad)
