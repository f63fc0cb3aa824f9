"""ThingsBoard's MQTT device API: attributes, telemetry, RPC.

Follows https://thingsboard.io/docs/reference/mqtt-api/ and what the server's own parser does with
values: a null is skipped, digits in a text become a number, a number with an exponent or beyond 64
bits ends the session. docs/fleet/adapters.md has the table of what goes where, and the rules for
the server's rule chain.

Nothing is kept back: the unacknowledged window is far below the server's queue of a hundred per
device, and it acknowledges only what it has processed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.core.fleet.messages import StateMessage
from agent.record import dataclass
from agent.telemetry.adapters import CommandIn, DesiredIn, Heard, Packet
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

#: The shared attribute that carries the signed statement of how this terminal should be.
DESIRED = "posagent_desired"
#: The first final answer ends a two-way RPC; progress is told as telemetry only.
FINAL = ("ok", "failed", "rejected", "expired")
_LONG = 2**63
#: Optional in the contract, but the server shows the last value it had for ever.
_BACKLOG_WITHOUT: Mapping[str, Any] = {
    "oldest_age_s": UNKNOWN,
    "cause": "",
    "cause_count": 0,
    "next_attempt_ts": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """One of the two spellings the server knows."""

    telemetry: str
    attributes: str
    attributes_request: str
    attributes_response: str
    rpc_request: str
    rpc_response: str


SPELLINGS: Mapping[str, Topics] = {
    # 17 bytes a message less, and not touched by custom topics of the device profile.
    "v2": Topics(
        telemetry="v2/t",
        attributes="v2/a",
        attributes_request="v2/a/req/",
        attributes_response="v2/a/res/",
        rpc_request="v2/r/req/",
        rpc_response="v2/r/res/",
    ),
    "v1": Topics(
        telemetry="v1/devices/me/telemetry",
        attributes="v1/devices/me/attributes",
        attributes_request="v1/devices/me/attributes/request/",
        attributes_response="v1/devices/me/attributes/response/",
        rpc_request="v1/devices/me/rpc/request/",
        rpc_response="v1/devices/me/rpc/response/",
    ),
}


class ThingsBoard:
    """The scheme. Remembers which RPC brought which command, and which sums it has told."""

    def __init__(self, *, spelling: str = "v2", listening: bool = False) -> None:
        self._topics = SPELLINGS[spelling]
        self._listening = listening
        self._calls: Calls[int] = Calls()
        self._sums: set[str] = set()

    @property
    def subscriptions(self) -> Sequence[str]:
        """RPC and shared attributes; the second also as the answer to our question for them."""
        if not self._listening:
            return ()
        topics = self._topics
        return (topics.rpc_request + "+", topics.attributes, topics.attributes_response + "+")

    def will(self, lost: StateMessage) -> Packet | None:
        """The server knows none: it watches the connection itself (`active`)."""
        del lost
        return None

    def state(self, message: StateMessage) -> Sequence[Packet]:
        """Never `online`: without a Will it would stand there after a power cut.

        Told instead: which connection this is, and whether the last one ended in good order.
        """
        ended = message.state == "offline"
        told = {"connects": message.connects, "ended_in_order": ended}
        packets = [self._packet(self._topics.attributes, told)]
        if self._listening and not ended:
            asked = {"sharedKeys": DESIRED}
            packets.append(self._packet(self._topics.attributes_request + "1", asked))
        return packets

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> Sequence[Packet]:
        """A row as attributes or telemetry. It has no number: same key and time is the same."""
        del seq, outbox_id, retained
        return translated(kind, body, lambda told: self._translated(kind, told))

    def _translated(self, kind: str, told: Mapping[str, Any]) -> Sequence[Packet]:
        word, _, rest = kind.partition("/")
        match word:
            case "info":
                return (self._packet(self._topics.attributes, _values(without(told))),)
            case "hist":
                return self._history(told)
            case "res":
                return self._result(rest, told)
            case "health":
                values = without(told)
                if not values:
                    return ()  # a sign of life: the server watches the connection itself
            case "backlog":
                values = self._backlog(told)
            case "event":
                values = _alarm(told)
            case _:
                values = _prefixed(f"{word}_", without(told))
        return (self._packet(self._topics.telemetry, _timed(told, values)),)

    def heard(self, topic: str, payload: bytes) -> Heard | None:
        """An RPC, or the wish among the shared attributes."""
        topics = self._topics
        if topic.startswith(topics.rpc_request):
            return self._called(topic[len(topics.rpc_request) :], payload)
        if topic == topics.attributes:
            return _wish(told_in(payload))
        if topic.startswith(topics.attributes_response):
            shared = told_in(payload).get("shared")
            return _wish(shared) if isinstance(shared, dict) else None
        return None

    def _called(self, number: str, payload: bytes) -> CommandIn | None:
        if not (number.isascii() and number.isdecimal()) or len(number) > 10:
            return None
        call = int(number)
        envelope = envelope_of(told_in(payload).get("params"))
        # The server counts anew after its own restart: whoever has the number last, has it.
        while (stale := self._calls.first(lambda known: known == call)) is not None:
            self._calls.forget(stale)
        cmd_id = cmd_id_in(envelope) or f"rpc-{call}"
        self._calls.remember(cmd_id, call)
        return CommandIn(cmd_id=cmd_id, payload=envelope)

    def _result(self, cmd_id: str, told: Mapping[str, Any]) -> Sequence[Packet]:
        values = _prefixed("cmd_", {"id": cmd_id} | without(told, "cmd_id"))
        packets = [self._packet(self._topics.telemetry, _timed(told, values))]
        call = self._calls.of(cmd_id)
        if call is not None and told.get("status") in FINAL:
            packets.append(self._packet(f"{self._topics.rpc_response}{call}", without(told)))
        return packets

    def _history(self, told: Mapping[str, Any]) -> Sequence[Packet]:
        more = {"clock_suspect": True} if told.get("clock_suspect") else {}
        entries = [
            {"ts": entry["ts"], "values": _values(entry["values"] | more)}
            for entry in told.get("entries", ())
            if entry["values"]
        ]
        return (self._packet(self._topics.telemetry, entries),) if entries else ()

    def _backlog(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Whole every time, with zeros for what is gone: absent would be the last value."""
        absent = dict(_BACKLOG_WITHOUT)
        if not told.get("count"):
            absent["oldest_age_s"] = 0
        sums = {name for name in told if "amount_minor_" in name}
        gone = dict.fromkeys(self._sums - sums, 0)
        self._sums |= sums
        amounts = {name: told[name] for name in sorted(sums)}
        return _prefixed("backlog_", absent | gone | without(told)) | {"backlog_amounts": amounts}

    def _packet(self, topic: str, told: object) -> Packet:
        return Packet(topic=topic, payload=mqtt.written(told))


