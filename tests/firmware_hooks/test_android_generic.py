"""The Android hooks against the texts of Android 7, 10, 11 and 13, and against every refusal."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.firmware_hooks.hooks_on_disk import HOOKS, executable, keeps_contract, load, pythons, run

ANDROID = HOOKS / "android_generic"
DUMPS = Path(__file__).parent / "android"
VERSIONS = ("7", "10", "11", "13")
dumps = load(ANDROID / "android_dumps.py")


def text(version: str, name: str) -> str:
    """A fixture without its header."""
    lines = (DUMPS / version / f"{name}.txt").read_text("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# "))


def android(place: Path, version: str, **instead: str) -> str:
    """A PATH with a getprop and a dumpsys that print the fixtures of one version."""
    place.mkdir(exist_ok=True)
    for name in ("getprop", "battery", "connectivity", "wifi", "telephony.registry", "package"):
        (place / f"{name}.txt").write_text(
            instead.get(name.replace(".", "_"), text(version, name)), "utf-8"
        )
    executable(place / "getprop", f'#!/bin/sh\nexec cat "{place}/getprop.txt"\n')
    executable(place / "dumpsys", f'#!/bin/sh\nexec cat "{place}/$1.txt"\n')
    return f"{place}:/usr/bin:/bin"


def told(hook: str, path: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = run(ANDROID / hook, path=path, **more)
    keeps_contract(answer, "reading" if hook.startswith("probe.") else f"{hook}.answer")
    return answer


BATTERY: dict[str, dict[str, Any]] = {
    "7": {
        "battery_percent": 14, "battery_charging": False, "battery_temperature_c": 28.7,
        "battery_voltage_mv": 3621, "battery_health": "good",
    },
    "10": {
        "battery_percent": 77, "battery_charging": True, "battery_temperature_c": 46.1,
        "battery_voltage_mv": 4102, "battery_health": "overheated",
    },
    "11": {"battery_fitted": False},
    "13": {
        "battery_percent": 100, "battery_charging": True, "battery_temperature_c": 30.5,
        "battery_voltage_mv": 4350, "battery_health": "good",
    },
}  # fmt: skip
NETWORK: dict[str, dict[str, Any]] = {
    "7": {
        "default_network": True, "transport": "wifi", "interface": "wlan0", "validated": True,
        "captive_portal": False, "metered": False,
    },
    # Wi-Fi is caught in a portal; the mobile network is the one in use.
    "10": {
        "default_network": True, "transport": "cellular", "interface": "rmnet_data0",
        "validated": True, "captive_portal": False, "metered": True,
    },
    "11": {
        "default_network": True, "transport": "ethernet", "interface": "eth0", "validated": False,
        "captive_portal": True, "metered": False,
    },
    # Voice over LTE is up and no way to the internet.
    "13": {"default_network": False},
}  # fmt: skip
WIFI: dict[str, dict[str, Any]] = {
    "7": {
        "enabled": True, "connected": True, "rssi_dbm": -58, "link_speed_mbps": 65,
        "frequency_mhz": 2447,
    },
    # The network's name pretends to be the fields behind it.
    "10": {
        "enabled": True, "connected": True, "rssi_dbm": -71, "link_speed_mbps": 26,
        "frequency_mhz": 5180,
    },
    "11": {"enabled": False, "connected": False},
    # -127 is no strength, and the other link's is not this one's.
    "13": {"enabled": True, "connected": True, "link_speed_mbps": 720, "frequency_mhz": 5200},
}  # fmt: skip
CELLULAR: dict[str, dict[str, Any]] = {
    "7": {
        "service_state": "in_service", "registered": True, "rsrp_dbm": -87, "rsrq_db": -7,
        "roaming": False, "sim": "ready", "network_type": "lte",
    },
    "10": {
        "service_state": "in_service", "registered": True, "rsrp_dbm": -104, "rsrq_db": -12,
        "roaming": True, "sim": "loaded,absent", "network_type": "lte",
    },
    "11": {"service_state": "off", "registered": False, "roaming": False, "sim": "absent"},
    "13": {
        "service_state": "in_service", "registered": True, "rsrp_dbm": -92, "rsrq_db": -11,
        "roaming": False, "sim": "loaded", "network_type": "nr",
    },
}  # fmt: skip
PROBES = {
    "probe.system": ("system", BATTERY),
    "probe.android_network": ("android_network", NETWORK),
    "probe.wifi": ("wifi", WIFI),
    "probe.cellular": ("cellular", CELLULAR),
}


@pytest.mark.parametrize("python", pythons(), ids=lambda path: Path(path).name)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("hook", PROBES)
def test_each_version_is_read(hook: str, version: str, python: str, tmp_path: Path) -> None:
    """The same keys from four generations of the same dump."""
    component, expected = PROBES[hook]
    answer = told(hook, android(tmp_path, version), python=python)
    assert answer["component"] == component
    assert answer["outcome"] == "reading"
    assert answer["state"] == expected[version]
    assert answer["raw"]


@pytest.mark.parametrize("version", VERSIONS)
def test_identity_from_getprop(version: str, tmp_path: Path) -> None:
    """Maker, model, serial and the build as firmware; no serial where Android withholds it."""
    answer = told("identity", android(tmp_path, version))
    assert answer["make"] == "Example"
    assert answer["model"] == {"7": "P2", "10": "X5", "11": "X6", "13": "X8"}[version]
    assert answer.get("serial") == {"7": "P2A0001", "11": "X6A0003", "13": "X8A0004"}.get(version)
    release = {"7": "Android 7.1.2, API 25", "10": "Android 10, API 29"}.get(version, "Android 1")
    assert answer["os"].startswith(release)
    assert "patch 20" in answer["os"]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("7", "3.2.1 (30201)"), ("10", "4.0.0 (rc) (40000)"), ("11", ""), ("13", "5.1 (51000)")],
)
def test_versions_of_the_named_packages(version: str, expected: str, tmp_path: Path) -> None:
    """Name and code; of an updated system app the one in use; not installed: left out."""
    hooks = tmp_path / "hooks.d"
    shutil.copytree(ANDROID, hooks, ignore=shutil.ignore_patterns("__pycache__"))
    names = "# a comment\ncom.example.pay\n; rm -rf /\n$(reboot)\n"
    (hooks / "packages.txt").write_text(names, "utf-8")
    answer = run(hooks / "inventory", path=android(tmp_path / "bin", version))
    keeps_contract(answer, "inventory.answer")
    found = {item["name"]: item["version"] for item in answer["items"]}
    assert found.get("com.example.pay", "") == expected
    assert found["android"] == {"7": "7.1.2"}.get(version, version)
    assert found["firmware"].startswith("Example/")
    assert ("modem" in found) is (version != "11")
    assert not [name for name in found if "rm" in name.split() or "reboot" in name]


DENIED = {
    "new": "\nPermission Denial: can't dump BatteryService from from pid=1, uid=10090 due to "
    "missing android.permission.DUMP permission\n",
    "old": "Permission Denial: can't dump ConnectivityService from from pid=4711, uid=10061\n",
    "thrown": "\nException occurred while dumping:\njava.lang.SecurityException: Permission "
    "Denial: reading com.android requires android.permission.DUMP\n",
}


@pytest.mark.parametrize("denied", DENIED.values(), ids=DENIED)
@pytest.mark.parametrize("hook", PROBES)
def test_a_denied_dump_is_unknown_and_says_what_it_needs(
    hook: str, denied: str, tmp_path: Path
) -> None:
    """Permission denied is not a fault and not fine; the reason names the permission."""
    path = android(
        tmp_path, "13", battery=denied, connectivity=denied, wifi=denied, telephony_registry=denied
    )
    answer = told(hook, path)
    assert answer["outcome"] == "unknown"
    assert "needs android.permission.DUMP" in answer["reason"]
    assert "pm grant" in told(hook, path, lang="zh_CN.UTF-8")["reason"]


def test_a_denied_package_dump_leaves_the_rest_of_the_inventory(tmp_path: Path) -> None:
    """What getprop tells is told; the source says what was denied."""
    hooks = tmp_path / "hooks.d"
    shutil.copytree(ANDROID, hooks, ignore=shutil.ignore_patterns("__pycache__"))
    (hooks / "packages.txt").write_text("com.example.pay\n", "utf-8")
    answer = run(hooks / "inventory", path=android(tmp_path / "bin", "13", package=DENIED["new"]))
    keeps_contract(answer, "inventory.answer")
    assert "android" in [item["name"] for item in answer["items"]]
    assert "denied" in answer["source"]


@pytest.mark.parametrize("hook", PROBES)
def test_a_missing_service_is_not_observable(hook: str, tmp_path: Path) -> None:
    """A firmware without the service will never tell: permanent, and no alarm."""
    gone = "Can't find service: x\n"
    path = android(
        tmp_path, "13", battery=gone, connectivity=gone, wifi=gone, telephony_registry=gone
    )
    assert told(hook, path)["outcome"] == "not_observable"


@pytest.mark.parametrize(
    "garbage",
    ["", "\n\n", "*** SERVICE 'battery' DUMP TIMEOUT (10000ms) EXPIRED ***\n", "hello\n",
     "mServiceState=null\nActive default network\nWi-Fi is\nlevel: 5\n", "\x00\x01\x02\n" * 50],
    ids=["empty", "blank", "cut off", "other", "half", "binary"],
)  # fmt: skip
@pytest.mark.parametrize("hook", PROBES)
def test_what_is_not_understood_is_unknown(hook: str, garbage: str, tmp_path: Path) -> None:
    """Never a guess: no dump, a cut-off one, and one in a form nobody knows."""
    path = android(
        tmp_path,
        "13",
        battery=garbage,
        connectivity=garbage,
        wifi=garbage,
        telephony_registry=garbage,
    )
    answer = told(hook, path)
    assert answer["outcome"] == "unknown"
    assert answer["reason"]


@pytest.mark.parametrize("hook", [*PROBES, "identity", "inventory"])
def test_a_machine_that_is_no_android(hook: str, tmp_path: Path) -> None:
    """No getprop and no dumpsys: unknown, not a crash."""
    assert "not Android" in told(hook, str(tmp_path))["reason"]


def test_a_program_that_may_not_be_run(tmp_path: Path) -> None:
    """A rule is missing, and the reason says so."""
    path = android(tmp_path, "13")
    (tmp_path / "dumpsys").chmod(0o644)
    answer = told("probe.wifi", path.split(":", maxsplit=1)[0])
    assert answer["outcome"] == "unknown"
    assert "needs" in answer["reason"] or "not found" in answer["reason"]


def test_a_dump_that_hangs_is_given_up_within_the_deadline(tmp_path: Path) -> None:
    """The hook answers unknown itself, before the agent has to kill it."""
    path = android(tmp_path, "13")
    executable(tmp_path / "dumpsys", "#!/bin/sh\nexec sleep 60\n")
    answer = told("probe.system", path, request={"deadline_ms": 1200})
    assert answer["outcome"] == "unknown"
    assert "did not answer" in answer["reason"]


def test_a_battery_set_by_hand_is_not_believed(tmp_path: Path) -> None:
    """`dumpsys battery set level 5` was left in force by somebody who tested something."""
    faked = text("13", "battery").replace(
        "state:\n", "state:\n  (UPDATES STOPPED -- use 'reset' to restart)\n", 1
    )
    answer = told("probe.system", android(tmp_path, "13", battery=faked))
    assert answer["outcome"] == "unknown"
    assert "reset" in answer["reason"]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_private_leaves_the_dumps(version: str, tmp_path: Path) -> None:
    """No network name, address, operator or cell, although the dumps are full of them."""
    path = android(tmp_path, version)
    for hook in PROBES:
        answer = str(told(hook, path))
        assert not re.search(r"shop|02:00:00|192\.0\.2|46000|Example|Supplicant", answer), hook


@pytest.mark.parametrize("version", VERSIONS)
def test_each_fixture_says_that_it_was_not_recorded(version: str) -> None:
    """The header names the source it was put together from."""
    files = sorted((DUMPS / version).glob("*.txt"))
    assert len(files) == 6
    for path in files:
        first = path.read_text("utf-8").splitlines()[0]
        assert first.startswith("# Reconstructed, not recorded on a device: ")


def test_parsers_survive_any_cut(tmp_path: Path) -> None:
    """Every dump cut at every fiftieth character is read or refused, never a crash."""
    readers = {
        "battery": dumps.battery_state,
        "connectivity": dumps.network_state,
        "wifi": dumps.wifi_state,
        "telephony.registry": dumps.cellular_state,
    }
    for version in VERSIONS:
        for name, read in readers.items():
            whole = text(version, name)
            for end in range(0, len(whole), 50):
                with contextlib.suppress(dumps.Untold):
                    state, raw = read(whole[:end])
                    assert isinstance(state, dict)
                    assert isinstance(raw, str)
