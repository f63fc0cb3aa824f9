"""What else a payment's verdict says: stages, taking it again, the bank, and what is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.moment import Stamp, to_ms
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Event, HostResult, Record, State
from agent.core.money.transaction import Delivery, Kind, Posting
from agent.core.why.case import Said
from agent.core.why.explain import (
    ChannelView,
    JournalView,
    Payment,
    PutAside,
    Retry,
    Stage,
    Stages,
    UnknownComponent,
    explain,
)
from agent.core.why.text import Line, Text
from tests.core.why.cases import (
    AT,
    EARLIER,
    case,
    channel,
    codes,
    condition,
    record,
    step,
    transaction,
    verdict,
)

BACKING_OFF, PAUSED = ChannelState.BACKING_OFF, ChannelState.PAUSED
DOUBT = record(
    State.WAITING,
    in_doubt=True,
    cause="host.no_reply",
    sent=1,
    tried=1,
    last_sent=Stamp(to_ms(EARLIER), 0, 1),
)


def said(lines: tuple[Line, ...]) -> str:
    return "\n".join(line.render("en") for line in lines)


# -- stages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "steps", "stages"),
    [
        (record(), (), Stages(Stage.STORED, Stage.SENT)),
        (record(State.SENDING), (), Stages(Stage.STORED, Stage.SENT)),
        (record(State.WAITING), (step(Event.NOT_SENT),), Stages(Stage.STORED, Stage.SENT)),
        (DOUBT, (step(Event.RESTART),), Stages(Stage.STORED, Stage.SENT)),
        (DOUBT, (step(Event.NO_ANSWER),), Stages(Stage.SENT, Stage.HOST_ANSWERED)),
        (record(State.WAITING), (step(Event.REFUSED),), Stages(Stage.SENT, Stage.HOST_ANSWERED)),
        (
            record(State.WAITING),
            (step(Event.NO_ANSWER), step(Event.NOT_FOUND)),
            Stages(Stage.STORED, Stage.SENT),
        ),
        (record(State.POSTED), (), Stages(Stage.HOST_ANSWERED, Stage.BATCH_CLOSED)),
        (
            record(State.POSTED, t=transaction(kind=Kind.SETTLEMENT, amount_minor=None)),
            (),
            Stages(Stage.BATCH_CLOSED, Stage.SETTLED),
        ),
        (record(State.DECLINED), (), Stages(Stage.HOST_ANSWERED, None)),
        (record(State.REVERSED), (), Stages(Stage.HOST_ANSWERED, None)),
        (record(State.LAPSED), (), Stages(Stage.STORED, Stage.SENT)),
    ],
)
def test_last_stage_proven(one: Record, steps: tuple[Any, ...], stages: Stages) -> None:
    """Only what is proven counts: a byte that may have left proves nothing."""
    assert verdict(one, *steps).stages == stages


# -- may it be taken again -----------------------------------------------------------------------

REQUEST = transaction(posting=Posting.REQUEST, send_before=AT + timedelta(minutes=1))
BY_APP = transaction(delivery=Delivery.APP)


@pytest.mark.parametrize(
    ("one", "retry", "words"),
    [
        (DOUBT, Retry.DO_NOT_RETRY, "twice"),
        (record(State.SENDING), Retry.DO_NOT_RETRY, "twice"),
        (record(State.HELD), Retry.DO_NOT_RETRY, "held"),
        (record(State.HELD, in_doubt=True), Retry.DO_NOT_RETRY, "twice"),
        (record(), Retry.WILL_BE_SENT, "stored safely"),
        (record(State.WAITING), Retry.WILL_BE_SENT, "stored safely"),
        (record(t=REQUEST), Retry.WILL_BE_SENT, "until 2026-11-21 14:06:09"),
        (record(t=replace(REQUEST, send_before=None)), Retry.WILL_BE_SENT, "Not approved"),
        (record(State.POSTED), Retry.ALREADY_DONE, "done"),
        (record(State.DECLINED), Retry.SAFE_TO_RETRY, "charged nothing"),
        (record(State.LAPSED), Retry.SAFE_TO_RETRY, "charged nothing"),
        (record(State.VOIDED), Retry.SAFE_TO_RETRY, "charged nothing"),
        (record(State.REVERSED), Retry.SAFE_TO_RETRY, "went back"),
        (
            record(State.POSTED, t=transaction(kind=Kind.BATCH_UPLOAD)),
            Retry.NOT_APPLICABLE,
            "Nothing",
        ),
        (record(t=BY_APP), Retry.DO_NOT_RETRY, "payment app"),
    ],
)
def test_taking_it_again(one: Record, retry: Retry, words: str) -> None:
    """Whether to take the payment again is said plainly, and never yes while in doubt."""
    answer = verdict(one)
    assert answer.advice.retry is retry
    assert words in answer.advice.line.render("en")
    assert answer.advice.line.render("zh")


# -- posted --------------------------------------------------------------------------------------

RESULT = HostResult(reference="H1", response_code="00", rrn="R1", posted_at=AT)


def test_posted_and_all_is_well() -> None:
    """Posted with all well: the rest is unknown here, and only then is the bank mentioned."""
    answer = verdict(record(State.POSTED, result=RESULT))
    assert answer.findings == ()
    assert "settlement cannot be seen" in said(answer.unknowns)
    assert [one.code for one in answer.suggestions] == [
        "account.check_with_bank",
        "settlement.account_limit",
        "config.settlement_account",
    ]
    assert "CNY 12.50" in answer.suggestions[0].step.render("en")
    assert "RRN R1" in said(answer.facts)


def test_posted_wallet_payment_asks_the_platform() -> None:
    """For a wallet payment the platform comes first."""
    one = record(State.POSTED, t=transaction(kind=Kind.QR_SALE), result=RESULT)
    assert verdict(one).suggestions[0].code == "platform.check_with_platform"


def test_posted_refund_brings_no_money() -> None:
    """Nobody is sent to the bank for money that was never to arrive."""
    assert verdict(record(State.POSTED, t=transaction(kind=Kind.REFUND))).suggestions == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"conditions": (condition("printer.paper_out", component="printer"),)},
        {"daemon_alive": False},
        {"channels": None},
        {"channels": (channel(BACKING_OFF, "host.down"),)},
        {"backlog": None},
        {"unknown": (UnknownComponent(component="printer", reason="silent"),)},
    ],
)
def test_the_bank_is_never_blamed_while_anything_visible_is_wrong(changes: dict[str, Any]) -> None:
    """Any finding and anything unknown keeps the bank out of it."""
    assert verdict(record(State.POSTED, result=RESULT), **changes).suggestions == ()


def test_posted_elsewhere_than_configured_now() -> None:
    """A posted payment does not mind that its uplink is gone; the unseeable does not count."""
    unseen = UnknownComponent(component="pin_pad", reason="own chip", permanent=True)
    answer = verdict(
        record(State.POSTED, result=RESULT), channels=(channel(name="other"),), unknown=(unseen,)
    )
    assert answer.findings == ()
    assert answer.suggestions
    assert "pin_pad: cannot be seen" in said(answer.unknowns)


@pytest.mark.parametrize(
    ("result", "t", "words"),
    [
        (replace(RESULT, posted_amount_minor=1000), transaction(), "CNY 10.00 of CNY 12.50"),
        (replace(RESULT, posted_amount_minor=1250), transaction(), ""),
        (replace(RESULT, posted_amount_minor=5), transaction(currency=None), ""),
        (HostResult(), transaction(), "no more"),
    ],
)
def test_what_the_host_posted(result: HostResult, t: Any, words: str) -> None:
    """A partial approval is shown with both amounts; an empty answer is called empty."""
    facts = said(verdict(record(State.POSTED, t=t, result=result)).facts)
    assert words in facts
    assert (" of CNY" in facts) == (" of CNY" in words)


# -- what is not known ---------------------------------------------------------------------------


def test_host_behind_a_broken_way_is_unknown() -> None:
    """Behind a broken network the host's health is called unknown."""
    answer = verdict(record(), conditions=(condition("network.no_link"),))
    assert "Whether the host works now is unknown" in said(answer.unknowns)
    assert verdict(record()).unknowns == ()


