"""The ThingsBoard scheme against ThingsBoard's published rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.telemetry.adapters import CommandIn, DesiredIn
from agent.telemetry.adapters.thingsboard import ThingsBoard
from agent.wire import mqtt
from tests.telemetry.adapters import rows
from tests.telemetry.adapters.rows import TS, tell
from tests.telemetry.adapters.signing import signed
from tests.telemetry.adapters.thingsboard_rules import SPELLINGS, ThingsBoardRules

SPELLED = sorted(SPELLINGS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def pair(spelling: str = "v2") -> tuple[ThingsBoard, ThingsBoardRules]:
    return ThingsBoard(spelling=spelling, listening=True), ThingsBoardRules(spelling=spelling)


def called(scheme: ThingsBoard, number: int, params: Any, spelling: str = "v2") -> CommandIn:
    """The server sends an RPC."""
    topic = f"{SPELLINGS[spelling]['call']}{number}"
    heard = scheme.heard(topic, json.dumps({"method": "posagent", "params": params}).encode())
    assert isinstance(heard, CommandIn)
    return heard


@pytest.mark.parametrize("spelling", SPELLED)
def test_every_kind_is_taken_by_the_server(spelling: str) -> None:
    """Attributes, telemetry and answers, on both sets of topics, without a complaint."""
    scheme, rules = pair(spelling)
    called(scheme, 7, signed("c-1"), spelling)
    rules.open_calls.add(7)
    tell(
        scheme,
        rules,
        rows.online(),
        rows.info(printer_model="TM-T88"),
        rows.health(full=True, printer="ok", printer_cover_open=False, battery_percent=87),
        rows.backlog(4, cause="network.dns_failed", amount_minor_cny=5_000),
        rows.event("printer.paper_out"),
        rows.hist(20),
        rows.res("c-1", "running", progress_percent=40),
        rows.res("c-1", "ok", result=b'{"printer":"ok"}'),
        rows.offline(),
    )
    assert rules.complaints == []
    assert rules.attributes["printer_model"] == "TM-T88"
    assert rules.attributes["ended_in_order"] is True
    assert rules.latest("battery_percent") == 87
    assert rules.latest("backlog_count") == 4
    assert rules.alarms == {"printer.paper_out": "MAJOR"}
    assert rules.arrays == [20]
    assert rules.latest("cmd_status") == "ok"
    assert [each["status"] for each in rules.answers[7]] == ["ok"]


def test_numbers_in_names_keep_their_zeros() -> None:
    """The server makes numbers of digits in texts; a site 0042 must not become 42."""
    scheme, rules = pair()
    tell(scheme, rules, rows.info(), rows.event("printer.paper_out", port="007"))
    assert rules.attributes["site"] == ["0042"]
    assert rules.attributes["terminal_ids"] == ["00012345"]
    assert rules.latest("alarm_arg_port") == ["007"]
    assert rules.attributes["model"] == "A920"


def test_what_is_no_longer_known_says_so() -> None:
    """A null would leave the old value on the dashboard."""
    scheme, rules = pair()
    tell(
        scheme,
        rules,
        rows.health(battery_percent=87),
        rows.health(battery_percent=None, at=TS + 1_000),
    )
    assert rules.complaints == []
    assert rules.latest("battery_percent") == "unknown"


def test_a_backlog_that_is_gone_leaves_nothing_standing() -> None:
    """Sum, cause and next attempt are absent in the contract then; the server remembers."""
    scheme, rules = pair()
    tell(
        scheme,
        rules,
        rows.backlog(4, cause="network.dns_failed", amount_minor_cny=5_000),
        rows.backlog(0, at=TS + 1_000),
    )
    assert rules.latest("backlog_count") == 0
    assert rules.latest("backlog_cause") == ""
    assert rules.latest("backlog_cause_count") == 0
    assert rules.latest("backlog_amount_minor_cny") == 0
    assert rules.latest("backlog_amounts") == {}
    assert rules.latest("backlog_oldest_age_s") == 0
    assert rules.latest("backlog_next_attempt_ts") == 0
    assert rules.latest("backlog_quarantined_count") == "unknown"


def test_a_clock_that_cannot_be_right_gives_no_time() -> None:
    """The server then uses its time of arrival, and is told why."""
    scheme, rules = pair()
    tell(scheme, rules, rows.health(suspect=True, battery_percent=87))
    assert rules.series["battery_percent"] == [(None, 87)]
    assert rules.latest("clock_suspect") is True


def test_alarms_are_set_and_cleared_by_two_nodes() -> None:
    """Code, severity in capitals and a boolean are what the rule chain needs."""
    scheme, rules = pair()
    tell(
        scheme,
        rules,
        rows.event("printer.paper_out", severity="warning"),
        rows.event("link.down", severity="critical", at=TS + 1),
        rows.event("printer.paper_out", severity="warning", active=False, at=TS + 2),
    )
    assert rules.complaints == []
    assert rules.alarms == {"link.down": "CRITICAL"}
    assert rules.latest("alarm_printer_paper_out") is False
    assert rules.latest("alarm_link_down") is True


def test_only_the_first_final_word_ends_a_call() -> None:
    """Progress is telemetry: a two-way RPC takes one answer."""
    scheme, rules = pair()
    rules.open_calls.add(3)
    called(scheme, 3, signed("c-1"))
    tell(scheme, rules, rows.res("c-1", "accepted"), rows.res("c-1", "running"))
    assert rules.answers == {}
    tell(scheme, rules, rows.res("c-1", "failed", code="printer.busy"))
    assert rules.answers[3] == [
        {"cmd_id": "c-1", "op": "inspect", "status": "failed", "code": "printer.busy"}
    ]


def test_a_result_nobody_waits_for_is_telemetry() -> None:
    """After a restart the number of the call is gone; the result is not."""
    scheme, rules = pair()
    tell(scheme, rules, rows.res("c-9", "ok"))
    assert rules.complaints == []
    assert (rules.latest("cmd_id"), rules.latest("cmd_status")) == ("c-9", "ok")


def test_a_number_used_again_belongs_to_the_newest_call() -> None:
    """The server counts from 0 after its own restart: no answer may reach a stranger's call."""
    scheme, rules = pair()
    called(scheme, 0, signed("old"))
    called(scheme, 0, signed("new", seq=2))
    rules.open_calls.add(0)
    tell(scheme, rules, rows.res("old", "ok"), rows.res("new", "rejected", code="not_idle"))
    assert [each["cmd_id"] for each in rules.answers[0]] == ["new"]


