"""Nothing that may not leave gets into a message, whichever way it is tried."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from agent.core.fleet import messages
from agent.core.fleet.messages import (
    HealthMessage,
    HistEntry,
    HistMessage,
    Identity,
    Kind,
    Message,
    ResMessage,
)
from agent.core.health.reading import Reading, Value
from agent.core.health.tracker import Alarm, Change, ComponentState, Severity, What
from agent.telemetry.gate import Gate
from agent.wire import mqtt
from tests.fakes import FakeClock

AT = FakeClock().now()
CARD = "6222021234567890128"
#: What somebody might try to get out, and what of it must be in no message.
CANARIES: dict[str, str] = {
    "card": CARD,
    "card in groups": "4111 1111 1111 1111",
    "card in a sentence": f"declined {CARD} twice",
    "card in base64": "NDExMTExMTExMTExMTExMQ==",
    "track": ";4111111111111111=25121011234?",
    "name": "Zhang San",
    "name in Chinese": "张三",
    "receipt": "ACME STORE\r\nTOTAL 12.50\r\nTHANK YOU",
}
CARDS = sorted(name for name in CANARIES if name.startswith(("card", "track")))


def told(gate: Gate, message: Message) -> bytes:
    """As it would be kept; empty: not at all. Whatever it is, it keeps the contract."""
    body = gate.passed(mqtt.tail_of(message), mqtt.encode(message))
    if body is None:
        return b""
    assert mqtt.problems(mqtt.kind_of(message), mqtt.stamp(body, 1, "c0ffee")) == []
    return body


def reading(**values: Value) -> HealthMessage:
    said = ComponentState(
        component="till", outcome=Reading(values), at=AT.at, duration_ms=1, success=True
    )
    return HealthMessage(
        ts=AT.wall_ms,
        clock_suspect=None,
        full=True,
        alarms=("printer.paper_out",),
        fields=messages.readings([said]),
    )


def alarm(**args: Value) -> Message:
    one = Alarm(
        code="printer.paper_out",
        component="printer",
        severity=Severity.MAJOR,
        since_at=AT.at,
        shown_at=AT.at,
        args=args,
        flaps=0,
        suppressed_by="",
    )
    message = messages.event(Change(code=one.code, what=What.SHOWN, at=AT, alarm=one), 1)
    assert message is not None
    return message


def result(value: object, **changed: Any) -> ResMessage:
    fields: dict[str, Any] = {"cmd_id": "4711", "op": "report", "status": "ok"} | changed
    return ResMessage(
        ts=AT.wall_ms, clock_suspect=None, result=json.dumps(value).encode(), **fields
    )


@pytest.mark.parametrize(
    "message",
    [
        reading(state="ok", free_mb=12, error=None, ratio=0.25, printed=2**53),
        alarm(port="/dev/ttyS1", reason="no answer within 5 s"),
        messages.info(
            Identity(tenant="a", device_id="b", site="S7", merchant_ids=("305123456789014",)), AT
        ),
        result({"changed": 4, "pan": "622202******0128", "rows": [{"key": "2026-11-22/17"}]}),
        HistMessage(ts=AT.wall_ms, entries=(HistEntry(ts=1, values={"printer": "ok"}),)),
    ],
)
def test_what_is_harmless_passes_untouched(message: Message) -> None:
    """The very bytes that were made are kept, and nothing is counted."""
    gate, body = Gate(), mqtt.encode(message)
    assert gate.passed(mqtt.tail_of(message), body) is body
    assert gate.withheld == 0


@pytest.mark.parametrize("canary", sorted(CANARIES))
def test_a_reading_of_a_vendors_program_does_not_carry_it(canary: str) -> None:
    """The field is left out, the rest of the message goes."""
    gate = Gate()
    body = told(gate, reading(state="ok", note=CANARIES[canary]))
    assert json.loads(body)["till_state"] == "ok"
    assert "till_note" not in json.loads(body)
    assert gate.withheld == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("last_key", 5), ("key_codes", "30 48"), ("cardholder", "Z"), ("receipt", "x"), ("pin", 1234)],
)
def test_a_field_that_announces_it_is_left_out_whatever_it_holds(name: str, value: Value) -> None:
    """Key codes are small numbers: only the name tells."""
    gate = Gate()
    assert f"till_{name}" not in json.loads(told(gate, reading(**{name: value})))
    assert gate.withheld == 1


def test_a_card_as_a_number_or_over_a_whole_history_does_not_pass() -> None:
    """Numbers are looked at like texts, old readings like new ones."""
    gate = Gate()
    assert CARD.encode() not in told(gate, reading(count=int(CARD[:16])))
    assert b"4111111111111111" not in told(gate, reading(count=4111111111111111))
    values: dict[str, Value] = {"till_note": CANARIES["card in groups"], "till": "ok"}
    entries = (HistEntry(ts=1, values=values), HistEntry(ts=2, values={"till_x": "Zhang San"}))
    body = json.loads(told(gate, HistMessage(ts=AT.wall_ms, entries=entries)))
    assert [entry["values"] for entry in body["entries"]] == [{"till": "ok"}, {}]


@pytest.mark.parametrize("canary", CARDS)
def test_no_other_way_carries_a_card(canary: str) -> None:
    """Arguments of alarms, the site, devices' words, and what commands bring back."""
    text, gate = CANARIES[canary], Gate()
    ways: dict[str, Message] = {
        "alarm": alarm(reason=text),
        "site": messages.info(Identity(tenant="a", device_id="b", site=text), AT),
        "terminal": messages.info(Identity(tenant="a", device_id="b", terminal_ids=(text,)), AT),
        "device": messages.info(
            Identity(tenant="a", device_id="b", devices=(("printer_model", text),)), AT
        ),
        "result": result({"rows": [{"note": text}]}),
        "detail": result({"changed": 1}, detail=text),
    }
    for number, (way, message) in enumerate(ways.items(), 1):
        body = json.loads(told(gate, message))
        assert text not in json.dumps(body, ensure_ascii=False), way
        assert gate.withheld == number, way
        assert body["ts"], "the rest is told"


