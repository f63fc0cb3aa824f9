"""The cut-off of a batch upload (money rule 6), and limits under clocks that are set (rule 2)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.core.moment import Moment, Stamp, at_ms
from agent.core.money.deadlines import (
    CUT_OFF,
    cut_off,
    cut_off_in_ms,
    expired,
    key_age_ms,
    lapses_in_ms,
)
from agent.core.money.journal import Event, Record, State
from agent.core.money.transaction import Kind, Posting
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


LEFT_MS = 60_000
STORED_MS = 1_795_000_000_000
YEARS_MS = 5 * 365 * 86_400_000


def limited(stored_ms: int = STORED_MS) -> Record:
    """A request with a minute to go by the clock it was stored under, in boot 1."""
    return record(
        of={
            "posting": Posting.REQUEST,
            "occurred_at": at_ms(stored_ms),
            "send_before": at_ms(stored_ms + LEFT_MS),
        },
        stored=Stamp(stored_ms, 100_000, 1),
    )


def rebooted(wall_ms: int, up_ms: int, *, trusted: bool = True) -> Moment:
    return Moment(wall_ms=wall_ms, boot_ms=up_ms, boot_id="boot-2", trusted=trusted)


@pytest.mark.parametrize("step_ms", [-YEARS_MS, -1, 0, 1, YEARS_MS])
def test_a_step_of_the_clock_neither_kills_nor_revives_a_request_of_this_boot(step_ms: int) -> None:
    """Whatever the wall clock is set to, a minute is a minute of boot time."""
    for up_ms, late in ((100_000 + LEFT_MS, False), (100_001 + LEFT_MS, True)):
        now = Moment(wall_ms=STORED_MS + step_ms, boot_ms=up_ms, boot_id="boot-1", trusted=True)
        assert expired(limited(), now, 1) is late
        assert (lapses_in_ms(limited(), now, 1) == 0) is late


def test_a_request_stored_by_a_clock_years_ahead_is_not_sent_years_late() -> None:
    """Set right since: its limit has not come by the wall clock, and nobody can tell. Once this
    boot alone has lasted as long as it had, it is certain."""
    ahead = limited(STORED_MS + YEARS_MS)
    early = rebooted(STORED_MS, 30_000)
    assert expired(ahead, early, 2) is None
    assert lapses_in_ms(ahead, early, 2) is None
    late = rebooted(STORED_MS + 31_000, LEFT_MS + 1)
    assert expired(ahead, late, 2) is True
    assert lapses_in_ms(ahead, late, 2) == 0


def test_without_a_trusted_clock_a_request_lapses_when_this_boot_alone_outlasted_it() -> None:
    """Before that nobody can tell: it may have been stored a second or a year ago."""
    assert expired(limited(), rebooted(0, LEFT_MS, trusted=False), 2) is None
    assert expired(limited(), rebooted(0, LEFT_MS + 1, trusted=False), 2) is True


def test_after_a_reboot_the_next_look_is_when_either_clock_says_so() -> None:
    """By the time of day, or by the boot alone, whichever is sooner."""
    assert lapses_in_ms(limited(), rebooted(STORED_MS + 20_000, 5_000), 2) == 40_001
    assert lapses_in_ms(limited(), rebooted(STORED_MS + 20_000, 50_000), 2) == 10_001
    assert expired(limited(), rebooted(STORED_MS + LEFT_MS + 1, 5_000), 2) is True


def test_a_key_sent_by_a_clock_years_ahead_has_no_age_anybody_can_tell() -> None:
    """It is not new: a blind resend on that ground could post twice (U16)."""
    sent = record(sent=1, first_sent=Stamp(STORED_MS + YEARS_MS, 100_000, 1))
    assert key_age_ms(sent, rebooted(STORED_MS, 5_000), 2) is None
    slewed = record(sent=1, first_sent=Stamp(STORED_MS + 5_000, 100_000, 1))
    assert key_age_ms(slewed, rebooted(STORED_MS, 5_000), 2) == 0
