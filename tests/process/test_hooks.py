"""Vendor firmware through the real daemon: pull, stream and push; and hooks of every bad kind.

Whatever a hook does, its own component is unknown with a reason, and everything else goes on.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import at_once
from tests.process.test_roles import NOBODY, nobody_asks

pytestmark = pytest.mark.process

HEAD = '{"contract":1,"outcome":"reading","component":'
#: component -> (what its hook does, what of it must be in the reason)
BROKEN = {
    "hangs": ("sleep 600 & echo $! > {home}/child; wait", "did not end within 1 s"),
    "talks": ("cat /dev/zero | tr '\\0' x", "more than 65536 bytes"),
    "garbles": ("echo not json", "did not print JSON"),
    "fails": ("echo 'no service' >&2; exit 1", "exit code 1: no service"),
    "misspells": (f"echo '{HEAD}\"misspells\",\"stat\":{{}}}}'", "does not keep the contract"),
    "strays": (f"echo '{HEAD}\"printer\",\"state\":{{}}}}'", "not its own (strays)"),
    "writable": (f"echo '{HEAD}\"writable\",\"state\":{{}}}}'", "others than its owner can write"),
    "links": ("", "a link out of the hooks' directory"),
    "absent": ("", "there is no hook"),
}  # fmt: skip


class Vendor:
    """A directory of hooks and the configuration for it."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.home = daemon.home / "hooks.d"
        self.home.mkdir(0o755)
        self.tables = [
            f'[hooks]\ndirectory = "{self.home}"\ndeadline_s = 1\nrest_s = 1\nrest_max_s = 5'
        ]

    def write(self, name: str, body: str) -> Path:
        path = self.home / name
        new = path.with_suffix(".new")
        new.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        new.chmod(0o755)
        return new.rename(path)

    def table(self, component: str, **more: Any) -> None:
        rows = [f"{key} = {json.dumps(value)}" for key, value in more.items()]
        self.tables.append("\n".join(["[[hook]]", f'component = "{component}"', *rows]))

    def configure(self, more: str = "") -> None:
        self.daemon.configure("\n".join([more, *self.tables]))

    def component(self, name: str) -> dict[str, Any]:
        return self.daemon.components().get(name, {})

    def until(self, name: str, outcome: str) -> dict[str, Any]:
        found: dict[str, Any] = wait_until(
            lambda: (one := self.component(name)) and one["outcome"] == outcome and one,
            f"{name} as {outcome}",
        )
        return found


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Daemon() as daemon:
        yield Vendor(daemon)


