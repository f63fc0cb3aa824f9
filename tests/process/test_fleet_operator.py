"""An operator's commands against the real daemon over the real broker, as they are typed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.cli.app import main
from agent.fleet import keys
from tests.process.daemon import PATIENCE_S, ROOT, Daemon, payment
from tests.process.fleet import AGENT, DEVICE, TENANT, BrokerThread, Reader, telemetry

pytestmark = [pytest.mark.process, pytest.mark.broker]


def test_an_operator_sees_stuck_money_and_acts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signed command reaches it, a stranger's does not; watch shows the held payment."""
    for name in ("ops", "stranger"):
        keys.new(tmp_path / name, "ops")
    public = keys.show(tmp_path / "ops").public.hex()
    key = f'[[fleet_key]]\nid = "ops"\npublic_key = "{public}"\nroles = ["operate"]\n'

    def told(*argv: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = main(["fleet", *argv, "--json"])
        return code, json.loads(capsys.readouterr().out)

    with BrokerThread() as broker, Reader(broker.port) as reader, Daemon() as daemon:
        daemon.configure(telemetry(broker.url) + key, agent=AGENT)
        daemon.start()
        reader.until(lambda: bool(reader.of("info")), "the introduction")
        at = ("--broker", broker.url, "--tenant", TENANT)
        watch = daemon.command("fleet", "watch", *at, "--once", "--wait", "5", "--json")
        with subprocess.Popen(watch, stdout=subprocess.PIPE, cwd=ROOT) as watching:
            paid = daemon.submit(payment("operator-1")).json["key"]
            send = ("send", *at, "--to", DEVICE, "--sign-key")
            hold = ("hold", "--arg", f"key={paid}", "--arg", "reason=asked")
            code, results = told(*send, str(tmp_path / "ops"), *hold)
            assert (code, results[0]["status"]) == (0, "ok")
            assert daemon.record(paid)["state"] == "held"
            code, results = told(*send, str(tmp_path / "ops"), "restart_agent", "--yes")
            assert (code, results[0]["status"], results[0]["code"]) == (
                6,
                "rejected",
                "not_allowed",
            )
            code, results = told(*send, str(tmp_path / "stranger"), "report", "--patience", "1")
            assert (code, results[0]["status"]) == (3, "unanswered")
            document = json.loads(watching.communicate(timeout=PATIENCE_S)[0])
        while document["fleet"]["backlog_told"] == 0:  # a slow machine: it is told again and again
            _, document = told("watch", *at, "--once", "--wait", "2")
        (terminal,) = document["terminals"]
        assert (terminal["device_id"], terminal["state"]) == (DEVICE, "online")
        assert terminal["site"] == "S7"
        assert (terminal["backlog"]["count"], terminal["backlog"]["held_count"]) == (1, 1)
        assert document["groups"]["cause"][terminal["backlog"]["cause"]]["held_count"] == 1
        assert document["not_of_the_contract"] == {}
