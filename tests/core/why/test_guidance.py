"""Guidance for every cause: complete, bilingual, its own words; nobody called without papers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest

from agent.core.why.causes import CATALOGUE, Owner
from agent.core.why.guidance import FILES, chapter, guidance
from agent.core.why.guidance.entry import REFERENCES, WHOM, Guidance, Reference, Whom

CJK = re.compile(r"[\u4e00-\u9fff]")
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?()]")
NAME = re.compile(r"\{([a-z0-9_]+)\}")
#: What the one who is called needs at least one of, to find it in his own books.
PAPERS = {
    Whom.ACQUIRER: {Reference.TID, Reference.MID, Reference.RRN, Reference.STAN},
    Whom.VENDOR: {Reference.SERIAL, Reference.MODEL},
    Whom.APP_VENDOR: {Reference.VERSION},
    Whom.BANK: {Reference.ACCOUNT},
    Whom.PLATFORM: {Reference.MID},
    Whom.PROVIDER: {Reference.LINE, Reference.ICCID},
    Whom.FLEET: {Reference.DEVICE},
}


def of(code: str) -> Guidance:
    found = guidance(code)
    assert found is not None, code
    return found


def test_every_cause_has_its_own_and_nothing_else_has() -> None:
    """Exactly the catalogue's codes, in the files its chapters name."""
    written = [code for file in FILES for code in chapter(file)]
    assert sorted(written) == sorted(CATALOGUE)
    assert all(of(code).code == code for code in CATALOGUE)
    assert guidance("weather.bad") is None
    assert guidance("network.bewitched") is None


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_texts_are_complete_in_both_languages(code: str) -> None:
    """Now, say, stop: each in the language it claims, short enough for a small screen."""
    told = of(code)
    for text in (told.now, told.say, told.stop):
        assert CJK.search(text.zh), text.zh
        assert not CJK.search(text.en), text.en
        assert not HALF_WIDTH.search(text.zh), text.zh
        assert set(NAME.findall(text.zh)) == set(NAME.findall(text.en))
        for words in (text.zh, text.en):
            assert words == words.strip()
            assert len(words) <= 200, words
            assert not re.search(r"[\[\]\n]", words)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_whoever_is_called_gets_what_he_needs(code: str) -> None:
    """Whom to call comes with references; an owner outside the shop is somebody to call."""
    told = of(code)
    assert bool(told.whom) == bool(told.give)
    if told.whom is None:
        assert told.call("zh") == told.call("en") == ""
        assert CATALOGUE[code].owner not in {Owner.ACQUIRER, Owner.BANK, Owner.PLATFORM}
        return
    assert PAPERS.get(told.whom, set(Reference)) & set(told.give), code
    for lang in ("zh", "en"):
        line = told.call(lang)
        assert WHOM[told.whom].render(lang) in line
        assert all(REFERENCES[one].render(lang) in line for one in told.give)
    assert not re.search(r"\b(support|hotline|help ?desk)\b", told.stop.en, re.IGNORECASE)


@pytest.mark.parametrize("name", ["now", "say", "stop"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_two_causes_share_their_words(name: str, lang: str) -> None:
    """Boilerplate helps nobody: no text stands at two codes."""
    texts = Counter(getattr(of(code), name).render(lang) for code in CATALOGUE)
    assert [words for words, count in texts.items() if count > 1] == []


def test_only_the_chapter_that_is_asked_for_is_loaded() -> None:
    """The daemon keeps none of it until somebody asks."""
    program = (
        "import sys; from agent.core.why.guidance import guidance; guidance('printer.paper_out');"
        "print(*sorted(n.rpartition('.')[2] for n in sys.modules if '.guidance.' in n))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["entry", "printer"]
