"""An alarm that somebody took over, in the real daemon: beside it everywhere, hiding nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import at_once

pytestmark = pytest.mark.process


def test_an_alarm_is_taken_over_shown_everywhere_and_kept_over_a_restart() -> None:
    """Who, the note, until when; past times and card numbers refused; audited; taken back."""
    with Daemon() as daemon:
        daemon.configure(at_once("queue.held"))
        daemon.start()
        daemon.submit(payment("a"))
        assert daemon.post("/v1/queue/hold", {"key": "a", "reason": "looked at"}).status == 200
        wait_until(lambda: "queue.held" in daemon.alarms(), "the alarm")
        order = "/v1/alarms/queue.held/acknowledge"
        assert daemon.post(order, {"note": "card 6222021234567890128"}).status == 422
        for until in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
            assert daemon.post(order, {"until": until}).code == "request.bad_field"
        assert daemon.post("/v1/alarms/printer.paper_out/release", {}).code == "alarm.not_open"
        until = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="milliseconds")
        told = daemon.post(order, {"note": "bank called", "until": until, "to": "Li"})
        assert told.status == 200, told.body
        assert daemon.stop() == 0
        daemon.start()
        alarm = daemon.alarms()["queue.held"]
        assert (alarm["acknowledged_note"], alarm["acknowledged_to"]) == ("bank called", "Li")
        assert datetime.fromisoformat(alarm["acknowledged_until"]) == datetime.fromisoformat(until)
        wait_until(
            lambda: "queue.held" in str(daemon.get("/v1/explain").json["findings"]),
            "the verdict still names it",
        )
        assert daemon.post("/v1/alarms/queue.held/release", {}).json["acknowledged_by"] == ""
        ops = [line["op"] for line in daemon.get("/v1/audit").json["lines"]]
        assert {"alarm_acknowledge", "alarm_release"} <= set(ops)
