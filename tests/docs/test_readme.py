"""The README's own commands, run as a newcomer would paste them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WITHIN_S = 20.0

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _blocks(readme: str, place: Path, port: int) -> list[str]:
    """The shell blocks, moved to a place, a port and an interpreter of this test."""
    text = (ROOT / readme).read_text("utf-8")
    agent = f"{sys.executable} -m agent"
    for said, meant in (
        (".venv/bin/posagent", agent),
        ("/tmp/pos", str(place)),
        ("8460", str(port)),
    ):
        text = text.replace(said, meant)
    return BLOCK.findall(text)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where the README's agent and host run; whatever they started is stopped again."""
    place = tmp_path / "pos"
    _make, start, _curl = _blocks("README.md", place, _free_port())
    # They go on in the background, as in a shell; the group is how they are found again.
    with (tmp_path / "output").open("wb") as output:
        shell = subprocess.Popen(
            ["sh", "-c", f"{start}\nwait"],
            cwd=ROOT, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for(place / "api.sock", shell, tmp_path / "output")
            yield place
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(WITHIN_S)


def _wait_for(path: Path, shell: subprocess.Popen[bytes], output: Path) -> None:
    ends = time.monotonic() + WITHIN_S
    while time.monotonic() < ends and shell.poll() is None:
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(str(path))
            except OSError:
                time.sleep(0.05)
                continue
        # `date -Iseconds` cuts the fraction off; before the journal's birth is another story.
        time.sleep(1 - time.time() % 1)
        return
    pytest.fail(output.read_text("utf-8", "replace"))


def _pay(curl: str, at: str) -> str:
    ran = subprocess.run(
        ["sh", "-c", curl],
        cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=True,
        env={**os.environ, "at": at},
    )  # fmt: skip
    return ran.stdout


def test_the_payment_of_the_readme_is_taken_and_posted(place: Path) -> None:
    """Pasted as it stands: 201 and queued; the same curl again: 200 and posted."""
    time_line, _, curl = _blocks("README.md", place, 0)[-1].partition("\n")
    assert time_line == "at=$(date -Iseconds)"
    at = subprocess.check_output(["date", "-Iseconds"], text=True).strip()
    first = _pay(curl, at)
    assert first.startswith("HTTP/1.1 201 Created")
    assert '"state":"queued"' in first
    ends = time.monotonic() + WITHIN_S
    while '"state":"posted"' not in (again := _pay(curl, at)):
        assert time.monotonic() < ends, again
    assert again.startswith("HTTP/1.1 200 OK")


def test_both_readmes_show_the_same_payment(tmp_path: Path) -> None:
    """What was tried in one language holds in the other."""
    english, chinese = (_blocks(name, tmp_path, 0) for name in ("README.md", "README.zh-CN.md"))
    assert english[-1] == chinese[-1]