def test_the_envelope_arrives_untouched_as_object_or_text() -> None:
    """What is signed is inside it in base64; the JSON around it may be printed anew."""
    scheme, _ = pair()
    envelope = signed("c-5")
    for params in (envelope, json.dumps(envelope)):
        heard = called(scheme, 5, params)
        assert heard.cmd_id == "c-5"
        assert json.loads(heard.payload) == envelope
        assert not heard.kept


def test_a_call_without_an_envelope_can_only_be_refused() -> None:
    """ThingsBoard's own rights are no signature: what arrives is handed on to be judged so."""
    scheme, rules = pair()
    heard = called(scheme, 8, {"value": 26})
    assert (heard.cmd_id, json.loads(heard.payload)) == ("rpc-8", {"value": 26})
    rules.open_calls.add(8)
    tell(scheme, rules, rows.res("rpc-8", "rejected", code="not_signed"))
    assert rules.answers[8][0]["code"] == "not_signed"


def test_the_wish_is_asked_for_and_heard_when_it_changes() -> None:
    """Once after CONNACK, then by push; a deleted one is none."""
    scheme, rules = pair()
    tell(scheme, rules, rows.online())
    assert rules.asked == [(1, {"sharedKeys": "posagent_desired"})]
    wish = {"desired": 1, "payload": "e30="}
    answer = json.dumps({"shared": {"posagent_desired": wish}}).encode()
    for topic, payload in (
        ("v2/a/res/1", answer),
        ("v2/a", json.dumps({"posagent_desired": wish}).encode()),
        ("v2/a", json.dumps({"posagent_desired": json.dumps(wish)}).encode()),
    ):
        heard = scheme.heard(topic, payload)
        assert isinstance(heard, DesiredIn)
        assert json.loads(heard.payload) == wish
    assert scheme.heard("v2/a", b'{"deleted":["posagent_desired"]}') is None
    assert scheme.heard("v2/a/res/1", b"{}") is None


