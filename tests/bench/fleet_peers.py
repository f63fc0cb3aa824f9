"""The same day told by other conventions: JSON every minute, Sparkplug B, collectd's MQTT plugin.

Encoders small enough to read, after the published rules; what is compared is bytes on the wire of
the same line with the same certificates and paho underneath, which resumes no TLS session.

- naive: every reading in one JSON object every 60 s, QoS 1.
- Sparkplug B 3.0: NBIRTH with every metric after each connect, NDATA with aliases for what moved at
  the same times as ours, alarms as metrics at once; QoS 0, Will NDEATH QoS 1.
- collectd: one topic a numeric value, `time:value` as text, QoS 0, every interval.
"""

from __future__ import annotations

import json
import ssl
import struct
import threading
from collections.abc import Callable, Mapping

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

Value = str | int | float | bool | None


class Peer:
    """A connected paho client that waits for the wire to fall silent after what it does."""

    def __init__(
        self,
        port: int,
        tls: Callable[[], ssl.SSLContext],
        settled: Callable[[], None],
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self._settled = settled
        self._connected = threading.Event()
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id="T-0042",
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self.client.tls_set_context(tls())
        if will:
            self.client.will_set(*will, qos=1)
        self.client.on_connect = lambda *_: self._connected.set()
        self.client.connect("localhost", port, keepalive=1_200)
        self.client.loop_start()
        assert self._connected.wait(10.0), "not connected"
        settled()

    def send(self, topic: str, payload: bytes, qos: int) -> None:
        sent = self.client.publish(topic, payload, qos=qos)
        sent.wait_for_publish(10.0)

    def settle(self) -> None:
        self._settled()

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self._settled()


def naive(at_ms: int, readings: Mapping[str, Value]) -> bytes:
    """Everything, as `json.dumps` writes it."""
    return json.dumps({"ts": at_ms, "device_id": "T-0042", **readings}).encode()


# -- Sparkplug B: the protobuf wire format of org.eclipse.tahu.protobuf.Payload ------------------

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_INT64, _DOUBLE, _BOOLEAN, _STRING = 4, 10, 11, 12


def _number(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, kind: int, content: bytes) -> bytes:
    head = _number(number << 3 | kind)
    return head + (_number(len(content)) if kind == _LENGTH else b"") + content


def metric(
    at_ms: int, value: Value, *, name: str = "", alias: int | None = None, typed: bool = False
) -> bytes:
    """One metric: 1 name, 2 alias, 3 timestamp, 4 datatype, 7 is_null, 11–15 the value."""
    out = b""
    if name:
        out += _field(1, _LENGTH, name.encode())
    if alias is not None:
        out += _field(2, _VARINT, _number(alias))
    out += _field(3, _VARINT, _number(at_ms))
    match value:
        case bool():
            kind, told = _BOOLEAN, _field(14, _VARINT, _number(int(value)))
        case int():
            kind, told = _INT64, _field(11, _VARINT, _number(value))
        case float():
            kind, told = _DOUBLE, _field(13, _FIXED64, struct.pack("<d", value))
        case str():
            kind, told = _STRING, _field(15, _LENGTH, value.encode())
        case None:
            kind, told = _STRING, _field(7, _VARINT, _number(1))
    return out + (_field(4, _VARINT, _number(kind)) if typed else b"") + told


def payload(at_ms: int, metrics: list[bytes], seq: int | None) -> bytes:
    """1 timestamp, 2 metrics, 3 seq."""
    out = _field(1, _VARINT, _number(at_ms)) + b"".join(
        _field(2, _LENGTH, each) for each in metrics
    )
    return out if seq is None else out + _field(3, _VARINT, _number(seq))


class Sparkplug:
    """An edge node: births, data, and the numbers between them."""

    def __init__(self) -> None:
        self._seq = 0
        self._bd_seq = -1
        self._aliases: dict[str, int] = {}

    def death(self) -> tuple[str, bytes]:
        """The Will of the next connection."""
        self._bd_seq = (self._bd_seq + 1) % 256
        return self._topic("NDEATH"), payload(
            0, [metric(0, self._bd_seq, name="bdSeq", typed=True)], None
        )

    def birth(self, at_ms: int, readings: Mapping[str, Value]) -> tuple[str, bytes]:
        """Every metric with its name, alias and type."""
        self._seq = 0
        self._aliases = {name: number for number, name in enumerate(readings)}
        metrics = [
            metric(at_ms, self._bd_seq, name="bdSeq", typed=True),
            metric(at_ms, False, name="Node Control/Rebirth", typed=True),
        ]
        metrics += [
            metric(at_ms, value, name=name, alias=self._aliases[name], typed=True)
            for name, value in readings.items()
        ]
        return self._topic("NBIRTH"), payload(at_ms, metrics, 0)

    def data(self, at_ms: int, moved: Mapping[str, Value]) -> tuple[str, bytes]:
        """What moved, by alias alone."""
        self._seq = (self._seq + 1) % 256
        metrics = [metric(at_ms, value, alias=self._aliases[name]) for name, value in moved.items()]
        return self._topic("NDATA"), payload(at_ms, metrics, self._seq)

    def _topic(self, kind: str) -> str:
        return f"spBv1.0/acme/{kind}/T-0042"


def collectd(at_ms: int, readings: Mapping[str, Value]) -> list[tuple[str, bytes]]:
    """Numbers and switches only: the format has no texts. Topic `prefix/host/plugin/type`."""
    return [
        (f"collectd/T-0042/{name.partition('_')[0]}/gauge-{name.partition('_')[2]}",
         f"{at_ms / 1000:.3f}:{float(value):g}".encode())
        for name, value in readings.items()
        if isinstance(value, int | float)
    ]  # fmt: skip
