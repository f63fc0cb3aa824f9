"""What crosses the loopback of a network namespace of our own, counted as IP carries it.

A packet socket sees every packet on `lo` leave and arrive; only those that arrive are counted, and
of each the total length in its IP header: TCP's own packets, retransmissions and handshakes are in
it, Ethernet is not.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.network.netns import ip

MTU = 1400
_ARRIVES, _LEAVES = 0x0003, 4


def alone() -> None:
    """Bring up `lo` of the namespace this process was started in, with a line's packet size."""
    program = ip()
    assert program is not None, "no iproute2"
    subprocess.run([program, "link", "set", "lo", "mtu", str(MTU), "up"], check=True)


@dataclass(frozen=True, slots=True)
class Count:
    """Bytes and packets of TCP port `port`: to it and from it."""

    up: int = 0
    down: int = 0
    packets: int = 0

    @property
    def total(self) -> int:
        return self.up + self.down

    def __sub__(self, other: Count) -> Count:
        return Count(self.up - other.up, self.down - other.down, self.packets - other.packets)


class Sniffer:
    """Counts in a thread, from `with` on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._up = self._down = self._packets = 0
        self._last_s = time.monotonic()
        self._over = False
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ARRIVES))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._listen, name="sniffer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over = True
        self._thread.join(2.0)
        self._socket.close()

    @property
    def count(self) -> Count:
        return Count(self._up, self._down, self._packets)

    @property
    def silent_s(self) -> float:
        """Since the last packet."""
        return time.monotonic() - self._last_s

    def _listen(self) -> None:
        while not self._over:
            try:
                packet, address = self._socket.recvfrom(65_536)
            except TimeoutError:
                continue
            if address[2] == _LEAVES or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
                continue
            (length,) = struct.unpack_from("!H", packet, 2)
            source, destination = struct.unpack_from("!HH", packet, (packet[0] & 15) * 4)
            if destination == self._port:
                self._up += length
            elif source == self._port:
                self._down += length
            else:
                continue
            self._packets += 1
            self._last_s = time.monotonic()
