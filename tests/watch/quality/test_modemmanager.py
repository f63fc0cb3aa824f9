"""What ModemManager's properties mean, and what is never taken from them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.quality.facts import RadioFacts, Registration, SimState
from agent.watch.quality.modemmanager import MODEM, MODEM_3GPP, SIGNAL, modems

IMEI = "860000000000017"
FINE: dict[str, Any] = {
    "State": 11,
    "UnlockRequired": 1,
    "AccessTechnologies": 1 << 14,
    "SignalQuality": (71, True),
    "Sim": "/org/freedesktop/ModemManager1/SIM/0",
    "Ports": [("ttyUSB2", 3), ("wwan0", 2)],
    "EquipmentIdentifier": IMEI,
}
NETWORK: dict[str, Any] = {"RegistrationState": 1, "OperatorCode": "46000", "Imei": IMEI}


def facts(signal: dict[str, Any] | None = None, **changes: Any) -> RadioFacts:
    network = NETWORK | {name: changes.pop(name) for name in NETWORK if name in changes}
    tree = {"/m/0": {MODEM: FINE | changes, MODEM_3GPP: network, SIGNAL: signal or {}}}
    (one,) = modems(tree, 0)
    return one.facts


@pytest.mark.parametrize(
    ("changes", "sim"),
    [
        ({}, SimState.READY),
        ({"State": -1, "StateFailedReason": 2}, SimState.ABSENT),
        ({"State": -1, "StateFailedReason": 3}, SimState.FAILED),
        ({"State": -1, "StateFailedReason": 1}, SimState.UNKNOWN),
        ({"State": -1}, SimState.UNKNOWN),
        ({"State": 2, "UnlockRequired": 2}, SimState.PIN_REQUIRED),
        ({"State": 2, "UnlockRequired": 4}, SimState.PUK_REQUIRED),
        ({"State": 2, "UnlockRequired": 0}, SimState.LOCKED),
        ({"UnlockRequired": 3}, SimState.READY),
        ({"UnlockRequired": 11}, SimState.LOCKED),
        ({"UnlockRequired": 99}, SimState.UNKNOWN),
        ({"Sim": "/", "UnlockRequired": 0, "State": 8}, SimState.ABSENT),
        ({"Sim": "/", "UnlockRequired": 0, "State": 1}, SimState.UNKNOWN),
    ],
)
def test_the_sim(changes: dict[str, Any], sim: SimState) -> None:
    """The failed reason, the lock, or a modem without a card; what is new is not known."""
    assert facts(**changes).sim_state is sim


@pytest.mark.parametrize(
    ("changes", "registration"),
    [
        ({}, Registration.HOME),
        ({"RegistrationState": 5}, Registration.ROAMING),
        ({"RegistrationState": 2}, Registration.SEARCHING),
        ({"RegistrationState": 3}, Registration.DENIED),
        ({"RegistrationState": 4}, Registration.UNKNOWN),
        ({"RegistrationState": None}, Registration.UNKNOWN),
        ({"State": 3}, Registration.OFF),
    ],
)
def test_the_registration(changes: dict[str, Any], registration: Registration) -> None:
    """As the network answered; a modem that is switched off is off."""
    assert facts(**changes).registration is registration


def test_signals() -> None:
    """LTE and NR by RSRP, 2G and 3G by RSSI; beside LTE's RSRP its RSSI is no 2G signal."""
    lte = facts({"Lte": {"rssi": -60.0, "rsrp": -97.0, "rsrq": -11.0, "snr": 9.0}})
    assert (lte.rsrp_dbm, lte.rsrq_db, lte.sinr_db, lte.mapped) == (-97, -11, 9, True)
    gsm = facts({"Gsm": {"rssi": -95.0}})
    assert (gsm.rssi_dbm, gsm.mapped, gsm.rsrp_dbm) == (-95, False, None)
    both = facts({"Lte": {"rsrp": -90.0}, "Nr5g": {"rsrp": -101.0, "snr": 3.0}})
    assert (both.rsrp_dbm, both.sinr_db) == (-101, 3)
    # What a modem says that measures nothing.
    assert facts({"Lte": {"rsrp": -32768.0, "rsrq": -32768.0}}).rsrp_dbm is None


def test_the_rest() -> None:
    """Operator by number, technology, percent, the interface among the ports."""
    told = facts()
    assert (told.operator, told.technology) == ("46000", "lte")
    assert (told.quality_percent, told.interface) == (71, "wwan0")
    assert facts(AccessTechnologies=0xFFFFFFFF).technology == ""
    assert facts(OperatorCode=IMEI).operator == ""


ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda deep: st.one_of(
        st.lists(deep, max_size=4),
        st.tuples(deep, deep),
        st.dictionaries(st.text(max_size=5), deep, max_size=3),
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([*sorted(FINE), "StateFailedReason"]), ODD),
    st.dictionaries(st.sampled_from(sorted(NETWORK)), ODD),
    st.dictionaries(st.sampled_from(["Rate", "Lte", "Nr5g", "Gsm", "Umts"]), ODD),
)
def test_odd_properties(
    modem: dict[str, Any], network: dict[str, Any], signal: dict[str, Any]
) -> None:
    """Properties of any type: facts within their bounds, never an exception."""
    (one,) = modems({"/m": {MODEM: modem, MODEM_3GPP: network, SIGNAL: signal}}, 0)
    told = one.facts
    assert told.rsrp_dbm is None or -156 <= told.rsrp_dbm <= -31
    assert told.quality_percent is None or 0 <= told.quality_percent <= 100


def test_nothing_that_identifies_has_a_place() -> None:
    """No field for IMEI, IMSI, ICCID or a number; and IMEI in the tree is in no field."""
    names = {one.name for one in fields(RadioFacts)}
    assert not names & {"imei", "imsi", "iccid", "serial", "number", "msisdn", "equipment"}
    assert IMEI not in repr(facts())
