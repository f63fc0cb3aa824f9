"""The host's own time in its answers, handed to whoever collects times."""

from __future__ import annotations

import pytest

from agent.core.money.iso8583 import Message
from agent.uplink.iso8583.timed import hear, own_time

Heard = list[tuple[str, str, float]]


def answered(asked: dict[str, str], told: dict[str, str]) -> Heard:
    heard: Heard = []
    hear(
        lambda day, time, took_s: heard.append((day, time, took_s)),
        Message("0820", asked),
        Message("0830", told),
        0.25,
    )
    return heard


def test_fields_12_and_13_of_an_answer_are_the_hosts_time() -> None:
    """Of an echo, a sign-on or a payment whose question had none."""
    assert answered({"11": "000001"}, {"12": "190640", "13": "1118"}) == [("1118", "190640", 0.25)]
    other = answered({"12": "190000", "13": "1118"}, {"12": "190640", "13": "1118"})
    assert other == [("1118", "190640", 0.25)]


@pytest.mark.parametrize("told", [{}, {"12": "190640"}, {"13": "1118"}, {"12": "190640", "13": ""}])
def test_half_a_time_is_none(told: dict[str, str]) -> None:
    """Nor is none."""
    assert answered({}, told) == []


def test_our_own_time_sent_back_is_no_second_opinion() -> None:
    """Many hosts answer with the question's fields."""
    same = {"12": "190640", "13": "1118"}
    assert own_time(Message("0200", same), Message("0210", same)) is None


def test_nobody_needs_to_listen() -> None:
    """And a question may stay without an answer."""
    hear(None, Message("0820", {}), Message("0830", {"12": "190640", "13": "1118"}), 0.1)
    hear(lambda *_: pytest.fail("nothing was said"), Message("0820", {}), None, 0.1)
