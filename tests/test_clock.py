"""What the terminal's clocks are, read from the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.clock import CHIP_AGREES_MS, SystemClock, chip
from agent.core.moment import BUILD_FLOOR_MS

NOW_MS = BUILD_FLOOR_MS + 86_400_000


@pytest.mark.parametrize(
    ("shows", "ran"),
    [
        ("1970", False),
        ("", False),
        ("no number", False),
        (str((NOW_MS - CHIP_AGREES_MS) // 1000 - 1), False),
        (str(NOW_MS // 1000 + 8 * 3600), True),
        (str(NOW_MS // 1000), True),
    ],
)
def test_a_chip_counts_where_it_shows_the_time(tmp_path: Path, shows: str, ran: bool) -> None:
    """Local time is a time; its own epoch, another year or silence is none."""
    there = tmp_path / "rtc0"
    there.mkdir()
    (there / "since_epoch").write_text(shows)
    assert chip(tmp_path, NOW_MS) is ran


def test_one_good_chip_is_enough_and_none_is_none(tmp_path: Path) -> None:
    """Boards have two: one in the processor that forgets, one with a battery."""
    assert chip(tmp_path, NOW_MS) is False
    for name, shows in (("rtc0", 0), ("rtc1", NOW_MS // 1000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "since_epoch").write_text(f"{shows}\n")
    assert chip(tmp_path, NOW_MS) is True


def test_what_nobody_carried_over_the_reboot_is_vouched_for_once() -> None:
    """From then on the clock counts across the reboot, until the process ends."""
    clock = SystemClock(carried=False)
    assert clock.now().carried is False
    clock.vouch()
    assert clock.now().carried is True
