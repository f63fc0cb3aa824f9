"""Every refusal of the API can be read in Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.problem import CODES
from agent.wire.problem_chinese import CHINESE, DETAILS, advice, detail

AGENT = Path(__file__).resolve().parents[2] / "agent"


def test_every_code_has_its_chinese_and_none_is_made_up() -> None:
    """A new problem code without Chinese words fails here."""
    assert sorted(CHINESE) == sorted(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_there_is_advice_in_both_languages_or_in_none(code: str) -> None:
    """Whoever reads Chinese is told no less, and nothing is left in English alone."""
    title, hint = CHINESE[code]
    assert bool(hint) == bool(CODES[code].hint)
    assert not title.isascii()
    assert not hint or not hint.isascii()


def test_every_detail_is_said_somewhere() -> None:
    """A refusal that is worded anew cannot fall back into English unnoticed."""
    said = "".join(
        re.sub(r"[\"']\s*\n\s*f?[\"']", "", file.read_text(encoding="utf-8"))
        for file in sorted(AGENT.rglob("*.py"))
        if file.name != "problem_chinese.py"
    )
    fragments = {
        piece.strip()
        for english, _ in DETAILS
        for piece in re.split(r"\{\w+\}|; ", english.removeprefix("As an image ").rstrip("."))
    }
    assert sorted(one for one in fragments if one not in said) == []


def test_both_sides_take_over_the_same() -> None:
    """The Chinese sentence makes up no fact, and is Chinese."""
    for english, chinese in DETAILS:
        assert set(re.findall(r"\{(\w+)\}", chinese)) <= set(re.findall(r"\{(\w+)\}", english))
        assert not chinese.isascii()


def test_a_refusal_in_chinese() -> None:
    """What was found stays in it; a room's words are said by the rooms' own table."""
    assert detail("no payment of 000042 is stored") == "000042没有交易"
    assert detail("the printer on /dev/x is not ready: its cover is open") == (
        "/dev/x上的打印机未就绪：纸仓盖没有合上"
    )
    assert detail("words nobody knows") == "words nobody knows"


def test_advice_of_this_time_is_not_lost() -> None:
    """The usual advice is the table's; another one is said as it was given."""
    usual = CODES["slip.off"].hint
    assert advice("slip.off", usual, usual) == CHINESE["slip.off"][1]
    assert advice("slip.off", "ask E-17", usual) == "ask E-17"
    assert advice("new.code", "", "") == ""


@given(st.text(max_size=120))
def test_any_words_are_taken(words: str) -> None:
    """Whatever a program said, it never fails on the way to the reader."""
    assert isinstance(detail(words), str)
