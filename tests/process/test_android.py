"""The real daemon where getprop, dumpsys and cmd answer as on an Android terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.daemon import ROOT, Daemon, wait_until

pytestmark = pytest.mark.process

FIXTURES = ROOT / "tests" / "fixtures" / "android"
DENIED = "Permission Denial: can't dump $1 from from pid=77, uid=10061"
CONFIG = """
[android]
mode = "on"
bin = "{folder}"
packages = ["com.example.pay"]
[system]
root = "{root}"
[[component]]
name = "pay"
installed_by = "android"
package = "com.example.pay"
[discovery]
hotplug = "off"
"""


def programs(folder: Path, release: int, *, denied: bool = False) -> None:
    """getprop, dumpsys and cmd that print the dumps of this release, or are refused."""
    folder.mkdir(exist_ok=True)
    place = FIXTURES / str(release)
    refusal = f'echo "{DENIED}"; exit 0\n' if denied else ""
    scripts = {
        "getprop": f'[ -z "$1" ] && exec /bin/cat "{place}/getprop.txt"\necho\n',
        "dumpsys": f"{refusal}case $1 in package) f=package;; activity) f=activity_processes;; "
        f'*) f=$1;; esac\nexec /bin/cat "{place}/dumpsys_$f.txt"\n',
        "cmd": 'echo "java.lang.SecurityException: uid 10061 may not"; exit 255\n',
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}")
        (folder / name).chmod(0o755)


def root_of(folder: Path) -> Path:
    """A root whose kernel files are closed: no battery, no wireless, no resolv.conf."""
    (folder / "system").mkdir(parents=True)
    (folder / "system" / "build.prop").touch()
    (folder / "proc").mkdir()
    (folder / "proc" / "uptime").write_text("5000.0 1000.0\n")
    return folder


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with Daemon() as one:
        folder, root = one.home / "bin", root_of(one.home / "root")
        one.configure(CONFIG.format(folder=folder, root=root))
        yield one


def values(daemon: Daemon, component: str) -> dict[str, Any]:
    """What a component said, once it said anything."""
    found: dict[str, Any] = wait_until(
        lambda: daemon.components().get(component, {}).get("values"), f"{component} was read"
    )
    return found


def inspected(daemon: Daemon) -> dict[str, dict[str, Any]]:
    """The checks of an inspection made now, by name."""
    daemon.post("/v1/inspections", {})
    report = wait_until(
        lambda: (found := daemon.get("/v1/inspections/last").json)["ended_at"] and found,
        "the inspection's end",
    )
    return {check["name"]: check for check in report["checks"]}


def status(daemon: Daemon) -> str:
    return subprocess.run(
        daemon.command("status", "--lang", "en", "--config", str(daemon.config_file)),
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
    ).stdout  # fmt: skip


def test_an_android_terminal_is_known(daemon: Daemon) -> None:
    """Network, Wi-Fi, SIM, battery and app versions, also where their own watchers tell them."""
    programs(daemon.home / "bin", 7)
    daemon.start()
    told = values(daemon, "android")
    assert (told["android"], told["network"], told["wifi"]) == ("7.1.2", "wifi", "joined")
    assert (told["cellular"], told["version_com_example_pay"]) == ("in_service", "3.2.1")
    assert told["battery_percent"] == 14
    assert "needs" not in told
    inspected(daemon)  # everybody is read once more
    signal = daemon.components()["signal"]
    assert signal["outcome"] == "reading", signal
    assert "-58" in str(signal["values"]) + str(signal["evidence"])
    software = daemon.components()["software"]
    assert "3.2.1" in str(software["values"]) + str(software["evidence"])
    # The kernel's files are closed here: the battery is Android's word.
    assert daemon.components()["system"]["values"]["battery_percent"] == 14
    page = " ".join(status(daemon).split())
    for part in ("7.1.2", "Wi-Fi joined -58 dBm", "in service -87 dBm", "battery 14%", "3.2.1"):
        assert part in page, page


def test_denied_everything_is_unknown_and_nothing_alarms(daemon: Daemon) -> None:
    """The right it needs is said; no alarm, no fault, and the inspection calls it unknown."""
    programs(daemon.home / "bin", 13, denied=True)
    daemon.start()
    told = values(daemon, "android")
    assert told["needs"] == "android.permission.DUMP"
    assert {told[name] for name in ("network", "wifi", "cellular", "battery")} == {"unknown"}
    by_name = inspected(daemon)
    assert by_name["android"]["verdict"] == "unknown"
    assert "android.permission.DUMP" in by_name["android"]["why"]["en"]
    open_alarms = set(daemon.alarms())
    assert not {
        code for code in open_alarms if code.startswith(("network.", "power.", "software."))
    }
