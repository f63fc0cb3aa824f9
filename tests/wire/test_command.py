"""The bytes of a command: both sides read the same, and garbage is only ever refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.commands import MAX_BYTES, Command
from agent.crypt import public_of, sign, signed_by
from agent.wire import command as wire
from agent.wire.signed import DocumentError

COMMAND = Command(
    cmd_id="c-1", tenant="acme", device_id="t_1", op="hold",
    args={"key": "k", "any": True, "n": 3}, issued_ts=1, expires_ts=2, seq=3,
)  # fmt: skip
PLAIN: dict[str, Any] = json.loads(wire.command_bytes(COMMAND))


def test_what_is_signed_is_what_is_opened() -> None:
    """Made, signed, enveloped, opened, checked, read."""
    payload = wire.command_bytes(COMMAND)
    seed = b"s" * 32
    sealed = wire.opened(wire.enveloped("ops", sign(seed, wire.to_sign(payload)), payload))
    assert sealed.key_id == "ops"
    assert signed_by(public_of(seed), wire.to_sign(sealed.payload), sealed.signature)
    assert wire.command_in(sealed.payload) == COMMAND


@pytest.mark.parametrize(
    "change",
    [
        {"cmd_id": "a/b"}, {"cmd_id": ""}, {"cmd_id": "+"}, {"device_id": "#"}, {"tenant": "a b"},
        {"op": "Hold"}, {"op": "x" * 40}, {"seq": 0}, {"seq": -1}, {"seq": 1.5}, {"seq": "1"},
        {"seq": 2**60}, {"issued_ts": -1}, {"expires_ts": 2**54}, {"args": []},
        {"args": {"k": 1.5}}, {"args": {"k": None}}, {"args": {"k": ["x"]}}, {"args": {"K": 1}},
        {"args": {"k": "x" * 6_145}}, {"args": {f"k{n}": 1 for n in range(17)}}, {"more": 1},
    ],
)  # fmt: skip
def test_a_payload_has_its_form_or_is_none(change: dict[str, Any]) -> None:
    """No wildcard, no fraction, nothing unknown, nothing without bound."""
    with pytest.raises(DocumentError):
        wire.command_in(json.dumps(PLAIN | change).encode())


@given(st.one_of(st.binary(max_size=200), st.text().map(str.encode)))
def test_garbage_is_refused(given: bytes) -> None:
    """As an envelope and as a payload; no other error ever comes out."""
    for read in (wire.opened, wire.command_in):
        with pytest.raises(DocumentError):
            read(given)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    ),
    st.sampled_from(sorted(PLAIN)),
)
def test_json_of_another_form_is_refused_or_right(value: object, field: str) -> None:
    """Any JSON in any field."""
    given = json.dumps({"command": 1, "key_id": "k", "signature": value, "payload": value})
    with pytest.raises(DocumentError):
        wire.opened(given.encode())
    try:
        found = wire.command_in(json.dumps(PLAIN | {field: value}).encode())
    except DocumentError:
        return
    assert getattr(found, field) == value


def test_what_is_too_large_is_not_read() -> None:
    """8 KiB is enough for everybody."""
    for read in (wire.opened, wire.command_in):
        with pytest.raises(DocumentError, match="larger"):
            read(b" " * (MAX_BYTES + 1))
