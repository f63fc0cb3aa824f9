"""The machine itself, over a fixture tree and for real."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.config import System
from agent.core.health.reading import Reading, Value
from agent.watch import system
from agent.watch.system import Usage, build
from tests.fakes import Straight

TERMINAL = Path(__file__).parent.parent / "fixtures" / "system" / "terminal"
MB = 1_048_576


def usage(busy_s: float = 10.0, idle_s: float = 90.0) -> Usage:
    return Usage(
        storage_total_bytes=4000 * MB,
        storage_free_bytes=99 * MB + 5,
        memory_total_bytes=512 * MB,
        memory_available_bytes=200 * MB,
        cpu_busy_s=busy_s,
        cpu_idle_s=idle_s,
    )


def read(watcher: system.SystemWatcher) -> dict[str, Value]:
    outcome = asyncio.run(watcher.read())
    assert isinstance(outcome, Reading)
    return dict(outcome.values)


def test_the_whole_reading(tmp_path: Path) -> None:
    """Everything this terminal can tell, in plain names with units, limits beside values."""
    watcher = build(
        System(),
        str(tmp_path),
        blocking=Straight(),
        measure=lambda _: usage(),
        root=TERMINAL,
    )
    assert read(watcher) == {
        "storage_path": str(tmp_path.resolve()),
        "storage_free_mb": 99,
        "storage_total_mb": 4000,
        "storage_limit_mb": 100,
        "storage_read_only": True,
        "memory_available_mb": 200,
        "memory_total_mb": 512,
        "memory_limit_mb": 24,
        "temperature_c": 52.25,
        "temperature_limit_c": 75.0,
        "battery_percent": 64,
        "battery_charging": False,
        "battery_limit_percent": 15,
        "battery_status": "discharging",
        "external_power": False,
        "temperature_zone": "thermal_zone1",
        "uptime_s": 86523,
    }


def test_sensors_that_are_not_there_are_absent(tmp_path: Path) -> None:
    """A board without battery and thermal zones is neither unknown nor faulty."""
    watcher = build(
        System(), str(tmp_path), blocking=Straight(), measure=lambda _: usage(), root=tmp_path
    )
    values = read(watcher)
    assert not {"temperature_c", "battery_percent", "uptime_s", "storage_read_only"} & set(values)
    assert not {"temperature_limit_c", "battery_limit_percent"} & set(values)


def test_cpu_is_the_share_since_the_last_reading(tmp_path: Path) -> None:
    """The first reading has nothing to compare with; counters that ran backwards tell nothing."""
    told = iter([usage(10, 90), usage(13, 97), usage(13, 97), usage(1, 200)])
    watcher = build(
        System(), str(tmp_path), blocking=Straight(), measure=lambda _: next(told), root=tmp_path
    )
    assert [read(watcher).get("cpu_percent") for _ in range(4)] == [None, 30.0, None, None]


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/var/lib/posagent", False), ("/opt", True), ("/mnt/usb stick/x", True)],
)
def test_read_only_is_asked_of_the_file_system_that_holds_the_path(path: str, answer: bool) -> None:
    """The longest mount point counts, spaces included."""
    assert system.read_only(TERMINAL, Path(path)) is answer


def test_of_two_mounts_on_one_place_the_later_counts(tmp_path: Path) -> None:
    """A remount on top hides what is below."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text("a / ext4 rw 0 0\nb / overlay ro 0 0\n")
    assert system.read_only(tmp_path, Path("/var")) is True


def supply(root: Path, name: str, **files: str) -> None:
    folder = root / "sys/class/power_supply" / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text + "\n")


@pytest.mark.parametrize(
    ("status", "online", "powered"),
    [("Charging", "0", True), ("Full", "0", True), ("Discharging", "1", True),
     ("Discharging", "0", False)],
)  # fmt: skip
def test_power_is_supplied_if_anybody_says_so(
    tmp_path: Path, status: str, online: str, powered: bool
) -> None:
    """Battery status or the charger's own word."""
    supply(tmp_path, "bat", type="Battery", capacity="50", status=status)
    supply(tmp_path, "usb", type="USB", online=online)
    assert system.battery_state(tmp_path) == (50, powered)


@pytest.mark.parametrize("capacity", ["", "-1", "255", "much"])
def test_a_battery_that_tells_nonsense_is_absent(tmp_path: Path, capacity: str) -> None:
    """An implausible charge raises no alarm."""
    supply(tmp_path, "bat", type="Battery", capacity=capacity)
    assert system.battery_state(tmp_path) is None


def test_the_state_directory_may_not_exist_yet(tmp_path: Path) -> None:
    """Before the first start, the file system that will hold it is watched."""
    seen: list[Path] = []

    def measure(path: Path) -> Usage:
        seen.append(path)
        return usage()

    watcher = build(
        System(storage_path=str(tmp_path / "a/b")),
        "/nowhere",
        blocking=Straight(),
        measure=measure,
        root=tmp_path,
    )
    read(watcher)
    assert seen == [tmp_path.resolve()]


def test_this_machine_can_be_measured(tmp_path: Path) -> None:
    """The real counters are there and plausible."""
    watcher = build(System(), str(tmp_path), blocking=Straight())
    values = read(watcher)
    assert isinstance(values["storage_free_mb"], int)
    assert isinstance(values["memory_available_mb"], int)
    assert values["memory_available_mb"] > 0
    assert isinstance(values["uptime_s"], int)
