"""A clock that is set wrong and a supply that fails, as the real daemon lives through them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.sim.host import HostThread
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.shim import Shim, needs_shim

pytestmark = pytest.mark.process

TEN_YEARS_S = 10 * 365 * 86_400


def clock(daemon: Daemon) -> dict[str, Any]:
    values: dict[str, Any] = daemon.components().get("clock", {}).get("values", {})
    return values


def heard_twice(daemon: Daemon, name: str) -> None:
    """Two answers of the host, a second apart: its word counts."""
    assert daemon.submit(payment(f"{name}-1")).status == 201
    daemon.wait_drained()
    first_s = time.monotonic()
    wait_until(lambda: time.monotonic() - first_s > 1.2, "a second between two answers")
    assert daemon.submit(payment(f"{name}-2")).status == 201
    daemon.wait_drained()


@needs_shim
def test_a_clock_years_ahead_is_found_out_told_and_not_believed_again() -> None:
    """The host's Date proves it wrong; set right it is believed at once, and after a restart too,
    although the journal holds times that have not come."""
    with HostThread() as host, Daemon() as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        daemon.configure('[health."clock.wrong"]\nvisible_after_s = 0', url=host.host.url)
        shim.set("clock_offset_s", TEN_YEARS_S)
        daemon.start()
        heard_twice(daemon, "k-ahead")
        args = wait_until(
            lambda: daemon.alarms().get("clock.wrong", {}).get("args"), "the alarm about the clock"
        )
        assert abs(args["offset_s"] - TEN_YEARS_S) < 10
        assert "http_date host" in args["source"]
        assert daemon.get("/v1/status").json["clock_trusted"] is False
        shim.set("clock_offset_s", 0)
        wait_until(lambda: not daemon.alarms(), "the alarm is over once the clock is right")
        assert abs(clock(daemon)["stepped_s"] + TEN_YEARS_S) < 10
        assert clock(daemon)["step_before_at"] > clock(daemon)["step_after_at"]
        assert "event=clock_step" in daemon.log()
        assert daemon.get("/v1/status").json["clock_trusted"] is True
        assert daemon.stop() == 0
        daemon.start()
        assert daemon.get("/v1/status").json["clock_trusted"] is True
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()
        shim.close()


def test_a_request_from_before_a_reboot_waits_until_somebody_says_the_time() -> None:
    """A clock without a chip may have stood still: the request leaves once the host has dated two
    answers to other payments, and never before."""
    with HostThread() as host, Daemon() as daemon:
        boot_id = daemon.home / "machine/proc/sys/kernel/random/boot_id"
        boot_id.parent.mkdir(parents=True)
        boot_id.write_text(f"{uuid.uuid4()}\n")
        surroundings = (
            f'[system]\nroot = "{daemon.home / "machine"}"\n'
            '[clock]\nsources = ["http"]\nask_hosts = false\n'
        )
        daemon.configure(surroundings, url="http://127.0.0.1:9/v1/payments")
        daemon.start()
        limit = datetime.now(UTC) + timedelta(days=60)  # this machine may have run for weeks
        old = payment("k-old", posting="request", send_before=limit.isoformat())
        assert daemon.submit(old).status == 201
        daemon.kill()
        boot_id.write_text(f"{uuid.uuid4()}\n")
        daemon.configure(surroundings, url=host.host.url)
        daemon.start()
        wait_until(lambda: clock(daemon).get("carried") is False, "the clock is not believed")
        assert daemon.submit(payment("k-new-1")).status == 201
        wait_until(
            lambda: daemon.get("/v1/transactions/k-new-1").json["state"] == "posted", "the first"
        )
        first_s = time.monotonic()
        wait_until(lambda: time.monotonic() - first_s > 1.2, "a second between two answers")
        assert daemon.get("/v1/transactions/k-old").json["state"] == "queued"
        assert daemon.submit(payment("k-new-2")).status == 201
        wait_until(lambda: clock(daemon)["carried"] is True, "the host's word counts")
        daemon.wait_drained()
        assert daemon.get("/v1/transactions/k-old").json["state"] == "posted"
        assert daemon.stop() == 0


def test_an_unexpected_restart_is_counted_and_told() -> None:
    """A new boot that finds the agent cut off; the first start of all is none."""
    with Daemon() as daemon:
        boot_id = daemon.home / "machine/proc/sys/kernel/random/boot_id"
        boot_id.parent.mkdir(parents=True)
        daemon.configure(
            f'[system]\nroot = "{daemon.home / "machine"}"\nrestarts_limit = 1\n'
            "[clock]\nsources = []\n"
        )

        def booted(end: Callable[[], object]) -> dict[str, Any]:
            boot_id.write_text(f"{uuid.uuid4()}\n")
            daemon.start()
            told: dict[str, Any] = wait_until(
                lambda: daemon.components().get("system", {}).get("values"), "the system is read"
            )
            if told["restarts_24h"]:
                wait_until(lambda: "power.unstable" in daemon.alarms(), "the alarm")
            end()
            return told

        first = booted(daemon.kill)
        assert (first["restarts_24h"], first["power_cycles"]) == (0, 1)
        second = booted(daemon.stop)
        assert (second["restarts_24h"], second["power_cycles"]) == (1, 2)
        assert "event=restarted_unexpectedly" in daemon.log()
