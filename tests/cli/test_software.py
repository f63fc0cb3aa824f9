"""Making a key, signing a manifest and checking it, as an operator and a technician do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli.app import main

PAYLOAD = {"format": 1, "sequence": 3, "components": [{"component": "os", "min": "12"}]}


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The line for the configuration of terminals."""
    assert main(["software", "sign", "--keygen", "--key", str(tmp_path / "key")]) == 0
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    return capsys.readouterr().out.strip().splitlines()[-1]


def configured(tmp_path: Path, keys: str, more: str = "") -> str:
    file = tmp_path / "posagent.toml"
    file.write_text(f'[agent]\nstate_dir = "{tmp_path}"\n[software]\n{keys}\n{more}')
    file.chmod(0o600)
    return str(file)


def test_what_is_signed_would_come_into_force(
    tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And unsigned it would not; both say so in the language asked for."""
    plain, sealed = tmp_path / "m.json", tmp_path / "m.signed"
    plain.write_text(json.dumps(PAYLOAD))
    assert main(["software", "sign", str(plain), "--key", str(tmp_path / "key")]) == 0
    sealed.write_text(capsys.readouterr().out)
    config = configured(tmp_path, keys)
    assert main(["--config", config, "software", "check", str(sealed)]) == 0
    out = capsys.readouterr().out
    assert "number 3" in out
    assert "os: >= 12" in out
    assert main(["--config", config, "--lang", "zh", "software", "check", str(plain)]) == 1
    assert "没有签名" in capsys.readouterr().out
    assert main(["--config", config, "software", "check", str(plain), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["standing"] == "unsigned"
    (tmp_path / "software.manifest").write_bytes(sealed.read_bytes())
    plain.write_text(json.dumps(PAYLOAD | {"sequence": 2}))
    assert main(["software", "sign", str(plain), "--key", str(tmp_path / "key")]) == 0
    sealed.write_text(capsys.readouterr().out)
    assert main(["--config", config, "software", "check", str(sealed)]) == 1
    assert "older than the one in force" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sign", "none.json", "--key", "k"], "cannot read"),
        (["sign", "--key", "k"], "manifest"),
        (["sign", "--keygen", "--key", "/proc/none/k"], "cannot make"),
        (["check", "none.json"], "cannot read"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], says: str,
) -> None:  # fmt: skip
    """One sentence and exit code 2."""
    monkeypatch.chdir(tmp_path)
    config = configured(tmp_path, "")
    assert main(["--config", config, "software", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_manifest_that_is_none_is_not_signed(
    tmp_path: Path, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Better here than on ten thousand terminals."""
    (tmp_path / "m.json").write_text(json.dumps(PAYLOAD | {"sequence": "3"}))
    key = str(tmp_path / "key")
    assert main(["software", "sign", str(tmp_path / "m.json"), "--key", key]) == 2
    assert "sequence" in capsys.readouterr().err
