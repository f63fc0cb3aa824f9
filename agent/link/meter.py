"""What a connection costs on the wire: bytes as the carrier counts them, in both directions.

Asks the kernel (TCP_INFO, Linux 4.19 and later): payload with its retransmissions, and a header for
every segment, acknowledgements included. Where the kernel does not tell, `counted` is False and the
caller has to estimate. Fed by `telemetry.transport` from its thread with sockets, read on the loop;
one per purpose. Refuses to know what is said on the connection.
"""

from __future__ import annotations

import socket
import struct
import threading

from agent.record import dataclass

#: Where in struct tcp_info: options (bit 0: timestamps), bytes received, segments, bytes sent.
_OPTIONS, _RECEIVED, _SEGMENTS, _SENT = 5, 128, 136, 200
_WHOLE = 208
#: TCP header, and what timestamps add to it.
_TCP, _STAMPS = 20, 12
_IP4, _IP6 = 20, 40
#: The first segment each way is larger by its options; four more follow the last look at a socket.
_SYN_MORE, _CLOSING = 16, 4


def wire_bytes(sock: socket.socket, *, closing: bool = False) -> int | None:
    """IP-level bytes of a TCP connection so far; None: the kernel does not tell.

    Raises OSError on a closed socket.
    """
    option = getattr(socket, "TCP_INFO", None)
    if option is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, option, 256)
    except OSError:
        if sock.fileno() < 0:
            raise
        return None
    if len(told) < _WHOLE:
        return None
    received: int = struct.unpack_from("=Q", told, _RECEIVED)[0]
    sent: int = struct.unpack_from("=Q", told, _SENT)[0]
    out, in_ = struct.unpack_from("=II", told, _SEGMENTS)
    header = _TCP + (_STAMPS if told[_OPTIONS] & 1 else 0) + _ip_header(sock)
    segments: int = out + in_ + (_CLOSING if closing else 0)
    return sent + received + segments * header + _SYN_MORE


def _ip_header(sock: socket.socket) -> int:
    if sock.family == socket.AF_INET:
        return _IP4
    # A socket that takes both families: mapped addresses travel as IPv4.
    return _IP4 if str(sock.getpeername()[0]).startswith("::ffff:") else _IP6


@dataclass(slots=True)
class _Watched:
    sock: socket.socket
    seen_bytes: int = 0


class Meter:
    """The sum over all connections since the start. Safe from any thread."""

    def __init__(self) -> None:
        self.counted = True  #: False: the kernel does not tell, at least not always
        self._ended_bytes = 0
        self._open: dict[int, _Watched] = {}
        self._lock = threading.Lock()

    def watch(self, sock: socket.socket) -> None:
        """Count this connection from its beginning, whatever it has cost already."""
        with self._lock:
            self._open.setdefault(id(sock), _Watched(sock))

    def ended(self, sock: object) -> None:
        """It is about to be closed: look for the last time. Whatever is not watched is ignored."""
        with self._lock:
            watched = self._open.pop(id(sock), None)
            if watched is not None:
                self._look(watched, closing=True)
                self._ended_bytes += watched.seen_bytes

    def total_bytes(self) -> int:
        """Until now; never less than it was."""
        with self._lock:
            for watched in self._open.values():
                self._look(watched)
            return self._ended_bytes + sum(each.seen_bytes for each in self._open.values())

    def _look(self, watched: _Watched, *, closing: bool = False) -> None:
        try:
            seen = wire_bytes(watched.sock, closing=closing)
        except OSError:
            return  # closed meanwhile: what was seen last counts
        if seen is None:
            self.counted = False
        else:
            watched.seen_bytes = max(seen, watched.seen_bytes)
