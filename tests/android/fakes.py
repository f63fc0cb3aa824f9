"""What a vendor would supply, made small: wheels and a CPython with the names and headers of
Android's, and nothing in them that runs."""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AARCH64, X86_64 = 183, 62
COMPILED = {"cffi", "msgspec", "pynacl"}


def shared_object(machine: int = AARCH64, loader: str = "") -> bytes:
    """The header of a 64-bit file of that machine; with a loader, of a program."""
    entry = b""
    if loader:
        path = loader.encode() + b"\0"
        entry = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(path), len(path), 1) + path
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, bool(loader), 64, 0, 0
    )
    return head + entry


def wheel(folder: Path, name: str, version: str, tag: str, files: dict[str, bytes]) -> Path:
    """A wheel with these files."""
    folder.mkdir(exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as made:
        for place, content in files.items():
            made.writestr(place, content)
        made.writestr(f"{stem}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n")
        made.writestr(f"{stem}.dist-info/licenses/LICENSE", "as it says\n")
    return path


def vendor_wheels(
    folder: Path,
    python: str,
    *,
    platform: str = "android_24_arm64_v8a",
    machine: int = AARCH64,
) -> Path:
    """A wheel for everything locked, and the lock that names them; returns the lock."""
    lines = []
    abi = "cp" + python.replace(".", "")
    text = (ROOT / "packaging" / "locked" / "terminal.txt").read_text("utf-8")
    for name, version in re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", text, re.MULTILINE):
        module = name.replace("-", "_")
        if name in COMPILED:
            suffix = f"cpython-{python.replace('.', '')}-aarch64-linux-android"
            made = wheel(
                folder, name, version, f"{abi}-{abi}-{platform}",
                {f"{module}/_core.{suffix}.so": shared_object(machine)},
            )  # fmt: skip
        else:
            made = wheel(folder, name, version, "py3-none-any", {f"{module}/__init__.py": b"\n"})
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n    # via posagent")
    lock = folder / "lock.txt"
    lock.write_text("\n".join(lines) + "\n", "utf-8")
    return lock


def own_wheel(folder: Path) -> Path:
    """Stands in for posagent's own."""
    return wheel(folder, "posagent", "0.1.0", "py3-none-any", {"agent/__init__.py": b"\n"})


def cpython(
    prefix: Path, python: str, *, machine: int = AARCH64, loader: str = "/system/bin/linker64"
) -> Path:
    """The prefix of a CPython for Android, as far as a build looks at it."""
    files = {
        f"bin/python{python}": shared_object(machine, loader),
        "bin/pip3": b"#!/usr/bin/env python3\n",
        f"lib/libpython{python}.so": shared_object(machine),
        f"lib/python{python}/os.py": b"import sys\n",
        f"lib/python{python}/test/test_os.py": b"raise SystemExit\n",
        f"lib/python{python}/lib-dynload/_ssl.so": shared_object(machine),
        "include/Python.h": b"/* */\n",
    }
    for place, content in files.items():
        path = prefix / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return prefix