def test_a_result_with_a_field_for_card_data_is_told_by_its_size() -> None:
    """Who sent the command learns that it was carried out, and that the result stayed here."""
    gate = Gate()
    body = json.loads(told(gate, result({"transaction": {"pan": "62220212"}})))
    assert (body["status"], body["result_bytes"] > 10) == ("ok", True)
    assert "result" not in body


def test_a_message_that_cannot_do_without_it_is_not_kept() -> None:
    """A required field with a card in it blocks the message as a whole."""
    gate = Gate()
    assert told(gate, result(None, op=CARD)) == b""
    assert gate.withheld == 1


def test_what_is_no_message_of_the_contract_is_not_kept() -> None:
    """An unknown kind, and unknown fields of a known one."""
    gate = Gate()
    assert gate.passed("dump", b'{"ts":1}') is None
    assert gate.passed("res", b'{"ts":1}') is None
    body = gate.passed(Kind.EVENT, b'{"ts":1,"code":"a.b","receipt":"x"}')
    assert body == b'{"ts":1,"code":"a.b"}'
    assert gate.withheld == 3


def test_the_log_says_why_and_never_what(caplog: pytest.LogCaptureFixture) -> None:
    """First loudly, then quietly, with a count."""
    gate = Gate()
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            told(gate, reading(note=CARD, last_key="5"))
    lines = [record.getMessage() for record in caplog.records]
    assert [record.levelno for record in caplog.records][:2] == [logging.WARNING, logging.DEBUG]
    assert lines[0] == "event=withheld kind=health reason=name count=1"
    assert not any(CARD in line or "note" in line for line in lines)


@pytest.mark.parametrize("name", ["free_bytes", "last_ms", "till_minor", "up_ns", "x_minor_cny"])
def test_a_name_that_counts_something_hides_no_card(name: str) -> None:
    """A vendor's program names its values: a number with the digits of a card stays here."""
    for number in (4_111_111_111_111_111, 5_555_555_555_554_444):
        gate = Gate()
        assert name.encode() not in told(gate, reading(**{name: number}))
        assert gate.withheld == 1
        entry = HistEntry(ts=AT.wall_ms, values={name: number})
        assert name.encode() not in told(
            gate, HistMessage(ts=AT.wall_ms, clock_suspect=None, entries=(entry,))
        )
    gate = Gate()
    assert name.encode() in told(gate, reading(**{name: 1_795_000_000_000}))
    assert not gate.withheld