def dead(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def reading(component: str, **state: Any) -> str:
    return json.dumps(
        {"contract": 1, "outcome": "reading", "component": component, "state": state, "raw": 240}
    )


def test_what_a_pull_hook_says_is_an_alarm_and_its_end(vendor: Vendor) -> None:
    """paper_out by a hook is printer.paper_out for everybody, and cleared when it says so."""
    vendor.table("printer", period_s=5)
    vendor.write("probe.printer", f"echo '{reading('printer', paper_out=True)}'")
    vendor.configure(at_once("printer.paper_out"))
    daemon = vendor.daemon.start()
    wait_until(lambda: "printer.paper_out" in daemon.alarms(), "paper out")
    said = vendor.component("printer")
    assert said["values"]["paper"] == "out"
    assert said["evidence"]["raw"] == "240"
    vendor.write("probe.printer", f"echo '{reading('printer', paper_out=False)}'")
    wait_until(lambda: "printer.paper_out" not in daemon.alarms(), "paper again")
    assert daemon.stop() == 0


def test_a_stream_is_heard_at_once_and_started_again(vendor: Vendor) -> None:
    """A line shows within a moment; after its end the component is unknown until it says more."""
    vendor.table("printer", door="stream", stream="tickets")
    feed = vendor.home.parent / "feed"
    os.mkfifo(feed)
    vendor.write("stream.tickets", f"echo $$ > {vendor.home.parent}/pid; exec cat {feed}")
    vendor.configure(at_once("printer.cover_open"))
    daemon = vendor.daemon.start()
    with feed.open("w", buffering=1) as line:
        print(reading("printer", cover_open=True), file=line)
        started = time.monotonic()
        wait_until(lambda: "printer.cover_open" in daemon.alarms(), "cover open")
        took_s = time.monotonic() - started
        print("nonsense", file=line)
        assert "did not print JSON" in vendor.until("printer", "unknown")["reason"]
        print(reading("printer", cover_open=False), file=line)
        vendor.until("printer", "reading")
    vendor.until("printer", "unknown")
    with feed.open("w", buffering=1) as line:  # opens only when somebody reads it again
        print(reading("printer", cover_open=False), file=line)
        vendor.until("printer", "reading")
        pid = int((vendor.home.parent / "pid").read_text())
        assert daemon.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    # Not the 60 s of its own turn: the grace of a start and the ticks behind it take 5 to 11.
    assert took_s < 30


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: other users were NOT tried")
def test_firmware_pushes_for_its_own_component_only(vendor: Vendor) -> None:
    """uid by uid: taken for what [[hook]] names, 403 for anything else, all or nothing."""
    vendor.table("printer", door="push", push=[str(NOBODY)])
    vendor.table("scanner", door="push")
    vendor.configure(f'[api]\nreport = ["{NOBODY}"]')
    daemon = vendor.daemon.start()

    def push(*readings: str) -> tuple[int, str]:
        body = {"readings": [json.loads(one) for one in readings]}
        answer = nobody_asks(daemon, "POST", "/v1/readings", body)
        return answer.status, answer.code

    assert "nothing was heard" in vendor.until("printer", "unknown")["reason"]
    assert push(reading("printer", paper_low=True)) == (200, "")
    assert vendor.until("printer", "reading")["values"]["paper"] == "low"
    for other in ("scanner", "system", "nothing"):
        both = (reading("printer", paper_low=False), reading(other))
        assert push(*both) == (403, "reading.component")
    assert push(reading("printer", paperlow=True)) == (422, "reading.bad")
    assert push() == (400, "request.bad_field")
    assert push('{"contract":1,"component":"printer","outcome":"fine"}')[0] == 400
    assert vendor.component("printer")["values"]["paper"] == "low"
    assert nobody_asks(daemon, "GET", "/v1/backlog").status == 403
    assert daemon.stop() == 0


def test_nine_broken_hooks_harm_nobody(vendor: Vendor) -> None:
    """Each its own reason in its own component; a working hook, payments and the stop go on."""
    outside = vendor.write("outside", f"echo '{reading('links')}'").rename(
        vendor.daemon.home / "outside"
    )
    for name, (body, _) in BROKEN.items():
        vendor.table(name, period_s=5)
        if body:
            vendor.write(f"probe.{name}", body.replace("{home}", str(vendor.daemon.home)))
    (vendor.home / "probe.writable").chmod(0o777)
    (vendor.home / "probe.links").symlink_to(outside)
    vendor.table("works", period_s=5)
    vendor.write("probe.works", f"echo '{reading('works', fine=True)}'")
    vendor.configure()
    daemon = vendor.daemon.start()
    for name, (_, said) in BROKEN.items():
        assert said in vendor.until(name, "unknown")["reason"], name
    assert vendor.until("works", "reading")["values"] == {"fine": True}
    assert vendor.until("system", "reading")
    assert daemon.submit(payment()).status == 201
    # After three failures they rest, and say so; the one that works is not held up by them.
    wait_until(lambda: "left alone" in vendor.component("hangs")["reason"], "a rest")
    assert vendor.component("works")["outcome"] == "reading"
    child = int((vendor.daemon.home / "child").read_text())
    wait_until(lambda: dead(Path(f"/proc/{child}/stat")), "the end of the child")
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


def test_an_event_hook_is_told(vendor: Vendor) -> None:
    """A condition that shows calls event.CODE with what happened, once for each change."""
    told = vendor.daemon.home / "told"
    vendor.tables[0] += '\nevents = ["printer.paper_out"]'
    vendor.table("printer", period_s=5)
    vendor.write("probe.printer", f"echo '{reading('printer', paper_out=True)}'")
    vendor.write(
        "event.printer.paper_out", f'cat >> {told}; echo \'{{"contract":1,"outcome":"done"}}\''
    )
    vendor.configure(at_once("printer.paper_out"))
    daemon = vendor.daemon.start()
    wait_until(lambda: told.exists() and told.read_text().count("\n") >= 2, "two events")
    events = [json.loads(line) for line in told.read_text().splitlines()]
    assert [event["what"] for event in events[:2]] == ["began", "shown"]
    assert {event["component"] for event in events} == {"printer"}
    assert daemon.stop() == 0


def test_a_hook_adds_what_the_agent_cannot_see(vendor: Vendor) -> None:
    """owns = false: the agent's own figures stand, the hook's come beside them."""
    vendor.table("system", owns=False)
    state = {"storage_free_mb": -1, "battery_percent": 81, "tamper_switch": "closed"}
    vendor.write("probe.system", f"echo '{reading('system', **state)}'")
    vendor.configure()
    daemon = vendor.daemon.start()
    values = vendor.until("system", "reading")["values"]
    assert values["tamper_switch"] == "closed"
    assert values["storage_free_mb"] > 0
    assert daemon.stop() == 0


def test_an_app_passes_on_what_its_printer_said(vendor: Vendor) -> None:
    """The port is the app's: the bytes it got are read as if the agent had asked."""
    daemon = vendor.daemon
    ours, port = os.openpty()  # stands for the port the app has open
    daemon.configure(
        f'[printer]\ndevice = "{os.ttyname(port)}"\nshare = "pass_through"\n'
        + at_once("printer.paper_out", "printer.not_answering")
    )
    daemon.start()

    def pass_on(component: str, **body: Any) -> tuple[int, Any]:
        answer = daemon.post(f"/v1/devices/{component}/bytes", body)
        return answer.status, answer.json.get("understood")

    for query, byte in ((1, 0x1E), (2, 0x32), (3, 0x12), (4, 0x72)):
        assert pass_on("printer", bytes=[byte], query=query) == (200, 1)
    wait_until(lambda: "printer.paper_out" in daemon.alarms(), "paper out")
    assert pass_on("printer", bytes=[0x80, 0xFF]) == (200, 0)
    assert pass_on("system", bytes=[18]) == (200, 0)
    for wrong in ({}, {"bytes": []}, {"bytes": [256]}, {"bytes": "12"}, {"bytes": [1], "x": 1}):
        assert pass_on("printer", **wrong)[0] == 400
    assert not select.select([ours], [], [], 0)[0]  # nothing was asked on that port
    assert daemon.stop() == 0
    os.close(ours)
    os.close(port)


def test_built_in_devices_are_in_the_inventory(vendor: Vendor) -> None:
    """What the hook `inventory` names is listed, its serial number masked everywhere."""
    vendor.tables[0] += "\nabout_period_s = 5\n[inventory]\nperiod_s = 0.5"
    device = {"kind": "device", "name": "camera", "model": "C1", "serial": "SN-0815-4711"}
    told = {"contract": 1, "outcome": "told", "items": [device]}
    vendor.write("inventory", f"echo '{json.dumps(told)}'")
    vendor.configure()
    daemon = vendor.daemon.start()

    def listed() -> Any:
        items = daemon.get("/v1/inventory").json["devices"]
        return next((one for one in items if one["component"] == "camera"), None)

    found = wait_until(listed, "the camera")
    assert (found["model"], found["serial"]) == ("C1", "********4711")
    assert vendor.component("firmware")["values"]["devices"] == 1
    assert daemon.stop() == 0
    for file in daemon.home.rglob("*"):
        if file.is_file() and file.parent != vendor.home:
            assert b"SN-0815" not in file.read_bytes(), file
