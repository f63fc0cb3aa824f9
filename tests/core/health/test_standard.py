"""The conditions we ship: each raised by the reading that means it, and by no other."""

from __future__ import annotations

import pytest

from agent.core.health.reading import Value
from agent.core.health.standard import STANDARD
from agent.core.why.causes import CATALOGUE

PRINTER: dict[str, Value] = {
    "online": True,
    "paper": "ok",
    "cover_open": False,
    "cutter_fault": False,
    "overheated": False,
    "hardware_fault": False,
    "offline": False,
    "offline_reason": "",
    "feed_button": False,
    "waiting_recovery": False,
    "paper_jam": False,
    "ink_out": False,
    "low_voltage": False,
}
SCANNER: dict[str, Value] = {
    "connected": True,
    "answers": True,
    "battery_percent": 80,
    "battery_limit_percent": 15,
    "sensor_fault": False,
    "misses_codes": False,
}
NETWORK: dict[str, Value] = {
    **dict.fromkeys(
        ("carrier", "address", "route", "gateway", "captive_portal", "internet", "dns", "tcp"),
        "ok",
    ),
    "tls": "ok",
    "vpn": "not_needed",
    "tcp_code": "",
    "tls_code": "",
    "drops_last_hour": 0,
    "connect_ms": 20,
    "slow_ms": 3000,
    "certificate_days": 90,
    "certificate_warn_days": 30,
}
UPLINK: dict[str, Value] = {"state": "ok", "cause": ""}
QUEUE: dict[str, Value] = {
    "held": 0,
    "not_signed_on": 0,
    "batch_incomplete": 0,
    "quarantined": 0,
    "store_full": False,
    "store_unavailable": False,
    "data_error": False,
    "lapsed_recent": 0,
    "limit_reached": False,
}
SYSTEM: dict[str, Value] = {
    "storage_free_mb": 900,
    "storage_limit_mb": 100,
    "storage_read_only": False,
    "memory_available_mb": 200,
    "memory_limit_mb": 24,
    "temperature_c": 40.0,
    "temperature_limit_c": 75.0,
    "battery_percent": 80,
    "battery_limit_percent": 15,
    "battery_charging": False,
    "restarts_24h": 0,
    "restarts_limit": 3,
    "system_crashed": False,
    "aging_percent": 40,
    "tampered": False,
}
CLOCK: dict[str, Value] = {"wrong": False, "certificate_early": False}
LINK: dict[str, Value] = {"unstable": False, "slow": False, "drops_last_hour": 0, "slow_ms": 3000}
SIGNAL: dict[str, Value] = {"weak": False, "sim_trouble": False, "band": "good"}
SOFTWARE: dict[str, Value] = {
    "behind": 0,
    "ahead": 0,
    "equal": 3,
    "unknown": 0,
    "update_state": "none",
    "update_waiting": "no",
}
AGENT: dict[str, Value] = {
    "clock_trusted": True,
    "part_restarts": 0,
    "frozen_s": 0,
    "inherited": False,
    "exposed": 0,
}
FLEET: dict[str, Value] = {
    "connected": True,
    "duplicate_id": False,
    "not_authorised": False,
    "budget_step": "full",
    "desired_rejected": False,
    "forged_recent": 0,
}
FINE = {
    "printer": PRINTER,
    "scanner": SCANNER,
    "connectivity": NETWORK,
    "link": LINK,
    "signal": SIGNAL,
    "uplink": UPLINK,
    "queue": QUEUE,
    "system": SYSTEM,
    "clock": CLOCK,
    "security": {"tampered": False},
    "software": SOFTWARE,
    "agent": AGENT,
    "fleet": FLEET,
    "inspection": {"overdue": False, "last_at": "2026-12-01T04:10:00+00:00"},
}


def raised(component: str, values: dict[str, Value]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by(component) if sign.judge(values)}


def untold(component: str, values: dict[str, Value]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by(component) if sign.judge(values) is None}


@pytest.mark.parametrize("component", FINE)
def test_a_healthy_component_raises_nothing_and_settles_everything(component: str) -> None:
    """A full healthy reading says false, not unknown, about every condition of its component."""
    assert raised(component, FINE[component]) == set()
    assert untold(component, FINE[component]) == set()


@pytest.mark.parametrize("component", FINE)
def test_an_empty_reading_tells_nothing(component: str) -> None:
    """Without values nothing is raised and nothing is declared fine."""
    assert raised(component, {}) == set()
    assert len(untold(component, {})) == len(list(STANDARD.judged_by(component)))


