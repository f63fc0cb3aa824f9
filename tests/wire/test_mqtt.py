"""The fleet messages as bytes, their schemas, and the page that documents them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.core.fleet import messages
from agent.core.fleet.messages import (
    BacklogMessage,
    EventMessage,
    HealthMessage,
    Identity,
    Kind,
    StateMessage,
)
from agent.wire import mqtt
from tests.fakes import FakeClock

CONTRACT = Path(__file__).parents[2] / "docs" / "contracts" / "mqtt.md"


def an_event(**changed: object) -> EventMessage:
    fields: dict[str, object] = {
        "ts": 5,
        "clock_suspect": None,
        "code": "printer.paper_out",
        "component": "printer",
        "severity": "major",
        "active": True,
        "since_ts": 4,
        "flaps": None,
        "suppressed_by": None,
        "fields": {"arg_path": "/dev/ttyS1"},
    }
    return EventMessage(**(fields | changed))  # type: ignore[arg-type]


def a_backlog() -> BacklogMessage:
    return BacklogMessage(
        ts=5,
        clock_suspect=True,
        count=1,
        oldest_age_s=None,
        queued_count=1,
        sending_count=0,
        waiting_count=0,
        held_count=0,
        in_doubt_count=0,
        quarantined_count=None,
        cause=None,
        cause_count=None,
        next_attempt_ts=None,
        fields={"amount_minor_cny": 1_250},
    )


def sent(message: messages.Message) -> bytes:
    return mqtt.stamp(mqtt.encode(message), 912, "abc123")


def test_absent_is_absent_and_unknown_is_null() -> None:
    """Optional fields cost no bytes; a number nobody knows is null, not zero."""
    fields = json.loads(sent(a_backlog()))
    assert fields["quarantined_count"] is None
    assert "oldest_age_s" not in fields
    assert fields["clock_suspect"] is True
    assert fields["amount_minor_cny"] == 1_250


def test_number_and_outbox_are_stamped_in_front() -> None:
    """The recorded body is sent unchanged behind `seq` and `outbox_id`."""
    body = mqtt.encode(an_event())
    assert sent(an_event()) == b'{"seq":912,"outbox_id":"abc123",' + body[1:]


def test_state_needs_no_number() -> None:
    """Connects order it; the Will has no time because nobody knows when it is sent."""
    assert mqtt.encode(StateMessage(state="lost", connects=17)) == b'{"state":"lost","connects":17}'
    assert (
        mqtt.problems(Kind.STATE, mqtt.encode(StateMessage(state="online", connects=1, ts=5))) == []
    )


def test_dynamic_fields_cannot_replace_fixed_ones() -> None:
    """A watcher that calls a value `ts` does not change when the message was made."""
    message = HealthMessage(ts=5, clock_suspect=None, full=True, alarms=(), fields={"ts": 1})
    assert mqtt.decode(mqtt.encode(message))["ts"] == 5


@pytest.mark.parametrize(
    "message",
    [
        messages.info(Identity(tenant="a", device_id="b", terminal_ids=("1",)), FakeClock().now()),
        HealthMessage(ts=5, clock_suspect=None, full=True, alarms=("a.b",), fields={"x_mb": 1.5}),
        HealthMessage(ts=5, clock_suspect=None, full=False, alarms=None, fields={"x": None}),
        a_backlog(),
        an_event(flaps=3, suppressed_by="network.no_carrier"),
    ],
)
def test_what_we_send_keeps_our_own_contract(message: messages.Message) -> None:
    """Every kind, with and without its optional fields, has no problem."""
    assert mqtt.problems(mqtt.kind_of(message), sent(message)) == []


@pytest.mark.parametrize(
    ("kind", "payload", "problem"),
    [
        (Kind.EVENT, b"[]", "Expected `object`"),
        (Kind.EVENT, b"{", "truncated"),
        (Kind.EVENT, mqtt.encode(an_event()), "no seq"),
        (Kind.EVENT, sent(an_event(fields={"pan": 1})), "unknown field pan"),
        (Kind.STATE, b'{"state":"online","connects":1,"x":1}', "unknown field x"),
        (
            Kind.HEALTH,
            b'{"seq":1,"outbox_id":"a","ts":1,"full":true,"deep":{"a":1}}',
            "deep is not flat",
        ),
    ],
)
def test_what_breaks_the_contract_is_named(kind: Kind, payload: bytes, problem: str) -> None:
    """A reader learns what is wrong with a message."""
    assert any(problem in each for each in mqtt.problems(kind, payload))


def test_schemas_cover_every_kind_and_demand_the_number() -> None:
    """The JSON Schemas come from the types; messages from the outbox must be numbered."""
    schemas = mqtt.schemas()
    assert set(schemas) == {str(kind) for kind in Kind}
    for kind, schema in schemas.items():
        assert schema["type"] == "object"
        assert ("seq" in schema["required"]) is (kind != "state")
    assert schemas["event"]["additionalProperties"] is False
    assert schemas["health"]["additionalProperties"]["type"]
    json.dumps(schemas)


def test_the_contract_page_names_every_field() -> None:
    """One table of field names; a field that is not in it does not exist."""
    page = CONTRACT.read_text("utf-8")
    for kind, struct in mqtt.STRUCTS.items():
        for name in struct.__struct_fields__:
            assert f"`{name}`" in page, f"{kind}: {name} is not documented"
