"""What the documents name exists: files, names in them, links, make targets, and the numbers."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from agent.config import Api
from agent.core.money.transaction import MAX_PAYLOAD_BYTES
from agent.core.why.causes import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]

NAMED = re.compile(r"(?<![\w/.-])([\w./-]+\.py)(?::([A-Za-z_][\w.]*))?")
FOLDER = re.compile(r"`((?:agent|tests|docs|packaging)/[\w./-]*/)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"\bmake ([a-z-]+)\b")
RULE = re.compile(r"\b[Mm]oney rules? (\d+)\b")
EDGE = re.compile(r"\b([UL]\d{1,2})\b")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def names_in(path: Path) -> frozenset[str]:
    """Everything a module defines, classes' members as `Class.member`."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{name}" for name in _defined(node.body)}
    return frozenset(found | _defined(ast.parse(path.read_text("utf-8")).body))


def _defined(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name for alias in names}
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_file_and_name_exists(document: Path) -> None:
    """`path.py` and `path.py:name` in a document are real, so a reader can go and look."""
    wrong: list[str] = []
    for file, name in NAMED.findall(document.read_text("utf-8")):
        path = ROOT / file
        if not path.is_file():
            wrong.append(file)
        elif name and name not in names_in(path):
            wrong.append(f"{file}:{name}")
    wrong += [f for f in FOLDER.findall(document.read_text("utf-8")) if not (ROOT / f).is_dir()]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    """Links between documents are not broken."""
    links = [link for link in LINK.findall(document.read_text("utf-8")) if "://" not in link]
    assert not [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_target_exists(document: Path) -> None:
    """`make x` works for every x a document tells to make."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = re.findall(r"`[^`\n]+`|```sh\n.*?```", document.read_text("utf-8"), re.DOTALL)
    assert set(TARGET.findall("\n".join(code))) <= targets


def test_every_rule_and_edge_the_code_names_is_explained() -> None:
    """A number in a comment leads to its sentence in docs/rules.md."""
    rules = (ROOT / "docs" / "rules.md").read_text("utf-8")
    known = set(re.findall(r"^\| ([UL]?\d+) \|", rules, re.MULTILINE))
    named: set[str] = set()
    for path in (ROOT / "agent").rglob("*.py"):
        text = path.read_text("utf-8")
        named |= set(RULE.findall(text)) | set(EDGE.findall(text))
    assert named <= known


@pytest.mark.parametrize("readme", READMES, ids=name_of)
def test_the_readme_is_short_and_its_numbers_are_those_of_the_code(readme: Path) -> None:
    """Read in three minutes; limits and defaults are not invented."""
    text = readme.read_text("utf-8")
    assert len(text.encode()) <= 6_656
    for number in (
        f"{MAX_PAYLOAD_BYTES // 1024} KiB",
        str(Api().max_connections),
        str(Api().reserved_for_submit),
        str(len(CATALOGUE)),
    ):
        assert number in text, number
