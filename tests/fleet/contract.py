"""A terminal for the fleet's tests: it speaks docs/contracts/mqtt.md and nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.crypt import signed_by
from agent.wire.command import command_in, opened, to_sign

PATIENCE_S = 20.0


def body(seq: int, outbox_id: str = "outbox", **fields: Any) -> bytes:
    """A message as it is sent."""
    return json.dumps(
        {"seq": seq, "outbox_id": outbox_id, "ts": 1_795_000_000_000, **fields}
    ).encode()


def backlog(seq: int, count: int, cause: str = "", **fields: Any) -> bytes:
    """Unsent money."""
    told: dict[str, Any] = dict.fromkeys(
        ("queued_count", "sending_count", "held_count", "in_doubt_count", "quarantined_count"), 0
    )
    told |= {"count": count, "waiting_count": count}
    if cause:
        told |= {"cause": cause, "cause_count": count}
    return body(seq, **(told | fields))


def event(seq: int, code: str, *, active: bool = True, **fields: Any) -> bytes:
    """An alarm that came or went."""
    told = {"code": code, "component": code.partition(".")[0], "severity": "major"}
    return body(seq, **told, active=active, since_ts=1_795_000_000_000, **fields)


class Terminal:
    """Says `online`, answers commands of one key, takes `desired`."""

    def __init__(
        self,
        port: int,
        device: str,
        public: bytes = b"",
        answer: Callable[[str], list[dict[str, Any]]] = lambda _op: [{"status": "ok"}],
    ) -> None:
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.desired: list[bytes] = []
        self.on_desired: Callable[[bytes], None] = lambda _given: None
        self._start = f"pos/1/acme/{device}/"
        self._public, self._answer = public, answer
        self._seq = 0
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._heard
        self._client.on_subscribe = lambda *_rest: self._subscribed.set()
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self._client.subscribe([(self._start + "cmd/+", 1), (self._start + "desired", 1)])
        assert self._subscribed.wait(PATIENCE_S)
        now = time.time_ns() // 1_000_000
        self.say("state", b'{"state":"online","connects":1,"ts":%d}' % now, retained=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = self._client.on_subscribe = None

    def say(self, tail: str, payload: bytes, *, retained: bool = False) -> None:
        """Publish, and know that the broker has it unless this is a callback."""
        told = self._client.publish(self._start + tail, payload, qos=1, retain=retained)
        if threading.current_thread() is threading.main_thread():
            told.wait_for_publish(PATIENCE_S)

    def tell(self, tail: str, *, retained: bool = False, **fields: Any) -> None:
        """The next numbered message."""
        self._seq += 1
        self.say(tail, body(self._seq, **fields), retained=retained)

    def _heard(self, _client: Client, _userdata: object, message: Any) -> None:
        if message.topic.endswith("/desired"):
            self.desired.append(message.payload)
            self.on_desired(message.payload)
            return
        sealed = opened(message.payload)
        assert signed_by(self._public, to_sign(sealed.payload), sealed.signature)
        command = command_in(sealed.payload)
        assert not message.retain
        assert self._start == f"pos/1/{command.tenant}/{command.device_id}/"
        left_s = message.properties.MessageExpiryInterval
        self.commands.append((command.op, {**command.args, "seq": command.seq, "left_s": left_s}))
        for step in [{"status": "accepted"}, *self._answer(command.op)]:
            self.tell(f"res/{command.cmd_id}", cmd_id=command.cmd_id, op=command.op, **step)


def lines(path: Path, *names: str) -> Path:
    """A file of names."""
    path.write_text("".join(f"{name}\n" for name in names), "utf-8")
    return path
