"""The examples of "write a hook in an hour": tried with `hooks check` and the real runner."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.cli.app import main
from agent.config.hooks import Hooks
from agent.hooks.pull import Puller
from agent.supervise import DaemonThreads
from agent.wire.hook_table import plain
from tests.fakes import FakeClock

EXAMPLES = Path(__file__).resolve().parents[2] / "firmware_hooks/examples"
LANGUAGES = ("shell", "python")
FINE = dict.fromkeys(
    ("paper_out", "cover_open", "overheated", "hardware_fault", "offline"), False
)  # fmt: skip
CODES: dict[str, dict[str, Any]] = {
    "0": FINE,
    "1": {"busy": True},
    "2": {"paper_out": True, "cover_open": False},
    "3": {"cover_open": True},
    "4": {"overheated": True, "cover_open": False},
    "9": {"hardware_fault": True, "error": "X1-9"},
}


@pytest.fixture(params=LANGUAGES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy as a vendor would install it, with the device's files beside."""
    place = tmp_path / "hooks.d"
    shutil.copytree(EXAMPLES / request.param / "hooks.d", place)
    (place / ".device").mkdir()
    (place / ".device/printer-status").write_text("0\n")
    (place / ".device/scanner-log").write_text("up\n")
    for file in (place, *place.glob("*.*")):
        file.chmod(0o755)
    if request.param == "python":  # the interpreter of the test is not on the hooks' PATH
        for file in place.glob("*.*"):
            if file.is_file():
                text = file.read_text("utf-8")
                file.write_text(text.replace("/usr/bin/env python3", sys.executable), "utf-8")
    return place


def asked(place: Path) -> dict[str, Any]:
    config = Hooks(directory=str(place), deadline_s=20.0)
    puller = Puller(config, FakeClock(), DaemonThreads())
    answered = asyncio.run(puller.ask("probe.printer", component="printer"))
    assert not answered.left_children
    return plain(answered.answer)


def test_every_code_of_the_manual_is_told(place: Path) -> None:
    """Each native code is its state; one nobody knows is unknown with the raw value."""
    status = place / ".device/printer-status"
    for code, state in CODES.items():
        status.write_text(f"{code}\n")
        said = asked(place)
        assert said["state"] == state, code
        assert said["raw"] == int(code)
    status.write_text('7 "oops"\n')
    said = asked(place)
    assert "state" not in said
    assert said["raw"].startswith("7")
    status.unlink()
    assert "not loaded" in asked(place)["reason"]


def test_both_languages_say_the_same(tmp_path: Path) -> None:
    """The example in Python is the one in shell, code by code."""
    table = (EXAMPLES / "python/hooks.d/probe.printer").read_text("utf-8")
    shell = (EXAMPLES / "shell/hooks.d/probe.printer").read_text("utf-8")
    for code in CODES:
        assert f'"{code}": (' in table
        assert f"\n{code}) reading" in shell


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_check_finds_nothing_wrong(
    lang: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`posagent hooks check` runs both hooks and says in either language that they are right."""
    assert main(["hooks", "check", str(place), "--deadline", "20", "--lang", lang]) == 0
    said = capsys.readouterr().out
    assert "probe.printer" in said
    assert "paper_out" in said
    count = len([file for file in place.iterdir() if file.is_file()])
    assert count >= 2
    assert (f"{count} 个钩子符合契约" if lang == "zh" else f"{count} hooks keep contract 1") in said


def test_the_check_names_what_is_wrong(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each wrong hook by itself, with what, where and what to do, in both languages."""
    (place / "probe.printer").chmod(0o777)
    for name, text in (
        ("probe.scanner", '#!/bin/sh\necho \'{"contract":1,"outcome":"fine"}\'\n'),
        ("probe.keypad", "#!/bin/sh\r\nexit 0\r\n"),
        ("probe.system", "echo no shebang\n"),
        ("probe.other", "#!/bin/sh\nexec sleep 600\n"),
        (
            "probe.mine",
            '#!/bin/sh\necho \'{"contract":1,"outcome":"not_fitted","component":"x"}\'\n',
        ),
        ("probe.big", "#!/bin/sh\nhead -c 100000 /dev/zero\n"),
        ("probe.printer.sh", "#!/bin/sh\nexit 0\n"),
        ("app.restart", "#!/bin/sh\ntouch ran\n"),
        ("key.unwrap", "#!/bin/sh\ntouch ran\n"),
        ("stream.dead", "#!/bin/sh\nexit 3\n"),
        ("README", "what these are\n"),
    ):
        (place / name).write_text(text)
        (place / name).chmod(0o644 if name == "README" else 0o755)
    assert main(["hooks", "check", str(place), "--deadline", "3", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    found = {one["file"]: one for one in report["hooks"]}
    wrong = {name: [each["finding"] for each in one["wrong"]] for name, one in found.items()}
    notes = {name: [each["finding"] for each in one["notes"]] for name, one in found.items()}
    assert wrong == {
        "probe.printer": ["writable"],
        "stream.scanner": [],
        "probe.scanner": ["contract"],
        "probe.keypad": ["carriage_return"],
        "probe.system": ["shebang"],
        "probe.other": ["hangs"],
        "probe.mine": ["component"],
        "probe.big": ["too_much"],
        "probe.printer.sh": [],
        "app.restart": [],
        "key.unwrap": [],
        "stream.dead": ["stream_ended"],
        "README": [],
    }
    assert notes["probe.printer.sh"] == ["name"]
    assert notes["app.restart"] == ["action_here", "unchecked"]
    assert notes["key.unwrap"] == ["unchecked"]
    assert not (place / "ran").exists()
    for one in found.values():
        for each in (*one["wrong"], *one["notes"]):
            assert each["what"]["en"] != each["what"]["zh"]
            assert each["do"]["en"] != each["do"]["zh"]
    assert main(["hooks", "check", str(place), "--deadline", "3", "--lang", "zh"]) == 1
    assert "拒绝执行" in capsys.readouterr().out


def test_a_place_with_nothing_in_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No directory, an empty one, one that strangers may write to: said, exit 2."""
    (tmp_path / "hooks.d").mkdir(0o755)
    assert main(["hooks", "check", str(tmp_path / "none")]) == 2
    assert main(["hooks", "check", str(tmp_path / "hooks.d")]) == 2
    (tmp_path / "hooks.d").chmod(0o777)
    assert main(["hooks", "check", str(tmp_path / "hooks.d")]) == 2
    said = capsys.readouterr().err
    assert "no directory" in said
    assert "no hook" in said
    assert "chmod go-w" in said
