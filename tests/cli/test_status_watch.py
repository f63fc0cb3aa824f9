"""`posagent status --watch`: what it calls a change, and how it leaves a terminal behind."""

from __future__ import annotations

import copy
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cli.status_watch import changes
from agent.cli.texts import Words

ROOT = Path(__file__).resolve().parents[2]
NOTHING = {"count": 0, "by_currency": {}}
TOLD: dict[str, Any] = {
    "daemon_alive": True,
    "backlog": {"total": NOTHING, "in_doubt": NOTHING, "held": NOTHING},
    "alarms": [],
    "channels": [{"name": "main", "state": "ok"}],
    "telemetry": {"connected": True},
    "components": [{"component": "printer", "outcome": "reading"}],
    "listeners": [{"address": "http://127.0.0.1:8470/", "closes_in_s": 0}],
}
ALARM = {"code": "printer.paper_out", "title": {"en": "paper out", "zh": "缺纸"}}


def unsent(told: Any) -> None:
    told["backlog"]["total"] = {"count": 3, "by_currency": {"CNY": 3750}}


def doubt(told: Any) -> None:
    told["backlog"]["in_doubt"] = {"count": 1, "by_currency": {"CNY": 1}}


def down(told: Any) -> None:
    told["daemon_alive"] = False


def paper(told: Any) -> None:
    told["alarms"] = [ALARM | {"acknowledged_by": "uid:7"}]


def cut(told: Any) -> None:
    told["channels"][0]["state"] = "backing_off"


def silent(told: Any) -> None:
    told["telemetry"]["connected"] = False


def unknown(told: Any) -> None:
    told["components"][0]["outcome"] = "unknown"


def opened(told: Any) -> None:
    told["listeners"].append({"address": "https://192.168.7.2:8470/", "closes_in_s": 900})


@pytest.mark.parametrize(
    ("change", "there", "back"),
    [
        (unsent, ["unsent 0 -> 3 (CNY 37.50)"], ["unsent 3 (CNY 37.50) -> 0"]),
        (doubt, ["outcome unknown 0 -> 1 (CNY 0.01)"], ["outcome unknown 1 (CNY 0.01) -> 0"]),
        (down, ["the agent stopped"], ["the agent runs"]),
        (
            paper,
            ["alarm: paper out (printer.paper_out)", "uid:7 has it in hand: paper out"],
            ["over: paper out (printer.paper_out)"],
        ),
        (silent, ["fleet not connected"], ["fleet connected"]),
        (unknown, ["printer: ok -> unknown"], ["printer: unknown -> ok"]),
        (
            opened,
            ["page open to the outside: https://192.168.7.2:8470/"],
            ["page closed: https://192.168.7.2:8470/"],
        ),
    ],
)
def test_each_change_is_one_sentence(
    change: Callable[[Any], None], there: list[str], back: list[str]
) -> None:
    """There and back again, in words; the same document twice is no change."""
    after = copy.deepcopy(TOLD)
    change(after)
    words = Words("en")
    assert changes(TOLD, after, words) == there
    assert changes(after, TOLD, words) == back
    assert changes(after, copy.deepcopy(after), words) == []
    assert len(changes(TOLD, after, Words("zh"))) == len(there)


def test_a_channel_names_both_states() -> None:
    """Which channel, from what to what."""
    after = copy.deepcopy(TOLD)
    cut(after)
    (said,) = changes(TOLD, after, Words("en"))
    assert said.startswith("channel main: ")
    assert "->" in said


def test_a_store_nobody_can_read_changes_nothing() -> None:
    """Backlog, channels and fleet that are not known are no changes."""
    after = copy.deepcopy(TOLD) | {"backlog": None, "channels": [], "telemetry": None}
    assert changes(TOLD, after, Words("en")) == []
    assert changes(after, TOLD, Words("en")) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_as_before(tmp_path: Path, ending: signal.Signals) -> None:
    """Its own page while it runs, the old one and the cursor afterwards; exit code 0."""
    config = tmp_path / "posagent.toml"
    config.write_text(f'[agent]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}"\n')
    config.chmod(0o600)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "status", "--watch", "--config", config, "--lang", "en"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    seen = b""
    with os.fdopen(ours, "rb", buffering=0) as screen:
        while b"Ctrl-C ends" not in seen:
            seen += screen.read(4096)
        process.send_signal(ending)
        try:
            while piece := screen.read(4096):
                seen += piece
        except OSError:
            assert process.wait(30) == 0  # the other side is closed
    assert process.wait(30) == 0
    assert seen.startswith(b"\x1b[?1049h\x1b[?25l")
    assert seen.endswith(b"\x1b[?25h\x1b[?1049l")
    assert b"cannot be asked" in seen
