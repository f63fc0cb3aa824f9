"""What the kernel counts, read by hand: its forms, its gaps, and this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import System
from agent.core.health.reading import Reading
from agent.watch.system import build, measured
from agent.watch.system.usage import memory_in, processor_in
from tests.fakes import Straight

MEMINFO = """MemTotal:         516096 kB
MemFree:           81920 kB
MemAvailable:     204800 kB
Buffers:            4096 kB
Cached:           131072 kB
Shmem:              8192 kB
HugePages_Total:       0
"""
KB = 1024


def without(name: str) -> str:
    return "".join(f"{line}\n" for line in MEMINFO.splitlines() if not line.startswith(name))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (MEMINFO, (516096 * KB, 204800 * KB)),
        # Before 3.14: free and what caches files, shared memory left out.
        (without("MemAvailable"), (516096 * KB, (81920 + 4096 + 131072 - 8192) * KB)),
        (MEMINFO.replace(" 204800", " 0"), (516096 * KB, (81920 + 4096 + 131072 - 8192) * KB)),
        ("MemTotal: 1000 kB\nMemFree: 400 kB\nCached: 10 kB\nShmem: 90 kB", (1000 * KB, 400 * KB)),
        # A container that is shown its own total beside the host's rest.
        (MEMINFO.replace("204800", "904800"), (516096 * KB, 81920 * KB)),
        ("MemTotal: 10 kB\nMemAvailable: 20 kB", (10 * KB, 10 * KB)),
        (without("MemTotal"), None),
        ("MemTotal: 516096 kB", None),
        (MEMINFO.replace("516096", "0"), None),
        ("MemTotal: much\nMemAvailable: ٣ kB\nMemFree:\n:\n", None),
        ("", None),
    ],
)
def test_memory(said: str, told: tuple[int, int] | None) -> None:
    """All of it, and what new work could get."""
    assert memory_in(said) == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # user nice system idle iowait irq softirq steal; guests are in user and nice already.
        ("cpu  100 20 30 800 50 4 6 10 70 15\ncpu0 1 2 3 4\n", (1.7, 8.5)),
        ("cpu  100 20 30 800\n", (1.5, 8.0)),
        ("cpu  100 20 30 800 50", (1.5, 8.5)),
        ("cpu  100 20 30", None),
        ("cpu  100 20 30 -800 50", None),
        ("cpu0 100 20 30 800 50", None),
        ("intr 1 2 3 4 5", None),
        ("\ncpu 1 2 3 4", None),
        ("", None),
    ],
)
def test_processor_time(said: str, told: tuple[float, float] | None) -> None:
    """Seconds of work and of none, of all processors together."""
    assert processor_in(said, 100) == told


def test_processor_time_by_the_systems_own_tick() -> None:
    """Ticks are no fixed length; a system that names none tells nothing."""
    assert processor_in("cpu  1000 0 24 2048", 1024) == (1.0, 2.0)
    assert processor_in("cpu  1000 0 24 2048", 0) is None
    assert processor_in("cpu  1000 0 24 2048", -1) is None


@given(st.text(alphabet="cpu MemTotalFreeAvailable:kB0123456789-.\n\t٣", max_size=300))
def test_garbage_tells_nothing_and_never_raises(said: str) -> None:
    """And what is told is a possible figure."""
    for text in (said, MEMINFO + said, f"MemTotal: {said}", f"MemFree: {said}\n{MEMINFO}"):
        if (memory := memory_in(text)) is not None:
            assert 0 <= memory[1] <= memory[0]
    for text in (said, f"cpu {said}"):
        if (processor := processor_in(text, 100)) is not None:
            assert min(processor) >= 0


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_no_more_is_available_than_there_is(total: int, free: int, cached: int) -> None:
    """Whatever a kernel or a container makes up."""
    said = f"MemTotal: {total} kB\nMemFree: {free} kB\nCached: {cached} kB\n"
    told = memory_in(said)
    assert told is None or 0 <= told[1] <= told[0] == total * KB


def test_memory_and_processor_are_read_below_the_root(tmp_path: Path) -> None:
    """Storage is that of the path itself."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    (tmp_path / "proc/stat").write_text("cpu  100 20 30 800\n")
    found = measured(tmp_path, tmp_path)
    ticks = os.sysconf("SC_CLK_TCK")
    assert (found.memory_total_bytes, found.memory_available_bytes) == (516096 * KB, 204800 * KB)
    assert (found.cpu_busy_s, found.cpu_idle_s) == (150 / ticks, 800 / ticks)
    assert found.storage_total_bytes == shutil.disk_usage(tmp_path).total


def test_what_may_not_be_read_is_absent_and_says_why(tmp_path: Path) -> None:
    """As on Android, whose apps see no /proc/stat: storage is told, the rest is not 0."""
    watcher = build(System(), str(tmp_path), blocking=Straight(), root=tmp_path)
    outcome = [asyncio.run(watcher.read()) for _ in range(2)][-1]
    assert isinstance(outcome, Reading)
    assert "storage_free_mb" in outcome.values
    assert not {name for name in outcome.values if name.startswith(("memory_", "cpu_"))}
    assert "/proc/meminfo" in outcome.evidence["memory"]
    assert "/proc/stat" in outcome.evidence["cpu"]


def test_this_machine_by_other_witnesses(tmp_path: Path) -> None:
    """The C library says the same of its memory, the standard library of its storage."""
    found = measured(tmp_path)
    assert found.storage_total_bytes == shutil.disk_usage(tmp_path).total
    assert found.memory_total_bytes is not None
    assert found.memory_available_bytes is not None
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert abs(found.memory_total_bytes - pages) <= pages // 100
    assert 0 < found.memory_available_bytes <= found.memory_total_bytes
    assert found.cpu_busy_s is not None
    assert found.cpu_busy_s > 0
    later = measured(tmp_path)
    assert later.cpu_busy_s is not None
    assert later.cpu_busy_s >= found.cpu_busy_s
