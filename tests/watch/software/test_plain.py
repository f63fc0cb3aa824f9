"""Installed versions against required ones, by the manifest a person writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import agent
from agent.config import Software
from agent.core.health.reading import Outcome, Reading, Unknown
from agent.core.software.manifest import MAX_BYTES
from agent.watch.software import build
from tests.fakes import Straight

TERMINAL = Path(__file__).parents[2] / "fixtures" / "system" / "terminal"

MANIFEST = """
[pinpad]
required = "2.4.1"
installed_by = "dpkg"
package = "acme-pinpad"

[libssl3]
required = "1:3.0.17-1~deb12u2"
installed_by = "dpkg"

[old-thing]
required = "1.0"
installed_by = "dpkg"

[firmware]
required = "1.9.9"
installed_by = "file"
path = "/opt/acme/VERSION"

[acme-pay]
required = "2.0"
installed_by = "python"
path = "/usr/lib/python3/dist-packages"

[posagent]
required = "0.0.1"
installed_by = "agent"
"""


def read(manifest: Path | str, root: Path = TERMINAL) -> Outcome:
    watcher = build(Software(manifest=str(manifest)), blocking=Straight(), root=root)
    return asyncio.run(watcher.read())


def test_without_a_manifest_only_what_runs_here() -> None:
    """Own version, operating system and kernel; no judgement."""
    assert read("") == Reading(
        {
            "agent_version": agent.__version__,
            "os": "Terminal Linux 4.2 (pine)",
            "kernel": "5.10.110-terminal",
        }
    )


def test_what_nobody_tells_is_absent(tmp_path: Path) -> None:
    """No os-release, no /proc: the own version remains."""
    assert read("", tmp_path) == Reading({"agent_version": agent.__version__})


def test_every_source_is_compared(tmp_path: Path) -> None:
    """Behind, equal, ahead and unknown are counted, what is behind is named."""
    manifest = tmp_path / "m.toml"
    manifest.write_text(MANIFEST)
    outcome = read(manifest)
    assert isinstance(outcome, Reading)
    values = outcome.values
    assert {name: values[name] for name in ("behind", "equal", "ahead", "unknown")} == {
        "behind": 2,
        "equal": 1,
        "ahead": 2,
        "unknown": 1,
    }
    assert values["package"] == "pinpad, acme-pay"
    assert values["installed"] == "2.4.0-1, 2.0rc1"
    assert values["required"] == "2.4.1, 2.0"
    assert outcome.evidence == {
        "pinpad": "2.4.0-1 -> 2.4.1 (behind)",
        "libssl3": "1:3.0.17-1~deb12u2 -> 1:3.0.17-1~deb12u2 (equal)",
        "old-thing": "? -> 1.0 (unknown)",
        "firmware": "1.12.0 -> 1.9.9 (ahead)",
        "acme-pay": "2.0rc1 -> 2.0 (behind)",
        "posagent": f"{agent.__version__} -> 0.0.1 (ahead)",
    }


def test_nothing_behind_names_nothing(tmp_path: Path) -> None:
    """An up-to-date terminal has no package to name; JSON is as good as TOML."""
    manifest = tmp_path / "m.json"
    manifest.write_text('{"posagent": {"required": "0.0.1", "installed_by": "agent"}}')
    outcome = read(manifest)
    assert isinstance(outcome, Reading)
    assert outcome.values["behind"] == 0
    assert "package" not in outcome.values


def test_what_cannot_be_found_is_unknown_not_behind(tmp_path: Path) -> None:
    """No dpkg, no file, no distribution: nobody is told to update."""
    manifest = tmp_path / "m.toml"
    manifest.write_text(MANIFEST)
    outcome = read(manifest, tmp_path)
    assert isinstance(outcome, Reading)
    assert (outcome.values["behind"], outcome.values["unknown"]) == (0, 5)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("m.json", '{\n "a": {,\n}', ":2: "),
        ("m.toml", '[a]\nrequired = "1"\nbroken\n', ":3: "),
        ("m.toml", '[a]\nrequired = "1', ":2: "),
        ("m.json", "[]", ":1: must be one object"),
        ("m.json", '{\n\n"pin": 3}', ":3: pin: must be a table"),
        ("m.toml", '[a]\nrequired = "1"\n[pin]\ninstalled_by = "dpkg"\n',
         ":1: a: installed_by must be one of dpkg, python, file, agent"),
        ("m.toml", '\n[pin]\ninstalled_by = "dpkg"\n', ":2: pin: `required` is missing"),
        ("m.toml", '[pin]\nrequired = "1"\ninstalled_by = "rpm"\n', ":1: pin: installed_by must"),
        ("m.toml", '[pin]\nrequired = "1"\ninstalled_by = "file"\n', ":1: pin: installed_by = f"),
        ("m.toml", '[pin]\nrequired = 1\ninstalled_by = "dpkg"\n', ":1: pin: required must be a t"),
        ("m.toml", '[pin]\nversion = "1"\n', ":1: pin: unknown key version; known: installed_by"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_used_names_file_and_line(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    """The component is unknown with a reason somebody can act on."""
    manifest = tmp_path / name
    manifest.write_text(text)
    outcome = read(manifest)
    assert isinstance(outcome, Unknown)
    assert f"{manifest}{reason}" in outcome.reason
    assert outcome.evidence == {"manifest": "garbage"}


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, not text, or far too large."""
    missing = read(tmp_path / "none.toml")
    assert isinstance(missing, Unknown)
    assert "cannot be read" in missing.reason
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    binary = read(tmp_path / "b.json")
    assert isinstance(binary, Unknown)
    assert "is not text" in binary.reason
    (tmp_path / "l.json").write_text(" " * (MAX_BYTES + 1))
    large = read(tmp_path / "l.json")
    assert isinstance(large, Unknown)
    assert "larger than" in large.reason


def test_an_escaped_name_is_still_located(tmp_path: Path) -> None:
    """A component whose name is spelt otherwise in the file points at the first line."""
    manifest = tmp_path / "m.json"
    manifest.write_text('{"\\u0061": 3}')
    outcome = read(manifest)
    assert isinstance(outcome, Unknown)
    assert f"{manifest}:1: a:" in outcome.reason
