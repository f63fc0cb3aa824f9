"""The cut-off of a batch upload (money rule 6)."""

from __future__ import annotations

from typing import Any

from agent.core.moment import Stamp
from agent.core.money.deadlines import CUT_OFF, cut_off, cut_off_in_ms
from agent.core.money.journal import Event, Record, State
from agent.core.money.transaction import Kind
from agent.core.why.causes import CATALOGUE
from tests.core.money.payments import record
from tests.fakes import FakeClock


def batch(**changes: Any) -> Record:
    of = {"kind": Kind.BATCH_UPLOAD, "covers": ("a",), **changes.pop("of", {})}
    return record(of=of, **changes)


def left(it: Record, after_s: float = 0.0) -> int | None:
    clock = FakeClock()
    clock.advance(after_s)
    return cut_off_in_ms(it, 3600.0, clock.now(), 1)


def test_a_batch_waits_for_what_it_covers_until_the_cut_off() -> None:
    """On the boot clock, from the moment it was handed over."""
    assert left(batch()) == 3_600_000
    assert left(batch(), 3_599) == 1_000
    assert left(batch(), 9_000) == 0
    assert left(batch(stored=Stamp(1_795_000_000_000, 5, 0)), 0) == 3_500_000


def test_what_has_no_cut_off() -> None:
    """Other payments, batches that cover nothing, are under way, held, or chosen to go."""
    assert left(record()) is None
    assert left(batch(of={"covers": ()})) is None
    assert left(batch(sent=1)) is None
    assert left(batch(state=State.HELD)) is None
    assert left(batch(state=State.WAITING, cause=CUT_OFF)) is None


def test_the_choice_is_put_to_a_person() -> None:
    """Held, with a released cause, and the two ways out in the note."""
    change = cut_off()
    assert (change.event, change.cause) == (Event.HOLD, CUT_OFF)
    assert CUT_OFF in CATALOGUE
    assert "release" in change.note
