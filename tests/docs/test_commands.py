"""Commands the pages for vendors and technicians show: each exists, with the options it has there.

The operations guide's blocks are run by `test_operations`; here every page's commands, those inside
a sentence as well, are read by the program's own parser.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import arguments
from agent.cli.texts import Words

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        ROOT / "SECURITY.md",
        ROOT / "firmware_hooks/README.md",
        ROOT / "firmware_hooks/README.zh-CN.md",
        *(ROOT / "docs").glob("[!dt]*.md"),
        ROOT / "docs/technician.md",
        ROOT / "docs/threats.md",
        *(ROOT / "docs/operations").glob("*.md"),
    ]
)
_INLINE = re.compile(r"`(?:/\S*/)?posagent(?: --lang zh)? ([a-z][^`]*)`")
_BLOCK = re.compile(r"^ *```[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_TYPED = re.compile(r"^ *(?:/\S*/)?posagent ([a-z][^\n]*)$", re.MULTILINE)
_OPTIONAL = re.compile(r"\[[^]]*\] ?")
#: First lines of signed documents, which look like commands.
_HEADINGS = ("profile 1", "manifest 1")
#: What a page leaves for the reader to fill in where a number is wanted.
_NUMBERS = {"NUMBER": "7", "N": "3", "数字": "7"}


def shown(page: Path) -> Iterator[str]:
    """What follows `posagent`, without comments; `a | b` is one command for each."""
    text = page.read_text("utf-8")
    typed = "".join(_BLOCK.findall(text))
    prose = _BLOCK.sub("", text)
    for said in [*_INLINE.findall(prose), *_TYPED.findall(typed)]:
        line = re.sub(r"\s+", " ", said).partition(" #")[0]
        line = _OPTIONAL.sub("", line).partition(" > ")[0].strip()
        if "…" in line or line.removesuffix("\\n") in _HEADINGS:
            continue
        first, *others = (part.strip() for part in re.split(r"(?<=\w) ?\| ?", line))
        head = first.rpartition(" ")[0]
        yield first
        yield from (f"{head} {other}" for other in others)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Known words and options; a mere prefix such as `posagent queue` may stand for its family."""
    for line in shown(page):
        words = [_NUMBERS.get(word, word) for word in shlex.split(line)]
        ended: object = 0
        try:
            arguments.parse(words, Words("en"))
        except SystemExit as end:
            ended = end.code
        said = capsys.readouterr().err
        assert ended == 0 or "required" in said, f"{page.name}: posagent {line}: {said}"


def test_a_command_that_is_not_there_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check itself: an option nobody knows fails."""
    page = tmp_path / "page.md"
    page.write_text("`posagent guard --for lunch`\n", "utf-8")
    with pytest.raises(AssertionError, match="lunch"):
        test_every_command_shown_exists(page, capsys)
