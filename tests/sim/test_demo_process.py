"""The whole demo as a visitor runs it: real daemon, real broker, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

STORY_S = 150.0
END_S = 20.0


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )


def started_by(directory: Path) -> list[str]:
    """Command lines of living processes that name the demo's directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(directory) in line:
            found.append(line)
    return found


def test_the_story_ends_well(tmp_path: Path) -> None:
    """Every act comes to its end, the books agree, the exit code says so, nothing is left."""
    demo = start(tmp_path, "--once", "--lang", "zh")
    try:
        said, _ = demo.communicate(timeout=STORY_S)
    finally:
        demo.kill()
    assert demo.returncode == 0, said
    assert "✗" not in said
    assert "network.host_unreachable" in said
    assert '"code":"printer.paper_out"' in said
    assert started_by(tmp_path) == []
    assert list(tmp_path.glob("posagent-*")) == []


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    """In the middle of the story: the agent and the simulators go, the directory too."""
    demo = start(tmp_path, "--lang", "en")
    try:
        assert demo.stdout is not None
        deadline = time.monotonic() + STORY_S
        said = ""
        while "handed over" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
            assert time.monotonic() < deadline, said
        assert any("agent run" in line for line in started_by(tmp_path))
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=END_S)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 0, said + rest
    assert started_by(tmp_path) == []
    assert list(tmp_path.glob("posagent-*")) == []


def test_a_killed_agent_is_brought_back(tmp_path: Path) -> None:
    """kill -9 in the middle of the story: restarted, said so, and the books still agree."""
    demo = start(tmp_path, "--once", "--lang", "en")
    try:
        assert demo.stdout is not None
        said = ""
        while "customer waits" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        (pid_file,) = tmp_path.glob("posagent-demo-*/agent.pid")
        os.kill(int(pid_file.read_text("ascii")), signal.SIGKILL)
        rest, _ = demo.communicate(timeout=STORY_S)
    finally:
        demo.kill()
        demo.wait()
    said += rest
    assert "the agent ended (signal 9)" in said
    assert demo.returncode == 0, said
