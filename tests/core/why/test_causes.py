"""The catalogue of causes: complete, in both languages, and fit to be read out at a counter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.why.causes import (
    CATALOGUE,
    Cause,
    KnownBy,
    Owner,
    configuration,
    fleet,
    hardware,
    host,
    network,
    operation,
    software,
)
from agent.core.why.text import Text

RELEASED = Path(__file__).parents[2] / "fixtures" / "cause-codes.txt"
CHAPTERS = {
    "network": network,
    "hardware": hardware,
    "software": software,
    "configuration": configuration,
    "host": host,
    "operation": operation,
    "fleet": fleet,
}
CJK = re.compile(r"[\u4e00-\u9fff]")
NAME = re.compile(r"\{([a-z0-9_]+)\}")
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?()]")


def released() -> list[tuple[str, str, str, str]]:
    lines = RELEASED.read_text("utf-8").splitlines()[1:]
    return [tuple(line.split()) for line in lines]  # type: ignore[misc]


def texts(cause: Cause) -> list[Text]:
    return [cause.title, cause.step, cause.reason]


def test_released_codes() -> None:
    """Code, chapter, ways of knowing and owner are those that were released, and 129 in number."""
    built = [
        (cause.code, name, "".join(sorted(cause.known_by)), cause.owner.value)
        for name, chapter in CHAPTERS.items()
        for cause in chapter.CAUSES
    ]
    assert sorted(built) == sorted(released())
    assert len(built) == len(CATALOGUE) == 129


@pytest.mark.parametrize("cause", CATALOGUE.values(), ids=lambda cause: cause.code)
def test_texts_are_complete(cause: Cause) -> None:
    """Every text exists in both languages, fits a line and is in the language it claims."""
    for text in texts(cause):
        for words in (text.zh, text.en):
            assert words == words.strip()
            assert words
            assert len(words) <= 160
            assert "\n" not in words
        assert CJK.search(text.zh), text.zh
        assert not CJK.search(text.en), text.en
        assert not HALF_WIDTH.search(text.zh), text.zh


@pytest.mark.parametrize("cause", CATALOGUE.values(), ids=lambda cause: cause.code)
def test_facts_are_optional_and_the_same_in_both_languages(cause: Cause) -> None:
    """Both languages name the same facts, each inside a clause that can be left out."""
    for text in texts(cause):
        assert set(NAME.findall(text.zh)) == set(NAME.findall(text.en)), text
        for words in (text.zh, text.en):
            assert words.count("[") == words.count("]")
            assert "{" not in re.sub(r"\[[^\[\]]*\]", "", words), words
            assert not re.search(r"[{}]", NAME.sub("", words)), words


@pytest.mark.parametrize("cause", CATALOGUE.values(), ids=lambda cause: cause.code)
def test_texts_read_without_any_fact(cause: Cause) -> None:
    """Without a single fact the sentence is whole: no bracket, gap or stray mark is left."""
    for text in texts(cause):
        for words in (text.render("zh"), text.render("en")):
            assert not re.search(r"[\[\]{}]", words)
            assert not re.search(
                r"  | [,.;:)]|\(\)|[,;:]$|[\uff0c\uff1b\uff1a]$|\uff08\uff09", words
            ), words
            assert len(words) > 1


@pytest.mark.parametrize("cause", CATALOGUE.values(), ids=lambda cause: cause.code)
def test_texts_read_with_any_of_their_facts(cause: Cause) -> None:
    """With all facts, with one alone and with all but one: no empty bracket, gap or stray mark."""
    for text in texts(cause):
        names = sorted(text.names)
        some = [set(names), *({one} for one in names), *(set(names) - {one} for one in names)]
        for known in some:
            args = dict.fromkeys(known, "X1")
            for words in (text.render("zh", args), text.render("en", args)):
                assert not re.search(r"[\[\]{}]|None|unknown\)|（未知）", words), words
                assert not re.search(
                    r"  | [,.;:)]|\( |\(\)|[,;:]$|[,;:][,;:.]|^[,.;:]"
                    r"|[\uff0c\uff1b\uff1a\u3001]$|\uff08\uff09|[\uff0c\uff1b\uff1a][\uff0c\uff1b\uff1a\u3002]",
                    words,
                ), words


@pytest.mark.parametrize("cause", CATALOGUE.values(), ids=lambda cause: cause.code)
def test_whoever_is_called_is_named_with_references(cause: Cause) -> None:
    """A step that means calling somebody says whom, and what to quote."""
    step = cause.step.en
    assert not re.search(r"\b(support|hotline|help ?desk)\b", step, re.IGNORECASE)
    outside = {Owner.ACQUIRER, Owner.BANK, Owner.PLATFORM, Owner.VENDOR}
    if cause.owner in outside:
        assert re.search(
            r"TID|MID|RRN|STAN|(serial|account|merchant) number|model|version|settlement date",
            step,
        ), step


def test_advice_only() -> None:
    """What cannot be seen from the terminal is marked, so that it never becomes a finding."""
    only = {code for code, cause in CATALOGUE.items() if cause.advice_only}
    assert only == {
        "platform.policy_changed",
        "external.event",
        "external.regulation",
        "account.check_with_bank",
        "platform.check_with_platform",
    }
    assert KnownBy.ADVICE in CATALOGUE["settlement.account_limit"].known_by


def test_catalogue_is_light_to_load() -> None:
    """Loading the catalogue brings no IO, no event loop and no third-party package along."""
    program = (
        "import sys; import agent.core.why.causes;"
        "heavy = ('asyncio', 'sqlite3', 'socket', 'msgspec', 'logging');"
        "print(*[name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.split() == []
