"""What came of a command, as the operator reads it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest

from agent.cli.fleet_result import one_language, show, why_not
from agent.cli.reason import reason
from agent.cli.screen import Screen
from agent.cli.session import Session
from agent.cli.texts import Language, Words
from agent.cli.texts_fleet_errors import SENTENCES
from agent.core.fleet.commands import UNANSWERED, Reason
from agent.core.why.reasons import in_chinese
from agent.fleet.sending import Sending, Signed

#: Of paho.
LIBRARIES = ("Session taken over", "Keep alive timeout")
TITLE = {"zh": "收单主机不可达", "en": "acquirer host unreachable"}
FINDING = {
    "code": "network.host_unreachable", "title": TITLE, "owner": "technician",
    "step": {"zh": "检查防火墙", "en": "Check the firewall"},
    "reason": {"zh": "连接超时", "en": "It timed out"},
}  # fmt: skip
EXPLAINED = {
    "headline": {"zh": "有3笔未上送", "en": "Not yet sent: 3"},
    "findings": [FINDING],
    "advice": {"retry": "not_applicable", "text": {"zh": "", "en": ""}},
    "unknowns": [],
}


def session(lang: Language) -> Session:
    return Session(args=argparse.Namespace(), words=Words(lang), screen=Screen())


def printed(capsys: pytest.CaptureFixture[str], lang: Language, op: str, result: Any) -> str:
    show(session(lang), op, result)
    return capsys.readouterr().out


def test_a_refusal_is_said_in_words_and_with_its_own_word() -> None:
    """Every word a terminal answers a refused command with has a sentence in both languages."""
    for word in [*sorted(set(Reason) - UNANSWERED), "interrupted", "timeout"]:
        for lang in ("en", "zh"):
            said = why_not(word, "", Words(lang))
            assert said.endswith(f" ({word})")
            assert len(said) > len(word) + 5
    assert why_not("", "", Words("en")) == ""
    newer = why_not("of_the_future", "it rains", Words("en"))
    assert newer == "it rains (of_the_future)"
    assert why_not("of_the_future", "", Words("en")) == "of_the_future"


def test_an_explanation_is_in_one_language(capsys: pytest.CaptureFixture[str]) -> None:
    """No English in Chinese output, no JSON in either."""
    zh = printed(capsys, "zh", "explain", EXPLAINED)
    assert "有3笔未上送" in zh
    assert "下一步：检查防火墙" in zh
    assert "firewall" not in zh
    en = printed(capsys, "en", "explain", EXPLAINED)
    assert "1. acquirer host unreachable (network.host_unreachable)" in en
    assert "{" not in en + zh


def test_a_request_for_a_certificate_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines are as they must be for the authority."""
    pem = "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 64 + "\n-----END CERTIFICATE REQUEST-----"
    assert f"\n{pem}\n" in printed(capsys, "zh", "renew_certificate", {"csr": f"{pem}\n"})


@pytest.mark.parametrize("op", ["explain", "report", "inspect", "hold", "retry", "none"])
@pytest.mark.parametrize("result", [{}, [], "x", {"moved": "a"}, {"headline": 1}, {"checks": [1]}])
def test_what_is_of_another_form_is_shown_as_it_came(
    capsys: pytest.CaptureFixture[str], op: str, result: Any
) -> None:
    """A newer terminal's answer never ends the command."""
    printed(capsys, "en", op, result)


def test_texts_for_people_become_one() -> None:
    """However deep they are; anything else stays."""
    assert one_language([{"a": TITLE, "b": {"zh": 1}}], "zh") == [
        {"a": "收单主机不可达", "b": {"zh": 1}}
    ]


#: Where reasons are written; what translates them does not count as saying them.
CODE = re.sub(
    r'"\s*\n\s*f?"',  # A sentence over several lines is one.
    "",
    "".join(
        file.read_text("utf-8")
        for folder in ("cli", "fleet", "actions", "telemetry", "watch", "core", "store")
        for file in sorted((Path(__file__).parents[2] / "agent" / folder).rglob("*.py"))
        if file.name not in {"texts_fleet_errors.py", "texts_journal.py"}
    ),
)


@pytest.mark.parametrize(("english", "chinese"), SENTENCES)
def test_what_is_wrong_is_said_in_chinese(english: str, chinese: str) -> None:
    """Each sentence is still one the code says, and is taken over whole."""
    names = re.findall(r"\{(\w+)\}", english)
    said = english.format(**{name: f"<{name}>" for name in names})
    assert reason(Words("en"), said) == said
    told = reason(Words("zh"), said)
    assert told != said
    assert all(f"<{name}>" in told for name in names) or in_chinese(said) == told
    library = english.startswith(("argument ", "the following", "unrecognized", "Unspecified"))
    ours = max(re.split(r"\{\w+\}", english), key=len).strip(" :,")
    assert library or english in LIBRARIES or ours in CODE


def test_the_broker_says_that_nobody_listens() -> None:
    """It is told at once, but a terminal may still answer; a real refusal ends it."""

    class Told:
        def __init__(self, code: int) -> None:
            self.code: int | None = code

    class Broker:
        online = True

        def __init__(self, code: int) -> None:
            self._told = Told(code)

        def publish(self, *_: object, **__: object) -> Told:
            return self._told

    one = Signed(
        cmd_id="c1", tenant="acme", device="T-1", op="report", expires_ts=10**6, envelope=b"{}"
    )
    for code, status, unheard in (
        (0, "sent", False),
        (0x10, "sent", True),
        (0x87, "refused", False),
    ):
        work = Sending([one], rate=10)
        work.step(Broker(code), 1_000)
        (case,) = work.cases
        assert (case.status, case.unheard) == (status, unheard)
