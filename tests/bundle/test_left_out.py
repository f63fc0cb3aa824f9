"""What a bundle for terminals leaves out, seen from what stays in it."""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import app

ROOT = Path(__file__).resolve().parents[2]


def patterns() -> list[str]:
    """packaging/bundle/tree.py's list, read as text: its imports are no business of the tests."""
    text = (ROOT / "packaging" / "bundle" / "tree.py").read_text("utf-8")
    block = text.partition("NOT_ON_TERMINALS = (")[2].partition("\n)")[0]
    return re.findall(r'"([^"]+)"', block)


def left_out(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns())


def imported(path: Path) -> Iterator[str]:
    """The agent's modules a file imports, at its top or later."""
    for line in path.read_text("utf-8").splitlines():
        if match := re.match(r"\s*from (agent[\w.]*) import ([\w, ]+)", line):
            yield match[1]
            yield from (f"{match[1]}.{name.strip()}" for name in match[2].split(","))
        elif match := re.match(r"\s*import (agent[\w.]*)", line):
            yield match[1]


def test_nothing_that_stays_imports_what_goes() -> None:
    """No module of a terminal's bundle asks for one that is not in it."""
    files = sorted((ROOT / "agent").rglob("*.py"))
    gone = {path for path in files if left_out(path)}
    assert {path.parent.name for path in gone} >= {"sim", "fleet", "conformance", "cli"}
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in gone
    }
    asked = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        if path not in gone
        for name in imported(path)
        if name in names
    }
    assert not asked


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "argv", [["demo"], ["sim", "host"], ["fleet", "key"], ["conformance", "http://127.0.0.1"]]
)
def test_a_command_that_is_not_there_says_so(
    argv: list[str],
    lang: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence and one hint instead of a traceback."""
    module = "sim" if argv[0] == "demo" else argv[0]
    monkeypatch.setitem(sys.modules, f"agent.cli.{module}", None)
    words, *more = argv
    code = app.main(["--lang", lang, words, *more, *_needed(words)])
    said = capsys.readouterr().err
    assert code == 2
    assert f"posagent {argv[0]}" in said
    assert ("电脑" if lang == "zh" else "on a computer") in said
    assert "Traceback" not in said


def _needed(command: str) -> list[str]:
    return {"fleet": ["new", "--key-id", "k1", "key"]}.get(command, [])
