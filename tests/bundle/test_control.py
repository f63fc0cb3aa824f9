"""What the Debian packages depend on: the C library that their own compiled parts ask for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="packages are made on Debian")
def test_each_package_asks_for_the_c_library_of_its_own_parts(tmp_path: Path) -> None:
    """The extras are compiled against a newer one than the base: neither may borrow the other's."""
    for name, glibc in (("base", "2.14"), ("full", "2.27")):
        share = tmp_path / name / "share/posagent"
        share.mkdir(parents=True)
        (share / "posagent.toml").write_text("", "utf-8")
        (share / "sbom.cdx.json").write_text("{}", "utf-8")
        told = {"version": "1.2.3", "glibc": glibc}
        (tmp_path / name / "MANIFEST.json").write_text(json.dumps(told), "utf-8")
    (tmp_path / "full/more").write_text("the extras'", "utf-8")
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "packaging/debian/build.py", "--fast", "--no-man"),
            *("--bundle", tmp_path / "base", "--extras-bundle", tmp_path / "full"),
            *("--out", tmp_path / "made"),
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "libc6 (>= 2.14)" in _depends(tmp_path / "made/posagent_1.2.3-1_amd64.deb")
    assert _depends(tmp_path / "made/posagent-extras_1.2.3-1_amd64.deb") == [
        "posagent (= 1.2.3-1)",
        "libc6 (>= 2.27)",
    ]


def _depends(package: Path) -> list[str]:
    told = subprocess.run(
        ["dpkg-deb", "-f", str(package), "Depends"], check=True, capture_output=True, text=True
    )
    return told.stdout.strip().split(", ")
