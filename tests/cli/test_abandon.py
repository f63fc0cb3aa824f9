"""`posagent queue abandon`: the host's confirmation, from the command line."""

from __future__ import annotations

from typing import Any

import pytest

from agent.cli import arguments, queue
from agent.cli.screen import Screen
from agent.cli.session import NotThereError, Session
from agent.cli.texts import Words
from agent.errors import CallerError

ORDER = ("k1", "posted_manually", "--reference", "letter 9", "--said-by", "A. Wang")


class Daemon:
    """Takes the word, or refuses with a code."""

    def __init__(self, refusal: str = "") -> None:
        self.asked: dict[str, Any] = {}
        self._refusal = refusal

    def ask(self, name: str, **given: Any) -> Any:
        assert name == "queue_abandon"
        if self._refusal:
            raise CallerError(self._refusal, "no")
        self.asked = given
        return {"key": given["key"], "state": "voided"}


def said(monkeypatch: pytest.MonkeyPatch, daemon: Daemon, *argv: str, lang: str = "en") -> int:
    monkeypatch.setattr(queue, "changing", lambda _: daemon)
    words = Words(lang)  # type: ignore[arg-type]
    args = arguments.parse(["queue", "abandon", *argv], words)
    return queue.queue(Session(args=args, words=words, screen=Screen()))


def test_the_confirmation_goes_out_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outcome, reference and name as given; one line in either language, or JSON."""
    daemon = Daemon()
    assert said(monkeypatch, daemon, *ORDER) == 0
    word = {"outcome": "posted_manually", "reference": "letter 9", "said_by": "A. Wang"}
    assert daemon.asked == {"key": "k1", "confirmation": word}
    assert "k1: voided" in capsys.readouterr().out
    assert said(monkeypatch, daemon, *ORDER, lang="zh") == 0
    assert "已撤回" in capsys.readouterr().out
    assert said(monkeypatch, daemon, *ORDER, "--json") == 0
    assert '"state": "voided"' in capsys.readouterr().out


@pytest.mark.parametrize("left_out", [slice(2, 4), slice(4, 6), slice(1, 2)])
def test_nothing_may_be_left_out(monkeypatch: pytest.MonkeyPatch, left_out: slice) -> None:
    """Outcome, reference and who said it."""
    order = list(ORDER)
    del order[left_out]
    with pytest.raises(SystemExit):
        said(monkeypatch, Daemon(), *order)


@pytest.mark.parametrize(
    ("code", "kind"), [("transaction.unknown", NotThereError), ("record.not_asked", CallerError)]
)
def test_refusals_are_passed_on(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: type[Exception]
) -> None:
    """No such payment, or the host must be asked first."""
    with pytest.raises(kind) as caught:
        said(monkeypatch, Daemon(code), *ORDER)
    assert caught.value.code == code  # type: ignore[attr-defined]
