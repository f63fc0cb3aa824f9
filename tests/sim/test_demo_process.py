"""The whole demo as a visitor runs it: real daemon, real broker, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sim.broker import mosquitto
from agent.sim.leash import leash
from tests.process.daemon import wait_until

pytestmark = pytest.mark.process

STORY_S = 150.0
END_S = 20.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name: the path of a unix socket has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pd-", dir="/tmp") as directory:
        yield Path(directory)


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(place)},
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


def test_the_story_ends_well(place: Path) -> None:
    """Every act comes to its end, the books agree, the exit code says so, nothing is left."""
    demo = start(place, "--once", "--lang", "zh")
    try:
        said, _ = demo.communicate(timeout=STORY_S)
    finally:
        demo.kill()
    assert demo.returncode == 0, said
    assert "✗" not in said
    assert "network.host_unreachable" in said
    assert '"code":"printer.paper_out"' in said
    assert "预结算单" in said
    assert "why --late 恰好列出迟到的交易" in said
    assert "settlement.amount_differs" in said
    assert "settlement.not_in_file" in said
    assert "页面在 http://127.0.0.1:" in said
    if mosquitto() is not None:
        assert "已暂停 1 笔" in said, "what the terminal answered the fleet"
        assert "两条签名命令都照办" in said
    assert started_by(place) == []
    assert list(place.glob("posagent-*")) == []


def test_ctrl_c_ends_everything(place: Path) -> None:
    """In the middle of the story: the agent and the simulators go, the directory too."""
    demo = start(place, "--lang", "en")
    try:
        assert demo.stdout is not None
        deadline = time.monotonic() + STORY_S
        said = ""
        while "handed over" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
            assert time.monotonic() < deadline, said
        assert any("agent run" in line for line in started_by(place))
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=END_S)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 0, said + rest
    assert started_by(place) == []
    assert list(place.glob("posagent-*")) == []


@pytest.mark.skipif(not leash(), reason="no setpriv: the end of a killed demo was NOT tried")
def test_a_killed_demo_leaves_nothing_running(place: Path) -> None:
    """kill -9 of the demo itself: agent and broker end with it, only its folder stays."""
    demo = start(place, "--lang", "en")
    try:
        assert demo.stdout is not None
        while "started: " not in (line := demo.stdout.readline()):
            assert line
        assert any("agent run" in each for each in started_by(place))
    finally:
        demo.kill()
        demo.communicate()
    wait_until(lambda: not started_by(place), "the end of what it started")


def test_a_killed_agent_is_brought_back(place: Path) -> None:
    """kill -9 in the middle of the story: restarted, said so, and the books still agree."""
    demo = start(place, "--once", "--lang", "en")
    try:
        assert demo.stdout is not None
        said = ""
        while "customer waits" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        (pid_file,) = place.glob("posagent-demo-*/agent.pid")
        os.kill(int(pid_file.read_text("ascii")), signal.SIGKILL)
        rest, _ = demo.communicate(timeout=STORY_S)
    finally:
        demo.kill()
        demo.wait()
    said += rest
    assert "the agent ended (signal 9)" in said
    assert demo.returncode == 0, said
