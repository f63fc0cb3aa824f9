"""thin-edge.io's published rules as a judge: what its mappers would do with each message.

Written from the MQTT API reference, the pages on alarms, health and workflows, and the grammar of
the measurement parser, not from our adapter.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SEVERITIES = {"critical", "major", "minor", "warning"}
#: Of one message to Cumulocity.
MAX_PAYLOAD = 16_184
TERMINAL = {"successful", "failed"}
NEXT = {
    "init": {"executing", "successful", "failed"},
    "executing": {"executing", "successful", "failed"},
}


@dataclass
class ThinEdgeRules:
    """One service's twin as a mapper sees it, and what it had to complain of."""

    service: str = "te/device/main/service/posagent"
    complaints: list[str] = field(default_factory=list)
    registered: dict[str, Any] = field(default_factory=dict)
    capabilities: dict[str, Any] = field(default_factory=dict)
    measurements: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    alarms: dict[str, dict[str, Any]] = field(default_factory=dict)
    alarm_history: list[tuple[str, str]] = field(default_factory=list)
    twin: dict[str, Any] = field(default_factory=dict)
    health: list[str] = field(default_factory=list)
    commands: dict[str, dict[str, Any]] = field(default_factory=dict)
    command_states: dict[str, list[str]] = field(default_factory=dict)

    def begun(self, cmd_id: str, payload: dict[str, Any]) -> None:
        """The mapper created a command."""
        self.commands[cmd_id] = payload
        self.command_states[cmd_id] = ["init"]

    def take(self, topic: str, payload: bytes, *, qos: int = 1, retained: bool = False) -> None:
        """A PUBLISH of the service. `retained` as it was published."""
        if qos < 1:
            self._complain(topic, "QoS 1 at least")
        if len(payload) > MAX_PAYLOAD:
            self._complain(topic, f"{len(payload)} bytes are too many for the cloud")
        segments = topic.split("/")
        if segments[:5] != self.service.split("/") and not self._of_the_device(segments):
            self._complain(topic, "not of this service")
            return
        told: Any = None
        if payload:
            try:
                told = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
            except ValueError as error:
                self._complain(topic, f"not JSON: {error}")
                return
        if not self.registered and segments[5:]:
            self._complain(topic, "before the registration")
        self._sort(topic, segments[5:], told, retained)

    def _of_the_device(self, segments: list[str]) -> bool:
        """What a service may say for its device: commands it carries out, and that it can."""
        device = [*self.service.split("/")[:3], "", ""]
        return segments[:5] == device and segments[5:6] == ["cmd"]

    def _sort(self, topic: str, channel: list[str], told: Any, retained: bool) -> None:
        match channel:
            case []:
                self._registration(topic, told, retained)
            case ["m", kind] if kind:
                self._measurement(topic, kind, told, retained)
            case ["e", kind] if kind:
                self._event(topic, kind, told, retained)
            case ["a", kind] if kind:
                self._alarm(topic, kind, told, retained)
            case ["twin", name] if name:
                self._retained(topic, retained)
                self.twin[name] = told
            case ["status", "health"]:
                self._health(topic, told, retained)
            case ["cmd", kind] if kind:
                self._retained(topic, retained)
                self.capabilities[kind] = told
            case ["cmd", kind, cmd_id] if kind and cmd_id:
                self._command(topic, cmd_id, told, retained)
            case _:
                self._complain(topic, "no such channel")

    def _registration(self, topic: str, told: Any, retained: bool) -> None:
        self._retained(topic, retained)
        if not isinstance(told, dict) or told.get("@type") != "service":
            self._complain(topic, 'a service is registered with "@type": "service"')
        self.registered = told

    def _measurement(self, topic: str, kind: str, told: Any, retained: bool) -> None:
        if retained:
            self._complain(topic, "a measurement is not retained")
        if not isinstance(told, dict):
            self._complain(topic, "no object")
            return
        at = told.pop("time", None)
        self._timed(topic, at)
        if not told:
            self._complain(topic, "empty: at least one measurement")
        for name, value in told.items():
            group = value if isinstance(value, dict) else {name: value}
            if not group:
                self._complain(topic, f"{name}: empty group")
            for series, one in group.items():
                if isinstance(one, bool) or not isinstance(one, int | float):
                    self._complain(topic, f"{series}: {one!r} is no number")
        self.measurements.append((kind, at, told))

    def _event(self, topic: str, kind: str, told: Any, retained: bool) -> None:
        if retained:
            self._complain(topic, "an event is not retained")
        if not isinstance(told, dict) or not isinstance(told.get("text"), str):
            self._complain(topic, "an event has a text")
            return
        self._timed(topic, told.get("time"))
        self.events.append((kind, told))

    def _alarm(self, topic: str, kind: str, told: Any, retained: bool) -> None:
        self._retained(topic, retained)
        if told is None:
            self.alarms.pop(kind, None)
            self.alarm_history.append((kind, "cleared"))
            return
        if not isinstance(told, dict) or told.get("severity") not in SEVERITIES:
            self._complain(topic, "no severity of the four")
            return
        if not isinstance(told.get("text", ""), str):
            self._complain(topic, "text is no text")
        if "type" in told:
            self._complain(topic, "`type` would rename the alarm")
        self._timed(topic, told.get("time"))
        self.alarms[kind] = told
        self.alarm_history.append((kind, told["severity"]))

    def _health(self, topic: str, told: Any, retained: bool) -> None:
        self._retained(topic, retained)
        if not isinstance(told, dict) or told.get("status") not in ("up", "down"):
            self._complain(topic, "status is up or down")
            return
        if type(told.get("pid")) is not int:
            self._complain(topic, "no pid")
        if told["status"] == "up" and "time" not in told:
            self._complain(topic, "no time")
        self._timed(topic, told.get("time"))
        self.health.append(told["status"])

    def _command(self, topic: str, cmd_id: str, told: Any, retained: bool) -> None:
        self._retained(topic, retained)
        if cmd_id not in self.commands:
            self._complain(topic, "nobody asked")
            return
        if not isinstance(told, dict):
            self._complain(topic, "only who created a command may clear it")
            return
        now, states = told.get("status"), self.command_states[cmd_id]
        if states[-1] in TERMINAL:
            if now != states[-1]:  # the same again is a repeat of QoS 1
                self._complain(topic, f"{now} after {states[-1]}: only its creator may go on")
            return
        if now not in NEXT[states[-1]]:
            self._complain(topic, f"{states[-1]} -> {now}")
            return
        if now == "failed" and not isinstance(told.get("reason"), str):
            self._complain(topic, "failed without a reason")
        lost = {name for name in self.commands[cmd_id] if name not in told}
        if lost:
            self._complain(topic, f"fields are lost on the way: {sorted(lost)}")
        states.append(now)
        self.commands[cmd_id] = told

    def _timed(self, topic: str, at: Any) -> None:
        """RFC 3339 with its zone, or seconds since 1970; or nothing."""
        if isinstance(at, str):
            try:
                zone = datetime.fromisoformat(at).tzinfo
            except ValueError:
                zone = None
            if zone is None or not re.match(r"\d{4}-\d\d-\d\dT", at):
                self._complain(topic, f"time {at!r}")
        elif isinstance(at, int | float):
            if not 1e9 <= at < 1e10:
                self._complain(topic, f"time {at} is not in seconds")
        elif at is not None:
            self._complain(topic, f"time {at!r}")

    def _retained(self, topic: str, retained: bool) -> None:
        if not retained:
            self._complain(topic, "must be retained")

    def _complain(self, where: str, what: str) -> None:
        self.complaints.append(f"{where}: {what}")


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
