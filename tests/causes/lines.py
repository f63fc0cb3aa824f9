"""Scenes of the fleet's line and of two ways out, with a real broker and real interfaces."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.sim.broker import free_port
from tests.causes.bench import Bench, terminal
from tests.process.daemon import Daemon
from tests.process.fleet import AGENT, DEVICE, TENANT, BrokerThread, telemetry
from tests.process.test_desired import FLEET, say
from tests.process.test_fleet_commands import KEYS, READER, Sender, signed

_TOPICS = f"pos/1/{TENANT}/{DEVICE}"


def fleet(bench: Bench) -> None:
    """A twin, forged commands, settings nobody can use, a budget too small."""
    with (
        BrokerThread() as broker,
        _joined(broker, FLEET + KEYS) as daemon,
        Sender(broker.port) as sender,
    ):
        stranger = sender.command("x-forged", "report")
        sender.publish("x-forged", signed(stranger, "ops", READER))
        bench.proved(daemon, "fleet.forged_command", "command whose signature does not hold")
        say(broker, 7, config={"no_such_table": {"x": 1}})
        bench.proved(daemon, "fleet.desired_rejected", "settings with a table nobody knows, signed")
        with _client(broker.port, DEVICE) as twin:
            state = {"state": "online", "connects": 4_711, "ts": round(time.time() * 1000) + 1}
            twin.publish(f"{_TOPICS}/state", json.dumps(state), qos=1, retain=True)
            bench.proved(
                daemon, "fleet.duplicate_id", "second client with our id and its own state"
            )


def budget(bench: Bench) -> None:
    """A budget of a few kilobytes a day, and a broker that lets nobody in."""
    with BrokerThread() as broker, _joined(broker, "", "daily_budget_kb = 1") as daemon:
        bench.proved(daemon, "fleet.data_budget", "budget of 1 kB a day", patience_s=40)


def stranger(bench: Bench) -> None:
    """A broker that lets nobody in without a password."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        bench.failures.append("fleet.not_authorised: no mosquitto on this machine")
        return
    with tempfile.TemporaryDirectory(prefix="pc-") as folder:
        port, settings = free_port(), Path(folder) / "broker.conf"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\n")
        process = subprocess.Popen(
            [program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with terminal(telemetry(f"mqtt://127.0.0.1:{port}"), agent=AGENT) as daemon:
                bench.proved(
                    daemon, "fleet.not_authorised", "broker that takes no anonymous client"
                )
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def _joined(broker: BrokerThread, text: str, more: str = "") -> Iterator[Daemon]:
    with terminal(telemetry(broker.url, more) + text, agent=AGENT) as daemon:
        daemon.wait_log("event=telemetry_connected")
        yield daemon


@contextlib.contextmanager
def _client(port: int, name: str) -> Iterator[Client]:
    client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


SCENES = (fleet, budget, stranger)
