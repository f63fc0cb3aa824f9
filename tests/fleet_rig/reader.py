"""A subscriber that misses nothing a broker still wrote before it was killed.

In a thread of its own, with blocking sockets: what the kernel holds when a broker dies is read to
its end. With QoS 0 it writes nothing after its SUBSCRIBE, so that no failing write can hide what
still waits to be read; with QoS 1 it acknowledges, for brokers that keep what they took.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from agent.record import dataclass as record

AGAIN_S = 0.1


@record(frozen=True, slots=True)
class Seen:
    """One delivery of a numbered message."""

    device: str
    kind: str
    outbox_id: str
    seq: int
    body: dict[str, Any] = field(hash=False)


@dataclass
class Reader:
    """`start`, then look at `arrivals`; `ready` is set while it is subscribed."""

    port: int
    qos: int = 1
    tls: ssl.SSLContext | None = None
    client_id: str = "reader"
    topic: str = "pos/1/#"
    keep_bodies: bool = True
    arrivals: list[Seen] = field(default_factory=list)
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    connects: int = 0
    ready: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _sock: socket.socket | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and wait for the thread."""
        self._over.set()
        sock = self._sock
        if sock is not None:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                self._sock = None
        if self._thread is not None:
            self._thread.join(10)

    @property
    def distinct(self) -> int:
        """Messages, each counted once."""
        return len(self.counts)

    @property
    def repeats(self) -> int:
        """Deliveries beyond the first."""
        return self.counts.total() - len(self.counts)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._talk()
            except (OSError, EOFError):
                self.ready.clear()
            if self._sock is not None:
                self._sock.close()
                self._sock = None
            self._over.wait(AGAIN_S)

    def _talk(self) -> None:
        sock = socket.create_connection(("127.0.0.1", self.port), 10)
        self._sock = sock
        if self.tls is not None:
            sock = self._sock = self.tls.wrap_socket(sock, server_hostname="localhost")
        sock.sendall(_connect(self.client_id))
        stream = sock.makefile("rb")
        with stream:
            command, body = _packet(stream)
            if command >> 4 != 2 or body[1]:
                raise OSError(f"refused: {body!r}")
            topic = self.topic.encode()
            sock.sendall(
                bytes([0x82, 5 + len(topic), 0, 1])
                + len(topic).to_bytes(2, "big") + topic + bytes([self.qos])
            )  # fmt: skip
            sock.settimeout(None)
            self.connects += 1
            while True:
                command, body = _packet(stream)
                if command >> 4 == 9:
                    if body[2] > 2:
                        raise OSError("subscription refused")
                    self.ready.set()
                elif command >> 4 == 3:
                    self._heard(sock, command, body)

    def _heard(self, sock: socket.socket, command: int, body: bytes) -> None:
        size = int.from_bytes(body[:2], "big")
        topic = body[2 : 2 + size].decode()
        rest = body[2 + size :]
        if command & 6:
            sock.sendall(b"\x40\x02" + rest[:2])
            rest = rest[2:]
        fields = json.loads(rest)
        if "seq" not in fields or command & 1:
            return  # the state of a connection, or retained: what a new subscriber is told of old
        device, _, kind = topic.split("/", 3)[3].partition("/")
        kept = fields if self.keep_bodies else {}
        seen = Seen(device, kind, fields["outbox_id"], fields["seq"], kept)
        self.arrivals.append(seen)
        self.counts[(device, seen.outbox_id, seen.seq)] += 1


def _text(word: str) -> bytes:
    return len(word.encode()).to_bytes(2, "big") + word.encode()


def _connect(client_id: str) -> bytes:
    # MQTT 3.1.1, a session that is kept, no keepalive.
    body = _text("MQTT") + bytes([4, 0, 0, 0]) + _text(client_id)
    assert len(body) < 128
    return bytes([0x10, len(body)]) + body


def _packet(stream: Any) -> tuple[int, bytes]:
    command = _exactly(stream, 1)[0]
    size = shift = 0
    while True:
        byte = _exactly(stream, 1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return command, _exactly(stream, size)


def _exactly(stream: Any, size: int) -> bytes:
    got = stream.read(size) if size else b""
    if len(got) < size:
        raise EOFError
    return bytes(got)
