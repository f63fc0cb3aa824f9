"""Whether a channel carries anything: a connection to somebody who should be there, reset at once.

A host that refuses the connection is as good a proof as one that accepts it: the network carried
both. Bytes are estimated from below. Called by `agent.link.channels`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Sequence

from agent.link.bound import Way
from agent.link.contact import Contact, Told
from agent.link.dial import Dialer
from agent.link.fault import TCP_WORDS, DialError

#: What the other end said itself: somebody is there.
ANSWERED = (TCP_WORDS[errno.ECONNREFUSED], TCP_WORDS[errno.ECONNRESET])
#: SYN, SYN-ACK, ACK and RST with their IP headers; a dead end costs three SYNs.
PROBE_BYTES, DEAD_BYTES = 212, 180

Target = tuple[str, int]


def answered(reason: str) -> bool:
    """Whether a failure is the word of the other end."""
    return reason.endswith(ANSWERED)


class Prober:
    """Tries hosts over a channel."""

    def __init__(self, dialer: Dialer, timeout_s: float) -> None:
        """`dialer` tells nobody: what a probe met is told here, with its cost."""
        self._dialer = dialer
        self._timeout_s = timeout_s
        self.spent_bytes = 0
        self.probes = 0

    async def carries(self, way: Way, targets: Sequence[Target], told: Told | None) -> str:
        """ "" when any of them was there, else why not."""
        tried = [asyncio.create_task(self._try(way, target, told)) for target in targets]
        trouble = ""
        try:
            for ended in asyncio.as_completed(tried):
                if not (trouble := await ended):
                    break
        finally:
            for task in tried:
                task.cancel()
            await asyncio.gather(*tried, return_exceptions=True)
        return trouble

    async def _try(self, way: Way, target: Target, told: Told | None) -> str:
        host, port = target
        fault: DialError | None = None
        connect_ms = None
        self.probes += 1
        try:
            async with asyncio.timeout(self._timeout_s + 0.5):
                reached = await self._dialer.reach(host, port, self._timeout_s, way)
        except DialError as error:
            fault = error
        except TimeoutError:
            fault = DialError("tcp", f"{host}:{port} did not answer")
        else:
            connect_ms = reached.connect_ms
            reset(reached.sock)
        there = fault is None or answered(fault.reason)
        spent = PROBE_BYTES if there else DEAD_BYTES
        self.spent_bytes += spent
        if told is not None:
            told(
                Contact(
                    purpose="probe",
                    host=host,
                    port=port,
                    channel=way.channel,
                    interface=way.interface,
                    layer="" if fault is None else fault.layer,
                    code="" if fault is None else fault.code,
                    reason="" if fault is None else fault.reason,
                    connect_ms=connect_ms,
                    bytes_spent=spent,
                )
            )
        return "" if there or fault is None else fault.reason


def reset(sock: socket.socket) -> None:
    """Close with a reset: a goodbye would cost two more packets each way."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
