"""The map of the house, held to: who may import whom, how big things may get, what is banned."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
AGENT = ROOT / "agent"

#: Where each top-level name of `agent` stands; an import may only point to a lower number.
LEVEL = {
    "errors": 0,
    "record": 0, "chance": 0,
    "core": 1,
    "wire": 2, "config": 2, "clock": 2, "crypt": 2, "http": 2, "link": 2, "hooks": 2,
    "logs": 2, "identity": 2, "durable": 2, "bundles": 2, "removable": 2, "blocking": 2,
    "offload": 2, "exposure": 2, "inherited": 2, "deadman": 2, "hardware": 2, "libc": 2,
    "store": 3, "uplink": 3, "watch": 3, "telemetry": 3, "local": 3, "actions": 3,
    "conformance": 3, "provision": 3,
    "supervise": 3,
    "main": 4, "sim": 4, "fleet": 4, "settings": 4, "actions_service": 4, "offloaded": 4,
    "cli": 5,
    "__main__": 6,
}  # fmt: skip
ROOMS = {"store", "uplink", "watch", "telemetry", "local", "actions", "conformance"}
#: Leaves that may know each other, lower first: settings read config, actions' views are wire's.
PURE_BANS = {
    "asyncio", "sqlite3", "socket", "os", "time", "logging", "random", "threading", "subprocess",
    "ssl", "select", "pathlib", "msgspec", "h11", "serial", "paho", "secrets", "uuid",
}  # fmt: skip
ONLY_IN = {
    "sqlite3": {"store"},
    "paho": {"telemetry", "sim", "fleet"},
    "serial": {"watch"},
    "psutil": set(),  # installed with a development tool, and nothing of ours (docs/decisions.md)
    "h11": {"http"},
    "jeepney": {"watch"},
    "cryptography": {"provision"},
    "iso8583": {"uplink"},
    "nacl": {"crypt", "store"},
    "_cffi_backend": {"libc"},
    "segno": {"offloaded"},
    "PIL": {"offloaded"},
    "msgspec": {"wire", "config", "settings", "cli"},
}
BANNED_NAMES = {"utils", "helpers", "manager", "common", "misc", "util", "helper"}
FILE_LINES = 450
FUNCTION_LINES = 60
CLASS_METHODS = 20
#: Boundaries where anything may be caught (docs/decisions.md): file, and why.
BROAD = {
    "agent/watch/runner.py": "watcher call",
    "agent/supervise.py": "task top, and a call handed to a thread",
    "agent/cli/app.py": "CLI top",
    "agent/cli/service.py": "CLI top",
    "agent/store/writer.py": "thread top, and the files of others",
    "agent/store/commit.py": "one caller's work must not spoil the batch of the others",
    "agent/http/connection.py": "task top of one connection",
    "agent/link/contact.py": "who watches the network must not stop who sends money",
    "agent/uplink/attempt.py": "task top of one payment's turn",
    "agent/telemetry/transport.py": "thread top of one connection to a broker",
}


def modules() -> list[Path]:
    return sorted(path for path in AGENT.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            yield node.module or "", node.lineno
            if node.module == "agent":
                for alias in node.names:
                    yield f"agent.{alias.name}", node.lineno


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    """errors <- core <- leaves <- rooms <- main <- cli; rooms never import each other."""
    here = room_of(name_of(path))
    wrong: list[str] = []
    for module, line in imports(ast.parse(path.read_text("utf-8"))):
        if not module.startswith("agent."):
            continue
        there = room_of(module)
        if there in (here, "__version__") or not here:
            continue
        if there not in LEVEL:
            wrong.append(f"{line}: {module} has no place on the map")
        elif here in ROOMS and there in ROOMS:
            wrong.append(f"{line}: room {here} imports room {there}")
        elif LEVEL[there] > LEVEL[here] or (there in ("sim", "fleet") and here != "cli"):
            wrong.append(f"{line}: {here} imports {there}, which stands above it")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", [p for p in modules() if "core" in p.parts], ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    """No clock, no chance, no IO in core: time and drawn jitter are arguments."""
    found = {module.split(".")[0] for module, _ in imports(ast.parse(path.read_text("utf-8")))}
    assert not found & PURE_BANS


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_each_library_has_one_room(path: Path) -> None:
    """sqlite3 only in store, paho only in telemetry, and so on: the room is the wrapper."""
    here = room_of(name_of(path))
    for module, line in imports(ast.parse(path.read_text("utf-8"))):
        allowed = ONLY_IN.get(module.split(".")[0])
        assert allowed is None or here in allowed, f"{path}:{line} imports {module}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nothing_outgrows_its_room(path: Path) -> None:
    """File <= 450 lines, function <= 60, class <= 20 methods; banned names nowhere."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= FILE_LINES, f"{path} has outgrown its room"
    assert path.stem not in BANNED_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{path}:{node.lineno} {node.name} has {lines} lines"
        elif isinstance(node, ast.ClassDef):
            methods = [
                item
                for item in node.body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                and not any(getattr(d, "id", "") == "property" for d in item.decorator_list)
            ]
            assert len(methods) <= CLASS_METHODS, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_broad_excepts_stand_only_at_named_boundaries(path: Path) -> None:
    """Anything else returns errors or catches what it can handle; none is passed over."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ExceptHandler):
            continue
        kind = node.type
        broad = kind is None or getattr(kind, "id", "") in ("Exception", "BaseException")
        reraises = any(isinstance(item, ast.Raise) and item.exc is None for item in node.body)
        if broad and not reraises:
            assert str(path.relative_to(ROOT)) in BROAD, f"{path}:{node.lineno}"
        body = node.body
        assert not (len(body) == 1 and isinstance(body[0], ast.Pass)), f"{path}:{node.lineno}"


def test_no_init_file_is_missing_or_where_none_belongs() -> None:
    """Every folder of agent is a package; nothing under packaging or firmware_hooks is."""
    for folder in {path.parent for path in modules()}:
        assert (folder / "__init__.py").exists(), folder
    for name in ("packaging", "firmware_hooks"):
        assert not list((ROOT / name).rglob("__init__.py")) if (ROOT / name).exists() else True


def hook_programs() -> list[Path]:
    """Everything Python under firmware_hooks: modules, and hooks by their first line."""
    files = sorted(p for p in (ROOT / "firmware_hooks").rglob("*") if p.is_file())
    return [
        path
        for path in files
        if path.suffix == ".py"
        or (path.suffix != ".pyc" and b"python" in path.read_bytes()[:40].split(b"\n")[0])
    ]


@pytest.mark.parametrize("path", hook_programs(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_hooks_stand_alone(path: Path) -> None:
    """Hooks run without the agent's environment: Python's own library and what lies beside them."""
    text = path.read_text("utf-8")
    beside = {one.stem for one in (*path.parent.glob("*.py"), *path.parent.parent.glob("*.py"))}
    for module, line in imports(ast.parse(text)):
        top = module.split(".")[0]
        assert top in sys.stdlib_module_names or top in beside, f"{path}:{line} imports {module}"
    assert text.count("\n") <= FILE_LINES, f"{path} has outgrown its room"
    assert ast.get_docstring(ast.parse(text)), path


def test_every_module_says_what_it_decides() -> None:
    """A docstring at the top of every file, and no leftovers in any."""
    leftovers = re.compile(r"\b(TODO|FIXME|HACK)\b")
    for path in modules():
        text = path.read_text("utf-8")
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), path
        assert not leftovers.search(text), path
