"""Requests made at the terminal itself: a slip, the service listener, a bundle on a stick."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.config.page import Page
from agent.errors import HardwareError
from agent.local.asked import Asked
from agent.wire.api import BY_NAME, Message, Nothing
from agent.wire.bundle import BundleOut
from agent.wire.operation import TECHNICIANS, Operation
from agent.wire.session import DiagnoseOut
from tests.fakes import FakeClock, Straight
from tests.local.doors import Trail
from tests.local.house import NOW

PRINTING = Operation(
    name="slip_print", method="POST", path="/v1/slips/{kind}/print", roles=TECHNICIANS,
    summary="", arguments=Nothing, result=Nothing,
)  # fmt: skip
MADE = BundleOut(
    bundle_id="0" * 16, file="posagent-d-1.tar.gz", made_at=NOW.at, size_bytes=6, sha256="",
    pieces=1, members=[], failed=[], removed_cards=0, removed_secrets=0,
)  # fmt: skip


class Terminal:
    """What is asked of the rest of the daemon, and what lies on the stick."""

    def __init__(self, folder: Path, page: Page) -> None:
        self.done: list[tuple[str, str]] = []
        self.printer_works = True
        self.clock, self.trail = FakeClock(), Trail()
        self.root = folder / "root"
        self.stick = self.root / "media/stick"
        self.stick.mkdir(parents=True)
        (folder / "bundle").write_bytes(b"bundle")
        self.asked = Asked(
            page,
            clock=self.clock,
            blocking=Straight(),
            do=self.do,
            trail=self.trail,
            bundle_file=lambda bundle_id: folder / "bundle",
            root=str(self.root),
            looks_s=(0.0, 0.01, 0.01),
        )

    async def do(self, name: str, arguments: Message, actor: str) -> Message:
        self.done.append((name, actor))
        if name == "slip_print" and not self.printer_works:
            raise HardwareError("printer.not_ready", "the printer has no paper")
        return MADE if name == "bundle" else Nothing()

    def plug_in(self, *, usb: bool = True) -> None:
        disk = self.root / "sys/block/sdb"
        (disk / "sdb1").mkdir(parents=True)
        (disk / "removable").write_text("1" if usb else "0")
        (self.root / "proc").mkdir()
        (self.root / "proc/mounts").write_text("/dev/sdb1 /media/stick vfat rw 0 0\n")

    async def outcome(self, count: int = 1) -> tuple[str, str, str]:
        async with asyncio.timeout(10):
            while len(self.trail.deeds) < count:
                await asyncio.sleep(0.005)
        deed = self.trail.deeds[-1]
        return deed.actor, deed.target, deed.outcome

    async def looked(self) -> None:
        async with asyncio.timeout(10):
            while self.asked._looking:
                await asyncio.sleep(0.005)


def at(folder: Path, test: Callable[[Terminal], Awaitable[None]], page: Page | None = None) -> None:
    async def run() -> None:
        await test(Terminal(folder, page or Page()))

    asyncio.run(run())


@pytest.fixture(autouse=True)
def printing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as this file goes, printing needs nothing but its kind."""
    from agent.local import asked

    monkeypatch.setattr(asked, "BY_NAME", {**BY_NAME, "slip_print": PRINTING})
    monkeypatch.setattr(asked, "arguments_of", lambda *_: Nothing())


def test_keys_print_a_slip_and_no_more(tmp_path: Path) -> None:
    """Held keys: one slip, one line in the trail, no listener unless [page] says so."""

    async def test(terminal: Terminal) -> None:
        terminal.asked.pressed()
        assert await terminal.outcome() == ("terminal:keys", "slip", "ok")
        assert terminal.done == [("slip_print", "terminal")]

    at(tmp_path, test)


def test_requests_are_rare(tmp_path: Path) -> None:
    """A child playing with the keys empties no roll; whoever asks is told how long to wait."""

    async def test(terminal: Terminal) -> None:
        for _ in range(5):
            terminal.asked.pressed()
        told = terminal.asked.hook("uid:7")
        assert told == DiagnoseOut(accepted=False, wait_s=60, opens=False)
        await terminal.outcome()
        assert len(terminal.done) == 1
        terminal.clock.boot_ms += 60_000
        assert terminal.asked.hook("uid:7").accepted
        assert await terminal.outcome(2) == ("uid:7", "slip", "ok")

    at(tmp_path, test)


def test_the_listener_opens_where_that_is_wished(tmp_path: Path) -> None:
    """With request_opens, also when nothing can be printed; the trail says what was done."""

    async def test(terminal: Terminal) -> None:
        assert terminal.asked.hook("uid:7").opens
        assert await terminal.outcome() == ("uid:7", "slip page", "ok")
        terminal.clock.boot_ms += 60_000
        terminal.printer_works = False
        terminal.asked.pressed()
        assert await terminal.outcome(2) == ("terminal:keys", "page", "ok")
        assert terminal.done.count(("page_open", "terminal")) == 2

    page = Page(service_address="127.0.0.1", request_opens=True)
    at(tmp_path, test, page)


def test_a_printer_that_cannot_is_written_down(tmp_path: Path) -> None:
    """No paper: the request ends with the printer's reason."""

    async def test(terminal: Terminal) -> None:
        terminal.printer_works = False
        terminal.asked.pressed()
        assert await terminal.outcome() == ("terminal:keys", "", "printer.not_ready")

    at(tmp_path, test)


@pytest.mark.parametrize("marker", ["posagent-bundle", "posagent-bundle.txt"])
def test_a_marked_stick_gets_a_bundle(tmp_path: Path, marker: str) -> None:
    """Plugged in, mounted a moment later: the bundle lies on it, whole."""

    async def test(terminal: Terminal) -> None:
        (terminal.stick / marker).touch()
        terminal.asked.plugged()
        terminal.asked.plugged()
        await asyncio.sleep(0)
        terminal.plug_in()
        assert await terminal.outcome() == ("terminal:stick", "bundle", "ok")
        assert (terminal.stick / MADE.file).read_bytes() == b"bundle"
        assert terminal.done == [("bundle", "terminal:stick")]

    at(tmp_path, test, Page(stick="bundle"))


@pytest.mark.parametrize("how", ["unmarked", "link", "folder", "own disk", "off"])
def test_no_other_stick_does(tmp_path: Path, how: str) -> None:
    """Without the file, with a link or a folder of that name, on the terminal's own disk, or with
    the feature off: nothing is made and nothing written."""

    async def test(terminal: Terminal) -> None:
        marker = terminal.stick / "posagent-bundle"
        match how:
            case "link":
                marker.symlink_to(tmp_path / "bundle")
            case "folder":
                marker.mkdir()
            case "own disk" | "off":
                marker.touch()
        terminal.plug_in(usb=how != "own disk")
        before = sorted(terminal.stick.iterdir())
        terminal.asked.plugged()
        await terminal.looked()
        assert terminal.done == []
        assert sorted(terminal.stick.iterdir()) == before

    at(tmp_path, test, Page(stick="off" if how == "off" else "bundle"))


def test_a_full_stick_is_written_down(tmp_path: Path) -> None:
    """What stands in the way is the outcome; nothing half-written stays."""

    async def test(terminal: Terminal) -> None:
        (terminal.stick / "posagent-bundle").touch()
        (terminal.stick / MADE.file).mkdir()
        terminal.plug_in()
        terminal.asked.plugged()
        assert await terminal.outcome() == ("terminal:stick", "", "usb.failed")

    at(tmp_path, test, Page(stick="bundle"))
