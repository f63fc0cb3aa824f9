"""The thin-edge.io scheme against thin-edge.io's published rules."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.messages import HistEntry, HistMessage
from agent.telemetry.adapters import CommandIn, DesiredIn, StateAsked
from agent.telemetry.adapters.thin_edge import ThinEdge
from agent.wire import mqtt
from tests.telemetry.adapters import rows
from tests.telemetry.adapters.rows import TS, tell
from tests.telemetry.adapters.signing import signed
from tests.telemetry.adapters.thin_edge_rules import ThinEdgeRules

SERVICE = "te/device/main/service/posagent"
COMMAND = f"{SERVICE}/cmd/pos_command/"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def pair() -> tuple[ThinEdge, ThinEdgeRules]:
    scheme, rules = ThinEdge(listening=True, pid=4711), ThinEdgeRules()
    tell(scheme, rules, rows.online())
    return scheme, rules


def begun(scheme: ThinEdge, rules: ThinEdgeRules, topic_id: str, **fields: Any) -> CommandIn:
    """A mapper creates a command."""
    rules.begun(topic_id, fields)
    heard = scheme.heard(COMMAND + topic_id, json.dumps(fields).encode())
    assert isinstance(heard, CommandIn)
    return heard


def test_every_kind_is_taken() -> None:
    """Registration first, then all channels, without a complaint."""
    scheme, rules = pair()
    begun(scheme, rules, "c8y-1", status="init", envelope=signed("c-1"), origin="c8y")
    tell(
        scheme,
        rules,
        rows.info(printer_model="TM-T88"),
        rows.health(full=True, printer="ok", printer_cover_open=False, battery_percent=87),
        rows.backlog(4, cause="network.dns_failed", amount_minor_cny=5_000),
        rows.event("printer.paper_out"),
        rows.hist(20),
        rows.res("c-1", "accepted"),
        rows.res("c-1", "running", progress_percent=40),
        rows.res("c-1", "ok", result=b'{"printer":"ok"}'),
        rows.offline(),
    )
    assert rules.complaints == []
    assert rules.registered["@type"] == "service"
    assert "pos_command" in rules.capabilities
    assert rules.twin["pos_terminal"]["printer_model"] == "TM-T88"
    assert rules.twin["pos_readings"]["printer"] == "ok"
    assert rules.twin["pos_backlog"]["cause"] == "network.dns_failed"
    assert ("pos_health", "2026-11-18T11:06:40.000Z", {"health": {"battery_percent": 87}}) in (
        rules.measurements
    )
    assert len([each for each in rules.measurements if each[0] == "pos_health"]) == 21
    assert rules.command_states["c8y-1"] == ["init", "executing", "executing", "successful"]
    assert rules.commands["c8y-1"]["posagent"]["result"] == {"printer": "ok"}
    assert rules.health == ["up", "down"]


def test_an_alarm_is_retained_and_cleared_by_an_empty_one() -> None:
    """The four severities are the same words as ours."""
    scheme, rules = pair()
    for severity in ("critical", "major", "minor", "warning"):
        tell(scheme, rules, rows.event("printer.paper_out", severity=severity, port="/dev/ttyS1"))
        assert rules.alarms["printer.paper_out"]["severity"] == severity
    packets = tell(scheme, rules, rows.event("printer.paper_out", active=False))
    assert [(each.payload, each.retained) for each in packets] == [(b"", True)]
    assert rules.alarms == {}
    assert rules.complaints == []


def test_the_will_says_down() -> None:
    """Retained, with the pid, on the topic `up` was said on."""
    scheme, rules = pair()
    will = scheme.will(rows.online())
    assert will is not None
    rows.take(rules, [will])
    assert rules.health == ["up", "down"]
    assert rules.complaints == []


def test_words_stand_in_the_twin_and_numbers_in_measurements() -> None:
    """A measurement holds numbers only; what is no longer known is a word."""
    scheme, rules = pair()
    tell(scheme, rules, rows.health(full=True, printer="ok", battery_percent=87))
    tell(scheme, rules, rows.health(battery_percent=None))
    assert rules.twin["pos_readings"] == {"printer": "ok", "battery_percent": "unknown"}
    tell(scheme, rules, rows.health(battery_percent=50))
    assert rules.twin["pos_readings"] == {"printer": "ok"}
    packets = tell(scheme, rules, rows.health(battery_percent=51))
    assert len(packets) == 1, "the words have not changed"
    tell(scheme, rules, rows.online(2))
    assert len(tell(scheme, rules, rows.health(battery_percent=52))) == 2, "a new connection"
    assert rules.complaints == []


def test_words_of_an_outage_reach_the_twin_and_never_overtake_newer_ones() -> None:
    """History leaves after what is live; each word keeps its time."""
    scheme, rules = pair()
    tell(scheme, rules, rows.health(full=True, at=TS - 99_000, printer="ok", scanner="ok"))
    tell(scheme, rules, rows.health(at=TS, scanner="unknown"))
    values = {"printer": "unknown", "scanner": "ok", "battery_percent": 40}
    entries = (HistEntry(ts=TS - 5_000, values=values),)
    tell(scheme, rules, HistMessage(ts=TS, entries=entries))
    assert rules.twin["pos_readings"] == {"printer": "unknown", "scanner": "unknown"}
    assert rules.complaints == []


def test_a_refused_command_fails_with_its_reason_and_keeps_its_fields() -> None:
    """Unsigned: handed on to be refused, and the mapper is told."""
    scheme, rules = pair()
    heard = begun(scheme, rules, "local-9", status="init", delay=5)
    assert heard.kept
    tell(scheme, rules, rows.res(heard.cmd_id, "rejected", code="not_signed"))
    assert rules.complaints == []
    assert rules.commands["local-9"]["status"] == "failed"
    assert rules.commands["local-9"]["reason"] == "not_signed"
    assert rules.commands["local-9"]["delay"] == 5


def test_own_states_are_no_commands() -> None:
    """The subscription brings back what we publish; only `init` is for us."""
    scheme, rules = pair()
    begun(scheme, rules, "c8y-1", envelope=signed("c-1"))  # no status: init
    for packet in tell(scheme, rules, rows.res("c-1", "running")):
        assert scheme.heard(packet.topic, packet.payload) is None
    for packet in tell(scheme, rules, rows.res("c-1", "ok")):
        assert scheme.heard(packet.topic, packet.payload) is None
    assert rules.complaints == []


def test_a_command_found_half_done_after_a_restart_is_asked_again() -> None:
    """`executing` stands retained; a new process hands it on, and the stored result ends it."""
    scheme, rules = pair()
    begun(scheme, rules, "c8y-1", status="init", envelope=signed("c-1"))
    (standing,) = tell(scheme, rules, rows.res("c-1", "running"))
    later = ThinEdge(listening=True)
    heard = later.heard(standing.topic, standing.payload)
    assert isinstance(heard, CommandIn)
    assert (heard.cmd_id, heard.kept) == ("c-1", True)
    assert json.loads(heard.payload) == signed("c-1")
    assert later.heard(standing.topic, standing.payload) is None, "once"
    tell(later, rules, rows.res("c-1", "ok"))
    assert rules.command_states["c8y-1"][-1] == "successful"
    assert rules.complaints == []


def test_a_cleared_command_is_not_raised_from_the_dead() -> None:
    """The mapper took it away: its late result is an event, not a new retained state."""
    scheme, rules = pair()
    begun(scheme, rules, "c8y-1", status="init", envelope=signed("c-1"))
    assert scheme.heard(f"{COMMAND}c8y-1", b"") is None
    tell(scheme, rules, rows.res("c-1", "ok"))
    assert rules.complaints == []
    assert [kind for kind, _ in rules.events] == ["pos_command_result"]


def test_a_command_to_the_device_is_taken_too() -> None:
    """Cumulocity has no operations of services; capability and states are the device's then."""
    scheme, rules = pair()
    topic = "te/device/main///cmd/pos_command/"
    assert f"{topic}+" in scheme.subscriptions
    fields = {"status": "init", "envelope": signed("c-1"), "c8y-mapper": {"on_fragment": "x"}}
    rules.begun("c8y-mapper-7", fields)
    heard = scheme.heard(f"{topic}c8y-mapper-7", json.dumps(fields).encode())
    assert isinstance(heard, CommandIn)
    packets = tell(scheme, rules, rows.res("c-1", "ok"))
    assert [each.topic for each in packets] == [f"{topic}c8y-mapper-7"]
    assert rules.complaints == []


