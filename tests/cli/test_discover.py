"""`posagent probe --discover`: what is seen, what is proposed, and that nothing is sent unasked."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import termios
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import settings
from agent.cli.discover import SPEEDS, Seen, _ask_all, _may_ask
from agent.core.health.reading import Reading, Unknown
from agent.link.owners import Owner
from agent.sim.printer import SimulatedPrinter
from agent.watch.discovery.survey import Finding
from tests.cli.test_commands import outcome, posagent
from tests.link.test_owners import held
from tests.watch.discovery.trees import FULL_KEYBOARD, KEYBOARD, NUMBER_BLOCK, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "sys")


@pytest.fixture
def config(tmp_path: Path, tree: Tree) -> Path:
    tmp_path.chmod(0o700)
    file = tmp_path / "posagent.toml"
    file.write_text(f'[discovery]\nsysfs = "{tree.root}"\ndev = "{tmp_path}/dev"\n')
    file.chmod(0o600)
    return file


def discovered(config: Path, *arguments: str) -> dict[str, Any]:
    done = posagent("probe", "--discover", "--json", "--config", config, *arguments)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_till_is_proposed_as_a_whole_and_the_paste_loads(tree: Tree, config: Path) -> None:
    """Printer, scanner and keypad: the TOML is valid configuration as it stands."""
    tree.usb("1-1", "04b8:0e15", make="EPSON", model="TM-T20II")
    tree.printer("1-1", ieee1284="MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;")
    tree.usb("1-2", "1eab:1d06", make="Newland", model="FM430")
    tree.acm("1-2")
    tree.keys("gpio-keys", NUMBER_BLOCK)
    told = discovered(config)
    assert tomllib.loads(told["toml"]) == {
        "printer": {"device": "/dev/usb/lp0", "dialect": "escpos"},
        "scanner": {"device": "/dev/ttyACM0", "dialect": "newland"},
        "keypad": {"device": "/dev/input/event0"},
    }
    config.write_text(config.read_text() + told["toml"])
    loaded = settings.load(config, references=False).config
    assert loaded.printer.device == "/dev/usb/lp0"
    again = discovered(config)
    assert again["toml"] == "", "configured devices are not proposed again"
    assert {one["component"] for one in again["found"]} == {"printer", "scanner", "keypad"}


def test_every_way_of_connecting_a_scanner_is_valid_configuration(tree: Tree, config: Path) -> None:
    """Each vendor of the table, by serial line and as a keyboard."""
    for number, vendor in enumerate(("0c2e", "1eab", "05e0", "05f9", "065a")):
        tree.usb(f"1-{number}", f"{vendor}:0fff")
        if number % 2:
            tree.acm(f"1-{number}", number)
        else:
            tree.hid(f"1-{number}", KEYBOARD, FULL_KEYBOARD)
    text = discovered(config)["toml"]
    for table in text.replace("# [", "[").replace("# device", "device").split("[scanner]")[1:]:
        lines = [line.removeprefix("# ") for line in table.splitlines()]
        config.write_text("[scanner]\n" + "\n".join(one for one in lines if " = " in one) + "\n")
        assert settings.load(config, references=False).config.scanner.device
    assert text.count("[scanner]") == 5


def test_a_link_that_keeps_its_name_is_preferred(tree: Tree, config: Path, tmp_path: Path) -> None:
    """ttyACM0 may be ttyACM1 tomorrow."""
    tree.usb("1-2", "1eab:1d06")
    tree.acm("1-2")
    links = tmp_path / "dev/serial/by-id"
    links.mkdir(parents=True)
    (links / "usb-Newland_FM430-if00").symlink_to("/dev/ttyACM0")
    told = discovered(config)
    assert told["found"][0]["stable"] == str(links / "usb-Newland_FM430-if00")
    assert tomllib.loads(told["toml"])["scanner"]["device"] == told["found"][0]["stable"]


def test_what_is_unsure_and_what_nobody_serves_is_said(tree: Tree, config: Path) -> None:
    """In both languages, with the reason; the unserved one under its cause code."""
    tree.usb("1-1", "04b8:0202", make="EPSON", model="TM-T70")
    tree.function("1-1", "07", sub="01")
    tree.usb("1-3", "0403:6001", model="FT232R")
    tree.adapter("1-3", "ftdi_sio")
    tree.board(0, console=True)
    code, said = outcome(posagent("probe", "--discover", "--config", config))
    assert code == 0
    assert "device.not_recognised EPSON TM-T70 · 04b8:0202 · 1-1" in said
    assert "driver usblp is missing" in said
    assert "an adapter: what hangs on it cannot be seen" in said
    assert "the kernel's console: leave it alone" in said
    assert "Nothing to propose" in said
    code, said = outcome(posagent("probe", "--discover", "--config", config, "--lang", "zh"))
    assert code == 0
    assert "缺少驱动 usblp" in said
    assert "转接线：无法看出所接设备" in said
    told = discovered(config)
    assert told["not_recognised"] == ["04b8:0202"]


def test_a_machine_without_sysfs_says_so(config: Path, tmp_path: Path) -> None:
    """Not "nothing attached"."""
    config.write_text(f'[discovery]\nsysfs = "{tmp_path}/none"\n')
    code, said = outcome(posagent("probe", "--discover", "--config", config))
    assert code == 0
    assert f"not at {tmp_path}/none" in " ".join(said.split())
    assert discovered(config)["readable"] is False


def test_a_network_printer_that_is_given_is_proposed(config: Path) -> None:
    """With the usual port; nothing connects to it."""
    told = discovered(config, "--printer", "10.255.255.1", "--printer", "tcp://h:9101")
    assert [one["device"] for one in told["found"]] == ["tcp://10.255.255.1:9100", "tcp://h:9101"]
    assert tomllib.loads(told["toml"])["printer"] == {"device": "tcp://10.255.255.1:9100"}


@pytest.mark.parametrize(
    "arguments", [("probe",), ("probe", "printer", "--ask"), ("probe", "--printer", "h")]
)
def test_options_that_make_no_sense_are_refused(arguments: tuple[str, ...], config: Path) -> None:
    """Exit 2 and a sentence."""
    code, said = outcome(posagent(*arguments, "--config", config))
    assert code == 2
    assert "--discover" in said


@pytest.fixture
def line(tree: Tree) -> Iterator[tuple[int, str]]:
    """A serial line in the tree that is a real terminal: its far end and its path."""
    far, near = pty.openpty()
    path = os.ttyname(near)
    settings_before = termios.tcgetattr(near)
    settings_before[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(near, termios.TCSANOW, settings_before)
    os.close(near)
    tree.line(path.removeprefix("/dev/"))
    yield far, path
    os.close(far)


def test_nothing_is_opened_or_sent_unasked(line: tuple[int, str], config: Path) -> None:
    """The far end of an unknown line sees nobody come and no byte."""
    far, path = line
    told = discovered(config)
    assert [one["device"] for one in told["found"]] == [path]
    assert told["found"][0]["asked"] is None
    poll = select.poll()
    poll.register(far, select.POLLIN)
    # The near end was closed before: only a hang-up is there to be seen, and nothing to read.
    assert not any(events & select.POLLIN for _, events in poll.poll(0))


def test_a_line_in_use_is_told_and_not_asked(line: tuple[int, str], config: Path) -> None:
    """Who uses it is named; --ask leaves it alone."""
    far, path = line
    with held(path, "open") as pid:
        (found,) = discovered(config, "--ask")["found"]
        assert found["in_use_by"]["pid"] == pid
        assert found["asked"] is None
        assert not select.select([far], [], [], 0)[0], "no byte was sent"
        code, said = outcome(posagent("probe", "--discover", "--config", config))
        assert code == 0
        assert f"(pid {pid}, uid {os.getuid()})" in said


def finding(kind: str, device: str, *reasons: str) -> Finding:
    return Finding(
        kind=kind, certainty="unsure", name="x", device=device, interface="serial", driver="",
        reasons=reasons,
    )  # fmt: skip


def test_a_printer_on_an_unknown_line_answers_when_it_is_asked(tmp_path: Path) -> None:
    """Surer by its answer, proposed with the speed it answered at."""

    async def story() -> Seen:
        sim = SimulatedPrinter(tmp_path / "tty")
        sim.plug()
        try:
            seen = Seen(
                finding=finding("serial", str(tmp_path / "tty"), "serial_unknown"),
                section={"device": str(tmp_path / "tty")},
            )
            (told,) = await _ask_all([seen])
        finally:
            sim.unplug()
        return told

    told = asyncio.run(story())
    assert isinstance(told.asked, Reading)
    assert (told.finding.kind, told.finding.certainty, told.table) == ("printer", "sure", "printer")
    assert told.section is not None
    assert told.section["baud"] == SPEEDS[0]


def test_a_missing_line_is_unknown_when_asked(tmp_path: Path) -> None:
    """No answer is told with its reason, and the line stays unsure."""
    seen = Seen(finding=finding("printer", str(tmp_path / "no")), section={"device": "/dev/no"})
    (told,) = asyncio.run(_ask_all([seen]))
    assert isinstance(told.asked, Unknown)
    assert told.finding.certainty == "unsure"


@pytest.mark.parametrize(
    ("seen", "may"),
    [
        (Seen(finding=finding("serial", "/dev/ttyS0", "console")), False),
        (Seen(finding=finding("pinpad", "/dev/ttyACM0")), False),
        (Seen(finding=finding("keypad", "/dev/input/event0")), False),
        (Seen(finding=finding("printer", "")), False),
        (Seen(finding=finding("printer", "/dev/usb/lp0", "libusb")), False),
        (
            Seen(
                finding=finding("printer", "/dev/usb/lp0"),
                owner=Owner(pid=1, command="app", uid=0),
            ),
            False,
        ),
        (Seen(finding=finding("printer", "/dev/usb/lp0")), True),
        (Seen(finding=finding("serial", "/dev/ttyS1", "serial_unknown")), True),
    ],
)
def test_who_may_be_asked(seen: Seen, may: bool) -> None:
    """Never a console, a PIN pad, a key, or anything somebody uses."""
    assert _may_ask(seen) is may
