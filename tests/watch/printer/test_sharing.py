"""Ports of other programs: left alone and named; bytes the payment app passes on; identity."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.devices import Printer
from agent.core.health.reading import NotObservable
from agent.link.owners import Owner
from agent.sim.printer import SimulatedPrinter
from agent.watch.printer import NoPrinter, build, serial_link
from agent.watch.printer.passed_on import HOLDS_S
from agent.watch.printer.watcher import PrinterWatcher
from tests.watch.printer.bench import (
    FINE,
    Threads,
    against_printer,
    evidence,
    unknown,
    values,
    watcher_of,
)

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import fcntl, os, sys
held = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
if sys.argv[2] == "lock":
    fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


class Holder:
    """Another program that has a file open, or locked."""

    def __init__(self, path: Path, how: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"
        self.pid = self._process.pid

    def close(self) -> None:
        self._process.communicate("")


def test_a_port_another_program_locked_names_it(tmp_path: Path) -> None:
    """The lock is respected, and the reason has the holder's pid."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        holder = Holder(printer.path, "lock")
        try:
            busy = unknown(await watcher.read())
            assert busy.evidence["finding"] == "busy"
            assert f"(pid {holder.pid}" in busy.reason
            assert "pass_through" in busy.reason
            assert printer.received == b""
        finally:
            holder.close()
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario)


def test_a_port_another_program_merely_has_open_is_left_alone(tmp_path: Path) -> None:
    """Without any lock: a descriptor elsewhere is enough, and the port is never opened."""
    port = tmp_path / "ttyS7"
    port.touch()
    opened: list[Printer] = []

    def open_port(config: Printer) -> serial_link.Port:
        opened.append(config)
        raise OSError

    holder = Holder(port, "open")
    try:
        watcher = watcher_of(Printer(device=str(port)), open_port=open_port)
        busy = unknown(asyncio.run(watcher.read()))
    finally:
        holder.close()
    assert busy.evidence["finding"] == "busy"
    assert f"(pid {holder.pid}" in busy.reason
    assert opened == []


def test_a_terminal_set_to_exclusive_use_is_left_alone_even_by_root(tmp_path: Path) -> None:
    """TIOCEXCL binds root, too: what the kernel lets in goes out again at once."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        other = os.open(printer.path, os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.ioctl(other, 0x540C)  # TIOCEXCL
            assert unknown(await watcher.read()).evidence["finding"] == "busy"
            assert printer.received == b""
            fcntl.ioctl(other, 0x540D)  # TIOCNXCL
        finally:
            os.close(other)
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario)


def test_a_second_reader_is_named_and_the_port_left_to_it(tmp_path: Path) -> None:
    """Answers that do not fit the questions: who else reads is looked for."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        who = Owner(pid=99, command="payapp", uid=1001, how="locked")
        assert values(await watcher.read()) == FINE
        watcher._link._find_owner = lambda path: who  # type: ignore[attr-defined]
        printer.switch(stale="lag", paper="out")
        nothing = unknown(await watcher.read())
        assert nothing.evidence["finding"] == "out_of_step"
        assert "payapp (pid 99, uid 1001)" in nothing.reason
        assert unknown(await watcher.read()).evidence["finding"] == "busy"

    against_printer(tmp_path, scenario)


def passing_on(tmp_path: Path, now_s: list[float], **settings: object) -> PrinterWatcher:
    node = tmp_path / "ttyS8"
    node.touch()
    given = {"device": str(node), "share": "pass_through"} | settings
    return watcher_of(Printer(**given), now_s=lambda: now_s[0])  # type: ignore[arg-type]


def read(watcher: PrinterWatcher) -> object:
    return asyncio.run(watcher.read())


def test_automatic_status_the_app_passes_on_is_a_reading(tmp_path: Path) -> None:
    """A frame, in one piece or two, tells everything; a new one rings, the same one does not."""
    rings: list[int] = []
    watcher = passing_on(tmp_path, [0.0])
    watcher.heed(lambda: rings.append(1))
    assert isinstance(read(watcher), NotObservable)
    assert watcher.hear(b"\x10\0\0\0") == 1
    assert values(asyncio.run(watcher.read())) == FINE | {"in_use": True}
    assert watcher.hear(b"\x18\0") == 0
    assert watcher.hear(b"\x0f\0") == 1
    assert values(asyncio.run(watcher.read()))["paper"] == "out"
    assert len(rings) == 2
    assert watcher.hear(b"\x18\0\x0f\0") == 1
    assert len(rings) == 2


def test_single_answers_tell_only_what_they_were_asked(tmp_path: Path) -> None:
    """An app that asks for paper alone says nothing of the cutter."""
    watcher = passing_on(tmp_path, [0.0])
    assert watcher.hear(b"\x7e", query=4) == 1
    assert values(asyncio.run(watcher.read())) == {"paper": "out", "in_use": True}
    assert watcher.hear(b"\x1a", query=1) == 1
    told = values(asyncio.run(watcher.read()))
    assert (told["paper"], told["offline"]) == ("out", True)
    assert "cutter_fault" not in told
    assert watcher.hear(b"\x32", query=2) == watcher.hear(b"\x12", query=3) == 1
    whole = values(asyncio.run(watcher.read()))
    assert whole["offline_reason"] == "paper"
    assert whole["cutter_fault"] is False


