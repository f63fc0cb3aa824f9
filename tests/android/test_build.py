"""The overlay for an Android image, built from what a vendor supplies – here fakes with the right
names and headers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.android.fakes import ROOT, X86_64, cpython, own_wheel, vendor_wheels

PYTHON = f"3.{sys.version_info.minor}"
BUILD = ROOT / "packaging" / "android" / "build.py"


def build(tmp_path: Path, prefix: Path, lock: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, str(BUILD), "--arch", "arm64", "--python", PYTHON,
        "--interpreter", str(prefix), "--wheels", str(lock.parent), "--out", str(tmp_path / "out"),
        "--", "--lock", str(lock), "--own-wheel", str(own_wheel(tmp_path)), "--offline",
        "--unstripped", "--compiler", sys.executable,
    ]  # fmt: skip
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_everything_for_the_source_tree_lies_in_one_folder(tmp_path: Path) -> None:
    """Bundle, interpreter without what a terminal has no use for, and every file a build names."""
    lock = vendor_wheels(tmp_path / "wheels", PYTHON)
    done = build(tmp_path, cpython(tmp_path / "prefix", PYTHON), lock)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    tree = out / "tree"
    link = f"/system_ext/posagent/python/bin/python{PYTHON}"
    assert (tree / "bin" / "python").readlink() == Path(link)
    assert f"home = {Path(link).parent}" in (tree / "pyvenv.cfg").read_text()
    assert (tree / "python" / "lib" / f"python{PYTHON}" / "os.py").exists()
    left = {path.name for path in (tree / "python").rglob("*")}
    assert not left & {"test_os.py", "Python.h", "pip3"}
    for name in ("Android.bp", "posagent.mk", "posagent.rc", "sepolicy/private/posagent.te"):
        assert (out / name).is_file(), name
    again = build(tmp_path, tmp_path / "prefix", lock)
    assert again.returncode == 0, "an overlay is replaced by the next one"


@pytest.mark.parametrize(
    ("platform", "named"),
    [("manylinux2014_aarch64", "manylinux2014"), ("android_24_x86_64", "android_24_x86_64")],
)
def test_wheels_for_something_else_are_named(tmp_path: Path, platform: str, named: str) -> None:
    """Which wheel is missing, and which lay there and did not fit."""
    lock = vendor_wheels(tmp_path / "wheels", PYTHON, platform=platform)
    done = build(tmp_path, cpython(tmp_path / "prefix", PYTHON), lock)
    assert done.returncode == 2
    assert "no locked wheel for" in done.stderr
    assert "msgspec" in done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wheel_whose_name_lies_is_refused(tmp_path: Path) -> None:
    """An x86 file inside a wheel called arm64."""
    lock = vendor_wheels(tmp_path / "wheels", PYTHON, machine=X86_64)
    done = build(tmp_path, cpython(tmp_path / "prefix", PYTHON), lock)
    assert done.returncode == 2
    assert "another machine than arm64" in done.stderr


def test_an_interpreter_that_cannot_run_there_is_refused(tmp_path: Path) -> None:
    """For glibc, for another machine, without its program, of another version."""
    lock = vendor_wheels(tmp_path / "wheels", PYTHON)
    glibc = cpython(tmp_path / "glibc", PYTHON, loader="/lib/ld-linux-aarch64.so.1")
    intel = cpython(tmp_path / "intel", PYTHON, machine=X86_64)
    bare = cpython(tmp_path / "bare", PYTHON)
    (bare / "bin" / f"python{PYTHON}").unlink()
    other = cpython(tmp_path / "other", "3.99")
    for prefix, said in (
        (glibc, "not by Android's linker"),
        (intel, "another machine than arm64"),
        (bare, "packages for apps come without the program"),
        (other, f"holds no lib/python{PYTHON}"),
    ):
        done = build(tmp_path, prefix, lock)
        assert done.returncode == 2, prefix
        assert said in done.stderr


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    """A mistyped --out costs nothing."""
    lock = vendor_wheels(tmp_path / "wheels", PYTHON)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("x")
    done = build(tmp_path, cpython(tmp_path / "prefix", PYTHON), lock)
    assert done.returncode == 2
    assert "nothing of it was touched" in done.stderr
