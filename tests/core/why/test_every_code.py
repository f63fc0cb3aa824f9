"""Every cause that can be known reaches a verdict, by each way it can come in, whole."""

from __future__ import annotations

import pytest

from agent.core.health.standard import STANDARD
from agent.core.money.channel import ChannelState
from agent.core.money.journal import State
from agent.core.why.case import Said
from agent.core.why.causes import CATALOGUE
from agent.core.why.causes.cause import KnownBy
from agent.core.why.explain import Verdict
from agent.core.why.weigh import BESIDE_THE_MONEY
from tests.core.why.cases import EARLIER, backlog, channel, condition, record, transaction, verdict

KNOWABLE = sorted(
    code for code, cause in CATALOGUE.items() if set(cause.known_by) != {KnownBy.ADVICE}
)
WATCHED = sorted({one.code for one in STANDARD} & set(CATALOGUE))
#: Alarms that speak of payments: what of them is true of this one its own record or list says.
OF_OTHERS = {
    "queue.held",
    "queue.limit_reached",
    "queue.quarantined",
    "queue.store_full",
    "request.lapsed",
    "software.data_error",
}
COMPONENTS = {one.code: one.component for one in STANDARD}


def whole(answer: Verdict, code: str) -> None:
    """It stands first or under a root, with owner, step, reason in both languages; and no advice
    about what cannot be seen beside it."""
    found = [one for one in answer.findings if one.code == code]
    assert found, (code, [one.code for one in answer.findings])
    one = found[0]
    assert one.owner is CATALOGUE[code].owner
    for line in (one.title, one.step, one.reason, *one.evidence):
        for lang in ("zh", "en"):
            text = line.render(lang)
            assert text.strip()
            assert "{" not in text
    assert answer.suggestions == ()


@pytest.mark.parametrize("code", WATCHED)
def test_a_condition_of_the_terminal(code: str) -> None:
    """What a watcher raised is found about the terminal; about a payment unless it moves no
    money or speaks of other payments."""
    one = condition(code, component=COMPONENTS[code])
    whole(verdict(conditions=(one,)), code)
    about = verdict(record(State.POSTED), conditions=(one,))
    if code in OF_OTHERS or one.component == "settlement":
        assert (about.findings, about.suggestions) == ((), ())
    else:
        whole(about, code)


@pytest.mark.parametrize("code", KNOWABLE)
def test_a_record_s_last_trouble(code: str) -> None:
    """What a payment's own history names as its cause is never dropped as beside the money."""
    waits = record(State.WAITING, tried=1, cause=code)
    paused = channel(ChannelState.PAUSED, code, since_at=EARLIER)
    whole(verdict(waits, channels=(paused,)), code)
    whole(verdict(channels=(paused,)), code)
    whole(verdict(backlog=backlog(by_cause={code: 2}), channels=(paused,)), code)


@pytest.mark.parametrize("code", KNOWABLE)
def test_what_others_found(code: str) -> None:
    """What reconciliation, checks and slips say stands beside what the journal says."""
    said = (Said(code=code, since_at=EARLIER),)
    whole(verdict(record(State.POSTED), said=said), code)
    whole(verdict(said=said), code)
    whole(verdict(record(State.DECLINED, cause="card.expired"), said=said), code)


@pytest.mark.parametrize(
    "code", [code for code in KNOWABLE if KnownBy.HOST in CATALOGUE[code].known_by]
)
def test_a_host_s_refusal(code: str) -> None:
    """A decline with a cause of its own stands first."""
    answer = verdict(record(State.DECLINED, cause=code))
    if code != "host.rejected":
        whole(answer, code)
    assert answer.findings[0].code == code


def test_what_stands_beside_the_money_holds_up_no_payment() -> None:
    """A printer without paper is no reason why a payment waits."""
    assert BESIDE_THE_MONEY
    answer = verdict(
        record(State.QUEUED, t=transaction()),
        conditions=(condition("printer.paper_out", component="printer"),),
    )
    assert answer.findings == ()
