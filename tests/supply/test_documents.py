"""What the security documents name is there: files, names in them, and test functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("SECURITY.md", "docs/security.md", "docs/threats.md")
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"^((?:agent|packaging|tests|docs|firmware_hooks)/[\w./-]+?)(?:(::?)([\w.]+))?$")


def missing(text: str) -> list[str]:
    """Everything `text` names that is not there."""
    found = []
    for word in _CODE.findall(text):
        named = _PATH.match(word)
        if named is None:
            continue
        path, sign, name = ROOT / named[1], named[2], named[3]
        if not path.exists():
            found.append(word)
        elif sign == "::":
            if not re.search(rf"^(?:async )?def {name}\(", path.read_text("utf-8"), re.MULTILINE):
                found.append(word)
        elif sign and not re.search(
            rf"\b(?:def|class) {name.rpartition('.')[2]}\b|^{name}\b", path.read_text("utf-8"),
            re.MULTILINE,
        ):  # fmt: skip
            found.append(word)
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_named_is_there(document: str) -> None:
    """A test that was renamed or a file that moved takes its promise with it."""
    assert missing((ROOT / document).read_text("utf-8")) == []


def test_every_threat_and_every_point_names_a_proof() -> None:
    """Rows of the threats and of the checklists end with a test or a command, or say why not."""
    threats = re.findall(r"^\| T\d+ \|.*$", (ROOT / "docs/threats.md").read_text(), re.MULTILINE)
    assert [int(row.split("|")[1].strip()[1:]) for row in threats] == list(
        range(1, len(threats) + 1)
    )
    assert len(threats) >= 20
    checklists = (ROOT / "docs/security.md").read_text().split("## Checklists")[1]
    points = [
        row
        for row in re.findall(r"^\|.*\|$", checklists, re.MULTILINE)
        if not re.match(r"^\|(-|\s*(requirement|point|provision) )", row)
    ]
    assert len(points) > 40
    for row in (*threats, *points):
        proof = row.rstrip("| ").rpartition("|")[2]
        assert "tests/" in proof or "make " in proof or "not ours" in row, row


def test_the_search_finds_what_is_not_there() -> None:
    """Control."""
    text = "`tests/none.py` `tests/supply/test_documents.py::test_nothing` `agent/logs.py:Nobody`"
    assert len(missing(text)) == 3


def test_the_policy_says_what_it_must() -> None:
    """How to report, how soon there is an answer, which versions are looked after."""
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    for word in ("in private", "working days", "newest minor version", "What we promise"):
        assert word in text
