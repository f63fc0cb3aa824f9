"""The wheel: the same bytes from two folders at two times, with its list of parts inside."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: All a build reads.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "agent")
BUILD = "import sys, posagent_build; print(posagent_build.build_wheel(sys.argv[1]))"


def built(home: Path, *, umask: int, epoch: str) -> Path:
    """A wheel of a copy of the sources in `home`."""
    tree = home / "tree"
    tree.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, tree / name, **({"ignore": ignore} if source.is_dir() else {}))
    for name in ("wheel", "sbom", "locked"):
        shutil.copytree(ROOT / "packaging" / name, tree / "packaging" / name, ignore=ignore)
    # What another build left lying about must not get in.
    stale = tree / "build/lib/agent/of_yesterday.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    for place in tree.rglob("*.py"):
        os.utime(place, (umask * 1_000_000, umask * 1_000_000))
    done = subprocess.run(
        [sys.executable, "-c", BUILD, home],
        cwd=tree,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tree / "packaging/wheel"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": str(umask),
            **({"SOURCE_DATE_EPOCH": epoch} if epoch else {}),
        },
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return home / done.stdout.split()[-1]


def test_two_builds_are_one(tmp_path: Path) -> None:
    """Another folder, another day, another umask: byte for byte the same; another epoch: not."""
    one = built(tmp_path / "one", umask=0o022, epoch="1700000000")
    two = built(tmp_path / "somewhere-else", umask=0o077, epoch="1700000000")
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as wheel:
        names = wheel.namelist()
        assert not [name for name in names if "of_yesterday" in name]
        assert names[-1].endswith(".dist-info/RECORD")
        parts = next(name for name in names if name.endswith(".dist-info/sboms/posagent.cdx.json"))
        bom = json.loads(wheel.read(parts))
        assert bom["metadata"]["component"]["name"] == "posagent"
        assert bom["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
        assert {entry.date_time for entry in wheel.infolist()} == {(2023, 11, 14, 22, 13, 20)}
        record = dict(line.split(",")[:2] for line in wheel.read(names[-1]).decode().splitlines())
        assert set(record) == set(names)
        for name in names[:-1]:
            digest = hashlib.sha256(wheel.read(name)).digest()
            said = "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            assert record[name] == said
