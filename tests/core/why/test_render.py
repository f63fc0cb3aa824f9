"""The verdict as plain lines: everything in it, in the order it is needed, in both languages."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from agent.core.money.channel import ChannelState
from agent.core.money.journal import Amounts, Event, HostResult, State
from agent.core.why.causes import Owner
from agent.core.why.explain import Payment, UnknownComponent, explain
from agent.core.why.phrases import CHANNEL_STATES, HEADLINES, STAGES
from agent.core.why.render import OWNERS, render
from agent.core.why.text import Language
from agent.core.why.verdict import Stage
from tests.core.why.cases import (
    AT,
    EARLIER,
    backlog,
    case,
    channel,
    condition,
    record,
    step,
    verdict,
)

CHINA = timedelta(hours=8)
CJK = re.compile(r"[\u4e00-\u9fff]")


def test_payment_in_english() -> None:
    """An unsent payment behind a dead link reads like this."""
    answer = verdict(
        record(State.WAITING, cause="network.host_unreachable", tried=2),
        step(Event.NOT_SENT, "network.host_unreachable", count=2, last_at=AT),
        conditions=(condition("network.no_link", args={"interface": "eth0"}),),
        channels=(channel(ChannelState.BACKING_OFF, "network.host_unreachable"),),
    )
    assert render(answer, "en", CHINA) == [
        "This payment of CNY 12.50 has not reached the host; it is tried again by itself",
        "Proven: stored; first missing: sent",
        "No need to take it again: it is stored safely and is sent by itself",
        "",
        "Causes:",
        "1. no network link (network.no_link)",
        "   Next step: Plug in the cable, join the Wi-Fi or insert the SIM card (interface eth0)",
        "   Who acts: cashier",
        (
            "   Why: No network link on eth0 since 2026-11-21 21:55:09;"
            " payments are stored and sent when it is back"
        ),
        "   Evidence: Told by connectivity since 2026-11-21 21:55:09",
        "   Follows from it: acquirer host unreachable (network.host_unreachable)",
        "",
        "Not known:",
        "   - Whether the host works now is unknown: nothing reaches it at the moment",
        "",
        (
            "References: TID T0000001, MID M00000000000001, STAN 000123, CNY 12.50,"
            " 2026-11-21 21:55:09, key pay-1"
        ),
        "Stored here at 2026-11-21 21:55:09",
        "Attempts from here: 2; in 0 of them data may have left",
        "",
        "As of 2026-11-21 22:05:09",
    ]


def test_payment_in_chinese() -> None:
    """The same verdict in Chinese has the same findings and no English sentence."""
    answer = verdict(
        record(State.WAITING, in_doubt=True),
        conditions=(condition("network.no_link"),),
    )
    lines = render(answer, "zh", CHINA)
    assert any("1. 网络未连接" in line for line in lines)
    assert any("不要重新收款" in line for line in lines)
    assert all(CJK.search(line) for line in lines if line)


def test_posted_payment_with_suggestions() -> None:
    """With nothing found, the reader is told whom to ask, and each by name."""
    answer = verdict(record(State.POSTED, result=HostResult(rrn="R1")))
    text = "\n".join(render(answer, "en"))
    assert "Nothing wrong was found" in text
    assert "   - merchant: Have the bank check account number" in text
    assert "first missing: batch closed" in text


def test_unknown_key() -> None:
    """For a key that is not here, "nothing wrong" is not claimed."""
    answer = explain(case(payment=Payment(key="nope", record=None)))
    lines = render(answer, "en")
    assert "nope" in lines[0]
    assert not any("Nothing wrong" in line for line in lines)


def test_final_payment_misses_no_stage() -> None:
    """Where the payment will not go further, no stage is called missing."""
    assert "Proven: host answered" in render(verdict(record(State.DECLINED)), "en")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_terminal(lang: Language) -> None:
    """The whole terminal needs no advice on taking a payment again, and counts what it omits."""
    many = ("network.no_link", "clock.wrong", "security.tampered", "config.wrong_mode")
    answer = verdict(
        backlog=backlog(total=Amounts(count=1), oldest_at=EARLIER),
        conditions=tuple(condition(code) for code in (*many, "host.down", "printer.paper_low")),
        unknown=(UnknownComponent(component="scanner", reason=""),),
    )
    lines = render(answer, lang)
    assert not any("take" in line.lower() or "重新收款" in line for line in lines[:2])
    assert any("1 more" in line or "另有1项" in line for line in lines)
    # The reason of this cause does not say since when, so the heading does.
    (mode,) = (line for line in lines if "config.wrong_mode" in line)
    assert "2026-11-21 13:55:09" in mode


def test_nothing_is_without_words() -> None:
    """Every owner, stage, state of a record and state of a channel has its words."""
    assert set(OWNERS) == set(Owner)
    assert set(STAGES) == set(Stage)
    assert set(HEADLINES) == set(State)
    assert set(CHANNEL_STATES) == set(ChannelState)
