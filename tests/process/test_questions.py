"""The questions about more than one payment, through the real daemon and with the daemon dead."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.process.daemon import LONG_S, ROOT, Daemon, payment, wait_until
from tests.process.shell import typed

pytestmark = pytest.mark.process

QUESTIONS = ("late", "preauth", "settlement", "slip")
#: Nobody listens there.
NOWHERE = "http://127.0.0.1:9/"


def asked(daemon: Daemon, *arguments: str) -> dict[str, Any]:
    """What the command line says, as JSON."""
    done = typed(daemon, "why", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def started(daemon: Daemon, *arguments: str) -> dict[str, Any]:
    """The same, from the program itself."""
    command = daemon.command("why", *arguments, "--json", "--config", str(daemon.config_file))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=LONG_S, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def core(verdict: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for every reader: all but the time of asking and how old it is."""
    findings = [(one["code"], one["owner"], one["consequences"]) for one in verdict["findings"]]
    return {
        "headline": verdict["headline"],
        "findings": findings,
        "payments": [(one["key"], one["code"], one["state"]) for one in verdict["payments"]],
        "total": verdict["payments_total"],
        "retry": verdict["advice"]["retry"],
        "question": verdict["question"],
    }


def test_every_reader_hears_the_same_and_a_dead_daemon_still_answers() -> None:
    """API and command line agree on every question; the store alone still names the payments."""
    ago = (datetime.now(UTC) - timedelta(days=40)).isoformat(timespec="milliseconds")
    with Daemon() as daemon:
        daemon.configure("[stats]\nlate_after_s = 1\n", url=NOWHERE)
        daemon.start()
        assert daemon.submit(payment("late-1")).status == 201
        assert daemon.submit(payment("pre-1", kind="preauth", occurred_at=ago)).status == 201
        report = {
            "terminal_id": "T0000001",
            "at": ago,
            "batch": {"batch": "000007", "closed": False},
        }
        assert daemon.post("/v1/app/state", report).status == 200
        wait_until(
            lambda: daemon.get("/v1/explain/late").json["payments_total"] == 2, "both are late"
        )
        live = {}
        for question in QUESTIONS:
            answer = daemon.get(f"/v1/explain/{question}")
            assert answer.status == 200, answer.body
            live[question] = answer.json
            assert core(asked(daemon, f"--{question}")) == core(answer.json)
        assert daemon.get("/v1/explain/nonsense").code == "request.bad_field"
        batch = [one for one in live["settlement"]["findings"]
                 if one["code"] == "settlement.batch_not_closed"]  # fmt: skip
        assert "000007" in batch[0]["step"]["en"]
        assert any("no list" in one["en"] for one in live["settlement"]["unknowns"])
        daemon.kill()
        late = started(daemon, "--late")
        assert late["findings"][0]["code"] == "software.agent_degraded"
        assert {one["key"] for one in late["payments"]} == {"late-1", "pre-1"}
        assert [one["key"] for one in asked(daemon, "--preauth")["payments"]] == ["pre-1"]
        assert asked(daemon, "--slip")["question"] == "slip"
