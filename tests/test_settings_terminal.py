"""[software], [[component]], [configuration], [payment_app]: what cannot work is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import settings
from agent.settings.problems import ConfigError
from agent.settings.terminal_rules import terminal_warnings


@pytest.mark.parametrize("source", ["file", "hash"])
def test_a_version_in_a_file_needs_the_file(tmp_path: Path, source: str) -> None:
    """A component that can never be read is refused, with the key that is missing."""
    file = tmp_path / "posagent.toml"
    file.write_text(f'[[component]]\nname = "params"\ninstalled_by = "{source}"\n')
    file.chmod(0o600)
    with pytest.raises(ConfigError) as refused:
        settings.load(file)
    (problem,) = refused.value.problems
    assert "component" in str(problem)
    assert "path" in str(problem)


def test_what_is_not_there_is_worth_a_word(tmp_path: Path) -> None:
    """A file, an interface that is missing: allowed, and said in both languages."""
    (tmp_path / "eth0").mkdir()
    merged = {
        "software": {"manifest": "/nonexistent/manifest"},
        "configuration": {"profile": "/nonexistent/profile"},
        "settings_file": [{"path": "/nonexistent/export"}, {"path": str(tmp_path)}],
        "channel": [
            {"name": "cable", "interface": "eth0"},
            {"name": "second", "interface": "eth7"},
            {"name": "sim", "interface": "wwan*"},
            {"name": "vendor", "select": True},
        ],
        "payment_app": {"restart": ["stopped"]},
    }
    said = list(terminal_warnings(merged, tmp_path))
    assert [en.partition(":")[0] for en, _ in said] == [
        "[software] manifest",
        "[configuration] profile",
        "[[settings_file]] #1 path",
        "[payment_app] restart",
        "[[channel]] second interface",
    ]
    assert all("：" in zh for _, zh in said)


@pytest.mark.parametrize(
    "more",
    [
        {"payment_app": {"restart": ["stopped"], "unit": "pay.service"}},
        {"payment_app": {"restart": ["hung"], "heartbeat_s": 60}},
        {"payment_app": {"restart": ["stopped"]}, "hook": [{"component": "payment_app"}]},
        {"channel": [{"name": "a", "interface": "eth7"}]},
    ],
    ids=["unit", "heartbeat", "hook", "no-sysfs"],
)
def test_nothing_is_said_without_need(tmp_path: Path, more: dict[str, object]) -> None:
    """Who finds the app is enough for restarts; without /sys no interface is missed."""
    assert list(terminal_warnings(more, tmp_path / "none")) == []
