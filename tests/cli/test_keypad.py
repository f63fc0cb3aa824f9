"""`posagent probe keypad --guided` and `posagent sim keypad`, with and without a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sim.keypad import SimulatedKeypad
from tests.cli.test_commands import TIMEOUT_S, environment, outcome, posagent, until
from tests.cli.test_sim import running
from tests.process.fleet import LoopThread


class Terminal:
    """A keypad, a configuration that names it, and a loop in which it is pressed."""

    def __init__(self, place: Path, loop: LoopThread) -> None:
        place.chmod(0o700)
        self.state_dir = place / "state"
        self.state_dir.mkdir()
        self.device = place / "keypad"
        self.config = place / "posagent.toml"
        self.loop = loop
        self.keypad = SimulatedKeypad(self.device)
        self.configure()
        loop.run(self.keypad.plug())

    def configure(self, more: str = "") -> None:
        self.config.write_text(
            f'[agent]\nstate_dir = "{self.state_dir}"\n[keypad]\ndevice = "{self.device}"\n{more}\n'
        )
        self.config.chmod(0o600)

    def tap(self, name: str) -> None:
        self.loop.do(lambda: self.keypad.tap(name))

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "agent", "probe", "keypad", "--guided", "--config",
                str(self.config)]  # fmt: skip

    @property
    def kept(self) -> Path:
        return self.state_dir / "keypad-test.json"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with LoopThread() as loop:
        one = Terminal(tmp_path, loop)
        yield one
        loop.do(one.keypad.unplug)


#: What is asked for in English and in Chinese -> the key.
LABELS = {
    "Enter (OK)": "enter", "Clear (backspace)": "clear", "Cancel (Esc)": "cancel",
    "arrow up": "up", "确认键": "enter", "清除键（退格）": "clear", "取消键": "cancel",
}  # fmt: skip


def obediently(
    terminal: Terminal, *more: str, dead: str = "", lang: str = "en"
) -> tuple[int, list[str]]:
    """The guided test with somebody who presses what is asked for; exit code and lines."""
    terminal.keypad.dead = set(dead)
    lines: list[str] = []
    with subprocess.Popen(
        [*terminal.command, "--lang", lang, *more],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            asked = re.fullmatch(r"\d+/\d+  (?:press|请按) (.+) …", lines[-1])
            if asked:
                terminal.tap(LABELS.get(asked[1], asked[1]))
        code = process.wait(TIMEOUT_S)
    return code, lines


def test_all_keys_work(terminal: Terminal) -> None:
    """Plain lines where there is no terminal: asked, seen, and a clear end; exit 0."""
    code, lines = obediently(terminal)
    assert code == 0
    assert lines.count("   seen") == 13
    assert "1/13  press 1 …" in lines
    assert lines[-2] == "all 13 keys work"
    assert any("Do not enter a PIN" in line for line in lines)
    assert "\x1b" not in "".join(lines)
    assert json.loads(terminal.kept.read_text()) == {
        "device": str(terminal.device), "asked": {"digit": 10, "function": 3}, "dead": {},
    }  # fmt: skip
    assert terminal.kept.stat().st_mode & 0o777 == 0o640


def test_dead_keys_are_told_in_chinese_and_kept_as_a_count(terminal: Terminal) -> None:
    """Which on the screen, how many of which class in the file; exit 1; `probe` then says so."""
    code, lines = obediently(terminal, "--seconds", "0.5", dead="47", lang="zh")
    assert code == 1
    assert "4/13  请按 4 …" in lines
    assert lines.count("   未收到") == 2
    assert any(line.startswith("2 个键未收到：4, 7") for line in lines)
    kept = json.loads(terminal.kept.read_text())
    assert kept["dead"] == {"digit": 2}
    assert kept.keys() == {"device", "asked", "dead"}
    told = json.loads(posagent("probe", "keypad", "--config", terminal.config, "--json").stdout)
    assert told["conditions"] == ["keypad.dead_keys"]
    assert told["values"]["count"] == 2
    assert obediently(terminal)[0] == 0  # repaired: the next test takes the place of this one
    told = json.loads(posagent("probe", "keypad", "--config", terminal.config, "--json").stdout)
    assert told["conditions"] == []


def test_nobody_there_ends_by_itself(terminal: Terminal) -> None:
    """Three silent keys end it, as text and as JSON; nothing is kept of it."""
    code, said = outcome(posagent(*terminal.command[3:], "--seconds", "0.1"))
    assert code == 1
    assert "not one key arrived for the first 3" in " ".join(said.split())
    assert "Nothing was kept" in said
    done = posagent(*terminal.command[3:], "--seconds", "0.1", "--json")
    assert json.loads(done.stdout) == {
        "ended": "silent", "asked": {"digit": 3}, "dead": {"digit": 3},
        "not_seen": ["1", "2", "3"], "kept": False,
    }  # fmt: skip
    assert not terminal.kept.exists()


def test_what_cannot_be_tested_is_each_said(terminal: Terminal, tmp_path: Path) -> None:
    """No configuration, a PIN pad, a device that is gone or is none, another component."""
    empty = tmp_path / "empty.toml"
    empty.touch(0o600)
    for more, wanted, words in (
        ('read = "never"', 2, "a PIN pad is never read"),
        ("", 3, "check its plug"),
    ):
        terminal.configure(more)
        if not more:
            terminal.loop.do(terminal.keypad.unplug)
        code, said = outcome(posagent(*terminal.command[3:]))
        assert (code, words in " ".join(said.split())) == (wanted, True), said
    terminal.device.touch()
    code, said = outcome(posagent(*terminal.command[3:]))
    assert (code, "is no keypad" in said) == (2, True)
    terminal.device.unlink()
    code, said = outcome(posagent("probe", "keypad", "--guided", "--config", empty))
    assert (code, "no keypad is configured" in said) == (1, True)
    code, said = outcome(posagent("probe", "printer", "--guided", "--config", empty))
    assert (code, "--guided is for the keypad" in said) == (2, True)
    code, said = outcome(posagent("probe", "keypad", "--config", empty))
    assert (code, "not fitted" in said) == (0, True)


def test_a_result_that_cannot_be_kept_is_told(terminal: Terminal) -> None:
    """The test was made; only its memory is missing."""
    terminal.configure('keys = ["up"]')
    terminal.state_dir.rmdir()
    code, lines = obediently(terminal)
    assert code == 0
    assert any("could not be kept" in line for line in lines)


def test_on_a_terminal_its_own_keys_do_not_reach_the_shell(terminal: Terminal) -> None:
    """On a tty: result behind the question, echo off meanwhile, what was typed thrown away."""
    terminal.configure('keys = ["1", "2"]')
    master, slave = pty.openpty()
    some = b""
    with subprocess.Popen(
        terminal.command,
        env=environment(TERM="xterm", LANG="en_US.UTF-8"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as process:
        for key in ("1", "2"):
            while f"press {key} \u2026".encode() not in some:
                some += os.read(master, 4096)
            os.write(master, key.encode())  # the keypad is this terminal's own
            terminal.tap(key)
        assert process.wait(TIMEOUT_S) == 0
    os.set_blocking(slave, False)
    with pytest.raises(BlockingIOError):
        os.read(slave, 10)
    os.close(slave)
    while True:
        try:
            some += os.read(master, 4096)
        except OSError:
            break
    os.close(master)
    assert re.search(r"press 1 \u2026 \x1b\[32mseen", some.decode())
    assert "all 2 keys work" in some.decode()


def test_an_interrupted_test_keeps_nothing(terminal: Terminal) -> None:
    """Ctrl-C: exit 130, no result, no traceback."""
    with subprocess.Popen(
        terminal.command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        while "press 1" not in process.stdout.readline():
            continue
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
        assert "Traceback" not in process.stderr.read()
    assert not terminal.kept.exists()


def test_the_simulator_takes_orders(tmp_path: Path) -> None:
    """`posagent sim keypad`: run, ordered about, ended; a keypad pulled out is seen by `probe`."""
    tmp_path.chmod(0o700)
    device, control, config = tmp_path / "kp", tmp_path / "ctl", tmp_path / "posagent.toml"
    config.write_text(f'[keypad]\ndevice = "{device}"\n')
    config.chmod(0o600)
    with running("keypad", "--path", device, "--control", control) as lines:
        assert lines == [f"keypad {device}", f"control {control}"]
        until(lambda: control.exists() and device.exists())
        told = json.loads(posagent("probe", "keypad", "--config", config, "--json").stdout)
        assert told["values"]["present"] is True
        assert outcome(posagent("sim", "keypad", "--control", control, "tap", "1"))[0] == 0
        assert outcome(posagent("sim", "keypad", "--control", control, "cable", "out"))[0] == 0
        told = json.loads(posagent("probe", "keypad", "--config", config, "--json").stdout)
        assert told["conditions"] == ["keypad.disconnected"]
        code, said = outcome(posagent("sim", "keypad", "--control", control, "tap", "gold"))
        assert (code, "press|release" in said) == (2, True)
    assert outcome(posagent("sim", "keypad", "--control", control, "status"))[0] == 3
    code, said = outcome(posagent("sim", "keypad", "--control", control))
    assert (code, "--path is missing" in said) == (2, True)