@pytest.mark.parametrize(
    ("received", "query"),
    [(b"", 0), (b"\x12\x12", 1), (b"\xff", 1), (b"\x12", 5), (b"\x12", -1), (b"\xff" * 9000, 0)],
)
def test_what_makes_no_sense_changes_nothing(tmp_path: Path, received: bytes, query: int) -> None:
    """Garbage passed on is counted as nothing understood, and raises nothing."""
    watcher = passing_on(tmp_path, [0.0])
    watcher.hear(b"\x10\0\0\0")
    assert watcher.hear(received, query) == 0
    assert values(asyncio.run(watcher.read())) == FINE | {"in_use": True}


def test_an_old_report_tells_nothing_any_more(tmp_path: Path) -> None:
    """After a while of silence paper is neither out nor well; the next report counts again."""
    now_s = [0.0]
    watcher = passing_on(tmp_path, now_s)
    watcher.hear(b"\x18\0\x0f\0")
    now_s[0] = HOLDS_S + 1
    old = asyncio.run(watcher.read())
    assert values(old) == {"in_use": True}
    assert evidence(old)["passed_on_s_ago"] == str(int(HOLDS_S + 1))
    watcher.hear(b"\x18\0\x0f\0")
    assert values(asyncio.run(watcher.read()))["paper"] == "out"


def test_frames_of_other_dialects_are_passed_on_too(tmp_path: Path) -> None:
    """Star and Custom frames, where the configuration names the dialect."""
    star = passing_on(tmp_path, [0.0], dialect="star")
    assert star.hear(b"\x23\x06\x08\0\0\x0c") == 0
    assert star.hear(b"\0\0\0") == 1
    assert values(asyncio.run(star.read()))["paper"] == "out"
    custom = passing_on(tmp_path, [0.0], dialect="custom")
    assert custom.hear(b"\x10\x0f\x01") == 0
    assert custom.hear(b"\0\0\0") == 1
    assert values(asyncio.run(custom.read()))["paper"] == "out"


def test_a_port_that_is_the_apps_is_never_opened(tmp_path: Path) -> None:
    """In pass-through mode nothing is sent; a missing node is still missing."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        for _ in range(3):
            await watcher.read()
        assert printer.received == b""
        printer.unplug()
        assert unknown(await watcher.read()).evidence["finding"] == "missing"

    against_printer(tmp_path, scenario, share="pass_through")


def test_bytes_are_only_taken_where_it_is_configured(tmp_path: Path) -> None:
    """A printer the agent asks itself is not also told about."""
    watcher = watcher_of(Printer(device="/dev/ttyS9"))
    assert watcher.hear(b"\x10\0\0\0") == 0
    nobody = build(Printer(), Threads())
    assert isinstance(nobody, NoPrinter)
    assert nobody.hear(b"\x10\0\0\0") == 0
    assert asyncio.run(nobody.identity()) == {}


def test_the_printer_says_who_it_is(tmp_path: Path) -> None:
    """GS I texts, asked once a connection, only on-line, and printing nothing."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        assert await watcher.identity() == {}
        await watcher.read()
        told = await watcher.identity()
        assert told["model"].startswith("SIM")
        assert told.keys() == {"firmware", "maker", "model", "serial", "font"}
        asked = bytes(printer.received)
        assert await watcher.identity() == told
        assert bytes(printer.received) == asked
        shown = evidence(await watcher.read())
        assert shown["model"] == told["model"]
        assert "serial" not in shown
        assert printer.receipt == b""

    against_printer(tmp_path, scenario)


def test_an_off_line_or_unwilling_printer_is_not_asked_who_it_is(tmp_path: Path) -> None:
    """Off-line the question would wait in its buffer; identify = false never asks."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(paper="out")
        await watcher.read()
        assert await watcher.identity() == {}
        assert b"\x1d\x49" not in printer.received

    against_printer(tmp_path, scenario)

    async def unwilling(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        await watcher.read()
        assert await watcher.identity() == {}
        assert b"\x1d\x49" not in printer.received

    against_printer(tmp_path, unwilling, identify=False)


def test_a_printer_that_does_not_say_is_not_pressed(tmp_path: Path) -> None:
    """A question it does not know is asked once a connection, not at every look."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        await watcher.read()
        answer = printer._answer
        printer._answer = lambda reply: None if reply[:1] in b"\x5f\x20" else answer(reply)  # type: ignore[method-assign]
        assert await watcher.identity() == {}
        asked = bytes(printer.received)
        assert asked.count(b"\x1d\x49") == 2
        assert await watcher.identity() == {}
        assert bytes(printer.received) == asked
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario, answer_timeout_s=0.3)


def test_an_old_printer_has_only_numbers(tmp_path: Path) -> None:
    """Without texts the single bytes are asked, and kept as they are."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        await watcher.read()
        answer = printer._answer
        printer._answer = lambda reply: None if reply[:1] == b"\x5f" else answer(reply)  # type: ignore[method-assign]
        told = await watcher.identity()
        assert told.keys() == {"model_id", "type_id", "feature_id"}
        assert all(number.startswith("0x") for number in told.values())

    against_printer(tmp_path, scenario, answer_timeout_s=0.3)


def test_a_terminal_without_a_printer_loads_nothing_for_one() -> None:
    """No link, no driver, no serial library: memory is for what is fitted."""
    code = (
        "import sys; from agent.config.devices import Printer;"
        "from agent.watch.printer import build;"
        "build(Printer(), None);"
        "print([m for m in sys.modules if m.startswith(('agent.watch.printer.', 'serial',"
        " 'agent.watch.drivers.'))]);"
        "build(Printer(device='/dev/ttyS9'), None);"
        "print([m for m in sys.modules if m.rsplit('.')[-1] in"
        " ('star', 'custom', 'parts', 'push', 'passed_on', 'usb_link', 'tcp_link')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert said.stdout == "[]\n[]\n"
