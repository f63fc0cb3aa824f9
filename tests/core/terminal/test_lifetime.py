"""Restarts nobody asked for, crashes and counters, as far as can be told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.moment import Moment
from agent.core.terminal.lifetime import (
    COUNTERS,
    DAY_MS,
    Counter,
    Life,
    Restart,
    crashed_recently,
    from_plain,
    lived,
    recent_restarts,
    started,
    to_plain,
)

NOW = Moment(wall_ms=1_795_000_000_000, boot_ms=60_000, boot_id="b1", trusted=True)


def booted(life: Life, boot_id: str, *, wall_ms: int = NOW.wall_ms, trusted: bool = True) -> Life:
    now = replace(NOW, boot_id=boot_id, wall_ms=wall_ms, trusted=trusted)
    return started(life, now, "", False, ())


def test_a_first_start_is_nobodys_accident() -> None:
    """Nothing to compare with: no restart, no crash, whatever lies about."""
    life = started(Life(), NOW, "kernel_panic", True, ["dmesg-1@5"])
    assert (life.boots, life.restarts, life.crashes) == (1, (), ("dmesg-1@5",))
    assert not crashed_recently(life, NOW)


def test_a_new_boot_after_a_cut_is_unexpected_and_after_a_stop_is_not() -> None:
    """Only the boot id tells a power cut from a restart of the agent alone."""
    life = booted(Life(), "b1")
    cut = booted(life, "b2")
    assert (len(cut.restarts), cut.boots) == (1, 2)
    stopped = booted(lived(cut, NOW, {}, running=False), "b3")
    assert (len(stopped.restarts), stopped.boots) == (1, 3)
    killed = booted(stopped, "b3")
    assert (len(killed.restarts), killed.boots) == (1, 3)


def test_restarts_count_for_a_day_by_a_trusted_clock() -> None:
    """The wall clock decides where it was and is believed."""
    life = booted(booted(Life(), "b1"), "b2")
    assert recent_restarts(life, NOW) == 1
    assert recent_restarts(life, replace(NOW, wall_ms=NOW.wall_ms + DAY_MS)) == 1
    assert recent_restarts(life, replace(NOW, wall_ms=NOW.wall_ms + DAY_MS + 1)) == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_without_a_clock_running_time_stands_in(trusted: bool) -> None:
    """Stamped in 1970 or in a future that has not come: a day of running is a day."""
    odd_ms = NOW.wall_ms + 10 * DAY_MS if trusted else 0
    life = booted(booted(Life(), "b1"), "b2", wall_ms=odd_ms, trusted=trusted)
    # The boot before lasted a minute, and that is when it was cut.
    assert recent_restarts(life, replace(NOW, boot_ms=DAY_MS)) == 1
    assert recent_restarts(life, replace(NOW, boot_ms=DAY_MS + 1)) == 0


def test_a_crash_is_a_fresh_record_or_the_boots_own_word_after_a_cut() -> None:
    """A watchdog's flag after an orderly stop is how some boards restart."""
    life = booted(Life(), "b1")
    now = replace(NOW, boot_id="b2")
    record = started(life, now, "", False, ["dmesg-1@5"])
    assert record.restarts == (), "a crash is its own trouble, not the supply's"
    assert (crashed_recently(record, now), record.crash_reason) == (True, "dmesg-1@5")
    panic = started(life, now, "kernel_panic", True, ())
    assert (crashed_recently(panic, now), panic.crash_reason) == (True, "kernel_panic")
    both = started(life, now, "watchdog", True, ["dmesg-1@5"])
    assert both.crash_reason == "watchdog"
    stopped = lived(life, NOW, {}, running=False)
    assert not crashed_recently(started(stopped, now, "watchdog", True, ()), now)


def test_a_crash_is_told_for_a_day_of_its_boot_and_known_records_are_old_news() -> None:
    """Records lie in flash until somebody removes them."""
    now = replace(NOW, boot_id="b2")
    life = started(booted(Life(), "b1"), now, "", False, ["dmesg-1@5"])
    assert not crashed_recently(life, replace(now, boot_ms=DAY_MS + 1))
    again = started(life, replace(NOW, boot_id="b3"), "", False, ["dmesg-1@5"])
    assert not crashed_recently(again, replace(NOW, boot_id="b3"))


def test_a_record_found_within_a_boot_counts_for_it() -> None:
    """The service that collects crash records may run after the agent's first start."""
    life = booted(booted(Life(), "b1"), "b2")
    now = replace(NOW, boot_id="b2")
    found = started(life, now, "", False, ["dmesg-1@5"])
    assert crashed_recently(found, now)
    assert not crashed_recently(started(life, now, "", False, ()), now)


def test_counters_add_up_over_an_exchange_of_the_part() -> None:
    """A new mainboard counts from 0 and does not make the printer young."""
    life = lived(booted(Life(), "b1"), NOW, {"printer.cuts": 1_000.0})
    life = lived(life, NOW, {"printer.cuts": 1_500.0})
    life = lived(life, NOW, {"printer.cuts": 20.0})
    assert life.counters["printer.cuts"] == Counter(20.0, 1_520.0)
    many = lived(life, NOW, {f"x.c{n}": 1.0 for n in range(COUNTERS + 9)})
    assert len(many.counters) == COUNTERS


def test_service_begins_when_the_clock_is_first_believed() -> None:
    """1970 is nobody's birthday."""
    life = lived(Life(), replace(NOW, trusted=False), {})
    assert life.began_ms == 0
    life = lived(life, NOW, {})
    assert lived(life, replace(NOW, wall_ms=NOW.wall_ms + DAY_MS), {}).began_ms == NOW.wall_ms


def test_what_is_kept_is_read_back() -> None:
    """Through JSON, as the store keeps it."""
    now = replace(NOW, boot_id="b2")
    life = booted(booted(Life(), "b1"), "b0")
    life = started(life, now, "watchdog", True, ["dmesg-1@5"])
    life = lived(life, now, {"printer.cuts": 7.0})
    assert from_plain(json.loads(json.dumps(to_plain(life)))) == life
    assert life.restarts == (Restart(NOW.wall_ms, True, 60_000),)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(to_plain(Life()))), _JSON))
def test_whatever_flash_made_of_it_is_read_without_raising(kept: dict[str, object]) -> None:
    """And can be lived on with."""
    life = started(from_plain(kept), NOW, "", False, ())
    recent_restarts(life, NOW)
    assert from_plain(to_plain(life)) == life
