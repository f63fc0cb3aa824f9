"""Every command of docs/fleet/operators.md does what the page says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.cli.app import main
from agent.fleet import keys
from tests.fleet.contract import Terminal, lines
from tests.process.fleet import BrokerThread

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/fleet/operators.md").read_text("utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_page_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its order, with terminals that answer; what runs for ever is asked once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keys, "OPS", 1)
    monkeypatch.setattr(keys, "MEMORY_BYTES", 65_536)
    for name, text in re.findall(r"```toml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        Path(name).write_text(text)
    Path("phrase.txt").write_text("correct horse\n")
    lines(Path("shops.txt"), "T-0042", "T-0043")
    every = commands()
    variables = dict(re.match(r'(\w+)="(.*)"', line).groups() for line in every[:2])  # type: ignore[union-attr]
    made = next(line for line in every if " key new " in line)
    assert main(shlex.split(made)[1:]) == 0
    public = keys.show(Path("ops.key")).public
    with (
        BrokerThread() as broker,
        Terminal(broker.port, "T-0042", public) as one,
        Terminal(broker.port, "T-0043", public) as two,
    ):
        for terminal in (one, two):
            terminal.on_desired = lambda _given, say=terminal: say.tell(
                "info", retained=True, contract=1, desired_version=9
            )
        one.tell("backlog", retained=True, count=1, cause="host.down", **dict.fromkeys(
            ("queued_count", "sending_count", "waiting_count", "held_count", "in_doubt_count"), 0
        ), quarantined_count=0)  # fmt: skip
        for line in [each for each in every[2:] if each != made]:
            whole = line.replace("$ACCESS", f"--broker {broker.url}")
            words = shlex.split(whole.replace("$SIGN", variables["SIGN"]))[1:]
            words = [path for word in words for path in _expanded(word)]
            if "--follow" in words:
                _follows(words, two)
                continue
            if words[1] == "watch" and not {"--csv", "--once"} & set(words):
                words.append("--once")
            words += ["--wait", "0.3"] if words[1] == "watch" or "--where" in words else []
            if words[1] == "send" and "--yes" not in words:
                words.append("--yes")  # there is no person here to type the number
            words += ["--soak", "0.1"] if "--stages" in words else []
            assert main(words) == 0, (line, capsys.readouterr())
        assert [op for op, _ in one.commands] == [
            "report", "acknowledge_alarm", "forward_now", "restart_agent", "acknowledge_alarm",
        ]  # fmt: skip
        assert len(two.commands) == 3
        assert len(one.desired) == 2


def _expanded(word: str) -> list[str]:
    """As a shell would."""
    return [str(path) for path in sorted(Path().glob(word))] if word.endswith("*.cmd") else [word]


def _follows(words: list[str], terminal: Terminal) -> None:
    """A line of JSON for what has changed."""
    argv = [sys.executable, "-m", "agent", *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as reader:
        assert reader.stdout is not None
        told = json.loads(reader.stdout.readline())
        assert told["device_id"] in ("T-0042", "T-0043")
        reader.terminate()
    assert time.time() * 1000 >= told["ts"]
    assert terminal.commands == []
