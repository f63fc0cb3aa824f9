"""Two hundred situations of the small world in `situations`: what stands first, who, and retry."""

from __future__ import annotations

import random

import pytest

from agent.core.money.journal import State
from agent.core.why.explain import Retry, explain
from agent.core.why.verdict import MAX_FINDINGS
from tests.core.why.cases import record
from tests.core.why.situations import (
    OWNERS,
    SEED,
    SHARE,
    SITUATIONS,
    STOPPING,
    Asked,
    Terminal,
    situations,
    told,
)


@pytest.mark.parametrize("seed", [SEED, *range(1, 11)])
def test_the_root_cause_stands_first(seed: int) -> None:
    """In at least 95 of 100 situations the thing to be mended first is the first finding."""
    found = situations(seed)
    wrong = [str(one) for one in found if not one.right]
    right = 1 - len(wrong) / SITUATIONS
    assert right >= SHARE, f"root first in {right:.1%}\n" + "\n".join(wrong)
    assert len({one.about.own for one in found}) > 12, "every sort of question is among them"


def test_no_wrong_owner_and_no_retry_in_doubt() -> None:
    """A local fault is never handed to somebody else, and what is in doubt is never taken again."""
    for situation in situations():
        one, about, answer = situation.about.one, situation.about, situation.verdict
        for finding in answer.findings:
            if finding.code in OWNERS:
                assert finding.owner == OWNERS[finding.code], finding.code
        if about.owner:
            assert answer.findings[0].owner == about.owner
        local = situation.terminal.first(one is not None)
        if not about.owner and local and not local.startswith(("host.", "tls.host")):
            assert answer.findings[0].owner not in ("acquirer", "bank", "platform")
        if one is not None and (one.in_doubt or one.state in (State.HELD, State.SENDING)):
            assert answer.advice.retry is Retry.DO_NOT_RETRY
        if one is not None and not one.final:
            assert answer.advice.retry is not Retry.SAFE_TO_RETRY
        assert answer.suggestions == (), "nobody is sent to the bank while something is wrong here"


def test_nobody_is_blamed_for_money_that_is_still_here() -> None:
    """While something of this terminal keeps money from being sent, no list speaks before it."""
    several = 0
    for situation in situations():
        if situation.about.one is not None or not situation.about.said:
            continue
        found = situation.verdict.findings
        listed = [
            place for place, one in enumerate(found)
            if one.code.startswith(("settlement.", "account."))
        ]  # fmt: skip
        local = [
            place for place, one in enumerate(found)
            if one.code in OWNERS and not one.code.startswith(("host.", "tls.host"))
            and one.code in {fault.code for fault in situation.terminal.faults
                             if fault.part or fault.slows}
        ]  # fmt: skip
        if listed and local and len(found) < MAX_FINDINGS:
            several += 1
            assert max(local) < min(listed), [one.code for one in found]
    assert several


def test_a_reversal_and_its_missing_answer_are_one_story() -> None:
    """A payment being reversed says so once; that nobody answered stands under it."""
    several = 0
    for situation in situations():
        if situation.about.own == "reversal.pending":
            several += 1
            found = {one.code: one for one in situation.verdict.findings}
            assert "host.no_reply" not in found
            assert "host.no_reply" in found["reversal.pending"].consequences
    assert several


def test_what_only_looks_broken_stands_under_its_root() -> None:
    """With one real fault there is one finding about the way, and all that it fakes is under it."""
    rng = random.Random(SEED + 1)
    for fault in [one for one in STOPPING if one.part != "flash"]:
        for _ in range(5):
            terminal = Terminal(rng, [fault], cellular=True)
            terminal.look()
            answer = explain(told(terminal, Asked(record(State.WAITING, tried=1))))
            assert [one.code for one in answer.findings] == [fault.code], sorted(terminal.seen)
            assert set(answer.findings[0].consequences) == set(terminal.seen) - {fault.code}
