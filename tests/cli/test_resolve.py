"""`posagent queue resolve`: a technician's word, with evidence, from the command line."""

from __future__ import annotations

from typing import Any

import pytest

from agent.cli import arguments, queue
from agent.cli.screen import Screen
from agent.cli.session import NotThereError, Session
from agent.cli.texts import Words
from agent.errors import CallerError


class Daemon:
    """Takes the word, or refuses with a code."""

    def __init__(self, refusal: str = "") -> None:
        self.asked: dict[str, Any] = {}
        self._refusal = refusal

    def ask(self, name: str, **given: Any) -> Any:
        assert name == "resolve"
        if self._refusal:
            raise CallerError(self._refusal, "no")
        self.asked = given
        return {"key": given["key"], "state": "posted"}


def said(monkeypatch: pytest.MonkeyPatch, daemon: Daemon, *argv: str) -> int:
    monkeypatch.setattr(queue, "changing", lambda _: daemon)
    words = Words("en")
    args = arguments.parse(["queue", "resolve", *argv], words)
    return queue.queue(Session(args=args, words=words, screen=Screen()))


def test_the_word_goes_out_whole_and_the_state_comes_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outcome and evidence as given; one line, or JSON."""
    daemon = Daemon()
    order = ("k1", "posted", "--evidence", "acquirer's list")
    assert said(monkeypatch, daemon, *order) == 0
    assert daemon.asked == {"key": "k1", "outcome": "posted", "evidence": "acquirer's list"}
    assert "k1: posted" in capsys.readouterr().out
    assert said(monkeypatch, daemon, *order, "--json") == 0
    assert '"state": "posted"' in capsys.readouterr().out


def test_evidence_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's money is settled without a reason."""
    with pytest.raises(SystemExit):
        said(monkeypatch, Daemon(), "k1", "posted")


@pytest.mark.parametrize(
    ("code", "kind"), [("transaction.unknown", NotThereError), ("record.final", CallerError)]
)
def test_refusals_are_passed_on(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: type[Exception]
) -> None:
    """No such payment, or proven otherwise."""
    with pytest.raises(kind):
        said(monkeypatch, Daemon(code), "k1", "declined", "--evidence", "list")
