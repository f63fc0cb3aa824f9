"""thin-edge.io's local MQTT API: this agent as a service of the device thin-edge runs on.

Follows https://thin-edge.github.io/thin-edge.io/references/mqtt-api/ and its parsers. Alarms,
twin, health and commands are retained there, on purpose: the broker is the device's memory, and
mappers to clouds come and go. For commands that means that one may arrive again and again; what
guards against it is inside the signature, and its state on the topic moves on with every answer.
docs/fleet/adapters.md has the table of what goes where.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.core.fleet.messages import StateMessage
from agent.record import dataclass
from agent.telemetry.adapters import CommandIn, DesiredIn, Heard, Packet, StateAsked
from agent.telemetry.adapters.calls import (
    UNKNOWN,
    Calls,
    cmd_id_in,
    envelope_of,
    told_in,
    translated,
    without,
)
from agent.wire import mqtt

COMMAND = "pos_command"
DESIRED = "pos_desired"
#: Of a mapper's message to the cloud; a larger twin would be refused there, and nobody would know.
MAX_TWIN_BYTES = 12_288
_STATES: Mapping[str, str] = {
    "accepted": "executing",
    "running": "executing",
    "ok": "successful",
    "failed": "failed",
    "rejected": "failed",
    "expired": "failed",
}
_ENDED = ("successful", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command as it stands on its topic: what we answer must keep its fields."""

    topic: str
    fields: Mapping[str, Any]


