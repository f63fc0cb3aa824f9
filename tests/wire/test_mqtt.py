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
    HistEntry,
    HistMessage,
    Identity,
    Kind,
    ResMessage,
    StateMessage,
)
from agent.core.health.reading import Value
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


def a_result(result: bytes | None, **changed: object) -> ResMessage:
    fields: dict[str, object] = {"cmd_id": "4711", "op": "report", "status": "ok"} | changed
    return ResMessage(ts=5, clock_suspect=None, result=result, **fields)  # type: ignore[arg-type]


def a_history() -> HistMessage:
    values: dict[str, Value] = {"printer": "ok", "printer_paper": None, "system_free_mb": 1.5}
    return HistMessage(ts=9, entries=(HistEntry(ts=1, values=values), HistEntry(ts=2, values={})))


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
        an_event(flaps=3, suppressed_by="network.no_carrier", count=2),
        a_result(b'{"items":[{"key":"a"}]}', progress_percent=100, detail="done"),
        a_result(None, status="rejected", code="unknown_op"),
        a_history(),
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
        (Kind.RES, sent(a_result(None)).replace(b'"ok"', b'"done"'), "Invalid enum value"),
        (Kind.HIST, sent(a_history()).replace(b"null", b"[]"), "Expected"),
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


def test_a_result_is_nested_as_it_is_and_bounded() -> None:
    """The one field that is not flat; what is too large or no JSON is told by its size."""
    body = mqtt.encode(a_result(b'{"items": [1, 2]}'))
    assert body.endswith(b'"status":"ok","result":{"items":[1,2]}}')
    large = b'"' + b"x" * mqtt.MAX_RESULT_BYTES + b'"'
    for result in (large, b"{", b"\xff", b"[" * 100_000):
        told = mqtt.decode(mqtt.encode(a_result(result)))
        assert "result" not in told
        assert told["result_bytes"] == len(result)
    assert "result_bytes" not in mqtt.decode(mqtt.encode(a_result(None)))


def test_a_result_belongs_on_the_topic_of_its_command() -> None:
    """Every other kind is its topic's end; and the end of a topic tells the kind."""
    assert mqtt.tail_of(a_result(None)) == "res/4711"
    assert mqtt.tail_of(an_event()) == "event"
    tails = {"res/4711": Kind.RES, "event": Kind.EVENT, "hist": Kind.HIST}
    assert {tail: mqtt.kind_in(tail) for tail in tails} == tails
    for foreign in ("res", "res/", "res/a/b", "event/1", "cmd/4711", "desired", ""):
        assert mqtt.kind_in(foreign) is None


def test_old_readings_carry_their_own_times() -> None:
    """`ts` of the message is when it was put together, each entry has its own."""
    told = mqtt.decode(mqtt.encode(a_history()))
    assert (told["ts"], [entry["ts"] for entry in told["entries"]]) == (9, [1, 2])
    assert told["entries"][0]["values"]["printer_paper"] is None


def test_the_largest_introduction_fits() -> None:
    """As many terminals, merchants, ways and devices as are followed, with the longest names."""
    identity = Identity(
        tenant="a",
        device_id="b",
        site="店" * 500,
        os="店" * 500,
        model="店" * 500,
        firmware="店" * 500,
        terminal_ids=tuple(f"{number:016d}" for number in range(100)),
        merchant_ids=tuple(f"{number:032d}" for number in range(100)),
        uplinks=("u" * 64,) * 16,
        capabilities=("collect_bundle",) * 20,
        devices=tuple((f"device{number}_model", "店" * 200) for number in range(100)),
    )
    body = sent(messages.info(identity, FakeClock().now()))
    assert len(body) <= mqtt.MAX_BYTES
    assert mqtt.problems(Kind.INFO, body) == []