def test_health_is_told_when_asked() -> None:
    """Of this service, and of all of the device."""
    scheme, _ = pair()
    assert f"{SERVICE}/cmd/health/check" in scheme.subscriptions
    assert "te/device/main///cmd/health/check" in scheme.subscriptions
    assert isinstance(scheme.heard(f"{SERVICE}/cmd/health/check", b""), StateAsked)
    assert isinstance(scheme.heard("te/device/main///cmd/health/check", b"{}"), StateAsked)


def test_a_wish_comes_as_a_signal() -> None:
    """Signals are stateless: the answer is `info` and the events."""
    scheme, _ = pair()
    wish = {"desired": 1, "payload": "e30="}
    topic = f"{SERVICE}/signal/pos_desired"
    assert topic in scheme.subscriptions
    heard = scheme.heard(topic, json.dumps({"envelope": wish}).encode())
    assert isinstance(heard, DesiredIn)
    assert json.loads(heard.payload) == wish
    assert scheme.heard(topic, b"{}") is None


def test_a_clock_that_cannot_be_right_gives_no_time() -> None:
    """thin-edge then puts its own."""
    scheme, rules = pair()
    tell(scheme, rules, rows.health(suspect=True, battery_percent=87))
    assert rules.measurements == [("pos_health", None, {"health": {"battery_percent": 87}})]


