"""The vendors' example hooks as processes: from the bridge's file to an answer of the contract."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.firmware_hooks.expected_codes import EXPECTED, UNKNOWN
from tests.firmware_hooks.hooks_on_disk import VENDORS, keeps_contract, pythons, run

FOLDERS = sorted({vendor for vendor, _ in EXPECTED})
FAULTS = {"paper_out", "cover_open", "overheated", "offline"}
#: The table each hook uses for a bare code.
FIRST = {
    "sunmi": "state",
    "newland": "ndk",
    "telpo": "usb_thermal",
}


def told(vendor: str, native: Path, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = run(
        VENDORS / vendor / "probe.printer", NATIVE_FILE=str(native), **more
    )
    keeps_contract(answer)
    assert answer["component"] == "printer"
    return answer


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize("python", pythons(), ids=lambda path: Path(path).name)
@pytest.mark.parametrize("vendor", FOLDERS)
def test_each_hook_reads_what_its_bridge_wrote(vendor: str, python: str, tmp_path: Path) -> None:
    """A bare code of the first table, then one of each table by its name, with model and serial."""
    native = tmp_path / "printer.json"
    for (folder, table), codes in EXPECTED.items():
        if folder != vendor:
            continue
        code = next(code for code, meaning in codes.items() if meaning in FAULTS)
        given: Any = code
        if vendor == "feitian":
            given = {str(code).partition("=")[0]: False}
        elif table == FIRST.get(vendor, "printer"):
            bare = told(vendor, written(native, str(code)), python=python)
            assert bare["outcome"] == "reading"
            assert True in bare["state"].values()
        full = {"code": given, "table": table, "model": "M1", "serial": "S1", "other": 1}
        answer = told(vendor, written(native, full), python=python)
        assert answer["outcome"] == "reading"
        assert True in answer["state"].values()
        assert answer["about"] == {"model": "M1", "serial": "S1"}


@pytest.mark.parametrize("vendor", FOLDERS)
def test_no_code_no_state(vendor: str, tmp_path: Path) -> None:
    """A file that is missing, empty, binary, huge, a folder or garbled is unknown, in words."""
    native = tmp_path / "printer.json"
    cases = ["", "   ", "[1]", "{}", '{"state": 1}', "x" * 5000, "nonsense", "[" * 3000]
    for content in cases if vendor == "pax" else cases[:4]:
        answer = told(vendor, written(native, content))
        assert (answer["outcome"], "state" in answer) == ("unknown", False), content[:20]
        assert answer["reason"]
    native.write_bytes(b"\xff\xfe\x00")
    assert told(vendor, native)["outcome"] == "unknown"
    assert "does not exist" in told(vendor, tmp_path / "absent")["reason"]
    assert "cannot be read" in told(vendor, tmp_path)["reason"]


@pytest.mark.parametrize("vendor", FOLDERS)
def test_an_unknown_code_keeps_its_raw_value(vendor: str, tmp_path: Path) -> None:
    """7777 is in no table: unknown, raw 7777, never ok and never a fault."""
    answer = told(vendor, written(tmp_path / "n", "7777"))
    assert answer["outcome"] == "unknown"
    assert answer["raw"] == 7777
    assert "7777" in answer["reason"]


def test_a_table_nobody_has_is_unknown(tmp_path: Path) -> None:
    """A bridge that names a table of another vendor, or a path, gets no file opened."""
    for name in ("printer", "../pax/printer", "/etc/passwd", "STATE"):
        answer = told("sunmi", written(tmp_path / "n", {"code": 1, "table": name}))
        assert answer["outcome"] == "unknown"
        assert "table" in answer["reason"]


def test_the_age_of_the_bridges_file_is_told(tmp_path: Path) -> None:
    """A file of ten minutes ago says so; one from the future says nothing at all."""
    native = written(tmp_path / "n", "0")
    now = time.time()
    os.utime(native, (now - 600, now - 600))
    assert 599 <= told("pax", native)["age_s"] <= 660
    os.utime(native, (now + 600, now + 600))
    answer = told("pax", native)
    assert answer["outcome"] == "unknown"
    assert "future" in answer["reason"]


def test_reasons_follow_the_language(tmp_path: Path) -> None:
    """Chinese where the agent runs in Chinese."""
    native = written(tmp_path / "n", "3")
    assert told("sunmi", native, lang="zh_CN.UTF-8")["reason"] == "打印服务无法与打印机通信"
    assert "cannot talk" in told("sunmi", native, lang="en_GB.UTF-8")["reason"]
    assert "7777" in told("pax", written(native, "7777"), lang="zh")["reason"]


@pytest.mark.parametrize("layout", ["tree", "flat", "linked"])
def test_a_copied_hook_works(layout: str, tmp_path: Path) -> None:
    """As a tree, flat, or as a link inside the hooks' directory: all three find the table."""
    hooks = tmp_path / "hooks.d"
    if layout == "flat":
        shutil.copytree(VENDORS / "pax", hooks)
        shutil.copy(VENDORS / "native_code.py", hooks)
        hook = hooks / "probe.printer"
    else:
        (hooks / "vendors").mkdir(parents=True)
        shutil.copy(VENDORS / "native_code.py", hooks / "vendors")
        shutil.copytree(VENDORS / "pax", hooks / "vendors" / "pax")
        hook = hooks / "vendors" / "pax" / "probe.printer"
        if layout == "linked":
            (hooks / "probe.printer").symlink_to("vendors/pax/probe.printer")
            hook = hooks / "probe.printer"
    answer = run(hook, NATIVE_FILE=str(written(tmp_path / "n", "2")))
    assert answer["state"]["paper_out"] is True
    assert not list(hooks.rglob("*.pyc")), "nothing is written where hooks lie"


def test_a_code_can_be_tried_by_hand() -> None:
    """`./probe.printer 240` and `./probe.printer TABLE CODE` decode without a bridge."""
    hook = VENDORS / "sunmi" / "probe.printer"
    assert run(hook, "4")["state"]["paper_out"] is True
    assert run(hook, "printerx", "-1020")["state"]["cover_open"] is True
    assert run(hook, "nonsense", "4")["outcome"] == UNKNOWN


@pytest.mark.parametrize("vendor", FOLDERS)
def test_hooks_are_executable_files(vendor: str) -> None:
    """Mode 755, a first line the kernel can use, no carriage return."""
    hook = VENDORS / vendor / "probe.printer"
    assert hook.stat().st_mode & 0o777 == 0o755
    content = hook.read_bytes()
    assert content.startswith(b"#!/usr/bin/env python3\n")
    assert b"\r" not in content
