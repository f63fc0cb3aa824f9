"""AWS IoT Core as a scheme, as small as proves the seam: named shadows and jobs.

Not an adapter. What the seam does not give it yet is in docs/fleet/adapters.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent.core.fleet.messages import StateMessage
from agent.telemetry.adapters import CommandIn, DesiredIn, Heard, Packet
from agent.telemetry.adapters.calls import Calls, cmd_id_in, envelope_of, told_in
from agent.wire import mqtt

SHADOW_BYTES = 8_192
STATES = {"accepted": "IN_PROGRESS", "running": "IN_PROGRESS", "ok": "SUCCEEDED",
          "failed": "FAILED", "rejected": "REJECTED", "expired": "REJECTED"}  # fmt: skip


class AwsIot:
    """State, readings and money as shadows; alarms as messages; commands as jobs."""

    def __init__(self, thing: str) -> None:
        self._things = f"$aws/things/{thing}"
        self._thing = thing
        self._jobs: Calls[str] = Calls()

    @property
    def subscriptions(self) -> Sequence[str]:
        return (
            f"{self._things}/jobs/notify-next",
            f"{self._things}/jobs/$next/get/accepted",
            f"{self._things}/shadow/name/desired/update/delta",
            f"{self._things}/shadow/name/desired/get/accepted",
        )

    def will(self, lost: StateMessage) -> Packet | None:
        # A Will may not go to a reserved topic: a rule of the account carries it to the shadow.
        told = {"state": lost.state, "connects": lost.connects}
        return Packet(topic=f"pos/{self._thing}/lost", payload=mqtt.written(told))

    def state(self, message: StateMessage) -> Sequence[Packet]:
        told = {"state": message.state, "connects": message.connects, "ts": message.ts}
        packets = [self._shadow("line", told)]
        if message.state == "online":
            packets += [
                Packet(topic=f"{self._things}/jobs/$next/get", payload=b"{}"),
                Packet(topic=f"{self._things}/shadow/name/desired/get", payload=b""),
            ]
        return packets

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> Sequence[Packet]:
        del retained
        told = mqtt.decode(body)
        word, _, rest = kind.partition("/")
        if word in ("health", "backlog", "info"):
            return (self._shadow(word, told),)
        if word == "res" and (job := self._jobs.of(rest)) is not None:
            details = {name: str(value) for name, value in told.items() if name in ("code", "op")}
            update = {"status": STATES[told["status"]], "statusDetails": details}
            topic = f"{self._things}/jobs/{job}/update"
            return (Packet(topic=topic, payload=mqtt.written(update)),)
        told = {"seq": seq, "outbox_id": outbox_id} | told
        return (Packet(topic=f"pos/{self._thing}/{word}", payload=mqtt.written(told)),)

    def heard(self, topic: str, payload: bytes) -> Heard | None:
        told = told_in(payload)
        if topic.startswith(f"{self._things}/jobs/"):
            execution = told.get("execution")
            if not isinstance(execution, dict) or not isinstance(execution.get("jobId"), str):
                return None
            envelope = envelope_of(execution.get("jobDocument"))
            cmd_id = cmd_id_in(envelope) or "job"
            self._jobs.remember(cmd_id, execution["jobId"])
            return CommandIn(cmd_id=cmd_id, payload=envelope)
        if topic.startswith(f"{self._things}/shadow/name/desired/"):
            wish = _inside(told, "state", "desired", "envelope") or _inside(
                told, "state", "envelope"
            )
            return None if wish is None else DesiredIn(payload=envelope_of(wish))
        return None

    def _shadow(self, name: str, told: Mapping[str, Any]) -> Packet:
        payload = json.dumps({"state": {"reported": dict(told)}}).encode()
        return Packet(topic=f"{self._things}/shadow/name/{name}/update", payload=payload)


def _inside(told: Any, *names: str) -> Any:
    for name in names:
        told = told.get(name) if isinstance(told, dict) else None
    return told