def test_a_twin_too_large_for_the_cloud_is_cut_and_says_so() -> None:
    """Refused there, nobody would know."""
    scheme, rules = pair()
    fields = {f"component{n}_word": "x" * 200 for n in range(100)}
    body = mqtt.written({"ts": TS, "full": True} | fields)
    packets = scheme.packets("health", body, seq=1, outbox_id="x", retained=False)
    rows.take(rules, packets)
    assert rules.complaints == []
    assert rules.twin["pos_readings"]["incomplete"] is True


def test_another_device_and_root() -> None:
    """`mqtt.topic_root` and child devices."""
    scheme = ThinEdge(root="edge", device="pos01", service="pos")
    rules = ThinEdgeRules(service="edge/device/pos01/service/pos")
    tell(scheme, rules, rows.online(), rows.event("printer.paper_out"))
    assert rules.complaints == []
    assert all(topic.startswith("edge/device/pos01/") for topic in scheme.subscriptions)


VALUES = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=30)
)


@given(
    st.dictionaries(st.text("abc_", min_size=1, max_size=6).map("x".__add__), VALUES, max_size=8)
)
def test_no_reading_breaks_the_grammar(values: dict[str, Any]) -> None:
    """Whatever a device says is a number in a measurement or a word in the twin."""
    for name in ("ts", "seq", "outbox_id", "full", "clock_suspect"):
        values.pop(name, None)
    scheme, rules = pair()
    body = mqtt.written({"ts": TS, "full": False} | values)
    rows.take(rules, scheme.packets("health", body, seq=1, outbox_id="x", retained=False))
    assert rules.complaints == []


@given(
    st.sampled_from(
        [f"{COMMAND}1", f"{COMMAND}a/b", COMMAND, f"{SERVICE}/signal/pos_desired", SERVICE, ""]
    ),
    st.binary(max_size=60) | JSON.map(lambda told: json.dumps(told).encode()),
)
def test_garbage_never_raises(topic: str, payload: bytes) -> None:
    """Whatever stands on a topic is a command to be judged, a wish to be judged, or nothing."""
    scheme, _ = pair()
    heard = scheme.heard(topic, payload)
    assert heard is None or isinstance(heard, CommandIn | DesiredIn)


@given(JSON, JSON)
def test_garbage_as_an_envelope_never_raises(told: Any, status: Any) -> None:
    """The same inside a well-formed command and a well-formed signal."""
    scheme, _ = pair()
    fields = {"envelope": told, "status": status}
    scheme.heard(f"{COMMAND}1", json.dumps(fields).encode())
    scheme.heard(f"{SERVICE}/signal/pos_desired", json.dumps(fields).encode())


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


def test_a_sign_of_life_says_nothing_here() -> None:
    """The service's own health does: an empty measurement would be an error."""
    scheme, rules = pair()
    tell(scheme, rules, rows.health(full=True, printer="ok", battery_percent=87))
    assert tell(scheme, rules, rows.health()) == []
