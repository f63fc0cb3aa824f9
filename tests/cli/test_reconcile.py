"""What a settlement list came to, as a table, a CSV, a slip and JSON; in both languages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli import arguments, reconcile
from agent.cli.screen import Screen
from agent.cli.session import Session
from agent.cli.texts import Words
from agent.core.slips.layout import width

OF: dict[str, Any] = {
    "number": 7, "state": "done", "profile": "bank", "name": "nov.csv", "lines": 3, "payments": 3,
    "days": ["2026-11-18", "2026-11-18"], "counts": {"matched": 1, "missing_there": 50},
    "sums": {"CNY": 2500}, "encoding": "GB18030", "problem": "", "problem_zh": "", "code": "",
    "started_at": "2026-11-18T02:00:00+00:00", "ended_at": "2026-11-18T02:00:01+00:00",
    "actor": "cli",
}  # fmt: skip


def finding(n: int, **changes: Any) -> dict[str, Any]:
    usual = {
        "n": n, "result": "missing_there", "code": "settlement.not_in_file", "owner": "acquirer",
        "key": f"k-{n}", "amount_minor": -1250, "currency": "CNY", "due_on": "2026-11-18",
        "rrn": "123",
    }  # fmt: skip
    return {**usual, **changes}


def told(
    capsys: pytest.CaptureFixture[str], *more: str, lang: str = "en", found: Any = None
) -> str:
    argv = ["reconcile", "show", "7", "--lang", lang, *more]
    words = Words(lang)
    session = Session(args=arguments.parse(argv, words), words=words, screen=Screen())
    rows = [finding(n) for n in range(1, 51)] if found is None else found
    assert reconcile._told(session, OF, iter(rows)) == 0
    return capsys.readouterr().out


def test_a_table_counts_and_names_what_somebody_must_look_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Forty are shown, the rest is counted; refunds keep their sign."""
    text = told(capsys)
    assert "List 7: nov.csv, 3 lines, 3 payments, settled 2026-11-18 (GB18030)" in text
    assert "posted here, not in the list (missing_there)" in text
    assert "settlement.not_in_file" in text
    assert "acquirer" in text
    assert "-12.50" in text
    assert "k-40" in text
    assert "k-41" not in text
    assert "10" in text.splitlines()[-1]
    assert "本机已成功，清单里没有" in told(capsys, lang="zh")


def test_a_csv_opens_in_a_spreadsheet_and_computes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With a byte order mark; a name that begins like a formula is text."""
    out = tmp_path / "out.csv"
    said = told(capsys, "--csv", str(out), found=[finding(1, key='=cmd|"x"'), finding(2, key="-5")])
    assert str(out) in said
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == ['\'=cmd|"x"', "'-5"]
    assert rows[0]["amount_minor"] == "-1250"
    assert json.loads(told(capsys, "--csv", str(out), "--json"))["findings"] == 50
    assert len(out.read_text("utf-8-sig").splitlines()) == 51


def test_a_slip_fits_the_paper(capsys: pytest.CaptureFixture[str]) -> None:
    """58 mm, wide characters counted."""
    for lang in ("zh", "en"):
        text = told(capsys, "--slip", lang=lang)
        assert "nov.csv" in text
        assert max(width(line) for line in text.splitlines()) <= 32


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """The list and all its findings."""
    document = json.loads(told(capsys, "--json"))
    assert document["reconciliation"]["number"] == 7
    assert len(document["findings"]) == 50
