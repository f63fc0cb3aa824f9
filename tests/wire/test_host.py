"""What a host says about money is read in one way only."""

from __future__ import annotations

import pytest

from agent.wire.host import HostAnswer, host_answer

PLAIN = b'{"key":"k1","status":"posted","terminal_id":"T1","amount_minor":1,"currency":"CNY"%s}'


@pytest.mark.parametrize(
    "more",
    [
        b',"status":"declined"',
        b',"key":"k1"',
        b',"amount_minor":1',
        b',"\\u0073tatus":"declined"',
        b',"status":"declined","extra":{"deep":[{}]}',
    ],
)
def test_a_member_given_twice_is_no_answer(more: bytes) -> None:
    """Also where both say the same, and where one of the names is escaped: which of them counts
    would depend on who reads it."""
    assert host_answer(PLAIN % more) == "a member given twice"


@pytest.mark.parametrize(
    "more",
    [
        b"",
        b',"text":"\\"status\\":\\"declined\\""',
        b',"extra":{"status":"declined","key":"k2"}',
        b',"extra":[{"status":1},{"status":2}],"other":1,"other":2',
    ],
)
def test_the_same_word_elsewhere_is_not_twice(more: bytes) -> None:
    """In a text, in what a host adds, and twice among what is not the contract's."""
    answer = host_answer(PLAIN % more)
    assert isinstance(answer, HostAnswer)
    assert (answer.key, answer.status) == ("k1", "posted")


def test_what_cannot_be_read_a_second_time_is_no_answer() -> None:
    """A number too long to be one, beside a name that is there twice."""
    assert isinstance(host_answer(PLAIN % (b',"status":"posted","n":' + b"9" * 5_000)), str)
