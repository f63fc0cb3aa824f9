"""The form of what the fleet wants, on the wire and in the file: bounded, and never raising."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.commands import Key, Role
from agent.core.fleet.desired import Held, Statement, failed, passed, started, taken
from agent.wire import desired_file
from agent.wire.desired import (
    MAX_BYTES,
    DesiredIn,
    FleetKeyIn,
    StageIn,
    desired_from,
    desired_in,
    payload_of,
)
from agent.wire.signed import DocumentError

LEAST: dict[str, Any] = {"tenant": "acme", "group": "shops", "version": 1}
ADMIN = {"id": "k1", "public_key": "ab" * 32, "roles": ["administer"]}


def of(**more: Any) -> bytes:
    return json.dumps(LEAST | more).encode()


def test_what_is_absent_has_its_usual_value() -> None:
    """Only for whom and which number must be said."""
    one = desired_from(of()).statement()
    assert one == Statement(
        tenant="acme", group="shops", version=1, digest=one.digest, content=one.content
    )


def test_everything_is_read_as_it_was_said() -> None:
    """Of a whole statement."""
    manifest = {"sequence": 1, "format": 1, "components": [{"component": "a", "required": "1"}]}
    said = DesiredIn(
        **LEAST,
        issued_ts=5,
        stage=StageIn(percent=5, release="r", halted=True),
        config={"telemetry": {"window": 3}},
        software=manifest,
        keys=(FleetKeyIn(id="k1", public_key="ab" * 32, roles=(Role.ADMINISTER,)),),
        revoked=("k0",),
    )
    one = desired_from(payload_of(said)).statement()
    assert (one.percent, one.salt, one.halted, one.issued_ms) == (5, "r", True, 5)
    assert one.config == {"telemetry": {"window": 3}}
    assert json.loads(one.manifest or b"") == manifest
    admin = Key(key_id="k1", public=b"\xab" * 32, roles=frozenset({Role.ADMINISTER}))
    assert (one.keys, one.revoked) == ((admin,), ("k0",))
    assert desired_in(json.loads(payload_of(said))) == said


def test_the_content_is_what_it_changes_and_nothing_else() -> None:
    """Number, time, stage and the order of keys are no content: what was refused stays refused."""
    one = desired_from(of(config={"a": {"x": 1, "y": 2}}))
    same = desired_from(of(version=9, issued_ts=7, stage={"percent": 5},
                           config={"a": {"y": 2, "x": 1}}))  # fmt: skip
    assert one.content == same.content
    assert one.digest != same.digest
    for more in ({"config": {"a": {"x": 1}}}, {"revoked": ["k"]}, {"keys": [ADMIN]}, {}):
        assert desired_from(of(**more)).content != one.content


@pytest.mark.parametrize(
    "more",
    [
        {"version": 0}, {"version": -1}, {"version": 2**60}, {"version": "1"}, {"version": True},
        {"tenant": ""}, {"tenant": "a/b"}, {"group": "+"}, {"surplus": 1},
        {"stage": {"percent": 101}}, {"stage": {"percent": -1}}, {"stage": {"speed": 1}},
        {"trial": {"seconds": 5}}, {"trial": {"crashes": 0}},
        {"keys": []}, {"keys": [ADMIN | {"roles": ["read"]}]}, {"keys": [ADMIN, ADMIN]},
        {"keys": [ADMIN | {"public_key": "ab"}]}, {"keys": [ADMIN], "revoked": ["k1"]},
        {"revoked": ["a b"]}, {"config": []}, {"config": {"": 1}}, {"config": {"a" * 101: 1}},
        {"config": {"a": {str(n): 1 for n in range(201)}}}, {"software": []},
        {"config": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}},
        {"config": {"a": {"b": "x" * MAX_BYTES}}},
    ],
    ids=lambda more: str(more)[:50],
)  # fmt: skip
def test_out_of_bounds_is_refused(more: dict[str, Any]) -> None:
    """Each by a DocumentError."""
    with pytest.raises(DocumentError):
        desired_from(of(**more))


def test_nobody_can_sign_what_no_terminal_takes() -> None:
    """The tool's side refuses before the terminals do."""
    for said in (
        DesiredIn(**LEAST, software={"format": 1}),
        DesiredIn(**LEAST, stage=StageIn(percent=200)),
    ):
        with pytest.raises(DocumentError):
            payload_of(said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


DOCUMENTS = st.dictionaries(st.sampled_from([*DesiredIn.__struct_fields__, "x"]), JSON)


@given(st.binary(max_size=200) | DOCUMENTS.map(lambda one: of(**one)))
def test_garbage_raises_nothing_else(given_bytes: bytes) -> None:
    """Neither the statement nor the file."""
    for read in (desired_from, desired_file.decode):
        try:
            read(given_bytes)
        except DocumentError:
            continue


def test_the_file_says_what_was_decided() -> None:
    """In every state there is."""
    key = Key(key_id="k2", public=bytes(32), roles=frozenset({Role.READ}))
    said = Statement(
        tenant="t", group="g", version=4, digest="d", content="c", config={"a": {"b": [1, "x"]}},
        manifest=b"\x00\xff", keys=(key,), revoked=("k0",),
    )  # fmt: skip
    fresh = Held()
    trial = started(taken(fresh, said, "k1", connected=True, alarms=frozenset({"x", "y"})))
    for held in (fresh, trial, passed(trial), failed(trial, "crashed", "2 starts")):
        assert desired_file.decode(desired_file.encode(held)) == held
    with pytest.raises(DocumentError, match="format 2"):
        desired_file.decode(desired_file.encode(fresh).replace(b'"format": 1', b'"format": 2'))
