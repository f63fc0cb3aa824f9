"""An init system's start loads the daemon and nothing of the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.service import served

RUN = """
import sys
import agent.main
{faked}
from agent.cli.service import served
code = served(["run", "--config", {file!r}])
line = ("argparse", "agent.cli.texts", "agent.cli.app")
print(code, [name for name in line if name in sys.modules])
"""


def told(faked: str, file: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(faked=faked, file=str(file))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.strip() + done.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration nothing is to be said about."""
    path = tmp_path / "posagent.toml"
    path.write_text(f'[agent]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}/run"\n')
    path.chmod(0o644)
    return path


def test_the_usual_start_loads_no_command_line(file: Path) -> None:
    """Neither argparse nor a text for people: they are 1.3 MB for as long as the daemon runs."""
    assert told("agent.main.run = lambda config, source: 7", file) == "7 []"


def test_what_is_wrong_is_left_to_the_command_line(file: Path, tmp_path: Path) -> None:
    """A bad or a missing file, and one others can write: nothing is started."""
    file.write_text("[agent]\nstate_dri = 1\n")
    assert served(["run", "--config", str(file)]) is None
    assert served(["run", "--config", str(tmp_path / "nothing.toml")]) is None


@pytest.mark.parametrize(
    "argv",
    [
        ["run"],
        ["run", "--config"],
        ["run", "--config", "--lang"],
        ["run", "--config", "x", "--lang", "zh"],
        ["--config", "x", "run"],
        ["status", "--config", "x"],
        [],
    ],
)
def test_every_other_form_is_the_command_lines(argv: list[str]) -> None:
    """Help, languages and mistakes are its business."""
    assert served(argv) is None


def test_our_own_fault_is_kept_as_everywhere(file: Path) -> None:
    """A report in a file and exit code 70, not a traceback on the journal."""
    faked = "def fail(config, source): raise ZeroDivisionError\nagent.main.run = fail"
    said = told(faked, file)
    assert said.startswith("70 ")
    assert "Traceback" not in said
    assert "ZeroDivisionError" in said
