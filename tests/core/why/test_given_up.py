"""A payment a person gave up: the verdict neither calls it withdrawn nor safe to take again."""

from __future__ import annotations

import pytest

from agent.core.money.abandoning import CAUSE
from agent.core.money.journal import Event, State
from agent.core.why.explain import Retry
from tests.core.why.cases import record, step, verdict

NOTE = "given up: posted_manually; letter 9; confirmed by A. Wang (uid:7)"


@pytest.mark.parametrize("in_doubt", [False, True])
def test_given_up_says_so_and_by_whom(in_doubt: bool) -> None:
    """In both languages, with the person's word among the facts, doubt or not."""
    one = record(State.VOIDED, cause=CAUSE, note=NOTE, in_doubt=in_doubt)
    answer = verdict(one, step(Event.ABANDON, CAUSE, note=NOTE))
    assert "given up by a person" in answer.headline.render("en")
    assert "放弃上送" in answer.headline.render("zh")
    assert answer.advice.retry is Retry.DO_NOT_RETRY
    told = [line.render("en") for line in answer.facts]
    told += [line.render("en") for finding in answer.findings for line in finding.evidence]
    assert any("A. Wang" in line for line in told)


def test_withdrawn_by_the_app_stays_what_it_was() -> None:
    """Nothing was sent: it may be taken again."""
    answer = verdict(record(State.VOIDED))
    assert "withdrawn by the payment app" in answer.headline.render("en")
    assert answer.advice.retry is Retry.SAFE_TO_RETRY
