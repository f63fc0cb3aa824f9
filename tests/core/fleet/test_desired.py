"""Which statement of the fleet counts, who takes it, and when a terminal takes it back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.commands import Key, Role
from agent.core.fleet.desired import (
    FUTURE_MS,
    REMEMBERED,
    SETTLED,
    Check,
    Held,
    Judged,
    Kind,
    Me,
    State,
    Statement,
    Watching,
    agreeing,
    conflicting,
    failed,
    handed,
    in_stage,
    judge,
    numbered,
    passed,
    rejected,
    started,
    stated,
    taken,
    withdrawn,
)
from agent.core.moment import BUILD_FLOOR_MS, Moment

ME = Me(tenant="acme", group="shop", device_id="d1")
NOW = Moment(wall_ms=BUILD_FLOOR_MS, boot_ms=5, boot_id="", trusted=True)
NOTHING = Held()
KEY = Key(key_id="k2", public=bytes(32), roles=frozenset({Role.ADMINISTER}))
WISH = {"telemetry": {"window": 3}}


def statement(version: int, **more: Any) -> Statement:
    plain: dict[str, Any] = {
        "tenant": "acme", "group": "shop", "digest": f"d{version}", "content": f"c{version}",
    } | more  # fmt: skip
    return Statement(version=version, **plain)


def judged(said: Statement, held: Held = NOTHING, now: Moment = NOW) -> Judged:
    return judge(said, held, ME, now)


def take(held: Held, said: Statement, **more: Any) -> Held:
    return taken(held, said, "k1", **({"connected": True, "alarms": frozenset({"old"})} | more))


def in_force(version: int = 7, **more: Any) -> Held:
    """After a statement that proved itself."""
    return passed(started(take(Held(), statement(version, **({"config": WISH} | more)))))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"tenant": "other"}, "wrong_tenant"),
        ({"group": "other"}, "wrong_group"),
        ({"issued_ms": BUILD_FLOOR_MS + FUTURE_MS + 1}, "issued_in_future"),
    ],
)
def test_what_is_not_for_us_or_not_of_this_time_counts_for_nothing(
    more: dict[str, Any], code: str
) -> None:
    """Another tenant's, another group's, one of next week."""
    assert judged(statement(1, **more)) == Judged(Kind.REFUSE, code)


def test_the_number_orders_not_the_clock() -> None:
    """Lower is old, equal is known or forged; a clock nobody vouches for asks nothing of time."""
    held = in_force(7)
    assert judged(statement(6), held).code == "older_version"
    assert judged(statement(7), held).kind is Kind.KNOWN
    assert judged(statement(7, digest="other"), held).code == "same_version"
    ahead = statement(8, issued_ms=BUILD_FLOOR_MS + 10 * FUTURE_MS)
    suspect = Moment(wall_ms=0, boot_ms=5, boot_id="", trusted=False)
    assert judged(ahead, held, suspect).kind is Kind.TAKE
    assert judged(statement(8, issued_ms=BUILD_FLOOR_MS), held).kind is Kind.TAKE


def test_each_group_counts_for_itself_and_neither_can_be_replayed() -> None:
    """A terminal that moves to another group and back takes nothing it had."""
    held = in_force(7)
    other = Me(tenant="acme", group="depot", device_id="d1")
    there = numbered(held, statement(2, group="depot"))
    assert judge(statement(2, group="depot"), there, other, NOW).kind is Kind.KNOWN
    assert judged(statement(7), there).code == "same_version"
    assert judged(statement(6), there).code == "older_version"
    for number in range(2 * REMEMBERED):
        there = numbered(there, statement(1, group=f"g{number}"))
    assert len(there.seen) == REMEMBERED


@given(st.lists(st.text("abc019_-", min_size=1, max_size=20), max_size=30), st.text(max_size=8))
def test_a_wider_stage_holds_every_narrower_one(devices: list[str], salt: str) -> None:
    """5 % are among the 25 %, those among all; nobody is in none."""
    for device in devices:
        stages = [in_stage(device, salt, percent) for percent in (0, 5, 25, 60, 100)]
        assert stages == sorted(stages)
        assert (stages[0], stages[-1]) == (False, True)


def test_a_stage_is_about_as_large_as_it_says() -> None:
    """Of 10,000 terminals some 500 are in the first 5 %; another release begins with others."""
    names = [f"terminal-{number}" for number in range(10_000)]
    first = {name for name in names if in_stage(name, "2026-11", 5)}
    second = {name for name in names if in_stage(name, "2026-12", 5)}
    assert 400 < len(first) < 600
    assert len(first & second) < 60


def test_one_outside_the_stage_waits_and_takes_it_when_the_stage_grows() -> None:
    """The number counts all the same: nothing older gets in meanwhile."""
    said = statement(8, percent=0, config=WISH)
    found = judged(said)
    assert found == Judged(Kind.NUMBER, "not_in_stage", State.WAITING)
    held = stated(numbered(Held(), said), found)
    assert (held.state, held.code, held.config) == (State.WAITING, "not_in_stage", {})
    assert judged(statement(9, percent=100, content="c8"), held).kind is Kind.TAKE


def test_a_wider_stage_of_what_is_in_force_changes_nothing() -> None:
    """Neither a restart nor a second trial."""
    held = in_force(7)
    found = judged(statement(8, content="c7"), held)
    assert found == Judged(Kind.NUMBER, "", State.IN_FORCE)
    trying = started(take(held, statement(9, config={})))
    assert judged(statement(10, content="c9"), trying) == Judged(Kind.NUMBER, "", State.TRIAL)


def test_a_halted_release_is_not_taken_and_a_trial_of_it_ends_without_blame() -> None:
    """Who has it keeps it; who tries it goes back; who waits stays."""
    halt = statement(9, halted=True, release="r", content="none")
    assert judged(halt) == Judged(Kind.NUMBER, "halted", State.HALTED)
    trying = started(take(Held(), statement(8, release="r", config=WISH)))
    assert judged(halt, trying).kind is Kind.WITHDRAW
    back = withdrawn(stated(numbered(trying, halt), judged(halt, trying)))
    assert (back.state, back.trial, back.rejected, back.config) == (State.HALTED, None, (), {})
    assert judged(statement(10, content="c8", release="r"), back).kind is Kind.TAKE
    has = passed(trying)
    found = judged(halt, has)
    assert (found.kind, found.state) == (Kind.NUMBER, State.IN_FORCE)
    assert stated(numbered(has, halt), found).config == WISH
    other = started(take(Held(), statement(8, release="q", config=WISH)))
    assert judged(halt, other).kind is Kind.NUMBER


def test_settings_are_tried_and_everything_else_is_at_once() -> None:
    """No restart and no trial for a manifest or keys; keys do not wait for a trial either."""
    plain = take(in_force(7), statement(8, manifest=b"{}", keys=(KEY,), revoked=("k9",)))
    assert (plain.state, plain.trial, plain.manifest, plain.manifest_by) == (
        State.IN_FORCE, None, b"{}", "k1",
    )  # fmt: skip
    assert (plain.keys, plain.revoked, plain.keys_by) == ((KEY,), ("k9",), "k1")
    assert plain.handing_keys
    assert plain.config == WISH
    assert not handed(plain).handing_keys
    more = take(plain, statement(9, revoked=("k8",), config={}, manifest=b"2"))
    assert (more.keys, more.revoked) == ((KEY,), ("k8", "k9"))
    assert (more.state, more.manifest, more.config) == (State.TRIAL, b"{}", {})
    assert passed(more).manifest == b"2"
    assert failed(more, "not_well").manifest == b"{}"


def test_a_trial_that_fails_is_never_tried_again_under_any_number() -> None:
    """The content is refused, not the statement; what was good before is in force."""
    trying = started(take(in_force(7), statement(8, config={})))
    assert (trying.config, trying.config_version) == ({}, 8)
    back = failed(trying, "not_well", "printer.paper_out")
    assert (back.state, back.config, back.config_version) == (State.REJECTED, WISH, 7)
    assert (back.code, back.what) == ("not_well", "printer.paper_out")
    again = statement(9, content="c8")
    assert judged(again, back) == Judged(Kind.NUMBER, "rejected_before", State.REJECTED)
    told = stated(numbered(back, again), judged(again, back))
    assert (told.version, told.code) == (9, "not_well")
    for number in range(2 * REMEMBERED):
        told = rejected(told, number, f"x{number}", "not_allowed", "y" * 500)
    assert len(told.rejected) == REMEMBERED
    assert len(told.what) == 200


def test_a_statement_that_cannot_be_does_not_end_the_trial_of_another() -> None:
    """It is refused beside it."""
    trying = started(take(Held(), statement(8, config=WISH)))
    beside = rejected(numbered(trying, statement(9)), 9, "c9", "not_allowed", "store.seal")
    assert beside.trial == trying.trial
    after = passed(beside)
    assert (after.state, after.code, after.config) == (State.IN_FORCE, "", WISH)


@given(st.integers(1, 10))
def test_so_many_starts_that_came_to_no_end_are_the_end_of_a_trial(crashes: int) -> None:
    """Each is counted before it; the next one runs under what was good."""
    held = take(in_force(7), statement(8, config={}, crashes=crashes))
    for count in range(crashes):
        held = started(held)
        assert held.trial is not None
        assert held.trial.starts == count + 1
    after = started(held)
    assert (after.state, after.code, after.config) == (State.REJECTED, "crashed", WISH)
    assert started(after) == after


def test_what_the_files_do_not_allow_any_more_is_out_of_force_until_they_do() -> None:
    """Somebody edited them: theirs is the last word; a trial has failed by it."""
    held = in_force(7)
    against = conflicting(held, "limit.CNY.any.count")
    assert (against.state, against.code, against.what) == (
        State.CONFLICT, "not_allowed", "limit.CNY.any.count",
    )  # fmt: skip
    assert agreeing(against) == held
    assert agreeing(held) is held
    trying = started(take(held, statement(8, config={})))
    assert conflicting(trying, "a.b").state is State.REJECTED


def test_without_a_trial_there_is_nothing_to_end() -> None:
    """Whoever asks twice changes nothing."""
    held = in_force(7)
    assert passed(held) is held
    assert failed(held, "not_well") is held


def watched(held: Held) -> Watching:
    assert held.trial is not None
    return Watching(trial=held.trial)


def well(elapsed_s: float = 1.0, *, connected: bool = True, alarms: str = "") -> Check:
    return Check(elapsed_s=elapsed_s, connected=connected, alarms=frozenset(alarms.split()))


def test_a_trial_passes_after_good_checks_in_a_row() -> None:
    """Connected if it was before, no critical alarm that was not there before."""
    trying = started(take(Held(), statement(8, config=WISH)))
    one = watched(trying)
    verdicts = [one.heed(well(alarms="old"))[0] for _ in range(SETTLED)]
    assert verdicts == [None] * (SETTLED - 1) + [True]
    alone = watched(started(take(Held(), statement(8, config=WISH), connected=False)))
    verdicts = [alone.heed(well(connected=False))[0] for _ in range(SETTLED)]
    assert verdicts[-1] is True


def test_a_trial_fails_by_bad_checks_in_a_row_or_when_its_time_is_over() -> None:
    """Early by new critical alarms; else at the end, and it says what was missing."""
    trying = started(take(Held(), statement(8, config=WISH, failures=2, seconds=60)))
    one = watched(trying)
    assert one.heed(well(alarms="old new"))[0] is None
    assert one.heed(well())[0] is None
    assert one.heed(well(alarms="new"))[0] is None
    assert one.heed(well(alarms="new also"))[:3] == (False, "not_well", "also, new")
    other = watched(trying)
    assert other.heed(well(connected=False))[0] is None
    assert other.heed(well(60.0, connected=False)) == (False, "not_connected", "")
    late = watched(trying)
    assert late.heed(well(60.0, alarms="new")) == (False, "not_well", "new")
    nearly = watched(trying)
    assert [nearly.heed(well(60.0))[0] for _ in range(SETTLED)] == [None] * (SETTLED - 1) + [True]
