"""What the kernel knows of this process's own TCP connections: how much was sent twice.

Asks each of our sockets (TCP_INFO), sends nothing, and looks at no other program's. Loopback is
left out: nothing is lost there. Called by the watcher on the event loop; a descriptor that closes
while it is looked at is left out.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Mapping

#: struct tcp_info of <linux/tcp.h>: after 8 bytes of flags and 24 words tcpi_total_retrans …
_RETRANSMITTED = 100
#: … and tcpi_segs_out and _in, since Linux 4.2.
_SENT, _RECEIVED = 136, 140
_ASKED_BYTES = 144
_ESTABLISHED = 1
_WORD = struct.Struct("=I")

#: A connection's name, and of its segments: sent, of these sent again, received.
Counts = Mapping[str, tuple[int, int, int]]
Look = Callable[[], Counts]


def own(folder: str = "/proc/self/fd") -> Counts:
    """The counts of every connection of ours to another machine."""
    found: dict[str, tuple[int, int, int]] = {}
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a list of numbers
    except OSError:
        return found
    for name in names:
        try:
            inode = os.readlink(f"{folder}/{name}")  # noqa: PTH115 - no objects for a number
            if inode.startswith("socket:") and (counts := _counts(int(name))) is not None:
                found[inode] = counts
        except (OSError, ValueError):
            continue
    return found


def parse(info: bytes) -> tuple[int, int, int] | None:
    """Segments of an established connection as in `Counts`; None on old kernels."""
    if len(info) < _ASKED_BYTES or info[0] != _ESTABLISHED:
        return None
    sent, again, received = (
        int(_WORD.unpack_from(info, place)[0]) for place in (_SENT, _RETRANSMITTED, _RECEIVED)
    )
    return sent, again, received


def _counts(descriptor: int) -> tuple[int, int, int] | None:
    # A copy: closing it leaves the connection alone, and it cannot become another one meanwhile.
    copy = os.dup(descriptor)
    try:
        one = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None
    with one:
        if one.family not in (socket.AF_INET, socket.AF_INET6) or one.type != socket.SOCK_STREAM:
            return None
        if _loopback(one.getpeername()[0]):
            return None
        return parse(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ASKED_BYTES))


def _loopback(address: str) -> bool:
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"
