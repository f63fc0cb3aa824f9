"""The machine over time: remounts, restarts, crashes and age, over a tree and a small memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest

from agent.config.system import Aging, System
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.errors import StoreError
from agent.watch.system import SystemWatcher, Usage, build
from agent.watch.system.watcher import KEEP_EVERY_MS
from tests.fakes import FakeClock, Straight

MB = 1_048_576
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Said:
    component: str
    outcome: Outcome


class Notes:
    """Kept over restarts; counts what would be written to flash."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.writes = 0
        self.fails = False

    async def load(self, name: str) -> dict[str, Any]:
        if self.fails:
            raise StoreError("store.unavailable", "closed")
        return dict(self.kept.get(name, {}))

    async def save(self, name: str, kept: Mapping[str, Any]) -> None:
        if self.fails:
            raise StoreError("store.unavailable", "closed")
        self.writes += 1
        self.kept[name] = dict(kept)


class Terminal:
    """A machine whose agent is started, stopped and cut off."""

    def __init__(self, root: Path, config: System | None = None, *limits: Aging) -> None:
        self.root = root
        self.state_dir = root / "state"
        self.state_dir.mkdir()
        self.clock = FakeClock()
        self.notes = Notes()
        self.config = config or System(mounts=())
        self.limits = limits
        self.others: list[Said] = []
        self.free_mb = 900
        self.start()

    def start(self) -> SystemWatcher:
        self.watcher = build(
            self.config,
            str(self.state_dir),
            blocking=Straight(),
            measure=lambda _: Usage(
                storage_total_bytes=4_000 * MB, storage_free_bytes=self.free_mb * MB,
                memory_total_bytes=512 * MB, memory_available_bytes=200 * MB,
                cpu_busy_s=1, cpu_idle_s=9,
            ),
            root=self.root,
            clock=self.clock,
            notes=self.notes,
            aging=self.limits,
            reserve_kb=8,
        )  # fmt: skip
        self.watcher.listens(lambda: self.others)
        return self.watcher

    def read(self) -> Mapping[str, Value]:
        outcome = asyncio.run(self.watcher.read())
        assert isinstance(outcome, Reading)
        return outcome.values

    def cut(self) -> Mapping[str, Value]:
        """The power goes and comes back."""
        self.clock.reboot()
        self.start()
        return self.read()

    def stop(self) -> None:
        asyncio.run(self.watcher.close())


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def put(root: Path, name: str, said: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(said + "\n")


def test_power_cuts_are_counted_and_orderly_restarts_are_not(terminal: Terminal) -> None:
    """By the mark of an orderly stop and the kernel's id of the boot."""
    assert terminal.read()["restarts_24h"] == 0
    assert terminal.cut()["restarts_24h"] == 1
    terminal.stop()
    values = terminal.cut()
    assert (values["restarts_24h"], values["power_cycles"]) == (1, 3)
    for _ in range(2):
        values = terminal.cut()
    assert (values["restarts_24h"], values["restarts_limit"]) == (3, 3)
    terminal.clock.advance(DAY_S + 120)
    assert terminal.read()["restarts_24h"] == 0


def test_a_crash_is_told_with_its_reason_for_a_day(terminal: Terminal) -> None:
    """By the boot's own word, or by a record nobody has seen yet."""
    assert terminal.read()["system_crashed"] is False
    put(terminal.root, "sys/fs/pstore/dmesg-ramoops-0", "Oops")
    values = terminal.cut()
    assert values["system_crashed"] is True
    assert str(values["boot_reason"]).startswith("dmesg-ramoops-0@")
    assert terminal.cut()["system_crashed"] is False
    put(terminal.root, "proc/cmdline", "androidboot.bootreason=kernel_panic")
    values = terminal.cut()
    assert (values["system_crashed"], values["boot_reason"]) == (True, "kernel_panic")
    terminal.clock.advance(DAY_S + 1)
    assert terminal.read()["system_crashed"] is False


def test_little_is_written(terminal: Terminal) -> None:
    """Read every minute for a day: a row at the start, one every six hours, one at the stop."""
    for _ in range(24 * 60):
        terminal.read()
        terminal.clock.advance(60)
    assert terminal.notes.writes <= DAY_S * 1000 // KEEP_EVERY_MS + 1
    terminal.stop()
    assert terminal.notes.writes <= DAY_S * 1000 // KEEP_EVERY_MS + 2


def test_a_store_that_is_away_costs_the_memory_and_nothing_else(terminal: Terminal) -> None:
    """The machine itself is told all the same, and the memory taken up once it is back."""
    terminal.notes.fails = True
    values = terminal.read()
    assert "restarts_24h" not in values
    assert values["storage_free_mb"] == 900
    terminal.notes.fails = False
    assert terminal.read()["restarts_24h"] == 0
    terminal.notes.fails = True
    terminal.stop()


def test_hours_and_days_are_those_of_all_boots(terminal: Terminal) -> None:
    """Running time adds up; service began when the clock was first believed."""
    terminal.read()
    terminal.clock.advance(10 * 3_600)
    terminal.stop()
    terminal.cut()
    terminal.clock.advance(DAY_S)
    values = terminal.read()
    assert (values["running_hours"], values["in_service_days"]) == (34, 1)


def test_the_measure_nearest_to_its_limit_is_told(tmp_path: Path) -> None:
    """From any component's reading, by the maker's limits, over an exchange of the part."""
    terminal = Terminal(
        tmp_path,
        None,
        Aging(measure="printed paper (m)", source="printer.printed_mm", limit=50_000, scale=0.001),
        Aging(measure="cuts", source="printer.cuts", limit=1_000),
        Aging(measure="power cycles", source="system.power_cycles", limit=1_000),
        Aging(measure="battery", source="dock.loss", limit=50, kind="level"),
    )
    values = terminal.read()
    assert (values["measure"], values["aging_percent"]) == ("power cycles", 0)
    counts: dict[str, Value] = {"printed_mm": 49_000_000, "cuts": 400}
    terminal.others = [Said("printer", Reading(counts)), Said("dock", Reading({"loss": 10.5}))]
    values = terminal.read()
    assert (values["measure"], values["value"], values["aging_percent"]) == (
        "printed paper (m)", 49_000, 98,
    )  # fmt: skip
    terminal.stop()
    terminal.others[0] = Said("printer", Reading({"printed_mm": 2_000_000, "cuts": 1}))
    values = terminal.cut()
    assert (values["value"], values["aging_percent"], values["limit"]) == (51_000, 102, 50_000)
    assert values["age"] == "0 d"
    terminal.stop()
    terminal.others = [Said("printer", Unknown("silent"))]
    assert terminal.cut()["value"] == 51_000, "silence makes nothing younger"


def test_the_stores_file_system_turned_read_only_is_named(terminal: Terminal) -> None:
    """Whatever mounted it so: nothing can be kept on it any more."""
    put(terminal.root, "proc/self/mounts", "/dev/a / ext4 rw 0 0")
    assert terminal.read()["storage_read_only"] is False
    put(terminal.root, "proc/self/mounts", "/dev/a / ext4 ro 0 0")
    values = terminal.read()
    assert values["storage_read_only"] is True
    assert values["storage_path"] == str(terminal.state_dir.resolve())


def test_the_reserve_of_the_store_is_told(terminal: Terminal) -> None:
    """Real blocks on disk, against what is configured."""
    assert "reserve_kb" not in terminal.read()
    (terminal.state_dir / "reserve").write_bytes(token_bytes(8_192))
    values = terminal.read()
    assert values["reserve_whole"] is True
    (terminal.state_dir / "reserve").write_bytes(token_bytes(4_096))
    assert terminal.read()["reserve_whole"] is False


def test_a_fuller_file_system_takes_the_place_of_the_stores_own(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is low is named; while none is, the store's is told."""
    from agent.watch.system import storage

    data = Path("/data")
    volumes = {data: storage.Volume(path="/data", free_mb=5, total_mb=2_000, limit_mb=100)}
    monkeypatch.setattr(storage, "volume", lambda path, _limit: volumes[path])
    monkeypatch.setattr(storage, "device_of", lambda path: 7 if path == data else 1)
    terminal.config = System(mounts=("/data",))
    terminal.start()
    put(terminal.root, "proc/self/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /data f2fs rw 0 0")
    values = terminal.read()
    assert (values["storage_path"], values["storage_free_mb"]) == ("/data", 5)
    terminal.free_mb = 1
    assert terminal.read()["storage_free_mb"] == 1
    put(terminal.root, "proc/self/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /data f2fs ro 0 0")
    values = terminal.read()
    assert (values["storage_path"], values["storage_read_only"]) == ("/data", True)


def test_without_a_memory_only_the_present_is_told(tmp_path: Path) -> None:
    """As `posagent probe system` does, beside a daemon that keeps it."""
    watcher = build(System(), str(tmp_path), blocking=Straight(), clock=FakeClock())
    outcome = asyncio.run(watcher.read())
    assert isinstance(outcome, Reading)
    assert "restarts_24h" not in outcome.values
    asyncio.run(watcher.close())
