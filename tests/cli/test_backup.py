"""`posagent backup` and `restore` without a daemon: files, exit codes, both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli.app import main


def test_a_recovery_key_is_made_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The public half is printed, the secret one is for its owner only and never overwritten."""
    file = tmp_path / "secret"
    assert main(["backup", "--keygen", str(file), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("posr1-")
    assert str(file) in said
    assert file.stat().st_mode & 0o077 == 0
    before = file.read_bytes()
    assert main(["backup", "--keygen", str(file), "--lang", "zh"]) == 2
    assert file.read_bytes() == before


def test_what_is_no_backup_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another file, a missing one, a bad key file: one sentence each, and no journal is made."""
    config = tmp_path / "posagent.toml"
    config.write_text(f'[agent]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}"\n')
    config.chmod(0o600)
    for file, key, word in (
        (config, None, "no backup"),
        (tmp_path / "missing", None, "cannot read"),
        (config, config, "no secret recovery key"),
    ):
        asked = ["restore", str(file), "--config", str(config), "--lang", "en"]
        assert main([*asked, *(["--key", str(key)] if key else [])]) == 2
        assert word in capsys.readouterr().err
    assert not (tmp_path / "state" / "journal.db").exists()


def test_a_failed_backup_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither daemon nor store: nothing under the name, nothing beside it."""
    config = tmp_path / "posagent.toml"
    config.write_text(f'[agent]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}"\n')
    config.chmod(0o600)
    assert main(["backup", str(tmp_path / "copy"), "--config", str(config), "--lang", "en"]) == 3
    assert "no journal" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} <= {"posagent.toml", "state"}
