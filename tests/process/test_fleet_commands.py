"""Signed commands through the real daemon and the real broker: what is done, and what is not."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, Self

import pytest

from agent.core.fleet.commands import Command
from agent.crypt import public_of, sign
from agent.wire import command as wire
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import (
    AGENT,
    DEVICE,
    TENANT,
    BrokerThread,
    Reader,
    at_once,
    printer,
    said_by,
    telemetry,
)

pytestmark = [pytest.mark.process, pytest.mark.broker]

OPERATOR, READER, BOSS = b"o" * 32, b"r" * 32, b"b" * 32
CARD = "622202******1234"
KEYS = f"""
[[fleet_key]]
id = "ops"
public_key = "{public_of(OPERATOR).hex()}"
roles = ["operate"]
[[fleet_key]]
id = "eye"
public_key = "{public_of(READER).hex()}"
roles = ["read"]
[[fleet_key]]
id = "boss"
public_key = "{public_of(BOSS).hex()}"
roles = ["administer"]
"""


class Sender:
    """Somebody at the fleet's desk, with keys and a way to the broker."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", port)
        self._seq = time.time_ns() // 1_000_000

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def command(self, cmd_id: str, op: str, **changes: Any) -> Command:
        self._seq += 1
        now = time.time_ns() // 1_000_000
        command = Command(
            cmd_id=cmd_id, tenant=TENANT, device_id=DEVICE, op=op, args={}, issued_ts=now,
            expires_ts=now + 600_000, seq=self._seq,
        )  # fmt: skip
        return replace(command, **changes)

    def publish(self, cmd_id: str, payload: bytes, *, retain: bool = False) -> None:
        topic = f"pos/1/{TENANT}/{DEVICE}/cmd/{cmd_id}"
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(30)

    def send(self, cmd_id: str, op: str, *, key: str = "ops", **changes: Any) -> bytes:
        payload = signed(self.command(cmd_id, op, **changes), key)
        self.publish(cmd_id, payload)
        return payload


def signed(command: Command, key: str = "ops", seed: bytes | None = None) -> bytes:
    payload = wire.command_bytes(command)
    seed = seed or {"ops": OPERATOR, "eye": READER, "boss": BOSS}[key]
    return wire.enveloped(key, sign(seed, wire.to_sign(payload)), payload)


