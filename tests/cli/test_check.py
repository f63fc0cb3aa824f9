"""`posagent check`: the cashier's question, asked by a person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.cli import arguments, check
from agent.cli.screen import Screen
from agent.cli.session import Session
from agent.cli.source import Places
from agent.cli.texts import Words
from agent.config import Check, Config
from agent.errors import OperatorError

ANSWER = {
    "at": "2026-11-20T00:00:00Z",
    "answer": "refuse",
    "findings": [
        {
            "code": "limit.total",
            "level": "refuse",
            "cause": "queue.limit_reached",
            "field": "",
            "title": {"zh": "离线限额已满", "en": "offline limit reached"},
            "reason": {"zh": "超过限额", "en": "over the limit"},
            "owner": "merchant",
            "step": {"zh": "等一等", "en": "wait"},
        }
    ],
}


class Daemon:
    """Answers always the same and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def ask(self, name: str, **arguments: Any) -> Any:
        assert name == "check"
        self.asked = arguments
        return ANSWER


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    asked = Daemon()
    issued = Config(check=Check(terminal_ids=("T1",)))
    monkeypatch.setattr(
        check, "places", lambda _: Places(config=issued, socket=None, state_dir=None)
    )
    monkeypatch.setattr(check, "changing", lambda _: asked)
    return asked


def said(*argv: str) -> int:
    words = Words("en")
    args = arguments.parse(["check", *argv], words)
    return check.check(Session(args=args, words=words, screen=Screen()))


def test_the_answer_with_its_reasons_and_who_must_act(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """One word, then each finding with its step; TID from the configuration."""
    card = "622202******0123"
    assert said("12.5", "CNY", "--mid", "M1", "--posting", "advice", "--card", card) == 0
    assert daemon.asked == {
        "terminal_id": "T1", "merchant_id": "M1", "kind": "sale", "posting": "advice",
        "currency": "CNY", "amount_minor": 1250, "card": {"masked": card},
    }  # fmt: skip
    out = capsys.readouterr().out
    assert "no: do not take it now" in out
    assert "- over the limit (limit.total)" in out
    assert "merchant: wait" in out
    assert said("12.5", "CNY", "--mid", "M1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == ANSWER


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("0.01", "CNY", 1), ("7", "JPY", 7), ("1.005", "KWD", 1005), ("1e2", "CNY", 10_000)],
)
def test_amounts_are_read_in_the_currencys_own_places(
    daemon: Daemon, amount: str, currency: str, minor: int
) -> None:
    """Fen, yen and fils."""
    said(amount, currency, "--mid", "M1")
    assert daemon.asked["amount_minor"] == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("1.234", "CNY"), ("0.5", "JPY"), ("x", "CNY"), ("1", "ZZZ"), ("-1", "CNY"), ("inf", "CNY")],
)
def test_what_is_no_amount_is_refused(daemon: Daemon, amount: str, currency: str) -> None:
    """No digit is dropped silently."""
    with pytest.raises(OperatorError, match="is no amount"):
        said("--mid", "M1", "--", amount, currency)
    assert not daemon.asked


def test_without_an_issued_merchant_id_it_must_be_given(daemon: Daemon) -> None:
    """A question about somebody else's shop would be answered wrongly."""
    with pytest.raises(OperatorError, match="--mid must be given"):
        said("1", "CNY")
    assert not daemon.asked


def test_a_payment_that_may_still_go_through_is_named(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to tell the cashier."""
    advice = {"zh": "不要再收", "en": "Do not take it again"}
    again = {"key": "k-7", "retry": "do_not_retry", "advice": advice}
    monkeypatch.setitem(ANSWER, "again", again)
    assert said("12.50", "CNY", "--mid", "M1", "--again", "k-7") == 0
    told = capsys.readouterr().out
    assert "k-7 may still go through" in told
    assert advice["en"] in told
    assert daemon.asked["again_of"] == "k-7"
