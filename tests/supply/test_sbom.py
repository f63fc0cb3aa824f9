"""The list of parts: valid by its standard, true to the lock, the same bytes every time."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]


def loaded(name: str) -> ModuleType:
    """A script's module: packaging/ is no package."""
    sys.path.insert(0, str(ROOT / "packaging/sbom"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


generate = loaded("generate")
locked = loaded("locked")
PINS = locked.read(ROOT / "packaging/locked/terminal.txt")
#: Reading its schema takes a second.
STRICT = JsonStrictValidator(SchemaVersion.V1_6)


def problem(text: str) -> str:
    """What the schema of CycloneDX 1.6 says against `text`, or ""."""
    found = STRICT.validate_str(text)
    return "" if found is None else str(found)


def test_it_is_valid() -> None:
    """CycloneDX's own strict schema accepts all of it."""
    assert problem(generate.text(generate.listed(epoch="1700000000"))) == ""


def test_the_schema_would_object() -> None:
    """Control: a licence that is none and a field of our own are refused."""
    bom = generate.listed(extras=[])
    assert problem(json.dumps({**bom, "parts": []}))
    bom["components"][0]["licenses"] = [{"license": {"id": "Nobody-1.0"}}]
    assert problem(json.dumps(bom))


def test_it_names_what_the_lock_pins() -> None:
    """Every pin with its version and every hash; what an extra alone brings is optional."""
    bom: dict[str, Any] = generate.listed()
    found = {part["name"]: part for part in bom["components"]}
    assert set(found) == {pin.name for pin in PINS}
    for pin in PINS:
        part = found[pin.name]
        assert part["purl"] == f"pkg:pypi/{pin.name}@{pin.version}"
        hashes = [one["hashes"][0]["content"] for one in part["externalReferences"]]
        assert hashes == list(pin.sha256)
    optional = {name for name, part in found.items() if part["scope"] == "optional"}
    assert {"rich", "pillow", "cryptography", "jeepney", "segno", "mdurl"} <= optional
    assert not optional & {"h11", "pynacl", "cffi", "pycparser"}


def test_extras_choose() -> None:
    """A bundle without slips has no Pillow in its list, and the tree says who asked for what."""
    bom: dict[str, Any] = generate.listed(extras=["cli"])
    names = {part["name"] for part in bom["components"]}
    assert {"rich", "mdurl", "pynacl"} <= names
    assert not names & {"pillow", "cryptography", "segno"}
    asked = {one["ref"]: one["dependsOn"] for one in bom["dependencies"]}
    pynacl = next(ref for ref in asked if ref.startswith("pkg:pypi/pynacl@"))
    assert [ref.split("@")[0] for ref in asked[pynacl]] == ["pkg:pypi/cffi"]


def test_licences_are_those_of_the_parts() -> None:
    """What is installed here says the same of its licence as our table does."""
    table = tomllib.loads((ROOT / "packaging/sbom/parts.toml").read_text())
    assert set(table) == {pin.name for pin in PINS}
    words = {"MIT": "MIT", "BSD": "BSD-3-Clause", "Apache": "Apache-2.0"}
    compared = 0
    for name, part in table.items():
        said = importlib.metadata.metadata(name)
        told = [said.get("License-Expression") or "", said.get("License") or ""]
        told += [one for one in said.get_all("Classifier") or [] if one.startswith("License ::")]
        expression = told[0]
        if not expression:
            short = next(spdx for word, spdx in words.items() if word in " ".join(told[1:]))
            assert part["licence"] == short, name
        else:
            assert part["licence"] == expression, name
        compared += 1
    assert compared == len(PINS)


def test_what_wheels_carry_inside() -> None:
    """The OpenSSL in cryptography's wheel is the one the list names, for the locked version."""
    from cryptography.hazmat.backends.openssl import backend

    bom: dict[str, Any] = generate.listed()
    part = next(one for one in bom["components"] if one["name"] == "cryptography")
    inside = part["components"][0]
    assert inside["name"] == "openssl"
    if importlib.metadata.version("cryptography") == part["version"]:
        assert backend.openssl_version_text().split()[1] == inside["version"]


def test_the_same_bytes(tmp_path: Path) -> None:
    """Two runs by hand, in other places and with other hash seeds, write one text."""
    made = []
    for seed in ("1", "2"):
        out = tmp_path / seed / "sbom.json"
        out.parent.mkdir()
        subprocess.run(
            [sys.executable, ROOT / "packaging/sbom/generate.py", "--base", "--out", out],
            check=True,
            cwd=out.parent,
            env={"PYTHONHASHSEED": seed},
        )
        made.append(out.read_bytes())
    assert made[0] == made[1]
    assert b"timestamp" not in made[0]


def test_a_time_only_when_given() -> None:
    """SOURCE_DATE_EPOCH is the one way a time gets in."""
    bom: dict[str, Any] = generate.listed(extras=[], epoch="1700000000")
    assert bom["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"


def test_files_that_go_in(tmp_path: Path) -> None:
    """With the wheels at hand: their own hashes, and which of them the lock does not know."""
    for pin in PINS:
        name = f"{pin.name.replace('-', '_')}-{pin.version}-py3-none-any.whl"
        (tmp_path / name).write_bytes(pin.name.encode())
    bom: dict[str, Any] = generate.listed(extras=[], wheels=tmp_path)
    h11 = next(part for part in bom["components"] if part["name"] == "h11")
    assert h11["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"h11").hexdigest()}]
    assert "built here" in json.dumps(h11["properties"])
    assert problem(generate.text(bom)) == ""
    (tmp_path / "h11-0.16.0-py3-none-any.whl").unlink()
    with pytest.raises(SystemExit, match="0 wheels of h11"):
        generate.listed(extras=[], wheels=tmp_path)


def test_no_private_word() -> None:
    """The list names no machine, no path and no address of an index."""
    text = generate.text(generate.listed())
    assert not re.search(r"/home/|/root/|/tmp/|https://", text)