class ThinEdge:
    """The scheme. Remembers the words of the last health report, and open commands."""

    def __init__(
        self,
        *,
        root: str = "te",
        device: str = "main",
        service: str = "posagent",
        listening: bool = False,
        pid: int = 0,
    ) -> None:
        self._device = f"{root}/device/{device}//"
        self._service = f"{root}/device/{device}/service/{service}"
        #: Cumulocity has operations of devices only, local callers name whom they mean.
        self._commands = (
            f"{self._service}/cmd/{COMMAND}",
            f"{self._device}/cmd/{COMMAND}",
        )
        self._name = service
        self._listening = listening
        self._pid = pid or os.getpid()
        self._calls: Calls[Call] = Calls()
        #: When it was true, and the word; None: it is a number.
        self._words: dict[str, tuple[int, Any]] = {}
        self._words_told = b""  #: on this connection

    @property
    def subscriptions(self) -> Sequence[str]:
        """Requests to show health, and what is for us; never another's topics."""
        asked = (f"{self._service}/cmd/health/check", f"{self._device}/cmd/health/check")
        if not self._listening:
            return asked
        commands = (f"{start}/+" for start in self._commands)
        return (*asked, *commands, f"{self._service}/signal/{DESIRED}")

    def will(self, lost: StateMessage) -> Packet | None:
        """What thin-edge shows of a service that vanished."""
        return self._health("down", lost)

    def state(self, message: StateMessage) -> Sequence[Packet]:
        """Who we are and what we take, then that we are up: nothing may come before it."""
        if message.state == "offline":
            return (self._health("down", message),)
        self._words_told = b""
        named = {"@type": "service", "name": self._name, "type": "posagent"}
        packets = [_kept(self._service, named)]
        if self._listening:
            offer = {"description": "a signed posagent command in the field envelope"}
            packets += [_kept(start, offer) for start in self._commands]
        return (*packets, self._health("up", message))

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> Sequence[Packet]:
        """A row as measurements, alarms, twin or the state of a command."""
        del seq, outbox_id, retained
        return translated(kind, body, lambda told: self._translated(kind, told))

    def _translated(self, kind: str, told: Mapping[str, Any]) -> Sequence[Packet]:
        word, _, rest = kind.partition("/")
        match word:
            case "info":
                return (self._twin("pos_terminal", without(told)),)
            case "health":
                return self._readings(told)
            case "backlog":
                twin = self._twin("pos_backlog", without(told) | _time(told))
                return (*self._measured("backlog", told), twin)
            case "event":
                return (self._alarm(told),)
            case "hist":
                return self._history(told)
            case "res":
                return (self._result(rest, told),)
        # Of a kind that came after this adapter was written; better told plainly than not.
        extra = without(told) | _time(told)
        return (self._sent(f"e/pos_{word}", {"text": kind} | extra),)

    def heard(self, topic: str, payload: bytes) -> Heard | None:
        """A command, a wish, or somebody who asks whether we are there."""
        if topic.endswith("/cmd/health/check"):
            return StateAsked()
        if topic == f"{self._service}/signal/{DESIRED}":
            told = told_in(payload).get("envelope")
            return None if told is None else DesiredIn(payload=envelope_of(told))
        start, _, name = topic.rpartition("/")
        return self._called(topic, name, payload) if start in self._commands else None

    def _called(self, topic: str, name: str, payload: bytes) -> CommandIn | None:
        """A command anew, or the echo of what we said of it.

        `executing` of which we know nothing was said before we were started anew: asked again,
        whoever keeps the results tells what became of it, and the topic does not stand for ever.
        """
        known = self._calls.first(lambda call: call.topic == topic)
        fields = told_in(payload)
        status = fields.get("status", "init")
        if not payload or status in _ENDED:
            if known is not None:
                self._calls.forget(known)
            return None
        if status != "init" and (known is not None or status != "executing"):
            return None
        envelope = envelope_of(fields.get("envelope"))
        cmd_id = cmd_id_in(envelope) or _name(name)
        self._calls.remember(cmd_id, Call(topic=topic, fields=fields))
        return CommandIn(cmd_id=cmd_id, payload=envelope, kept=True)

    def _result(self, cmd_id: str, told: Mapping[str, Any]) -> Packet:
        status = str(told.get("status", ""))
        answer = without(told)
        call = self._calls.of(cmd_id)
        if call is None:
            text = f"{told.get('op', 'command')}: {status}"
            return self._sent("e/pos_command_result", {"text": text} | answer | _time(told))
        state = {"status": _STATES.get(status, "executing"), "posagent": answer | _time(told)}
        if state["status"] == "failed":
            reason = told.get("detail") or told.get("code") or status
            state["reason"] = str(reason)
        return _kept(call.topic, {**call.fields, **state})

    def _readings(self, told: Mapping[str, Any]) -> Sequence[Packet]:
        """Numbers as a measurement; words, which it cannot hold, as twin, whole every time."""
        if told.get("full"):
            self._words = {}
        self._note(told["ts"], without(told))
        return (*self._measured("health", told), *self._noted())

    def _history(self, told: Mapping[str, Any]) -> Sequence[Packet]:
        suspect = {"clock_suspect": True} if told.get("clock_suspect") else {}
        packets: list[Packet] = []
        for entry in told.get("entries", ()):
            self._note(entry["ts"], entry["values"])
            packets += self._measured("health", {**entry["values"], "ts": entry["ts"], **suspect})
        return (*packets, *self._noted())

    def _note(self, at_ms: int, values: Mapping[str, Any]) -> None:
        """Remember words, and numbers not known any more. History may come after newer ones."""
        for name, value in values.items():
            if at_ms >= self._words.get(name, (0, None))[0]:
                word = UNKNOWN if value is None else value
                self._words[name] = (at_ms, None if _is_number(value) else word)

    def _noted(self) -> Sequence[Packet]:
        words = {name: word for name, (_, word) in self._words.items() if word is not None}
        twin = self._twin("pos_readings", words)
        if twin.payload == self._words_told:
            return ()
        self._words_told = twin.payload
        return (twin,)

    def _measured(self, name: str, told: Mapping[str, Any]) -> Sequence[Packet]:
        numbers = {key: value for key, value in without(told).items() if _is_number(value)}
        if not numbers:
            return ()  # an empty measurement is an error there
        return (self._sent(f"m/pos_{name}", _time(told) | {name: numbers}),)

    def _alarm(self, told: Mapping[str, Any]) -> Packet:
        """Raised with its severity, cleared by an empty retained message."""
        topic = f"{self._service}/a/{told['code']}"
        if not told.get("active"):
            return Packet(topic=topic, payload=b"", retained=True)
        alarm = {"text": told["code"], **without(told, "code", "active"), **_time(told)}
        return _kept(topic, alarm)

    def _twin(self, name: str, told: Mapping[str, Any]) -> Packet:
        facts = dict(told)
        while len(mqtt.written(facts)) > MAX_TWIN_BYTES:
            facts.pop("incomplete", None)
            facts.popitem()
            facts["incomplete"] = True
        return _kept(f"{self._service}/twin/{name}", facts)

    def _health(self, status: str, message: StateMessage) -> Packet:
        told: dict[str, Any] = {"pid": self._pid, "status": status, "connects": message.connects}
        if message.ts is not None:
            told["time"] = message.ts / 1000
        return _kept(f"{self._service}/status/health", told)

    def _sent(self, tail: str, told: Mapping[str, Any]) -> Packet:
        return Packet(topic=f"{self._service}/{tail}", payload=mqtt.written(told))


def _kept(topic: str, told: Mapping[str, Any]) -> Packet:
    return Packet(topic=topic, payload=mqtt.written(told), retained=True)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _time(told: Mapping[str, Any]) -> dict[str, Any]:
    """Its own time, unless that cannot be right: then thin-edge puts its own."""
    if told.get("clock_suspect"):
        return {}
    try:
        at = datetime.fromtimestamp(told["ts"] / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return {}
    return {"time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _name(said: str) -> str:
    """A name chosen elsewhere, as one of ours; only to answer it."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in said)[:64] or "_"
