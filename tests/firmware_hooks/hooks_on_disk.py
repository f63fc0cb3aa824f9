"""What the tests of the hooks share: places, schemas, and running a hook as a process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent.parent
HOOKS = ROOT / "firmware_hooks"
VENDORS = HOOKS / "vendors"
PROBE = {"contract": 1, "agent_version": "0.1.0", "deadline_ms": 5000}


def load(path: Path) -> ModuleType:
    """A hook's module, although its folder is no package."""
    spec = importlib.util.spec_from_file_location(f"hook_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # its neighbours, as the hooks find them
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


@cache
def schema(name: str) -> Draft202012Validator:
    """The contract's schema of an answer."""
    text = (HOOKS / "contract" / "v1" / f"{name}.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def keeps_contract(message: Any, name: str = "reading") -> None:
    """Fail with what is wrong if the message does not keep the contract."""
    wrong = [f"{error.json_path}: {error.message}" for error in schema(name).iter_errors(message)]
    assert not wrong, "\n".join(wrong)


def pythons() -> list[str]:
    """This interpreter, and the oldest the hooks must run on where this machine has one."""
    old = sorted(Path.home().glob(".pyenv/versions/3.8.*/bin/python3.8"))
    old += [path for path in (Path("/usr/bin/python3.8"),) if path.exists()]
    return [sys.executable, *map(str, old[-1:])]


def run(
    hook: Path,
    *arguments: str,
    python: str = sys.executable,
    request: dict[str, Any] | None = None,
    lang: str = "C.UTF-8",
    path: str = "/usr/bin:/bin",
    **environment: str,
) -> Any:
    """The answer of a hook started as the agent starts it: bare environment, JSON in and out."""
    name = hook.name
    asked = {**PROBE, "hook": name, **(request or {})}
    if name.startswith("probe."):
        asked["component"] = name.partition(".")[2]
    done = subprocess.run(
        [python, str(hook), *arguments],
        input=json.dumps(asked) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
        env={
            "PATH": path,
            "LANG": lang,
            "HOOK": name,
            "HOOKS_DIR": str(hook.parent),
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n")
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def executable(path: Path, text: str) -> Path:
    """Write a program."""
    path.write_text(text, "utf-8")
    os.chmod(path, 0o755)  # noqa: PTH101
    return path
