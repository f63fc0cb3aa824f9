"""Which reasons the code can give, found in its syntax: sentences handed over as a reason.

A reason is the text of an outcome (`Unknown`, `NotObservable`), of an error a room raises for
another to show (`…Error`), or what is passed as `reason=`, `note=` or `why=`. What is taken over
stands in the sentence as `7`. Used by a test that holds all of them to Chinese.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: Rooms whose reasons reach a person through readings, verdicts and evidence lines.
ROOMS = ("hooks", "link", "uplink", "watch", "core/money", "core/network", "core/terminal")
KEYWORDS = frozenset({"reason", "note", "why"})
OUTCOMES = frozenset({"Unknown", "NotObservable", "NotReadable", "Problem", "Kernel", "Told"})
#: Errors that say what a programmer or a configuration did: a technician reads them in a log.
OWN = frozenset({"ValueError", "TypeError", "KeyError", "RuntimeError", "AssertionError"})


def reasons() -> Iterator[tuple[str, str]]:
    """(where, sentence), every one once."""
    seen: set[str] = set()
    for room in ROOMS:
        for path in sorted((ROOT / "agent" / room).rglob("*.py")):
            for line, words in _in(ast.parse(path.read_text("utf-8"))):
                if " " in words and words not in seen:
                    seen.add(words)
                    yield f"{path.relative_to(ROOT)}:{line}", words


def _in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = [word.value for word in node.keywords if word.arg in KEYWORDS]
        if node.args and (name in OUTCOMES or (name.endswith("Error") and name not in OWN)):
            given += node.args[:2]
        for one in given:
            for words in _sentences(one):
                yield node.lineno, words


def _sentences(node: ast.expr) -> Iterator[str]:
    """The sentences an expression can be; what is not written here is a `7`."""
    match node:
        case ast.Constant(value=str(words)):
            yield words
        case ast.JoinedStr(values=parts):
            yield "".join(one.value if isinstance(one, ast.Constant) else "7" for one in parts)  # type: ignore[misc]
        case ast.IfExp(body=body, orelse=orelse):
            yield from _sentences(body)
            yield from _sentences(orelse)
        case ast.BoolOp(values=values):
            for one in values:
                yield from _sentences(one)
        case _:
            return
