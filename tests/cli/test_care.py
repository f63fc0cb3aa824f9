"""`posagent verify`, `salvage` and `key` as a person meets them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.cli import arguments, care
from agent.cli.screen import Screen
from agent.cli.session import Session
from agent.cli.texts import Words

PART = {"after": None, "permille": 1000, "found": {}, "findings": [], "structure": "ok"}


class Daemon:
    """Gives these answers, one after the other, and keeps what it was asked."""

    as_of = None

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers = list(answers)

    def ask(self, name: str, **given: Any) -> Any:
        self.asked.append((name, given))
        return self._answers.pop(0)


def said(monkeypatch: pytest.MonkeyPatch, daemon: Daemon, *argv: str, lang: str = "en") -> int:
    for how in ("changing", "readable"):
        monkeypatch.setattr(care, how, lambda _: daemon)
    words = Words(lang)  # type: ignore[arg-type]
    args = arguments.parse(argv, words)
    return getattr(care, args.command)(Session(args=args, words=words, screen=Screen()))


def test_a_long_verification_is_asked_on_until_it_is_through(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts add up; one sentence when all is well."""
    first = {
        **PART,
        "after": "records:9",
        "permille": 400,
        "structure": "",
        "checked": {"record": 9},
    }
    daemon = Daemon(first, {**PART, "checked": {"record": 3, "history": 5}})
    assert said(monkeypatch, daemon, "verify") == 0
    assert daemon.asked == [("verify", {"after": ""}), ("verify", {"after": "records:9"})]
    assert "records 12, lines of history 5" in capsys.readouterr().out


def test_findings_are_listed_with_what_follows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where, what, and that nothing unsent goes out; how many are not shown."""
    finding = {"what": "record", "key": "k7", "number": 7, "detail": "its row was altered"}
    answer = {**PART, "checked": {"record": 8}, "found": {"record": 3}, "findings": [finding]}
    assert said(monkeypatch, Daemon(answer), "verify") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "3 findings" in out
    assert "k7 its row was altered" in out
    assert "2 more are not shown" in out
    assert "put aside" in out
    assert said(monkeypatch, Daemon(answer), "verify", "--json") == 0
    assert json.loads(capsys.readouterr().out)["found"] == {"record": 3}


def test_taking_back_tells_the_sum_and_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the file's name goes to the daemon, whatever path was typed."""
    part = {"after": 100, "held": 3, "final": 90, "known": 5, "unproved": 2}
    part["unproved_amounts"] = {"CNY": 700}  # type: ignore[assignment]
    last = {**part, "after": None, "held": 1, "unproved": 0, "unproved_amounts": {}}
    daemon = Daemon(part, last)
    assert said(monkeypatch, daemon, "salvage", "/somewhere/1-journal.db") == 0
    assert [given["after"] for _, given in daemon.asked] == [0, 100]
    assert {given["file"] for _, given in daemon.asked} == {"1-journal.db"}
    out = " ".join(capsys.readouterr().out.split())
    assert "4 taken back and held, 180 final, 10 known already, 2 not proved" in out
    assert "queue release --cause queue.quarantined" in out


def test_keys_are_told_by_number_and_a_missing_one_by_what_it_means(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is lost and what is not, in both languages."""
    ring = {
        "sealing": True, "file": "/var/lib/posagent/payload.keys", "newest": 1002,
        "held": [1002], "in_use": [1001, 1002], "missing": [1001], "turning": True,
    }  # fmt: skip
    assert said(monkeypatch, Daemon(ring), "key", "show") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "keys missing 1001" in out
    assert "cannot be sent and is held; states, amounts and results are not affected" in out
    assert said(monkeypatch, Daemon(ring), "key", "show", lang="zh") == 0
    assert "不受影响" in capsys.readouterr().out
    assert said(monkeypatch, Daemon(ring), "key", "rotate") == 0
    assert "Key 1002 is in use" in capsys.readouterr().out
    assert said(monkeypatch, Daemon({**ring, "sealing": False}), "key", "show") == 0
    assert "not sealed" in capsys.readouterr().out
