"""Every edge and every money rule of docs/rules.md has a test named after it.

`test_edge_u7_…`, `test_u7_…` and `test_u4_u5_…` name edges, `test_money_rule_5_…` a rule; what
such a test shows is for its reader to judge, that it exists is shown here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
EDGES = [f"L{n}" for n in range(1, 11)] + [f"U{n}" for n in range(27)]
RULES = [f"rule {n}" for n in range(1, 11)]

_EDGES = re.compile(r"test_(?:edge_)?((?:[lu]\d+_)+)", re.IGNORECASE)
_RULE = re.compile(r"test_money_rule_(\d+)_")


def named(names: Iterable[str]) -> dict[str, list[str]]:
    """What the names of these tests say they are about."""
    found: dict[str, list[str]] = {}
    for name in names:
        about = [f"rule {rule[1]}"] if (rule := _RULE.match(name)) else []
        if edges := _EDGES.match(name):
            about += edges[1].upper().strip("_").split("_")
        for one in about:
            found.setdefault(one, []).append(name)
    return found


def functions_of(file: Path) -> list[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def everything() -> dict[str, list[str]]:
    return named(name for file in TESTS.rglob("test_*.py") for name in functions_of(file))


def test_no_edge_and_no_rule_is_without_its_test() -> None:
    """The list of what there must be, against the names of all tests there are."""
    found = everything()
    missing = [one for one in (*EDGES, *RULES) if one not in found]
    assert not missing, f"no test is named after {', '.join(missing)}"


def test_the_document_lists_the_same_edges_and_rules() -> None:
    """docs/rules.md has a row for each of them, and no other."""
    text = (TESTS.parent / "docs" / "rules.md").read_text("utf-8")
    assert re.findall(r"^\| ([LU]\d+) \|", text, re.MULTILINE) == EDGES
    assert [f"rule {n}" for n in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == RULES


def test_a_missing_test_would_be_found() -> None:
    """Control: names that only look alike count for nothing."""
    found = named(
        ["test_u1_x", "test_edge_U10_x", "test_u4_u5_x", "test_l1", "test_u_7", "test_u7x"]
    )
    assert set(found) == {"U1", "U10", "U4", "U5"}
    assert set(named(["test_money_rule_1_x", "test_money_rule_10"])) == {"rule 1"}
