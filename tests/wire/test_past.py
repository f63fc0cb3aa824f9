"""Readings that waited, as bytes: what folding and gathering keep."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.messages import Kind
from agent.wire import mqtt
from agent.wire.past import Readings

NAMES = st.text("abcdef_", min_size=1, max_size=12).map(lambda tail: f"p{tail}")
VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=40)
MESSAGES = st.builds(
    lambda values, ts, full, alarms: (
        values | {"ts": ts, "full": full} | ({"alarms": alarms} if alarms is not None else {})
    ),
    st.dictionaries(NAMES, VALUES, max_size=8),
    st.integers(0, 2**45),
    st.booleans(),
    st.none() | st.lists(st.just("printer.paper_out"), max_size=2),
)


def as_bytes(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def picture(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """What a reader that applies them in order believes in the end."""
    known: dict[str, Any] = {}
    for message in messages:
        known = ({} if message["full"] else known) | message
    known.pop("full", None)
    return known


@given(st.lists(MESSAGES, min_size=1, max_size=12))
def test_folded_readings_end_at_the_same_picture(messages: list[dict[str, Any]]) -> None:
    """Whatever came before them and wherever full reports stand."""
    folded = Readings().fold([as_bytes(one) for one in messages])
    assert folded is not None
    one = json.loads(folded)
    before = {"p": "older", "full": False, "ts": 0}
    assert picture([before, one]) == picture([before, *messages])
    assert mqtt.problems(Kind.HEALTH, mqtt.stamp(folded, 1, "0123456789ab")) == []


@given(st.lists(MESSAGES, min_size=1, max_size=40), st.integers(0, 2**45))
def test_history_holds_every_reading_once_in_order(
    messages: list[dict[str, Any]], now_ms: int
) -> None:
    """Each message keeps the contract and its limit."""
    past, bodies = Readings(), [as_bytes(one) for one in messages]
    entries: list[dict[str, Any]] = []
    while bodies:
        used, made = past.gather(bodies, now_ms)
        assert used >= 1
        for each in made:
            stamped = mqtt.stamp(each, 2**40, "0123456789ab")
            assert len(stamped) <= mqtt.MAX_HIST_BYTES
            assert mqtt.problems(Kind.HIST, stamped) == []
            entries += json.loads(each)["entries"]
        bodies = bodies[used:]
    fixed = ("ts", "full", "alarms")
    assert entries == [
        {"ts": one["ts"], "values": {k: v for k, v in one.items() if k not in fixed}}
        for one in messages
    ]


def test_history_under_a_suspect_clock_says_so() -> None:
    """Times that cannot be right do not share a message with times that are."""
    bodies = [as_bytes({"ts": n, "full": False, "clock_suspect": True, "pa": n}) for n in range(3)]
    used, (made,) = Readings().gather([*bodies, as_bytes({"ts": 9, "full": False})], 77)
    assert used == 3
    assert json.loads(made)["clock_suspect"] is True


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_garbage_is_neither_folded_nor_raised(bodies: list[bytes]) -> None:
    """A flipped bit costs the row and nothing else."""
    past = Readings()
    assert past.fold([*bodies, b"[", b"{}"]) is None
    used, made = past.gather([b'{"ts":"then"}', *bodies], 1)
    assert (used, list(made)) == (1, [])


def test_what_would_be_too_large_is_not_folded() -> None:
    """Two messages that each could be sent stay two."""
    half = {f"p{n}": "x" * 100 for n in range(90)}
    other = {f"q{n}": "x" * 100 for n in range(90)}
    bodies = [as_bytes(one | {"ts": 1, "full": False}) for one in (half, other)]
    assert Readings().fold(bodies) is None


def test_a_value_too_large_for_any_message_is_left_out() -> None:
    """The rest of its reading is told."""
    body = as_bytes({"ts": 1, "full": True, "pa": "x" * 9_000, "pb": 2})
    used, made = Readings().gather([body], 1)
    assert used == 1
    assert [json.loads(each)["entries"][0]["values"] for each in made] == [{"pb": 2}]
