"""The recipes for Yocto and Buildroot agree with the lock, with pyproject.toml and with each other.
Nobody builds them here: this is what can be held to without an image."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from tests.recipes.recipes import (
    IN_BUILDROOT,
    IN_OE,
    LAYER,
    ROOT,
    TREE,
    Recipe,
    allowed,
    buildroot,
    locked,
    needed,
    yocto,
)

SYSTEMS = {"yocto": (yocto, IN_OE), "buildroot": (buildroot, IN_BUILDROOT)}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def disagreements(recipe: Recipe) -> list[str]:
    """Where a recipe is not what the lock says."""
    entry = locked().get(recipe.name)
    if entry is None:
        return [f"{recipe.name} is not locked"]
    wrong = []
    if recipe.version != entry.version:
        wrong.append(f"{recipe.name} {recipe.version}: the lock has {entry.version}")
    if recipe.sha256 not in entry.hashes:
        wrong.append(f"{recipe.name}: its hash is not in the lock")
    return wrong


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_versions_and_hashes_are_those_of_the_lock(system: str) -> None:
    """A lock made again without the recipes is found here."""
    found = SYSTEMS[system][0]()
    assert found, "no recipes"
    assert [line for recipe in found.values() for line in disagreements(recipe)] == []


def test_a_recipe_that_drifted_is_found() -> None:
    """The check can say no: another version, another archive, another project."""
    good = yocto()["msgspec"]
    assert disagreements(good) == []
    assert disagreements(Recipe("msgspec", "0.1", good.sha256, "MIT"))
    assert disagreements(Recipe("msgspec", good.version, "0" * 64, "MIT"))
    assert disagreements(Recipe("nobody", good.version, good.sha256, "MIT"))


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_every_dependency_has_a_recipe_or_is_there_already(system: str) -> None:
    """Ours, or upstream's in a version that pyproject takes; never both."""
    read, upstream = SYSTEMS[system]
    ours = set(read())
    assert needed() <= ours | set(upstream), "neither ours nor upstream"
    assert not ours & set(upstream), "twice"
    for name, (_, version) in upstream.items():
        assert allowed(name, version), f"{name} {version} is too old or too new"


def test_the_layer_installs_what_the_daemon_needs() -> None:
    """RDEPENDS of posagent names every dependency; the recipe's version is the project's."""
    (path,) = LAYER.glob("recipes-posagent/posagent/*.bb")
    assert path.stem == f"posagent_{VERSION}"
    text = path.read_text("utf-8")
    for name in needed() - {"cffi"}:
        assert f"python3-{name} " in text, name
    licence = hashlib.md5((ROOT / "LICENSE").read_bytes(), usedforsecurity=False).hexdigest()
    assert f"file://LICENSE;md5={licence}" in text
    for place in re.findall(r"\$\{S\}/(\S+)", text):
        assert (ROOT / place).exists(), place


def test_the_external_tree_installs_what_the_daemon_needs() -> None:
    """Every package is sourced and selected, and the files it copies are there."""
    config = (TREE / "package" / "posagent" / "Config.in").read_text("utf-8")
    sourced = (TREE / "Config.in").read_text("utf-8")
    for name in buildroot():
        assert f"BR2_PACKAGE_POSAGENT_{name.upper().replace('-', '_')} " in config, name
        assert f"package/posagent-{name}/Config.in" in sourced
    for name in needed() - {"cffi"}:
        if name in IN_BUILDROOT:
            symbol = IN_BUILDROOT[name][0].upper().replace("-", "_")
            assert f"select BR2_PACKAGE_{symbol} " in config, name
    makefile = (TREE / "package" / "posagent" / "posagent.mk").read_text("utf-8")
    assert f"POSAGENT_VERSION = {VERSION}\n" in makefile
    for place in re.findall(r"\$\(POSAGENT_PKGDIR\)/(\S+)", makefile):
        assert (TREE / "package" / "posagent" / place).exists(), place
    for place in re.findall(r"\$\(@D\)/(\S+)", makefile):
        assert (ROOT / place).exists(), place
    licence = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert licence in (TREE / "package" / "posagent" / "posagent.hash").read_text("utf-8")
    listed = (TREE / "archives.txt").read_text("utf-8")
    for recipe in buildroot().values():
        assert f"{recipe.name}=={recipe.version} --hash=sha256:{recipe.sha256}\n" in listed


def test_both_say_that_nobody_built_them() -> None:
    """A reader must not have to guess."""
    for path in (LAYER / "README", TREE / "README", TREE / "external.desc"):
        assert "NOT BUILT" in path.read_text("utf-8"), path


KEEP = TREE / "package" / "posagent" / "posagent-keep"
#: Writes a line for each life; the second waits for TERM and says that it came.
PROGRAM = """
echo life >>"$1"
[ "$(grep -c life "$1")" -ge 3 ] || kill -ALRM $$
trap 'echo told >>"$1"; exit 0' TERM
echo stays >>"$1"
while :; do sleep 0.05; done
"""


def test_what_the_watchdog_ended_is_started_again(tmp_path: Path) -> None:
    """Twice ended by SIGALRM, started again each time; TERM is handed on, waited for, and final."""
    lives = tmp_path / "lives"
    kept = subprocess.Popen(
        ["sh", str(KEEP), "sh", "-c", PROGRAM, "program", str(lives)],
        env={**os.environ, "POSAGENT_KEEP_PAUSE_S": "0"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        ends = time.monotonic() + 30
        while not (lives.exists() and "stays" in lives.read_text()):
            assert time.monotonic() < ends
            time.sleep(0.02)
        kept.send_signal(signal.SIGTERM)
        _, said = kept.communicate(timeout=30)
    finally:
        kept.kill()
    assert kept.returncode == 0
    assert lives.read_text().split() == ["life", "life", "life", "stays", "told"]
    assert said.count("ended with") == 2


def test_the_scripts_are_posix_shell() -> None:
    """A shell without extensions reads them."""
    scripts = [KEEP, TREE / "package/posagent/S80posagent", *LAYER.rglob("*.init")]
    scripts += sorted((ROOT / "packaging" / "android").glob("*.sh"))
    for script in scripts:
        subprocess.run(["dash", "-n", str(script)], check=True, timeout=10)
        assert os.access(script, os.X_OK), script
        assert "set -eu" in script.read_text(), script
