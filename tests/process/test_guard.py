"""`posagent guard` before the real daemon, and after it: the same answer, and the same trail."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.process.daemon import LONG_S, Daemon, payment, wait_until

pytestmark = pytest.mark.process


def guard(daemon: Daemon, *more: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        daemon.command(
            "guard", "--for", "removal", "--json", "--config", str(daemon.config_file), *more
        ),
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_S,
    )
    return done.returncode, json.loads(done.stdout)


def test_unsent_money_is_guarded_alive_and_dead_and_forcing_it_is_never_forgotten() -> None:
    """0 before the first payment, 10 after it, alive and dead; both reasons end up in the trail."""
    with Daemon() as daemon:
        assert guard(daemon)[0] == 0
        daemon.start()
        assert guard(daemon)[0] == 0
        daemon.submit(payment("a"))
        code, told = guard(daemon)
        assert (code, told["standing"], told["total"]) == (
            10, "unsent", {"count": 1, "by_currency": {"CNY": 1250}},
        )  # fmt: skip
        assert guard(daemon, "--force", "--reason", "Li: alive")[0] == 0
        daemon.kill()
        code, dead = guard(daemon)
        assert (code, dead["total"]) == (10, told["total"])
        assert guard(daemon, "--force", "--reason", "Li: dead")[0] == 0
        daemon.start()
        file = daemon.state_dir / "guard.forced"
        wait_until(lambda: not file.exists(), "the line is taken into the trail")
        trail = daemon.get("/v1/audit?verify=true").json
        assert [line["target"] for line in trail["lines"] if line["op"] == "guard_force"] == [
            "removal: Li: dead", "removal: Li: alive",
        ]  # fmt: skip
        assert trail["check"]["faults"] == []
        assert guard(daemon)[0] == 10, "forcing changes nothing about the money"
