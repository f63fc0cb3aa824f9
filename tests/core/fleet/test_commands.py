"""Which commands are obeyed: every reason of refusal by name, and the order they are asked in."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.core.fleet.commands import (
    CHECK_EVERY_MS,
    CHECKS,
    HOUR_MS,
    MAX_BYTES,
    MAX_LIFETIME_MS,
    OPS,
    REFUSAL_EVERY_MS,
    REFUSALS,
    UNANSWERED,
    Bucket,
    Command,
    Here,
    Judgement,
    Kept,
    Key,
    Rates,
    Reason,
    Role,
    Verdict,
    actor,
    addressed,
    judged,
    offered,
    sifted,
)

NOW = 1_795_000_000_000
KEY = Key(key_id="ops", public=b"p" * 32, roles=frozenset({Role.OPERATE}))
HERE = Here(
    tenant="acme", device_id="t1", now_ms=NOW, floor_ms=NOW - 1_000, clock_trusted=True,
    counted_since_ms=NOW - 1_000_001, idle=True, offered=tuple(OPS),
)  # fmt: skip
OBEY = Judgement(verdict=Verdict.OBEY)


def command(op: str = "forward_now", **changes: Any) -> Command:
    one = Command(
        cmd_id="c1", tenant="acme", device_id="t1", op=op, args={}, issued_ts=NOW - 500,
        expires_ts=NOW + 60_000, seq=7,
    )  # fmt: skip
    return replace(one, **changes)


def said(one: Command, key: Key = KEY, here: Here = HERE, last: int = 6) -> Reason | Verdict:
    found = judged(one, b"d", key, here, kept=None, last_seq=last)
    return found.reason or found.verdict


def test_a_command_that_fits_is_obeyed() -> None:
    """Own terminal, new number, in time, allowed: it is done."""
    assert judged(command(), b"d", KEY, HERE, kept=None, last_seq=6) == OBEY


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seq": 6}, Reason.SEQUENCE_USED),
        ({"op": "format_disk"}, Reason.UNKNOWN_OP),
        ({"op": "restart_agent"}, Reason.NOT_ALLOWED),
        ({"args": {"key": "k"}}, Reason.BAD_ARGUMENTS),
        ({"op": "hold"}, Reason.BAD_ARGUMENTS),
        ({"op": "hold", "args": {"key": 1}}, Reason.BAD_ARGUMENTS),
        ({"op": "hold", "args": {"key": "k", "cause": "a.b"}}, Reason.BAD_ARGUMENTS),
        ({"op": "hold", "args": {"key": "k", "reason": "r"}}, Verdict.OBEY),
        ({"op": "acknowledge_alarm"}, Reason.BAD_ARGUMENTS),
        ({"op": "acknowledge_alarm", "args": {"code": "a.b"}}, Verdict.OBEY),
        ({"expires_ts": NOW - 500}, Reason.BAD_LIFETIME),
        ({"expires_ts": NOW + MAX_LIFETIME_MS}, Reason.BAD_LIFETIME),
        ({"issued_ts": NOW - 9_000, "expires_ts": NOW - 1}, Reason.EXPIRED),
        ({"issued_ts": NOW + 900_000, "expires_ts": NOW + 960_000}, Reason.ISSUED_AHEAD),
        ({"issued_ts": NOW - 1_000_001}, Reason.COUNTERS_LOST),
        ({"op": "report", "issued_ts": NOW - 1_000_001}, Verdict.OBEY),
    ],
)  # fmt: skip
def test_each_refusal_has_its_word(changes: dict[str, Any], reason: Reason | Verdict) -> None:
    """What is wrong with a signed command is told in one stable word."""
    assert said(command(**changes)) == reason


def test_roles_include_the_lower_ones() -> None:
    """An administrator may look and operate, a reader may only look."""
    boss = replace(KEY, roles=frozenset({Role.ADMINISTER}))
    eye = replace(KEY, roles=frozenset({Role.READ}))
    assert said(command("restart_agent"), boss) is Verdict.OBEY
    assert said(command("report"), boss) is Verdict.OBEY
    assert said(command("report"), eye) is Verdict.OBEY
    assert said(command(), eye) is Reason.NOT_ALLOWED


def test_a_suspect_clock_lets_only_those_pass_that_change_nothing() -> None:
    """Years ahead or behind: looking is safe, and expiry counts from what is known for sure."""
    lost = replace(HERE, clock_trusted=False, now_ms=NOW + 10**12)
    assert said(command(), here=lost) is Reason.CLOCK_SUSPECT
    assert said(command("report"), here=lost) is Verdict.OBEY
    ahead = command("report", issued_ts=NOW + 900_000, expires_ts=NOW + 960_000)
    assert said(ahead, here=lost) is Verdict.OBEY
    assert said(command("report"), here=replace(lost, floor_ms=NOW + 60_001)) is Reason.EXPIRED
    behind = replace(HERE, now_ms=NOW - 10**9, floor_ms=NOW + 60_001)
    assert said(command("report"), here=behind) is Reason.EXPIRED


def test_lost_counters_let_only_those_pass_that_change_nothing() -> None:
    """Nobody knows what was done before the loss."""
    lost = replace(HERE, counted_since_ms=None)
    assert said(command(), here=lost) is Reason.COUNTERS_LOST
    assert said(command("report"), here=lost) is Verdict.OBEY


def test_what_is_not_there_or_would_disturb_is_refused() -> None:
    """A terminal without the operation says so, and one where somebody pays is left alone."""
    boss = replace(KEY, roles=frozenset({Role.ADMINISTER}))
    some = replace(HERE, offered=offered({"status", "queue_hold"}))
    assert some.offered == ("hold", "report")
    assert said(command("drill"), boss, some) is Reason.NOT_AVAILABLE
    busy = replace(HERE, idle=False)
    assert said(command("restart_agent"), boss, busy) is Reason.TERMINAL_BUSY
    assert said(command("report"), boss, busy) is Verdict.OBEY


def test_the_same_again_is_told_again_and_another_under_its_id_refused() -> None:
    """A repeat is no second command, whatever time it is by now."""
    late = replace(HERE, now_ms=NOW + 10**9)
    again = judged(command(), b"d", KEY, late, kept=Kept(digest=b"d"), last_seq=7)
    assert again.verdict is Verdict.REPEAT
    other = judged(command(), b"e", KEY, HERE, kept=Kept(digest=b"d"), last_seq=7)
    assert other.reason is Reason.ID_REUSED


def test_what_nobody_signed_for_us_is_sifted_out_first() -> None:
    """Retained, too large, under another id or for another terminal: never answered."""
    assert sifted(10, retained=True) is Reason.RETAINED
    assert sifted(MAX_BYTES + 1, retained=False) is Reason.TOO_LARGE
    assert sifted(MAX_BYTES, retained=False) is None
    assert addressed(command(), "c1", HERE) is None
    assert addressed(command(), "c2", HERE) is Reason.ANOTHER_ID
    for changes in ({"tenant": "other"}, {"device_id": "t2"}):
        assert addressed(command(**changes), "c1", HERE) is Reason.FOREIGN


def test_a_key_is_named_apart_from_local_users() -> None:
    """In histories and in the trail nobody takes a key of the fleet for a user of the terminal."""
    assert actor("ops") == "fleet:ops"


def test_the_page_says_which_refusals_are_answered() -> None:
    """docs/fleet/commands.md names every reason, and apart from them those nobody is told."""
    page = (Path(__file__).parents[3] / "docs/fleet/commands.md").read_text("utf-8")
    answered, never = page.split("## Answers")[1].split("**Never answered**")
    never = never.split("\n\n")[0]
    answered = "\n".join(line for line in answered.splitlines() if line.startswith("|"))
    assert {reason for reason in Reason if f"`{reason}`" in never} == UNANSWERED
    assert {reason for reason in Reason if f"`{reason}`" in answered} == set(Reason) - UNANSWERED


def test_a_bucket_gives_what_it_has_and_fills_with_time() -> None:
    """So many at once, then one more every so often; a clock that goes back gives nothing."""
    bucket = Bucket(2, 100)
    assert [bucket.take(0), bucket.take(0), bucket.take(0)] == [True, True, False]
    assert [bucket.take(99), bucket.take(100), bucket.take(100)] == [False, True, False]
    assert bucket.take(0) is False
    assert [bucket.take(10_000), bucket.take(10_000), bucket.take(10_000)] == [True, True, False]


def test_rates_are_bounded_per_key_and_in_all() -> None:
    """A flood under one key leaves signatures, commands and answers for the others."""
    rates = Rates(4)
    assert sum(rates.check("a", 0) for _ in range(100)) == CHECKS
    assert rates.check("b", 0)
    assert rates.check("a", CHECK_EVERY_MS)
    assert [rates.obey("a", 0) for _ in range(3)] == [True, True, False]
    assert [rates.obey("b", 0) for _ in range(3)] == [True, True, False]
    assert rates.obey("c", 0) is False
    assert rates.obey("c", HOUR_MS)
    assert sum(rates.answer(0) for _ in range(100)) == 10
    assert sum(rates.refuse("a", 0) for _ in range(100)) == REFUSALS
    assert rates.refuse("b", 0)
    assert rates.refuse("a", REFUSAL_EVERY_MS)


def test_the_page_lists_every_command_with_its_role_and_arguments() -> None:
    """docs/fleet/commands.md has one row a command: role, whether it waits for idle, arguments."""
    page = (Path(__file__).parents[3] / "docs/fleet/commands.md").read_text("utf-8")
    rows = {
        cells[1].strip(" `"): cells
        for cells in (line.split("|") for line in page.splitlines() if line.startswith("| `"))
        if cells[1].strip(" `") in OPS
    }
    assert rows.keys() == OPS.keys()
    for name, op in OPS.items():
        _, _, role, arguments, *_ = rows[name]
        assert role.strip() == str(op.role) + (", idle" if op.disruptive else ""), name
        assert set(re.findall(r"`(\w+)`", arguments)) == set(op.args), name
