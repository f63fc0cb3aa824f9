"""Bytecode of a bundle: without docstrings where that is safe, with everything else."""

from __future__ import annotations

import importlib.util
import marshal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("bytecode", ROOT / "packaging/bundle/bytecode.py")
assert _SPEC is not None
assert _SPEC.loader is not None
bytecode = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(bytecode)

SOURCE = b'''"""Module."""
from __future__ import annotations
class Empty:
    """Class."""
class Full:
    """Class."""
    x: int = 1
    """Not a docstring: it stays where it is and does nothing."""
def f(a):
    """Function."""
    assert a, "kept"
    return a
async def g():
    """Nothing else."""
from dataclasses import dataclass
LIMIT: int = 5
unset: int
@dataclass
class Row:
    x: "int" = 1
    def doubled(self, by: "int" = 2, *more: "int", **rest: "int") -> "int":
        return self.x * by
'''


def run(name: str) -> dict[str, Any]:
    """The names a module of this path would have."""
    code = marshal.loads(bytecode.compiled(name, SOURCE)[16:])
    found: dict[str, Any] = {"__name__": "m"}
    exec(code, found)
    return found


def test_ours_has_no_docstrings_and_all_its_assertions() -> None:
    """What is left behaves the same, and a failed assertion still fails, on its own line."""
    found = run("agent/m.py")
    assert found.get("__doc__") is None
    assert [found[name].__doc__ for name in ("Empty", "Full", "f", "g")] == [None] * 4
    assert found["Full"].x == 1
    assert found["f"](3) == 3
    with pytest.raises(AssertionError, match="kept") as caught:
        found["f"](0)
    assert caught.traceback[-1].lineno == 10


def test_ours_tells_no_types_of_functions_and_all_of_classes() -> None:
    """Records are made of their classes' annotations; nobody reads those of functions."""
    found = run("agent/m.py")
    assert found["Row"].__annotations__ == {"x": "'int'"}
    assert found["Row"](3).doubled() == 6
    assert found["Row"].doubled.__annotations__ == {}
    assert found["LIMIT"] == 5
    others = run("h11/m.py")
    assert set(others["Row"].doubled.__annotations__) == {"by", "more", "rest", "return"}


def test_a_dataclass_makes_no_text_of_its_signature() -> None:
    """That would load `inspect` at the start, and keep the text."""
    assert run("agent/m.py")["Row"].__doc__ == "Row"
    assert run("cffi/m.py")["Row"].__doc__.startswith("Row(")


def test_others_keep_theirs() -> None:
    """A library that may read its own docstrings is compiled as it is."""
    found = run("cffi/m.py")
    assert found["__doc__"] == "Module."
    assert found["f"].__doc__ == "Function."


def test_the_interpreter_takes_it(tmp_path: Path) -> None:
    """Written by the command, loaded instead of the source, which may be gone."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/m.py").write_bytes(SOURCE)
    script = ROOT / "packaging/bundle/bytecode.py"
    refused = subprocess.run(
        [sys.executable, "-S", script], input=b"", capture_output=True, check=False
    )
    assert refused.returncode
    assert b"no_debug_ranges" in refused.stderr
    subprocess.run(
        [sys.executable, "-S", "-X", "no_debug_ranges", script],
        input=b"agent/m.py", cwd=tmp_path, check=True,
    )  # fmt: skip
    (tmp_path / "agent/m.py").write_text("1/0")  # unchecked: not looked at any more
    done = subprocess.run(
        [sys.executable, "-c", "import agent.m as m; print(m.f(7), m.__doc__)"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["7", "None"], done.stderr
    pyc = next((tmp_path / "agent/__pycache__").glob("*.pyc")).read_bytes()
    columns = {place[2:] for place in marshal.loads(pyc[16:]).co_positions()}
    assert columns == {(None, None)}