def _wish(shared: Mapping[str, Any]) -> DesiredIn | None:
    told = shared.get(DESIRED)
    return None if told is None or told == "" else DesiredIn(payload=envelope_of(told))


def _alarm(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule chain needs for "create alarm" and "clear alarm", and a key of its own."""
    code, active = str(told.get("code", "")), told.get("active") is True
    values = _prefixed("alarm_", without(told, "code", "severity", "active"))
    return values | {
        f"alarm_{code.replace('.', '_')}": active,
        "alarm_code": code,
        "alarm_severity": str(told.get("severity", "")).upper(),
        "alarm_active": active,
    }


def _timed(told: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """With its own time, unless that cannot be right: then the server puts its own."""
    if told.get("clock_suspect"):
        return _values({**values, "clock_suspect": True})
    return {"ts": told["ts"], "values": _values(values)}


def _prefixed(prefix: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in told.items()}


def _values(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in told.items()}


def _value(value: Any) -> Any:
    """As the server's parser takes it for what it is."""
    match value:
        case None:
            return UNKNOWN
        case str() if _looks_like_a_number(value):
            return [value]  # else 007 becomes 7
        case bool() | str():
            return value
        case int():
            return value if -_LONG <= value < _LONG else [str(value)]
        case float():
            return _decimal(value)
        case dict():
            return value
        case Iterable():
            return list(value)
    return UNKNOWN


def _decimal(value: float) -> float | int | str | list[str]:
    """Never with an exponent: the server takes `1e-05` for a broken whole number."""
    if not math.isfinite(value):
        return UNKNOWN
    if abs(value) < 1e-4:
        return round(value, 4)
    whole = int(value)
    if abs(value) < 1e15:
        return value
    return whole if -_LONG <= whole < _LONG else [str(whole)]


def _looks_like_a_number(text: str) -> bool:
    digits = text.removeprefix("-")
    return bool(digits.replace(".", "", 1)) and digits.replace(".", "", 1).isdecimal()