@pytest.mark.parametrize(
    ("component", "broken", "codes"),
    [
        ("printer", {"paper": "out"}, {"printer.paper_out"}),
        ("printer", {"paper": "low"}, {"printer.paper_low"}),
        ("printer", {"cover_open": True, "paper": "out"}, {"printer.cover_open"}),
        ("printer", {"cutter_fault": True}, {"printer.cutter_fault"}),
        ("printer", {"overheated": True}, {"printer.overheated"}),
        ("printer", {"hardware_fault": True}, {"printer.hardware_fault"}),
        ("printer", {"offline": True}, {"printer.offline"}),
        ("printer", {"waiting_recovery": True}, {"printer.offline"}),
        ("printer", {"paper_jam": True}, {"printer.paper_jam"}),
        ("printer", {"ink_out": True}, {"printer.ink_out"}),
        ("printer", {"low_voltage": True}, {"printer.low_voltage"}),
        ("scanner", {"battery_percent": 15}, {"scanner.battery_low"}),
        ("scanner", {"battery_percent": 15, "battery_charging": True}, set()),
        ("scanner", {"battery_percent": None, "battery_low": True}, {"scanner.battery_low"}),
        ("scanner", {"battery_low": True}, {"scanner.battery_low"}),
        ("scanner", {"sensor_fault": True}, {"scanner.sensor_fault"}),
        ("scanner", {"misses_codes": True}, {"scanner.sensor_fault"}),
        ("scanner", {"good_read_age_s": 86_400}, set()),
        ("connectivity", {"carrier": "failed"}, {"network.no_link"}),
        ("connectivity", {"address": "failed"}, {"network.no_address"}),
        ("connectivity", {"route": "failed"}, {"network.no_gateway"}),
        ("connectivity", {"gateway": "failed"}, {"network.no_gateway"}),
        ("connectivity", {"dns": "failed"}, {"network.dns_failed"}),
        ("connectivity", {"tcp": "failed"}, {"network.host_unreachable"}),
        ("connectivity", {"tls": "failed"}, {"network.host_unreachable"}),
        ("connectivity", {"tls": "failed", "tls_code": "network.host_unreachable"},
         {"network.host_unreachable"}),
        ("connectivity", {"tcp": "failed", "tcp_code": "config.permission_denied"},
         {"config.permission_denied"}),
        ("connectivity", {"tls": "failed", "tls_code": "config.permission_denied"},
         {"config.permission_denied"}),
        ("connectivity", {"tls": "failed", "tls_code": "config.credential_expired"},
         {"config.credential_expired"}),
        ("connectivity", {"captive_portal": "failed"}, {"network.captive_portal"}),
        ("connectivity", {"internet": "failed"}, {"network.no_internet"}),
        ("connectivity", {"vpn": "failed"}, {"network.vpn_down"}),
        ("connectivity", {"dns_ms": 4000}, {"network.slow"}),
        ("connectivity", {"connect_ms": None, "dns_ms": 4000}, {"network.slow"}),
        ("connectivity", {"connect_ms": None, "dns_ms": 4}, set()),
        (
            "connectivity",
            {"tls": "failed", "tls_code": "tls.untrusted"},
            {"tls.untrusted"},
        ),
        ("connectivity", {"certificate_days": 30}, {"tls.certificate_expiring"}),
        ("connectivity", {"certificate_days": -1}, set()),
        ("connectivity", {"drops_last_hour": 4}, {"network.unstable"}),
        ("connectivity", {"connect_ms": 3000}, {"network.slow"}),
        ("link", {"unstable": True}, {"network.unstable"}),
        ("link", {"slow": True}, {"network.slow"}),
        ("signal", {"weak": True}, {"network.weak_signal"}),
        ("signal", {"sim_trouble": True}, {"network.sim_problem"}),
        ("uplink", {"state": "backing_off", "cause": "host.down"}, {"host.down"}),
        ("uplink", {"state": "paused", "cause": "config.credential_expired"},
         {"config.credential_expired"}),
        ("uplink", {"state": "ok", "cause": "host.down"}, set()),
        ("uplink", {"state": "shadow"}, set()),
        ("uplink", {"state": "none"}, set()),
        ("uplink", {"state": "disabled"}, {"config.not_activated"}),
        ("queue", {"held": 1}, {"queue.held"}),
        ("queue", {"not_signed_on": 2}, {"config.not_signed_on"}),
        ("queue", {"batch_incomplete": 1}, {"settlement.batch_not_closed"}),
        ("queue", {"quarantined": 2}, {"queue.quarantined"}),
        ("queue", {"store_full": True}, {"queue.store_full"}),
        ("queue", {"store_unavailable": True}, {"software.agent_degraded"}),
        ("queue", {"data_error": True}, {"software.data_error"}),
        ("queue", {"lapsed_recent": 1}, {"request.lapsed"}),
        ("queue", {"limit_reached": True}, {"queue.limit_reached"}),
        ("system", {"storage_free_mb": 100}, {"system.storage_low"}),
        ("system", {"storage_read_only": True}, {"system.storage_worn"}),
        ("system", {"memory_available_mb": 10}, {"system.memory_low"}),
        ("system", {"temperature_c": 80.5}, {"system.overheated"}),
        ("system", {"battery_percent": 9}, {"power.battery_low"}),
        ("system", {"battery_percent": 9, "battery_charging": True}, set()),
        (
            "system",
            {"battery_percent": 9, "battery_charging": True, "battery_status": "not_charging"},
            {"power.battery_low"},
        ),
        ("system", {"wear_percent": 90, "wear_limit_percent": 90}, {"system.storage_worn"}),
        ("system", {"wear_percent": 80, "wear_limit_percent": 90}, set()),
        ("system", {"wear_reserve": "urgent"}, {"system.storage_worn"}),
        (
            "system",
            {"memory_pressure_percent": 20.0, "memory_pressure_limit": 20.0},
            {"system.memory_low"},
        ),
        ("system", {"restarts_24h": 3}, {"power.unstable"}),
        ("system", {"system_crashed": True}, {"software.system_crash"}),
        ("system", {"aging_percent": 100}, {"system.aging"}),
        ("system", {"tampered": True}, {"security.tampered"}),
        ("security", {"tampered": True}, {"security.tampered"}),
        ("clock", {"wrong": True}, {"clock.wrong"}),
        ("software", {"behind": 1}, {"software.outdated"}),
        ("software", {"update_waiting": "held"}, {"software.update_pending"}),
        ("software", {"update_waiting": "offered"}, {"software.update_pending"}),
        ("software", {"update_waiting": "no", "update_state": "waiting"}, set()),
        ("software", {"update_state": "rolled_back"}, {"software.update_failed"}),
        ("software", {"update_state": "failed"}, {"software.update_failed"}),
        ("agent", {"part_restarts": 3}, {"software.agent_degraded"}),
        ("agent", {"frozen_s": 600}, {"software.agent_frozen"}),
        ("agent", {"inherited": True}, {"config.identity_copied"}),
        ("inspection", {"overdue": True}, {"inspection.overdue"}),
        ("fleet", {"duplicate_id": True}, {"fleet.duplicate_id"}),
        ("fleet", {"not_authorised": True}, {"fleet.not_authorised"}),
        ("fleet", {"budget_step": "no_history"}, {"fleet.data_budget"}),
        ("fleet", {"desired_rejected": True}, {"fleet.desired_rejected"}),
        ("fleet", {"forged_recent": 1}, {"fleet.forged_command"}),
        ("fleet", {"connected": False}, set()),
    ],
)  # fmt: skip
def test_each_trouble_raises_its_own_condition(
    component: str, broken: dict[str, Value], codes: set[str]
) -> None:
    """One thing wrong in an otherwise healthy reading raises exactly the code that names it."""
    assert raised(component, {**FINE[component], **broken}) == codes


