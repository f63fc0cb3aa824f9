"""The printer's table: forms of a device, and settings that contradict each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import settings
from agent.config.devices import Printer
from agent.settings.problems import ConfigError


def loaded(tmp_path: Path, *lines: str) -> Printer:
    file = tmp_path / "posagent.toml"
    file.write_text("\n".join(("[printer]", *lines)) + "\n", "utf-8")
    file.chmod(0o600)
    return settings.load(file).config.printer


@pytest.mark.parametrize(
    "device",
    [
        "",
        "/dev/ttyS0",
        "/dev/usb/lp0",
        "tcp://192.168.1.50:9100",
        "tcp://printer",
        "tcp://[fd00::7]:9100",
    ],
)
def test_every_form_of_a_device_is_taken(tmp_path: Path, device: str) -> None:
    """Serial, USB, network, or none."""
    assert loaded(tmp_path, f'device = "{device}"').device == device


@pytest.mark.parametrize(
    ("device", "rule"),
    [
        ("ttyS0", "absolute path"),
        ("tcp://", "tcp://192.168.1.50:9100"),
        ("tcp://h:0", "tcp://192.168.1.50:9100"),
        ("tcp://h:99999", "tcp://192.168.1.50:9100"),
        ("tcp://u:p@h", "tcp://192.168.1.50:9100"),
        ("tcp://h/x", "tcp://192.168.1.50:9100"),
        ("tcp://h?x", "tcp://192.168.1.50:9100"),
        ("tcp://[::1", "tcp://192.168.1.50:9100"),
    ],
)
def test_other_forms_are_refused(tmp_path: Path, device: str, rule: str) -> None:
    """The complaint shows what one looks like."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f'device = "{device}"')
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (['device = "/dev/usb/lp0"'], "serial line"),
        (['device = "tcp://h"'], "serial line"),
        (['share = "pass_through"'], "share = exclusive"),
        (['share = "off"'], "share = exclusive"),
        (['dialect = "star"'], "ESC/POS"),
        (['dialect = "custom"'], "ESC/POS"),
    ],
)
def test_a_printer_rings_only_where_it_can(tmp_path: Path, lines: list[str], rule: str) -> None:
    """push needs a port that stays open and is ours, and a printer that knows GS a."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *lines, "push = true")
    assert rule in str(caught.value)
    assert loaded(tmp_path, *lines, "push = false").push is False


def test_a_serial_printer_may_ring(tmp_path: Path) -> None:
    """The settings push is for."""
    assert loaded(tmp_path, 'device = "/dev/ttyS0"', "push = true", 'dialect = "escpos"').push


def test_parts_are_a_list_of_known_words(tmp_path: Path) -> None:
    """also_ask takes what the drivers have a table for."""
    assert loaded(tmp_path, 'also_ask = ["ink", "slip"]').also_ask == ("ink", "slip")
    with pytest.raises(ConfigError):
        loaded(tmp_path, 'also_ask = ["peeler"]')
