"""What the parsers make of recorded and reconstructed dumps, and of garbage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.android import (
    activity,
    battery,
    connectivity,
    getprop,
    packages,
    telephony,
    wifi,
)
from agent.watch.android.asking import Question
from agent.watch.android.battery import Battery
from agent.watch.android.connectivity import Network
from agent.watch.android.telephony import Phone
from agent.watch.android.wifi import Wifi

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "android"


def dump(release: int, name: str, question: Question | None) -> str:
    """A fixture as it reaches a parser: only the lines its question looks for."""
    raw = (FIXTURES / str(release) / f"{name}.txt").read_bytes()
    if question is None:
        return raw.decode()
    kept = [line.rstrip(b"\r") for line in raw.split(b"\n") if question.keep.search(line)]
    return b"\n".join(kept).decode()


@pytest.mark.parametrize(
    ("release", "name", "expected"),
    [
        (7, "dumpsys_connectivity", Network(
            default=True, number="100", transport="wifi", interface="wlan0", validated=True,
            captive_portal=False, metered=False, vpn=False,
        )),
        (10, "dumpsys_connectivity", Network(
            default=True, number="103", transport="cellular", interface="rmnet_data0",
            validated=True, captive_portal=False, metered=True, vpn=False,
        )),
        (13, "dumpsys_connectivity", Network(default=False)),
        (17, "dumpsys_connectivity", Network(
            default=True, number="109", transport="cellular", interface="rmnet1",
            validated=True, captive_portal=False, metered=True, vpn=False,
        )),
    ],
)  # fmt: skip
def test_the_network_android_uses(release: int, name: str, expected: Network) -> None:
    """The default network of the dump, not the first one listed."""
    assert connectivity.network(dump(release, name, connectivity.QUESTION)) == expected


def test_capability_numbers_above_17_are_not_believed() -> None:
    """Numbers every version agrees on count; a firmware's own 18 and up say nothing."""
    line = (
        "Active default network: 5\n  NetworkAgentInfo{network{5} lp{{InterfaceName: eth0}} "
        "nc{[ Transports: ETHERNET Capabilities: 11&12&15&16&18&22&24]}}"
    )
    found = connectivity.network(line)
    assert found is not None
    assert (found.validated, found.captive_portal, found.metered) == (True, False, False)
    only = connectivity.network("Active default network: 5\nnothing about it")
    assert only == Network(default=True, number="5")
    assert connectivity.network("Nothing here") is None


@pytest.mark.parametrize(
    ("release", "name", "expected"),
    [
        (7, "dumpsys_wifi", Wifi(
            enabled=True, joined=True, rssi_dbm=-58, link_speed_mbps=65, frequency_mhz=2447,
        )),
        (9, "dumpsys_wifi", Wifi(
            joined=True, rssi_dbm=-50, link_speed_mbps=58, frequency_mhz=2447,
        )),
        (9, "dumpsys_wifi.away", Wifi(joined=False)),
        (10, "dumpsys_wifi", Wifi(
            enabled=True, joined=True, rssi_dbm=-71, link_speed_mbps=26, frequency_mhz=5180,
        )),
        (13, "dumpsys_wifi", Wifi(
            enabled=True, joined=True, rssi_dbm=None, link_speed_mbps=720, frequency_mhz=5200,
        )),
        (13, "dumpsys_wifi.emulator", Wifi(
            joined=True, rssi_dbm=-50, link_speed_mbps=866, frequency_mhz=5180,
        )),
        (13, "cmd_wifi_status", Wifi(
            enabled=True, joined=True, rssi_dbm=-42, link_speed_mbps=390,
        )),
    ],
)  # fmt: skip
def test_wifi(release: int, name: str, expected: Wifi) -> None:
    """Strength and speed of the network that is joined; -127 is "not known", not very weak."""
    question = wifi.STATUS if name.startswith("cmd") else wifi.DUMP
    assert wifi.wifi(dump(release, name, question)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wifi is disabled\nWifi is not connected", Wifi(enabled=False, joined=False)),
        ("Wifi is enabled\nWifi is not connected", Wifi(enabled=True, joined=False)),
        ('Wifi is enabled\nWifi is connected to "x"', Wifi(enabled=True, joined=True)),
        ("nothing", None),
    ],
)
def test_wifi_in_few_words(text: str, expected: Wifi | None) -> None:
    """What `cmd wifi status` says without a line of details."""
    assert wifi.wifi(text) == expected


@pytest.mark.parametrize(
    ("release", "name", "expected"),
    [
        (7, "dumpsys_telephony.registry", [Phone(
            service="in_service", roaming=False, technology="lte", rsrp_dbm=-87, rsrq_db=-7,
            sinr_db=26.2,
        )]),
        (7, "dumpsys_telephony.registry.searching", [Phone(
            service="out_of_service", roaming=False,
        )]),
        (13, "dumpsys_telephony.registry.away", [Phone(service="out_of_service")]),
        (17, "dumpsys_telephony.registry", [
            Phone(
                service="in_service", roaming=False, technology="lte", rsrp_dbm=-128,
                rsrq_db=-16, sinr_db=-6, rssi_dbm=-95, level=0,
            ),
            Phone(
                service="in_service", roaming=True, technology="lte", rsrp_dbm=-104,
                rsrq_db=-4, sinr_db=18, rssi_dbm=-79, level=3,
            ),
        ]),
    ],
)  # fmt: skip
def test_sim_slots(release: int, name: str, expected: list[Phone]) -> None:
    """Registration, technology and signal of each slot; 2147483647 is no figure."""
    assert telephony.phones(dump(release, name, telephony.QUESTION)) == expected


