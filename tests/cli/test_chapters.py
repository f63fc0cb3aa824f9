"""The page of all commands: every one is listed, once, below a heading in the reader's language."""

from __future__ import annotations

import argparse
import re

import pytest

from agent.cli.arguments import Parser, _parser
from agent.cli.chapters import CHAPTERS
from agent.cli.texts import Language, Words


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_command_has_one_chapter(lang: Language) -> None:
    """A new command that is put into none would not be found by anybody."""
    Parser.words = Words(lang)
    parser = _parser(Words(lang))
    commands = next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    listed = [name for _, names in CHAPTERS for name in names]
    assert sorted(listed) == sorted(commands.choices)
    page = parser.format_help()
    lines = re.findall(r"^    (\S+)", page, re.MULTILINE)
    for name in listed:
        assert lines.count(name) == 1, name
    for title, _ in CHAPTERS:
        assert f"  {Words(lang)(title)}:\n" in page
