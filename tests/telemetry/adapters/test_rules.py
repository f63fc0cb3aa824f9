"""The judges themselves: what the servers' rules forbid is a complaint, not a shrug."""

from __future__ import annotations

import pytest

from tests.telemetry.adapters.thin_edge_rules import ThinEdgeRules
from tests.telemetry.adapters.thingsboard_rules import ThingsBoardRules

SERVICE = "te/device/main/service/posagent"


@pytest.mark.parametrize(
    ("topic", "payload", "said"),
    [
        ("v2/x", b"{}", "acknowledged and lost"),
        ("v2/t", b"{", "not JSON"),
        ("v2/t", b"[1]", "an array is of objects"),
        ("v2/t", b'{"a":NaN}', "is no JSON"),
        ("v2/t", b'{"a":1e-05}', "Big integer"),
        ("v2/t", b'{"a":9223372036854775808}', "Big integer"),
        ("v2/t", b'{"a":null}', "old value would stay"),
        ("v2/t", b'{"ts":1795000000,"values":{"a":1}}', "not milliseconds"),
        ("v2/t", b'{"ts":"x","values":{"a":1}}', "ts is a number"),
        ("v2/t", b'{"a b":1}', "no key"),
        ("v2/t", b'{"alarm_code":"x","alarm_severity":"major","alarm_active":true}', "severity"),
        ("v2/t", b'{"alarm_code":"x","alarm_severity":"MAJOR","alarm_active":1}', "no boolean"),
        ("v2/a", b"[]", "attributes are an object"),
        ("v2/r/res/x", b"{}", "32 bits"),
        ("v2/r/res/4", b"{}", "nobody asked"),
        ("v2/t", b'{"a":"' + b"x" * 65_536 + b'"}', "bytes"),
    ],
)
def test_thingsboard_would_not_take_it(topic: str, payload: bytes, said: str) -> None:
    """Each rule bites."""
    rules = ThingsBoardRules()
    rules.take(topic, payload)
    assert any(said in each for each in rules.complaints), rules.complaints


def test_thingsboard_changes_values_as_it_says() -> None:
    """Digits in a text become a number; JSON stays JSON."""
    rules = ThingsBoardRules()
    rules.take("v2/t", b'{"a":"007","b":["007"],"c":1.0,"d":{"e":1},"f":true}')
    assert rules.complaints == []
    assert [rules.latest(key) for key in "abcdf"] == [7, ["007"], 1.0, {"e": 1}, True]


@pytest.mark.parametrize(
    ("tail", "payload", "retained", "said"),
    [
        ("/m/x", b'{"a":"text"}', False, "is no number"),
        ("/m/x", b'{"a":true}', False, "is no number"),
        ("/m/x", b'{"a":{"b":{"c":1}}}', False, "is no number"),
        ("/m/x", b'{"time":"2026-11-22T10:00:00Z"}', False, "empty"),
        ("/m/x", b'{"a":{}}', False, "empty group"),
        ("/m/x", b'{"a":1}', True, "not retained"),
        ("/m/x", b'{"a":1,"time":"2026-11-22 10:00"}', False, "time"),
        ("/m/x", b'{"a":1,"time":1795000000000}', False, "seconds"),
        ("/e/x", b'{"a":1}', False, "has a text"),
        ("/a/x", b'{"severity":"major"}', False, "must be retained"),
        ("/a/x", b'{"severity":"MAJOR"}', True, "of the four"),
        ("/a/x", b"", False, "must be retained"),
        ("/twin/x", b"{}", False, "must be retained"),
        ("/status/health", b'{"status":"ok","pid":1}', True, "up or down"),
        ("/status/health", b'{"status":"up","time":1795000000}', True, "no pid"),
        ("/cmd/x/1", b'{"status":"executing"}', True, "nobody asked"),
        ("/cmd/x/9", b'{"status":"executing"}', True, "fields are lost"),
        ("/cmd/x/9", b'{"status":"failed","envelope":1}', True, "without a reason"),
        ("/cmd/x/9", b'{"status":"doing","envelope":1}', True, "init -> doing"),
        ("/x", b"{}", True, "no such channel"),
    ],
)
def test_thin_edge_would_not_take_it(tail: str, payload: bytes, retained: bool, said: str) -> None:
    """Each rule bites."""
    rules = ThinEdgeRules()
    rules.take(SERVICE, b'{"@type":"service"}', retained=True)
    rules.begun("9", {"status": "init", "envelope": 1})
    rules.take(SERVICE + tail, payload, retained=retained)
    assert any(said in each for each in rules.complaints), rules.complaints


def test_thin_edge_hears_of_nobody_unregistered() -> None:
    """Registration comes first, on the service's own topic."""
    rules = ThinEdgeRules()
    rules.take(f"{SERVICE}/m/x", b'{"a":1}')
    rules.take("te/device/main///m/x", b'{"a":1}')
    assert any("before the registration" in each for each in rules.complaints)
    assert any("not of this service" in each for each in rules.complaints)
