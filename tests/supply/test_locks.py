"""The lock is kept true: what the project asks for is what is pinned, every pin by hash."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging/sbom"))
try:
    import locked
finally:
    sys.path.pop(0)

LOCK = ROOT / "packaging/locked/terminal.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What terminals may carry; demo, bench and dev never reach one.
EXTRAS = ("cli", "modem", "provision", "slips")


def asked() -> list[Requirement]:
    """Everything a terminal may have, as the project states it."""
    extras = PROJECT["optional-dependencies"]
    texts = [*PROJECT["dependencies"], *(text for name in EXTRAS for text in extras[name])]
    return [Requirement(text) for text in texts]


def test_the_lock_fits_the_project() -> None:
    """Each requirement is pinned to a version in its range, and nothing is pinned unasked."""
    pins = {pin.name: pin for pin in locked.read(LOCK)}
    for one in asked():
        pin = pins[locked.plain(one.name)]
        assert one.specifier.contains(pin.version), f"{one} is locked to {pin.version}"
        assert locked.PROJECT in pin.asked_by
    roots = {locked.plain(one.name) for one in asked()}
    assert locked.reached(tuple(pins.values()), roots) == set(pins)


def test_every_pin_has_hashes() -> None:
    """pip would otherwise take whatever an index offers under that name."""
    for pin in locked.read(LOCK):
        assert pin.sha256
        assert len(set(pin.sha256)) == len(pin.sha256)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h11==0.16.0\n    # via posagent (pyproject.toml)\n", "without a hash"),
        ("h11>=0.16.0 \\\n    --hash=sha256:" + "0" * 64 + "\n", "cannot be read"),
        ("--extra-index-url x\n", "cannot be read"),
        ("h11==1 \\\n    --hash=md5:" + "0" * 32 + "\n", "cannot be read"),
    ],
)
def test_a_loose_lock_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Control: no hash, a range, another index or a weak hash do not pass for a lock."""
    file = tmp_path / "lock.txt"
    file.write_text(text)
    with pytest.raises(locked.BadLockError, match=said):
        locked.read(file)