def test_channel_without_a_reason() -> None:
    """A channel that stopped without a recorded reason is unknown, not invented."""
    answer = verdict(record(), channels=(channel(BACKING_OFF),))
    assert answer.findings == ()
    assert "not recorded" in said(answer.unknowns)


def test_dead_daemon_says_so() -> None:
    """With the daemon dead the verdict still comes, says so, and calls channels unknown."""
    answer = verdict(DOUBT, daemon_alive=False, channels=None)
    assert codes(answer) == ["software.agent_degraded", "host.no_reply"]
    assert "posagent is not running" in said(answer.facts[:1])
    assert "Uplinks" in said(answer.unknowns)


def test_unknown_components_are_listed() -> None:
    """A silent component is unknown, with its reason."""
    silent = UnknownComponent(component="connectivity", reason="no netlink")
    assert "connectivity: unknown (no netlink)" in said(
        verdict(record(), unknown=(silent,)).unknowns
    )


# -- a key nobody knows --------------------------------------------------------------------------

UNKNOWN = Payment(key="nope", record=None)


def test_unknown_key() -> None:
    """A key that is not here gets a verdict that says what that can mean, and no green light."""
    answer = explain(case(payment=UNKNOWN))
    assert answer.key == "nope"
    assert "nope" in answer.headline.render("en")
    assert answer.stages is None
    assert answer.findings == ()
    assert answer.advice.retry is Retry.DO_NOT_RETRY
    facts = said(answer.facts)
    for words in ("never handed it over", "another terminal", "began at 2026-10-22 13:55:09"):
        assert words in facts


def test_unknown_key_and_a_journal_put_aside() -> None:
    """If a damaged journal was put aside, the payment may be in it, and that comes first."""
    journal = JournalView(born_at=AT, quarantined=(PutAside(path="/q/1"),))
    answer = explain(case(payment=UNKNOWN, journal=journal, backlog=None, daemon_alive=False))
    assert codes(answer) == ["software.agent_degraded", "queue.quarantined"]


def test_key_that_could_not_be_looked_up() -> None:
    """With the journal closed nothing is claimed about the key."""
    answer = explain(case(payment=UNKNOWN, journal=None))
    assert "could not be looked up" in answer.headline.render("en")
    assert codes(answer) == ["software.data_error"]
    assert answer.facts == ()


@pytest.mark.parametrize("code", ["", "settlement.not_in_file"])
def test_a_list_that_is_no_proof_is_told_once(code: str) -> None:
    """What the list says stands among the unknowns, unless a finding says it already."""
    compared = Line(Text("列表没有结论", "the list leaves it open"))
    about = Payment(key="p", record=record(State.POSTED), compared=compared)
    findings = (Said(code=code),) if code else ()
    told = said(explain(case(payment=about, said=findings)).unknowns)
    assert ("the list leaves it open" in told) is (code == "")
    assert "was not compared" not in told


def test_verdict_has_the_moment() -> None:
    """A verdict carries the time it was made at."""
    assert verdict(record()).at == AT
    assert isinstance(channel(), ChannelView)
