"""Whether what is kept under our name was said by us."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.session import Origin
from agent.telemetry.adapters.native import Native
from agent.telemetry.attempt import Closed, Delivered
from agent.telemetry.twin import Twin

TOPIC = "pos/1/acme/T-1/state"
WORDLESS = Closed(0, Origin.SERVER, "broker.closed", "")


def doubting() -> Twin:
    """Announced as number 3 at 1000, ended without a word, asked, announced as 4 at 9000."""
    twin = Twin(Native("acme", "T-1"))
    twin.said(3, 1_000)
    twin.ended(WORDLESS, established=True)
    assert twin.question() == (TOPIC,)
    twin.said(4, 9_000)
    return twin


def kept(payload: bytes, *, topic: str = TOPIC, retained: bool = True) -> Delivered:
    return Delivered(1, 1, topic, payload, retained)


@pytest.mark.parametrize(
    ("payload", "twin"),
    [
        (b'{"state":"online","connects":41,"ts":5000}', True),
        (b'{"state":"online","connects":3,"ts":1000}', False),
        (b'{"state":"online","connects":4,"ts":9000}', False),
        (b'{"state":"online","connects":2,"ts":900}', False),
        (b'{"state":"lost","connects":41}', False),
        (b"[1]", False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_a_newer_word_that_is_not_ours_is_a_twins(payload: bytes, twin: bool) -> None:
    """Another connection's number, said after ours; a Will has no time and proves nothing."""
    assert doubting().seen(kept(payload)) is twin


@pytest.mark.parametrize(
    ("closed", "established"),
    [
        (WORDLESS, False),
        (Closed(0x8E, Origin.SERVER, "broker.closed", ""), True),
        (Closed(0, Origin.NETWORK, "broker.no_answer", ""), True),
    ],
)
def test_only_an_end_without_a_word_is_asked_about(closed: Closed, established: bool) -> None:
    """The question costs a SUBSCRIBE; other ends explain themselves."""
    twin = Twin(Native("acme", "T-1"))
    twin.said(3, 1_000)
    twin.ended(closed, established=established)
    assert twin.question() == ()
    assert twin.seen(kept(b'{"connects":41,"ts":5000}')) is None


def test_the_question_is_asked_once() -> None:
    """Answered, refused, or only our own echo: no further doubt."""
    twin = doubting()
    assert twin.seen(kept(b"x", topic="other")) is None
    assert twin.seen(kept(b'{"connects":4,"ts":9000}', retained=False)) is False
    assert twin.seen(kept(b'{"connects":41,"ts":5000}')) is None
    assert twin.question() == ()
    twin = doubting()
    twin.refused()
    assert twin.seen(kept(b'{"connects":41,"ts":5000}')) is None
    assert twin.question() == ()


def test_numbers_of_the_doubtful_time_are_all_ours() -> None:
    """Several ends in a row, none answered: none of our own numbers is a twin's."""
    twin = doubting()
    twin.ended(WORDLESS, established=True)
    assert twin.question() == (TOPIC,)
    assert twin.seen(kept(b'{"connects":3,"ts":99000}')) is False


def test_a_broker_that_hangs_up_at_the_question_is_not_asked_for_ever() -> None:
    """RabbitMQ ends a connection that asks for what it may not read: the agent must get through."""
    twin = doubting()
    twin.ended(WORDLESS, established=True)
    assert twin.question() == (TOPIC,)
    twin.said(5, 17_000)
    for _ in range(3):
        twin.ended(WORDLESS, established=True)
        assert twin.question() == ()


def test_an_answer_lets_it_be_asked_again() -> None:
    """What came between the question and its answer once says nothing of the broker."""
    twin = doubting()
    for number in range(5, 9):
        twin.ended(WORDLESS, established=True)
        assert twin.question() == (TOPIC,)
        twin.said(number, 20_000)
        assert twin.seen(kept(b"")) is False


@given(payload=st.binary(max_size=200))
def test_garbage_is_nobodys(payload: bytes) -> None:
    """Whatever is kept there."""
    assert doubting().seen(kept(payload)) in (True, False)
