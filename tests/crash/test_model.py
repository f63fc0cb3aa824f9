"""The model of a crashed disk promises exactly what a sync promises, and no more."""

from __future__ import annotations

import random
from typing import Any

from agent.core.money.journal import State
from tests.crash.history import History
from tests.crash.model import Flash, any_part, everything, nothing, torn_end

MADE: list[tuple[Any, ...]] = [
    ("mkdir", "/state"), ("syncdir", "/"), ("create", "/state/f", 7), ("syncdir", "/state"),
]  # fmt: skip


def flash(*operations: tuple[Any, ...]) -> Flash:
    done = Flash()
    for operation in (*MADE, *operations):
        done.do(operation)
    return done


def test_what_is_not_synced_may_be_gone_and_what_is_synced_stays() -> None:
    """A write is lost with `nothing`, kept by its sync."""
    disk = flash(("write", 7, 0, b"old"), ("sync", 7), ("write", 7, 0, b"new"))
    assert disk.after_crash(nothing, 0)["/state/f"] == b"old"
    assert disk.after_crash(everything, 0)["/state/f"] == b"new"


def test_a_failed_sync_forgets_and_no_later_sync_brings_back() -> None:
    """Linux marks the pages clean: only writing again makes them durable."""
    disk = flash(("write", 7, 0, b"a" * 4), ("sync_failed", 7), ("write", 7, 4, b"b"), ("sync", 7))
    assert disk.after_crash(nothing, 0)["/state/f"] == b"\0\0\0\0b"


def test_a_name_is_durable_only_with_its_directory() -> None:
    """A synced file whose directory was not synced is not there."""
    disk = flash(("create", "/state/g", 8), ("write", 8, 0, b"x"), ("sync", 8))
    assert "/state/g" not in disk.after_crash(nothing, 0)
    assert disk.after_crash(nothing, 1)["/state/g"] == b"x"


def test_torn_writes_stop_at_sectors_of_the_file() -> None:
    """Whole sectors or nothing, wherever the write begins."""
    disk = flash(("write", 7, 500, b"x" * 1000))
    sizes = {
        len(disk.after_crash(torn_end(random.Random(n)), 0)["/state/f"] or b"") for n in range(50)
    }
    assert sizes == {0, 512, 1024, 1500}
    assert disk.after_crash(any_part(random.Random(1)), 0) is not None


def test_the_history_allows_what_lies_between_acknowledged_and_asked() -> None:
    """Acknowledged posted never goes back; what was being sent is in doubt."""
    history = History()
    for note in ("try k queued 0", "ack k", "try k sending 0", "ack k", "try k posted 0"):
        history.heed(note)
    assert history.allowed("k") == {(State.WAITING, True), (State.POSTED, False)}
    history.heed("ack k")
    assert history.allowed("k") == {(State.POSTED, False)}
