"""Self-inspection through the real daemon: command, API, stream, report kept."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from agent.core.columns import width
from tests.process.daemon import ROOT, Daemon, wait_until

pytestmark = pytest.mark.process

CONFIG = """
[printer]
device = "{printer}"
[discovery]
hotplug = "off"
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A terminal whose host refuses and whose printer was unplugged."""
    with Daemon() as one:
        one.configure(CONFIG.format(printer=one.home / "unplugged"), url="http://127.0.0.1:9/post")
        yield one.start()


def posagent(daemon: Daemon, *arguments: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
    """The command, as a technician types it."""
    return subprocess.run(
        daemon.command(*arguments, "--lang", lang, "--config", str(daemon.config_file)),
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def test_a_technician_inspects(daemon: Daemon) -> None:
    """A line for each check, the cause and who must act for what is wrong; then it is kept."""
    made = posagent(daemon, "inspect")
    assert made.returncode == 0, made.stderr
    assert "network.host_unreachable" in made.stdout
    assert "-> technician: " in made.stdout
    report = json.loads(posagent(daemon, "inspect", "--last", "--json").stdout)
    by_name = {check["name"]: check for check in report["checks"]}
    assert report["state"] == "done"
    assert set(report["expected"]) == set(by_name)
    assert by_name["printer"]["verdict"] == "unknown"
    assert by_name["reach:host"]["codes"] == ["network.host_unreachable"]
    assert by_name["reach:host"]["step"]["zh"]
    assert by_name["store"]["verdict"] == "pass"
    assert sum(report["totals"].values()) == len(report["checks"])
    number = str(report["number"])
    for columns, lang in ((32, "zh"), (48, "en")):
        slip = posagent(
            daemon, "inspect", number, "--slip", "--columns", str(columns), lang=lang
        ).stdout.splitlines()
        assert max(map(width, slip)) == columns
    assert number in posagent(daemon, "inspect", "--list").stdout
    assert posagent(daemon, "inspect", "999").returncode == 1
    heard = posagent(daemon, "probe", "inspection").stdout  # nobody but the daemon knows
    assert "only the running daemon" in heard
    assert "overdue = no" in heard
    # The daemon is told in its own readings too, and so is the fleet.
    wait_until(
        lambda: daemon.components()["inspection"].get("values", {}).get("last_at"),
        "the watcher knows of it",
    )


def test_the_page_follows_it_on_the_stream(daemon: Daemon) -> None:
    """Every check is an event as it ends, then the end; asking twice is one inspection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(30)
        stream.connect(str(daemon.socket))
        stream.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        heard = b""
        while b": connected" not in heard:
            heard += stream.recv(65_536)
        begun = daemon.post("/v1/inspections", {}).json
        while b'"state":"done"' not in heard:
            heard += stream.recv(65_536)
    events = [
        json.loads(line.partition(b"data: ")[2])
        for line in heard.split(b"\n")
        if line.startswith(b'data: {"number":')
    ]
    told = [event["check"]["name"] for event in events if event["check"]]
    assert sorted(told) == sorted(begun["expected"])
    assert events[-1]["state"] == "done"
    assert {event["number"] for event in events} == {begun["number"]}


def test_reports_are_read_from_a_dead_daemons_store(daemon: Daemon) -> None:
    """The last one, with the daemon gone; making one needs it."""
    daemon.post("/v1/inspections", {})
    wait_until(
        lambda: daemon.get("/v1/inspections/last").json["state"] == "done", "the inspection's end"
    )
    assert daemon.stop() == 0
    said = posagent(daemon, "inspect", "--last")
    assert said.returncode == 0, said.stderr
    assert "not running" in said.stdout
    assert posagent(daemon, "inspect").returncode == 3
