"""What the fleet wants, through the real broker to the real daemon, which starts itself anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import paho.mqtt.publish
import pytest

from agent.crypt import public_of, sign
from agent.sim.host import HostThread
from agent.wire.signed import Document, envelope, signed_bytes
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import (
    AGENT,
    DEVICE,
    TENANT,
    BrokerThread,
    at_once,
    said_by,
    telemetry,
)

pytestmark = [pytest.mark.process, pytest.mark.broker]

SEED = bytes(range(32))
FLEET = f"""
[fleet]
idle_s = 0
[[fleet_key]]
id = "k1"
public_key = "{public_of(SEED).hex()}"
roles = ["administer"]
"""


def say(broker: BrokerThread, version: int, **more: Any) -> None:
    """As an operator does it: signed, retained."""
    payload = json.dumps({"tenant": TENANT, "group": "default", "version": version} | more).encode()
    signature = sign(SEED, signed_bytes(Document.DESIRED, payload))
    paho.mqtt.publish.single(
        f"pos/1/{TENANT}/{DEVICE}/desired",
        envelope(Document.DESIRED, "k1", signature, payload),
        qos=1, retain=True, hostname="127.0.0.1", port=broker.port,
    )  # fmt: skip


@pytest.fixture
def broker() -> Iterator[BrokerThread]:
    with BrokerThread() as broker:
        yield broker


def starts(daemon: Daemon) -> int:
    return daemon.log().count("event=ready")


def test_it_starts_itself_anew_with_what_the_fleet_wants_and_no_payment_is_lost_or_twice(
    broker: BrokerThread,
) -> None:
    """The same process, and payments before, during and after it."""
    with HostThread() as host, Daemon() as daemon:
        daemon.configure(telemetry(broker.url) + FLEET, url=host.host.url, agent=AGENT)
        daemon.start()
        assert daemon.process is not None
        pid = daemon.process.pid
        keys = [f"before-{number}" for number in range(5)]
        for key in keys:
            assert daemon.submit(payment(key)).status == 201
        say(broker, 7, config={"check": {"duplicate_window_s": 77}})
        for number in range(10):  # with more, it would wait for its turn for up to a minute
            try:
                if daemon.submit(payment(f"during-{number}")).status == 201:
                    keys.append(f"during-{number}")
            except OSError:
                daemon.wait_log("event=restarting")
        wait_until(lambda: starts(daemon) == 2, "started anew")
        daemon.wait_notified("READY=1")
        assert daemon.submit(payment("after")).status == 201
        keys.append("after")
        daemon.wait_drained()
        assert daemon.process.poll() is None
        assert daemon.process.pid == pid
        posted = [one.key for one in host.host.ledger.postings()]
        assert sorted(posted) == sorted(keys)
        shown = json.loads(said_by(daemon, "config", "show", "--json"))
        assert shown["tables"]["[check]"]["duplicate_window_s"] == "77"
        assert "settings of version 7" in said_by(daemon, "config", "show")
        assert daemon.stop() == 0


def test_a_trial_that_no_start_survives_is_over_and_told(broker: BrokerThread) -> None:
    """SIGKILL under the new settings: the next start runs under the old ones, and says so."""
    with Daemon() as daemon:
        alarm = at_once("fleet.desired_rejected")
        daemon.configure(telemetry(broker.url) + FLEET + alarm, agent=AGENT)
        daemon.start()
        say(broker, 7, config={"check": {"duplicate_window_s": 77}}, trial={"crashes": 1})
        wait_until(lambda: starts(daemon) == 2, "started anew")
        daemon.kill()
        daemon.start()
        assert starts(daemon) == 3
        values = wait_until(
            lambda: told(daemon).get("desired_rejected") and told(daemon), "rejected and told"
        )
        assert (values["desired_state"], values["desired_version"]) == ("rejected", 7)
        assert values["desired_reason"] == "crashed: 1 starts"
        wait_until(lambda: "fleet.desired_rejected" in daemon.alarms(), "an alarm")


def told(daemon: Daemon) -> dict[str, Any]:
    """The component `fleet`."""
    return dict(daemon.components().get("fleet", {}).get("values", {}))
