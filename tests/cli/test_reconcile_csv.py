"""A list written for a spreadsheet is data there, whatever the bank wrote into it."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.cli import reconcile


@pytest.mark.parametrize("told", ["=1+1", "+1", "-1", "@A1", " =1+1", "\t=1", "\r=1", "\uff1d1+1"])
def test_what_begins_like_a_formula_is_text(told: str, tmp_path: Path) -> None:
    """A mark in front of it; amounts stay numbers and other texts as they are."""
    path = tmp_path / "list.csv"
    session: Any = SimpleNamespace(
        args=SimpleNamespace(csv=path), json=True, print_json=lambda document: None
    )
    row = {"rrn": told, "key": "k-1", "amount_minor": -100}
    assert reconcile._csv(session, iter([row])) == 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        (written,) = csv.DictReader(file)
    assert (written["rrn"], written["key"]) == (f"'{told}", "k-1")
    assert written["amount_minor"] == "-100"
