"""What cannot go together where the fleet's server has rules of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import settings
from agent.settings.problems import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "posagent.toml"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    return file


def test_the_native_contract_is_the_default(tmp_path: Path) -> None:
    """Nobody gets a server's own topics without asking."""
    config = settings.load(written(tmp_path, "")).config
    assert config.telemetry.adapter == "native"


@pytest.mark.parametrize(
    "text",
    [
        'endpoints = ["mqtts://tb.example:8883"]\nadapter = "thingsboard"\nusername_file = "FILE"',
        'endpoints = ["mqtt://127.0.0.1:1883"]\nadapter = "thin_edge"',
        'adapter = "thingsboard"',  # not connected yet
    ],
)
def test_what_an_installer_writes_is_taken(tmp_path: Path, text: str) -> None:
    """The examples of docs/fleet/adapters.md."""
    token = tmp_path / "token"
    token.write_text("TOKEN\n", "utf-8")
    token.chmod(0o600)
    text = text.replace("FILE", str(token))
    config = settings.load(written(tmp_path, f"[telemetry]\n{text}\n")).config
    assert config.telemetry.adapter in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('adapter = "thingsboard"', "access token"),
        ('adapter = "thingsboard"\nusername = "T"\nwindow = 64', "at most 50"),
        ('adapter = "sparkplug"', "thingsboard"),
        ('adapter = "native"\n[adapter]\nthin_edge_service = "a/b"', "thin_edge_service"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake is named with what is needed."""
    begin = '[telemetry]\nendpoints = ["mqtts://tb.example:8883"]\n'
    with pytest.raises(ConfigError) as refused:
        settings.load(written(tmp_path, f"{begin}{text}\n"))
    assert said in str(refused.value)


def test_thin_edge_without_tls_only_on_this_machine(tmp_path: Path) -> None:
    """Its broker listens on loopback; elsewhere the rule of all brokers holds."""
    text = '[telemetry]\nendpoints = ["mqtt://10.0.0.9:1883"]\nadapter = "thin_edge"\n'
    with pytest.raises(ConfigError, match="mqtts"):
        settings.load(written(tmp_path, text))