class Results:
    """What the terminal answers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def of(self, cmd_id: str) -> list[dict[str, Any]]:
        tail = f"/res/{cmd_id}"
        return [one.fields for one in self._reader.heard if one.topic.endswith(tail)]

    def events(self, code: str) -> list[bool]:
        """Whether an alarm was raised or cleared, in order."""
        return [one["active"] for one in self._reader.of("event") if one["code"] == code]

    def until(self, cmd_id: str, *ends: str) -> dict[str, Any]:
        over = ends or ("ok", "failed", "rejected", "expired")
        self._reader.until(
            lambda: any(one["status"] in over for one in self.of(cmd_id)), f"the end of {cmd_id}"
        )
        return next(one for one in self.of(cmd_id) if one["status"] in over)


@pytest.fixture
def line() -> Iterator[tuple[Daemon, Sender, Results]]:
    with BrokerThread() as broker, Reader(broker.port) as reader, Daemon() as daemon:
        alarming = printer(daemon.home / "absent") + at_once("printer.not_answering")
        config = telemetry(broker.url) + KEYS + "[fleet]\nidle_s = 0\n" + alarming
        daemon.configure(config, agent=AGENT)
        with Sender(broker.port) as sender:
            # Left on the broker for whoever comes: it would be obeyed again and again.
            sender.publish("x-kept", signed(sender.command("x-kept", "report")), retain=True)
            daemon.start()
            daemon.wait_log("event=command_ignored reason=retained")
            sender.publish("x-kept", b"", retain=True)
            yield daemon, sender, Results(reader)


def test_commands_are_carried_out_and_answered(line: tuple[Daemon, Sender, Results]) -> None:
    """A signed command does what the same word does at the terminal, once, and leaves its lines."""
    daemon, sender, results = line
    key = daemon.submit(
        payment("cmd-key-1", card={"scheme": "unionpay", "masked": CARD}, stan="918273")
    ).json["key"]
    sender.send("c-report", "report", key="eye")
    assert results.until("c-report")["result"]["backlog"]["total"]["count"] == 1
    held = sender.send("c-hold", "hold", args={"key": key, "reason": "asked"})
    assert results.until("c-hold")["result"]["items"][0]["state"] == "held"
    assert daemon.record(key)["state"] == "held"
    assert [one["status"] for one in results.of("c-hold")] == ["accepted", "running", "ok"]
    sender.send("c-why", "explain", key="eye", args={"key": key})
    assert results.until("c-why")["status"] == "ok"
    sender.send("c-release", "release", args={"cause": "queue.held"})
    assert results.until("c-release")["result"]["moved"] == 1
    sender.send("c-now", "forward_now")
    assert results.until("c-now")["status"] == "ok"
    sender.send("c-bundle", "collect_bundle")
    bundle = results.until("c-bundle")["result"]
    kept = daemon.state_dir / "bundles" / f"{bundle['bundle_id']}.tar.gz"
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == bundle["sha256"]
    assert kept.stat().st_size == bundle["size_bytes"]
    # The same bytes again: told once more, not done once more.
    before = len(results.of("c-hold"))
    sender.publish("c-hold", held)
    wait_until(lambda: len(results.of("c-hold")) > before, "the stored result")
    assert results.of("c-hold")[-1]["status"] == "ok"
    assert daemon.record(key)["state"] != "held"
    lines = daemon.get("/v1/audit?verify=true").json
    assert lines["check"]["faults"] == []
    done = [(one["actor"], one["op"], one["outcome"]) for one in reversed(lines["lines"])]
    wanted = [("fleet:ops", "command.hold", "accepted"), ("fleet:ops", "queue_hold", "ok"),
              ("fleet:ops", "command.hold", "ok")]  # fmt: skip
    assert [one for one in done if "hold" in one[1]] == wanted
    told = json.dumps([one for name in ("c-report", "c-hold", "c-why") for one in results.of(name)])
    assert [secret for secret in (CARD, "918273") if secret in told] == []


def test_a_drill_for_the_fleet(line: tuple[Daemon, Sender, Results]) -> None:
    """By a key that may; its report comes back, its alarm is an event that bears its name."""
    _, sender, results = line
    sender.send("d-0", "drill", args={"records": 5})
    assert results.until("d-0")["status"] == "rejected"
    sender.send("d-1", "drill", key="boss", args={"records": 5})
    told = results.until("d-1")
    assert told["status"] == "ok", told
    assert told["result"]["result"] == "passed", told
    wait_until(lambda: results.events("drill.alarm") == [True, False], "its alarm, and its end")


def test_what_is_not_obeyed_is_answered_or_ignored_as_documented(
    line: tuple[Daemon, Sender, Results],
) -> None:
    """Signed commands that may not run are refused by name; what nobody signed gets no answer."""
    daemon, sender, results = line
    stranger = sender.command("x-forged", "forward_now")
    sender.publish("x-forged", signed(stranger, "ops", READER))
    sender.publish("x-nobody", signed(replace(stranger, cmd_id="x-nobody"), "who", OPERATOR))
    sender.publish("x-other", signed(sender.command("x-another", "forward_now")))
    sender.publish("x-big", b"{" + b" " * 9_000)
    sender.publish("x-text", b"hold everything")
    sender.publish("x-future", signed(stranger).replace(b'"command":1', b'"command":2'))
    sender.publish("x-tenant", signed(sender.command("x-tenant", "report", tenant="other")))
    sender.publish("x-device", signed(sender.command("x-device", "report", device_id="all")))
    old = sender.command("r-old", "report")
    sender.send("r-unknown", "format_disk")
    sender.send("r-role", "forward_now", key="eye")
    sender.send("r-renew", "renew_certificate", key="boss")
    sender.send("r-args", "hold", args={"keys": "k"})
    sender.send("r-late", "report", issued_ts=1_793_500_000_000, expires_ts=1_793_500_060_000)
    sender.send("r-long", "report", expires_ts=stranger.expires_ts + 30 * 86_400_000)
    sender.publish("r-old", signed(old))
    words = {
        "r-unknown": "unknown_op", "r-role": "not_allowed", "r-renew": "not_available",
        "r-args": "bad_arguments", "r-late": "expired", "r-long": "bad_lifetime",
        "r-old": "sequence_used",
    }  # fmt: skip
    assert {one: results.until(one)["code"] for one in words} == words
    assert results.until("r-late")["status"] == "expired"
    for reason in ("forged", "unknown_key", "another_id", "too_large", "malformed", "foreign"):
        daemon.wait_log(f"event=command_ignored reason={reason}")
    assert not [one for one in ("x-forged", "x-nobody", "x-kept", "x-other", "x-big", "x-text",
                                "x-future", "x-tenant", "x-device") if results.of(one)]  # fmt: skip
    counted = daemon.get("/v1/audit").json["lines"]
    assert {"ignored:forged", "ignored:foreign"} <= {one["outcome"] for one in counted}
    assert daemon.running


def test_an_alarm_is_noted_and_the_agent_restarted(line: tuple[Daemon, Sender, Results]) -> None:
    """An acknowledgement outlives the restart, which is answered when the agent is back."""
    daemon, sender, results = line
    code = wait_until(
        lambda: next((one for one in daemon.alarms() if one.startswith("printer.")), ""), "an alarm"
    )
    sender.send("a-noted", "acknowledge_alarm", args={"code": code})
    assert results.until("a-noted")["result"]["acknowledged_by"] == "fleet:ops"
    sender.send("a-none", "acknowledge_alarm", args={"code": "no.such"})
    assert results.until("a-none")["code"] == "alarm.not_open"
    sender.send("a-again", "restart_agent", key="boss")
    assert results.until("a-again")["status"] == "ok"
    daemon.wait_log("event=restarting")
    alarm = wait_until(lambda: daemon.alarms().get(code), "the same alarm")
    assert alarm["acknowledged_by"] == "fleet:ops"
    assert "noted by fleet:ops" in said_by(daemon, "status")
    # A second person at the terminal changes nothing: the first stays.
    assert "noted by fleet:ops" in said_by(daemon, "alarm", "acknowledge", code)


def test_the_trail_is_read_and_checked_beside_a_dead_daemon(
    line: tuple[Daemon, Sender, Results],
) -> None:
    """Online and offline; a line somebody changed is named, in both languages."""
    daemon, sender, results = line
    for cmd_id in ("t-1", "t-2", "t-3"):
        sender.send(cmd_id, "report")
        results.until(cmd_id)
    assert "The trail is whole" in said_by(daemon, "audit", "--verify", "--since", "24h")
    assert daemon.stop() == 0
    said = said_by(daemon, "audit", "--verify")
    assert "The trail is whole" in said
    assert "command.report" in said
    with closing(sqlite3.connect(daemon.state_dir / "journal.db")) as db:
        db.execute("UPDATE audit SET actor = 'uid:0' WHERE n = 2")
        db.execute("DELETE FROM audit WHERE n = 4")
        db.commit()
    said = said_by(daemon, "audit", "--verify", "--limit", "1")
    assert "line 2 was changed" in said
    assert "line 4 is missing" in said
