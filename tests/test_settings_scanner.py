"""The rules of [scanner] that bounds cannot express."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import settings
from agent.settings.problems import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "posagent.toml"
    file.write_text(f"[scanner]\n{text}\n", "utf-8")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    "device", ["", "/dev/ttyACM0", "/dev/serial/by-id/usb-X", "usb:0c2e:0b61", "usb:05E0:1200"]
)
def test_a_scanner_is_a_path_or_a_usb_id(tmp_path: Path, device: str) -> None:
    """Both ways to name one are taken as they are."""
    file = written(tmp_path, f'device = "{device}"')
    assert settings.load(file).config.scanner.device == device


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('device = "ttyACM0"', "absolute path"),
        ('device = "usb:0c2e"', "usb:0c2e:0b61"),
        ('device = "usb:0c2e:xyz1"', "usb:0c2e:0b61"),
        ("no_read_percent = 20", "no_read_clear_percent must be less than no_read_percent"),
        ('dialect = "zebra"', "ssi"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake is named with what is allowed."""
    with pytest.raises(ConfigError) as refused:
        settings.load(written(tmp_path, text))
    assert said in str(refused.value)
