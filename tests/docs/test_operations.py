"""The operations guide: every command in it is run, in its order, and its sums are done again."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.app import main
from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import ROOT, Daemon, payment
from tests.process.test_hardware import configured, machine

PAGE = ROOT / "docs" / "operations.md"
_BLOCK = re.compile(r"^ *```sh (\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"#\s*exit (\d+)$")


def commands() -> Iterator[tuple[str, str, int]]:
    """Where it runs, what is typed, its exit code."""
    for block in _BLOCK.finditer(PAGE.read_text("utf-8")):
        for line in block[2].splitlines():
            said = _EXIT.search(line)
            yield block[1], line.strip(), int(said[1]) if said else 0


def test_every_block_says_where_it_runs() -> None:
    """No fenced command escapes the test below."""
    text = PAGE.read_text("utf-8")
    assert text.count("```") == 2 * len(_BLOCK.findall(text))
    told = list(commands())
    assert {where for where, _, _ in told} == {"running", "stopped", "new"}
    assert all(line.startswith("posagent ") for _, line, _ in told)


@pytest.mark.process
def test_every_command_does_what_the_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal with unsent money and on its replacement: known options, the code named."""
    words = {"SAFE": tmp_path / "safe", "USB": tmp_path / "usb", "HOOKS": tmp_path / "hooks"}
    for folder in words.values():
        folder.mkdir(mode=0o755)
    hook = words["HOOKS"] / "identity"
    hook.write_text(
        '#!/bin/sh\ncat >/dev/null\necho \'{"outcome":"told","contract":1,"serial":"S"}\'\n'
    )
    hook.chmod(0o755)
    given = {name: str(path) for name, path in words.items()}
    with HostThread() as host, Daemon() as old, Daemon() as new:
        for daemon in (old, new):
            configured(daemon, host, machine(daemon.home / "machine", 1))
        host.apply(Fault.named("busy"))
        old.start()
        assert old.submit(payment("k-0")).status == 201
        for where, line, code in commands():
            alive = old.process is not None and old.process.poll() is None
            if where == "stopped" and alive:
                old.stop()
                machine(old.home / "machine", 2)  # its flash in another case
                old.start()
                old.stop()
            elif where == "running" and not alive:
                old.start()
            daemon = new if where == "new" else old
            typed = _EXIT.sub("", line)
            for name, value in given.items():
                typed = typed.replace(f"${name}", value)
            argv = [*shlex.split(typed, comments=True)[1:], "--config", str(daemon.config_file)]
            assert main(argv) == code, (line, capsys.readouterr())
            said = capsys.readouterr().out
            if "--keygen" in line:
                given["RECIPIENT"] = said.split()[0]
    shutil.rmtree(tmp_path)


def test_the_sums_are_right() -> None:
    """The wear example follows from its own rows, and from the figure the bench measured."""
    text = PAGE.read_text("utf-8")
    measured = re.search(r"\*\*([\d.]+) KiB\*\*", text)
    assert measured is not None
    assert f"{measured[1]} KiB" in (ROOT / "docs/reports/bench.md").read_text("utf-8")
    table = {line.split("|")[1].strip().split(" ")[0]: line.split("|")[2:4]
             for line in text.splitlines() if line.startswith("| ")}  # fmt: skip
    for column in (0, 1):
        payments = int(table["payments"][column])
        size, cycles = re.findall(r"[\d.]+", table["size"][column])
        written = payments * 365 * float(measured[1]) / 2**20
        assert f"{written:.1f} GiB" == table["written"][column].strip()
        years = float(size) * int(cycles) / int(table["÷"][column]) / written
        assert int(years) == int(table["years"][column])