@pytest.mark.parametrize("release", [10, 13])
def test_a_slot_in_service_is_found_on_both_generations(release: int) -> None:
    """Two slots with the second in service; a data-only SIM whose voice is out is well."""
    slots = telephony.phones(dump(release, "dumpsys_telephony.registry", telephony.QUESTION))
    assert slots is not None
    assert [one.service for one in slots][-1] == "in_service"
    assert any(one.rsrp_dbm is not None for one in slots)


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (7, Battery(
            percent=14, status="discharging", powered=False, health="good", temperature_c=28.7,
            voltage_mv=3621,
        )),
        (9, Battery(
            percent=100, status="full", powered=True, health="good", temperature_c=27.4,
            voltage_mv=4352,
        )),
        (10, Battery(
            percent=77, status="charging", powered=True, health="overheat", temperature_c=46.1,
            voltage_mv=4102,
        )),
        (13, Battery(
            percent=100, status="not_charging", powered=True, health="good", temperature_c=30.5,
            voltage_mv=4350,
        )),
    ],
)  # fmt: skip
def test_battery(release: int, expected: Battery) -> None:
    """Charge, charger and health of four releases."""
    found = battery.battery(dump(release, "dumpsys_battery", battery.QUESTION))
    assert found == expected
    assert found.charging is (release != 7)


def test_battery_without_one_and_with_a_made_up_one() -> None:
    """Not there is said; values somebody set for a test are marked; no dump is none."""
    head = "Current Battery Service state:\n"
    assert battery.battery(head + "  present: false\n  level: 0\n") == Battery(fitted=False)
    odd = battery.battery(head + "  (UPDATES STOPPED -- use 'reset' to restart)\n  level: 5\n")
    assert odd is not None
    assert odd.made_up
    assert odd.charging is None
    assert battery.battery("level: 5") is None


@pytest.mark.parametrize(
    ("release", "name", "package", "expected"),
    [
        (7, "dumpsys_package", "com.example.pay", "3.2.1"),
        (10, "dumpsys_package", "com.example.pay", "4.0.0 (rc)"),
        (10, "dumpsys_package.samsung", "com.samsung.android.provider.filterprovider", "5.0.07"),
        (10, "dumpsys_package.samsung", "com.sec.android.app.DataCreate", "1.0"),
        (10, "dumpsys_package.samsung", "com.sec.android.app", ""),
        (13, "dumpsys_package", "com.example.pay", "5.1"),
    ],
)
def test_versions_of_apps(release: int, name: str, package: str, expected: str) -> None:
    """Of the block in use: an updated system app is listed twice."""
    question = packages.asked_for(package)
    assert question is not None
    assert packages.version(dump(release, name, question), package) == expected


def test_what_is_no_package_becomes_no_argument() -> None:
    """An option or a path is never handed to dumpsys."""
    for name in ("-a", "pay", "../x", "com.example pay", "com." + "x" * 200):
        assert packages.asked_for(name) is None
    assert packages.version("  Package [a.b] (1):\n    versionCode=7 minSdk=1", "a.b") == "7"


def test_processes() -> None:
    """An app has a process, had one, or the text is no such list."""
    text = dump(10, "dumpsys_activity_processes", activity.QUESTION)
    assert activity.running(text, "com.example.pay") is True
    assert activity.running(text, "com.example.gone") is False
    assert activity.running(text, "com.example") is False
    assert activity.running("something else", "com.example.pay") is None


def test_properties() -> None:
    """Identity of three releases; a slot list is split; what is not told is left out."""
    for release, android in ((7, "7.1.2"), (10, "10"), (13, "13")):
        had = getprop.properties(dump(release, "getprop", getprop.QUESTION))
        assert getprop.identity(had)["android"] == android
        assert "ro.serialno" not in had, "nobody asked for it"
    assert getprop.by_slot({"gsm.sim.state": "LOADED, ABSENT"}, "gsm.sim.state") == [
        "LOADED", "ABSENT",
    ]  # fmt: skip
    assert getprop.by_slot({}, "gsm.sim.state") == []
    assert getprop.identity({"ro.product.model": "unknown"}) == {}


PIECES = st.sampled_from([
    "Active default network: ", "NetworkAgentInfo{network{5}", " nc{[ Transports: ",
    "Capabilities: 16&VALIDATED", "mWifiInfo SSID: ", "Supplicant state: COMPLETED, RSSI: -",
    "Wi-Fi is enabled", "Phone Id=0", "mServiceState={mVoiceRegState=0(", "mServiceState=0 0 voice",
    "mSignalStrength=SignalStrength: 99 0 -1 2 3 4 5 6 7 8 9999999999 1",
    "CellSignalStrengthLte: rsrp=-", "primary=CellSignalStrengthLte level=9",
    "ssRsrp = 1 ssRsrq = 2 ssSinr = 3",
    "Battery Service state", "  level: 999999999999", "  scale: 0", "  present: ", "[ro.x]: [",
    "  Package [a.b] (", "versionName=", "ProcessRecord{ff 1:a.b/", "\n", "5", ", ", "]",
])  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=12), max_size=30).map("".join))
def test_no_dump_makes_a_parser_fail(text: str) -> None:
    """Torn, mixed or foreign text: something or nothing is understood, and nothing raises."""
    getprop.identity(getprop.properties(text))
    getprop.one_property(text)
    network = connectivity.network(text)
    assert network is None or len(network.interface) <= 15
    found = wifi.wifi(text)
    assert found is None or found.rssi_dbm is None or -110 <= found.rssi_dbm <= -10
    for phone in telephony.phones(text) or []:
        assert phone.rsrp_dbm is None or -140 <= phone.rsrp_dbm <= -43
    state = battery.battery(text)
    assert state is None or state.percent is None or 0 <= state.percent <= 100
    packages.version(text, "a.b")
    activity.running(text, "a.b")
