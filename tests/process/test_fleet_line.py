"""The line to the fleet through the real daemon and the real broker: its alarms, and its liars."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import AGENT, DEVICE, TENANT, BrokerThread, telemetry

pytestmark = [pytest.mark.process, pytest.mark.broker]

ROOT = f"pos/1/{TENANT}/{DEVICE}"


def joined(port: int, name: str) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def line(daemon: Daemon) -> dict[str, object]:
    return daemon.components().get("fleet", {})


def test_a_twin_is_an_alarm_on_the_terminal() -> None:
    """A second client with our id and its own state: told on the terminal, which stays away."""
    with BrokerThread() as broker, Daemon() as daemon:
        daemon.configure(telemetry(broker.url), agent=AGENT)
        daemon.start()
        daemon.wait_log("event=telemetry_connected")
        wait_until(lambda: bool(line(daemon)), "the reading")
        assert "fleet.duplicate_id" not in daemon.alarms()
        twin = joined(broker.port, DEVICE)
        try:
            state = {"state": "online", "connects": 4_711, "ts": round(time.time() * 1000) + 1}
            twin.publish(f"{ROOT}/state", json.dumps(state), qos=1, retain=True)
            wait_until(lambda: "fleet.duplicate_id" in daemon.alarms(), "the alarm")
        finally:
            twin.disconnect()
            twin.loop_stop()
        assert "event=telemetry_alarm code=broker.duplicate_id" in daemon.log()
        assert daemon.stop() == 0


def test_what_the_broker_sends_unasked_costs_no_memory() -> None:
    """Ten megabytes on our own topic: the connection ends with a word, the daemon does not grow."""

    def rss_kb() -> int:
        assert daemon.process is not None
        status = Path(f"/proc/{daemon.process.pid}/status").read_text("ascii")
        (told,) = [each for each in status.splitlines() if each.startswith("VmHWM")]
        return int(told.split()[1])

    key = "[[fleet_key]]\n" + f'id = "k1"\npublic_key = "{"ab" * 32}"\nroles = ["operate"]\n'
    with BrokerThread() as broker, Daemon() as daemon:
        daemon.configure(telemetry(broker.url, 'protocol = "3.1.1"') + key, agent=AGENT)
        daemon.start()
        daemon.wait_log("event=telemetry_connected")
        before_kb = rss_kb()
        sender = joined(broker.port, "sender")
        try:
            for _ in range(20):
                sender.publish(f"{ROOT}/cmd/big", b"\0" * 10_000_000, qos=0)
                if "error=broker.oversize" in daemon.log():
                    break
                time.sleep(0.1)
            daemon.wait_log("error=broker.oversize")
        finally:
            sender.disconnect()
            sender.loop_stop()
        assert rss_kb() - before_kb < 5_000
        assert daemon.stop() == 0
