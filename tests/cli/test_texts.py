"""The command line speaks two languages completely."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from agent.cli.arguments import parse
from agent.cli.texts import TEXTS, Words, asked_language, language
from agent.core.health.conditions import Severity
from agent.core.money.channel import ChannelState
from agent.core.money.journal import State
from agent.core.why.causes import KnownBy, Owner

CLI = Path(__file__).resolve().parents[2] / "agent" / "cli"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("name", TEXTS)
def test_both_languages_say_the_same(name: str) -> None:
    """Each text exists in both languages with the same placeholders."""
    en, zh = TEXTS[name]
    assert en
    assert zh
    assert placeholders(en) == placeholders(zh)
    assert en.isascii() or not any("\u4e00" <= char <= "\u9fff" for char in en)


def test_every_text_that_is_used_exists_and_is_used() -> None:
    """No command asks for a text that is not there, and none is left over."""
    source = "".join(
        file.read_text("utf-8") for file in CLI.glob("*.py") if not file.name.startswith("texts")
    )
    literal = {name for name in TEXTS if f'"{name}"' in source or f"'{name}'" in source}
    groups = set(re.findall(r"""\.word\(\s*["']([a-z_.]+)["']""", source))
    composed = set(re.findall(r'f"([a-z._]+)\{', source))
    for name in {name.removesuffix(".one") for name in TEXTS} - literal:
        within = {name[:at] for at, char in enumerate(name) if char == "."}
        assert within & groups or any(name.startswith(p) for p in composed), name
    asked = set(re.findall(r"""(?:words|\bt)\(\s*["']([a-z_.]+)["']""", source))
    assert asked <= TEXTS.keys()


def test_words_of_closed_lists_are_complete() -> None:
    """States, owners, severities, channel states and ways of knowing all have their word."""
    wanted = {f"state.{state}" for state in State} | {f"owner.{owner}" for owner in Owner}
    wanted |= {f"severity.{severity}" for severity in Severity}
    wanted |= {f"channel.{state}" for state in ChannelState}
    wanted |= {f"known.{how}" for how in KnownBy}
    assert wanted <= TEXTS.keys()


def test_chinese_has_chinese_punctuation() -> None:
    """No comma, colon or bracket of the Latin alphabet between Chinese characters."""
    latin = re.compile("[\u4e00-\u9fff][,:;?!()]|[,:;?!(][\u4e00-\u9fff]")
    assert [name for name, (_, zh) in TEXTS.items() if latin.search(zh)] == []


@pytest.mark.parametrize(
    ("asked", "configured", "environment", "chosen"),
    [
        ("zh", "en", {"LANG": "en_US.UTF-8"}, "zh"),
        (None, "zh", {"LANG": "en_US.UTF-8"}, "zh"),
        (None, "auto", {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, "auto", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        (None, "auto", {"LC_MESSAGES": "zh_TW", "LANG": "C"}, "zh"),
        (None, "auto", {}, "en"),
    ],
)
def test_which_language(
    monkeypatch: pytest.MonkeyPatch,
    asked: str | None,
    configured: str,
    environment: dict[str, str],
    chosen: str,
) -> None:
    """What was asked for wins over the configuration, and that over the environment."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language(asked, configured) == chosen


def test_language_is_found_before_parsing() -> None:
    """Even wrong arguments are refused in the language asked for."""
    assert asked_language(["status", "--lang", "zh"]) == "zh"
    assert asked_language(["--lang=en", "x"]) == "en"
    assert asked_language(["--lang"]) is None
    assert asked_language([]) is None


def test_an_unknown_word_shows_itself() -> None:
    """A newer daemon's state is shown as it is rather than failing."""
    assert Words("zh").word("state", "frozen") == "frozen"
    assert Words("zh").word("state", "held") == "暂停"


def test_every_option_of_the_help_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    """Options that all commands share keep their own text; only -h says that it is this help."""
    for lang, help_ in (("en", "show this help"), ("zh", "显示本帮助")):
        with pytest.raises(SystemExit):
            parse(["status", "--lang", lang, "--help"], Words(language(lang)))
        assert capsys.readouterr().out.count(help_) == 1
