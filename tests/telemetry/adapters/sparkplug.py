"""Sparkplug B as a scheme, as small as proves the seam: one node, the metrics of one component.

Not an adapter. What the seam does not give it yet is in docs/fleet/adapters.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.fleet.messages import StateMessage
from agent.telemetry.adapters import Heard, Packet, StateAsked
from agent.wire import mqtt

INT64, DOUBLE, BOOLEAN, STRING = 4, 10, 11, 12
Value = int | float | bool | str


@dataclass(frozen=True)
class Metric:
    name: str
    datatype: int
    value: Value | None
    timestamp: int | None = None
    historical: bool = False


@dataclass(frozen=True)
class Payload:
    timestamp: int | None
    metrics: tuple[Metric, ...]
    seq: int | None


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def encoded(payload: Payload) -> bytes:
    out = b"" if payload.timestamp is None else field(1, payload.timestamp)
    for metric in payload.metrics:
        one = field(1, metric.name.encode())
        if metric.timestamp is not None:
            one += field(3, metric.timestamp)
        one += field(4, metric.datatype)
        if metric.historical:
            one += field(5, 1)
        match metric.value:
            case None:
                one += field(7, 1)
            case bool():
                one += field(14, int(metric.value))
            case int():
                one += field(11, metric.value)
            case float():
                one += varint(13 << 3 | 1) + struct.pack("<d", metric.value)
            case str():
                one += field(15, metric.value.encode())
        out += field(2, one)
    return out if payload.seq is None else out + field(3, payload.seq)


def fields(raw: bytes) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(raw):
        key = number()
        if key & 7 == 0:
            found.append((key >> 3, number()))
        elif key & 7 == 1:
            found.append((key >> 3, struct.unpack("<d", raw[at : at + 8])[0]))
            at += 8
        else:
            size = number()
            found.append((key >> 3, raw[at : at + size]))
            at += size
    return found


def decoded(raw: bytes) -> Payload:
    told = fields(raw)
    metrics = []
    for number, value in told:
        if number == 2:
            one = dict(fields(value))
            content: Value | None = None
            if 14 in one:
                content = bool(one[14])
            elif 15 in one:
                content = one[15].decode()
            else:
                content = one.get(11, one.get(13))
            metrics.append(Metric(one[1].decode(), one[4], content, one.get(3), bool(one.get(5))))
    plain = dict(told)
    return Payload(plain.get(1), tuple(metrics), plain.get(3))


class Sparkplug:
    """Births first, numbers every message, dies with the number it was born with."""

    def __init__(self, group: str, node: str, metrics: Mapping[str, int]) -> None:
        self._topic = f"spBv1.0/{group}/{{}}/{node}"
        self._known: dict[str, Value | None] = dict.fromkeys(metrics)
        self._types = metrics
        self._seq = 0
        self._born_ms = 0

    @property
    def subscriptions(self) -> Sequence[str]:
        return (self._topic.format("NCMD"),)

    def will(self, lost: StateMessage) -> Packet | None:
        death = Payload(None, (Metric("bdSeq", INT64, lost.connects % 256),), None)
        return Packet(topic=self._topic.format("NDEATH"), payload=encoded(death))

    def state(self, message: StateMessage) -> Sequence[Packet]:
        if message.state == "offline":
            death = self.will(message)
            return () if death is None else (death,)
        self._seq, self._born_ms = 0, message.ts or 0
        metrics = (
            Metric("bdSeq", INT64, message.connects % 256, message.ts),
            Metric("Node Control/Rebirth", BOOLEAN, False, message.ts),
            *(
                Metric(name, self._types[name], value, message.ts)
                for name, value in self._known.items()
            ),
        )
        birth = Payload(message.ts, metrics, 0)
        return (Packet(topic=self._topic.format("NBIRTH"), payload=encoded(birth)),)

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> Sequence[Packet]:
        del seq, outbox_id, retained
        told = mqtt.decode(body)
        if kind != "health":
            return ()
        news = {name: told[name] for name in self._known if name in told}
        if not news:
            return ()
        self._known |= news
        self._seq = (self._seq + 1) % 256
        late = told["ts"] < self._born_ms
        metrics = tuple(
            Metric(name, self._types[name], value, told["ts"], historical=late)
            for name, value in news.items()
        )
        data = Payload(told["ts"], metrics, self._seq)
        return (Packet(topic=self._topic.format("NDATA"), payload=encoded(data)),)

    def heard(self, topic: str, payload: bytes) -> Heard | None:
        if topic != self._topic.format("NCMD"):
            return None
        try:
            asked = decoded(payload).metrics
        except (IndexError, KeyError, ValueError, struct.error):
            return None
        rebirth = any(one.name == "Node Control/Rebirth" and one.value for one in asked)
        return StateAsked() if rebirth else None
