"""A line between two namespaces that can lose, delay, reorder and swallow packets.

Two tun devices and a thread that carries packets from one to the other. It stands where others use
netem and nftables, which not every kernel has; what it does is decided per packet by `Weather`.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.network.netns import Namespace

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """What of an IPv4 packet decides its fate."""

    source: str
    target: str
    protocol: int
    port: int  #: of the target; 0 where there is none

    @staticmethod
    def read(raw: bytes) -> Packet | None:
        if len(raw) < 20 or raw[0] >> 4 != 4:
            return None
        start = (raw[0] & 0x0F) * 4
        protocol = raw[9]
        port = 0
        if protocol in (6, 17) and len(raw) >= start + 4:
            port = int.from_bytes(raw[start + 2 : start + 4], "big")
        return Packet(
            source=".".join(map(str, raw[12:16])),
            target=".".join(map(str, raw[16:20])),
            protocol=protocol,
            port=port,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How the line treats packets; as built it carries all of them at once."""

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0  #: added at random: packets overtake each other
    drops: Callable[[Packet], bool] | None = None
    bytes_s: int = 0  #: how much passes in a second and direction; 0: any


@dataclass(slots=True, kw_only=True)
class Counters:
    """What has passed, by direction."""

    up_bytes: int = 0
    down_bytes: int = 0
    packets: int = 0
    dropped: int = 0


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    number: int
    out: int = field(compare=False)
    raw: bytes = field(compare=False)


class Line:
    """`near` is the terminal's side: what it sends is counted as up."""

    def __init__(self, near: Namespace, near_name: str, far: Namespace, far_name: str) -> None:
        self.weather = Weather()
        self.counters = Counters()
        self._random = random.Random(7)
        self._near = near.inside(lambda: _tun(near_name))
        self._far = far.inside(lambda: _tun(far_name))
        self._waiting: list[_Waiting] = []
        self._number = 0
        self._free_at = {self._near: 0.0, self._far: 0.0}
        self._wake_r, self._wake_w = os.pipe()
        self._thread = threading.Thread(target=self._pump, name=f"line-{near_name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._wake_w, b"x")
        self._thread.join(5.0)
        for each in (self._near, self._far, self._wake_r, self._wake_w):
            os.close(each)

    def _pump(self) -> None:
        while True:
            now = time.monotonic()
            while self._waiting and self._waiting[0].due <= now:
                due = heapq.heappop(self._waiting)
                _put(due.out, due.raw)
            wait_s = None
            if self._waiting:
                wait_s = max(0.0, self._waiting[0].due - now)
            ready, _, _ = select.select([self._near, self._far, self._wake_r], [], [], wait_s)
            if self._wake_r in ready:
                return
            for each in ready:
                self._take(each)

    def _take(self, end: int) -> None:
        try:
            raw = os.read(end, _PACKET_BYTES)
        except OSError:
            # The interface is down: nothing comes until it is up again.
            time.sleep(0.01)
            return
        weather, packet = self.weather, Packet.read(raw)
        self.counters.packets += 1
        if end == self._near:
            self.counters.up_bytes += len(raw)
        else:
            self.counters.down_bytes += len(raw)
        lost = weather.loss and self._random.random() < weather.loss
        if lost or (packet and weather.drops and weather.drops(packet)):
            self.counters.dropped += 1
            return
        out = self._far if end == self._near else self._near
        due = time.monotonic() + weather.delay_s
        if weather.jitter_s:
            due += self._random.random() * weather.jitter_s
        if weather.bytes_s:
            due = max(due, self._free_at[end]) + len(raw) / weather.bytes_s
            self._free_at[end] = due
        self._number += 1
        if due <= time.monotonic():
            _put(out, raw)
        else:
            heapq.heappush(self._waiting, _Waiting(due, self._number, out, raw))


def _put(end: int, raw: bytes) -> None:
    with contextlib.suppress(OSError):  # the other side is down: lost, as on a wire
        os.write(end, raw)


def _tun(name: str) -> int:
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return file
