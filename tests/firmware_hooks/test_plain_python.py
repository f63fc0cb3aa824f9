"""The hooks run on any Python from 3.8 on, alone: no package of others, nothing of the agent."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.firmware_hooks.hooks_on_disk import HOOKS, pythons

OWN = {"native_code", "linux_files", "android_asking", "android_dumps"}
PLACES = ("vendors", "linux_generic", "android_generic")


def programs() -> list[Path]:
    found = []
    for place in PLACES:
        files = [path for path in sorted((HOOKS / place).rglob("*")) if path.is_file()]
        found += [p for p in files if p.suffix == ".py" or p.read_bytes().startswith(b"#!")]
    return found


@pytest.mark.parametrize("path", programs(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_import_but_pythons_own(path: Path) -> None:
    """Standard library and the module beside it; `agent` least of all."""
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            top = name.split(".")[0]
            assert top in OWN or top in sys.stdlib_module_names, name
            assert top != "agent"


@pytest.mark.parametrize("path", programs(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_newer_than_python_3_8(path: Path) -> None:
    """Neither syntax nor the methods 3.9 and later brought."""
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 8))
    newer = {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "batched"}
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Match)
        if isinstance(node, ast.Attribute):
            assert node.attr not in newer, f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert node.module not in {"tomllib", "zoneinfo", "graphlib"}


@pytest.mark.skipif(len(pythons()) < 2, reason="no Python 3.8 here: its syntax was checked by ast")
def test_python_3_8_compiles_them_all() -> None:
    """The oldest interpreter named in the README reads every one of them."""
    code = (
        "import sys\nfor p in sys.argv[1:]:\n compile(open(p, encoding='utf-8').read(), p, 'exec')"
    )
    done = subprocess.run(
        [pythons()[1], "-W", "error", "-c", code, *map(str, programs())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_hooks_to_check() -> None:
    """Eighteen vendors, three Linux hooks, six Android hooks, and their four modules."""
    names = [path.name for path in programs()]
    assert names.count("probe.printer") == 18
    assert len(names) == 18 + 3 + 6 + 4