def test_who_does_not_listen_asks_for_nothing() -> None:
    """Without keys there are no commands, and no subscription for them."""
    scheme, rules = ThingsBoard(), ThingsBoardRules()
    assert scheme.subscriptions == ()
    assert scheme.will(rows.online()) is None
    tell(scheme, rules, rows.online())
    assert rules.asked == []


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)


@given(
    st.dictionaries(st.text("abc_", min_size=1, max_size=6).map("x".__add__), VALUES, max_size=8)
)
def test_no_reading_can_end_the_session(values: dict[str, Any]) -> None:
    """Whatever a device says, the server's parser takes it, and does not make it another value."""
    for name in ("ts", "seq", "outbox_id", "full", "clock_suspect"):
        values.pop(name, None)
    scheme, rules = pair()
    body = mqtt.written({"ts": TS, "full": False} | values)
    packets = scheme.packets("health", body, seq=1, outbox_id="x", retained=False)
    rows.take(rules, packets)
    assert [each for each in rules.complaints if "nothing in it" not in each] == []
    for name, value in values.items():
        kept = rules.latest(name)
        if isinstance(value, str):
            assert kept in (value, [value])
        elif isinstance(value, bool):
            assert kept is value
        elif isinstance(value, int) and abs(value) < 2**63:
            assert kept == value


@given(
    st.sampled_from(["v2/r/req/7", "v2/r/req/x", "v2/r/req/", "v2/a", "v2/a/res/1", "v2/t", ""]),
    st.binary(max_size=60) | JSON.map(lambda told: json.dumps(told).encode()),
)
def test_garbage_never_raises(topic: str, payload: bytes) -> None:
    """Whatever the server sends is a command to be judged, a wish to be judged, or nothing."""
    scheme, _ = pair()
    heard = scheme.heard(topic, payload)
    assert heard is None or isinstance(heard, CommandIn | DesiredIn)


@given(JSON)
def test_garbage_as_an_envelope_never_raises(told: Any) -> None:
    """The same inside a well-formed call and a well-formed attribute."""
    scheme, _ = pair()
    called(scheme, 1, told)
    scheme.heard("v2/a", json.dumps({"posagent_desired": told}).encode())
    scheme.heard("v2/a/res/1", json.dumps({"shared": {"posagent_desired": told}}).encode())


@given(
    st.sampled_from(["info", "health", "backlog", "event", "hist", "res/c-1", "later"]),
    st.binary(max_size=40)
    | JSON.map(lambda told: json.dumps(told).encode())
    | st.fixed_dictionaries(
        {"ts": st.integers(), "entries": JSON, "code": JSON, "values": JSON}
    ).map(lambda told: json.dumps(told).encode()),
)
def test_a_damaged_row_stops_nobody(kind: str, body: bytes) -> None:
    """It is told as far as it can be read, or not at all; never an error."""
    scheme, _ = pair()
    scheme.packets(kind, body, seq=1, outbox_id="x", retained=False)


def test_a_sign_of_life_is_no_telemetry() -> None:
    """The server watches the connection itself; a point without values would be refused."""
    scheme, rules = pair()
    assert tell(scheme, rules, rows.health()) == []
