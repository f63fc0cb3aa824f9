"""`posagent config` where the fleet has set something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli.app import main
from agent.core.fleet import DESIRED_FILE
from agent.core.fleet.desired import Held, State
from agent.wire import desired_file

FILE = """
[[fleet_key]]
id = "k1"
public_key = "{key}"
[[fleet_key]]
id = "k2"
public_key = "{other}"
[[limit]]
currency = "CNY"
count = {count}
"""


def written(folder: Path, count: int) -> Path:
    held = Held(
        state=State.IN_FORCE,
        version=7,
        good={"limit": [{"currency": "CNY", "count": 40}], "agent": {"log_level": "debug"}},
        good_version=7,
    )
    (folder / DESIRED_FILE).write_bytes(desired_file.encode(held))
    place = folder / "posagent.toml"
    text = FILE.format(key="ab" * 32, other="cd" * 32, count=count)
    place.write_text(f'[agent]\nstate_dir = "{folder}"\n{text}')
    return place


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["config", *argv, "--lang", "en"]) == 0
    return capsys.readouterr().out


def test_show_says_which_key_came_from_whom(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file and its line, or the fleet's statement; every array of tables is shown in full."""
    place = written(tmp_path, 50)
    shown = told(capsys, "show", "--config", str(place))
    assert "settings of version 7" in shown
    assert 'log_level = "debug"  # set by the fleet, version 7' in shown
    assert f'state_dir = "{tmp_path}"  # {place}:2' in shown
    assert "count = 40  # set by the fleet, version 7" in shown
    assert shown.count("[[fleet_key]]") == 2


def test_what_the_files_do_not_allow_any_more_is_said_and_not_shown_as_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody made the file stricter than the fleet."""
    place = written(tmp_path, 30)
    shown = told(capsys, "show", "--config", str(place))
    assert "not in force: limit.CNY.any.count" in shown
    assert "count = 30" in shown
    checked = json.loads(told(capsys, "check", "--config", str(place), "--json"))
    assert checked["desired"] == {"version": 7, "in_force": False, "key": "limit.CNY.any.count"}
    assert "not in force" in " ".join(checked["warnings"])
    written(tmp_path, 50)
    assert "settings of version 7" in told(capsys, "check", "--config", str(place))
