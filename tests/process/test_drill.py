"""An outage drill on the real daemon, a real host beside it that must not notice."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agent.sim.host import HostThread
from tests.process.daemon import LONG_S, ROOT, Daemon, payment, wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def host() -> Iterator[HostThread]:
    with HostThread() as host:
        yield host


@pytest.fixture
def daemon(host: HostThread) -> Iterator[Daemon]:
    with Daemon() as one:
        one.configure(url=host.host.url)
        yield one.start()


def received(host: HostThread) -> list[str]:
    """The key of everything the host ever posted, once for each time."""
    return sorted(posting.key for posting in host.host.ledger.postings())


def given_to(host: HostThread, key: str) -> None:
    """A marked record reaches the host after all, as only a fault could have it."""
    headers = {
        "Idempotency-Key": key, "Content-Type": "application/json", "Terminal-Id": "DRILL",
        "Merchant-Id": "DRILL", "Transaction-Kind": "sale", "Transaction-Posting": "advice",
        "Attempt": "1",
    }  # fmt: skip
    asked = urllib.request.Request(host.host.url, b"{}", headers, method="POST")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status < 300


def over(daemon: Daemon) -> dict[str, Any]:
    """The last drill, once it is over."""

    def looked() -> dict[str, Any] | None:
        told = daemon.get("/v1/drills/last?wait_s=5&after=99")
        report: dict[str, Any] = told.json
        return report if told.status == 200 and report["state"] == "done" else None

    report: dict[str, Any] = wait_until(looked, "the drill is over")
    return report


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["verdict"] for step in report["steps"]}


def test_a_drill_reaches_no_host_and_delays_no_payment(daemon: Daemon, host: HostThread) -> None:
    """The host sees the payments made before, during and after it, and nothing of the drill; nor
    do totals and lists. At last one is given to it by hand: the rig would have noticed."""
    assert daemon.submit(payment("k-before")).status == 201
    wait_until(lambda: received(host) == ["k-before"], "the rig sees what reaches the host")
    with ThreadPoolExecutor(2) as both:  # one is under way when the other asks
        asked = [both.submit(daemon.post, "/v1/drills", {"records": 60}) for _ in range(2)]
        begun, again = (one.result() for one in asked)
    assert begun.status == again.status == 200
    assert {begun.json["state"], again.json["state"]} == {"running"}
    assert again.json["number"] == begun.json["number"], "one under way is joined"
    assert daemon.submit(payment("k-during")).status == 201
    report = over(daemon)
    assert report["result"] == "passed", report
    assert verdicts(report) == {
        "accept": "pass", "kill": "pass", "restart": "skipped", "reopen": "pass", "alarm": "pass",
        "drain": "pass", "clear": "pass", "remove": "pass",
    }  # fmt: skip
    facts = {step["name"]: step["facts"] for step in report["steps"]}
    assert facts["accept"]["accepted"] == 60
    assert facts["reopen"]["clean_start"] is False, "it was killed, not stopped"
    assert facts["drain"]["delivered"] >= 60
    assert daemon.submit(payment("k-after")).status == 201
    wait_until(lambda: daemon.unsent() == 0, "the payments are sent")
    assert received(host) == ["k-after", "k-before", "k-during"]
    assert not (daemon.state_dir / "drill").exists()
    assert facts["alarm"]["raised_at"] <= facts["clear"]["cleared_at"]
    assert "drill.alarm" not in json.dumps(daemon.get("/v1/health").json["alarms"])
    past = daemon.get("/v1/health/history").json
    own = [one["what"] for one in past["lines"] if one["code"] == "drill.alarm"]
    assert sorted(own) == ["began", "cleared", "ended", "shown"], past
    listed = daemon.get("/v1/transactions?state=all&limit=500").json
    assert "drill-" not in json.dumps(listed)
    assert daemon.get("/v1/stats").json["payments"] == 3
    refused = daemon.submit(payment("k-astray", uplink="drill"))
    assert refused.status >= 400, "no payment can be given to the sink"
    given_to(host, "drill-000001-00001")
    assert "drill-000001-00001" in received(host), "the rig would have noticed"


def test_a_power_cut_in_the_middle_is_said_and_leaves_nothing(
    daemon: Daemon, host: HostThread
) -> None:
    """The next start ends what it finds, says so, and removes it; payments are sent as ever."""
    assert daemon.post("/v1/drills", {"records": 200}).status == 200
    wait_until((daemon.state_dir / "drill" / "journal.db").exists, "the drill has begun")
    assert daemon.submit(payment("k-real")).status == 201
    daemon.kill()
    daemon.start()
    report = over(daemon)
    assert report["result"] in ("broken_off", "passed")
    if report["result"] == "passed":
        assert "interrupted" in report["said"]["en"]
    wait_until(lambda: not (daemon.state_dir / "drill").exists(), "nothing is left")
    wait_until(lambda: daemon.unsent() == 0, "the payment is sent")
    assert received(host) == ["k-real"]


def test_the_agent_itself_is_killed_where_that_was_agreed(daemon: Daemon) -> None:
    """Ended hard and back under the same number; the command waits, the report says both."""
    assert daemon.process is not None
    made = subprocess.run(
        daemon.command("drill", "--restart", "--json", "--config", str(daemon.config_file)),
        capture_output=True, text=True, cwd=ROOT, timeout=LONG_S, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    report = json.loads(made.stdout)
    assert report["result"] == "passed", report
    assert verdicts(report)["restart"] == "pass"
    assert daemon.process.poll() is None, "the same process"
    assert "event=drill_restarts_agent" in daemon.log()
    assert daemon.log().count("event=ready") == 2