def test_layers_that_were_not_tried_are_not_fine() -> None:
    """With the link down, nothing is known about DNS, hosts and certificates."""
    values: dict[str, Value] = {
        **NETWORK,
        "carrier": "failed",
        **dict.fromkeys(("address", "route", "gateway", "dns", "tcp", "tls"), "not_tried"),
    }
    assert raised("connectivity", values) == {"network.no_link"}
    assert {"network.no_address", "network.dns_failed", "network.host_unreachable"} < untold(
        "connectivity", values
    )
    assert "tls.untrusted" in untold("connectivity", values)


@pytest.mark.parametrize("cause", ["host.down", "network.dns_failed", "tls.ca_expired"])
def test_the_uplink_names_its_own_cause(cause: str) -> None:
    """Each cause an uplink reports raises the condition of that code and no other."""
    assert raised("uplink", {"state": "backing_off", "cause": cause}) == {cause}


def test_every_condition_is_a_cause() -> None:
    """Whatever is raised has a title, an owner and a next step in both languages."""
    assert [one.code for one in STANDARD if one.code not in CATALOGUE] == []


def test_every_device_trouble_follows_from_silence() -> None:
    """A printer that does not answer is one alarm, whatever it last said."""
    for one, _ in STANDARD.judged_by("printer"):
        assert "printer.not_answering" in one.depends_on


@pytest.mark.parametrize(
    ("values", "settled"),
    [
        ({"misses_codes": False}, {"scanner.sensor_fault"}),
        ({"sensor_fault": False, "misses_codes": None}, {"scanner.sensor_fault"}),
        ({"battery_low": False}, {"scanner.battery_low"}),
    ],
)
def test_a_scanner_that_tells_one_thing_settles_that(
    values: dict[str, Value], settled: set[str]
) -> None:
    """Its own test or its misses, a charge or a flag: either alone is enough to say fine."""
    known = {one.code for one, _ in STANDARD.judged_by("scanner")} - untold("scanner", values)
    assert known == settled
    assert raised("scanner", values) == set()


def test_a_scanner_that_is_gone_is_one_alarm() -> None:
    """Gone explains silence, and both explain whatever it last said."""
    assert STANDARD.silence("scanner", "") == STANDARD["scanner.not_answering"]
    assert STANDARD["scanner.not_answering"].depends_on == ("scanner.disconnected",)
    for one, _ in STANDARD.judged_by("scanner"):
        assert {"scanner.disconnected", "scanner.not_answering"} <= set(one.depends_on)
