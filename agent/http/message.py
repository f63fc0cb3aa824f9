"""What goes in and out of the HTTP server: plain records, no protocol, no sockets.

Handlers (the local API, the reference host) are written against this file alone. It knows nothing
of routes or roles.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import field

from agent.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end of a unix socket, as the kernel says."""

    uid: int
    gid: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One whole request. HEAD arrives as GET: the server leaves the body of the answer out.

    `path` is percent-decoded and starts with a slash; a query name given twice never gets here.
    `headers` have lower-case names; a repeated header is joined with a comma.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: None on TCP: nothing is known of the caller there but where he is.
    peer: Peer | None = None
    #: The address he calls from; empty on a unix socket.
    remote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a handler answers. The server adds the length and `connection`.

    An iterator is sent piece by piece as it comes (chunked, unless `content-length` is given);
    if it is an async generator, it is closed when the client has gone.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


class Hangup(Exception):  # noqa: N818 - it is an order, not an error
    """Raised by a handler or a body iterator: cut the connection, answer nothing more."""


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take before it is turned away or dropped."""

    max_connections: int = 64
    #: Of these, slots only peers of the slot class "submit" get; 0: no reservation.
    reserved_for_submit: int = 0
    head_bytes: int = 16_384
    body_bytes: int = 262_144
    #: From connecting (or from the first byte of a later request) to the end of the head.
    head_timeout_s: float = 5.0
    body_timeout_s: float = 10.0
    #: For the handler to return its Response; a streamed body may take longer.
    handler_timeout_s: float = 30.0
    #: For the client to take what has been written.
    write_timeout_s: float = 10.0
    #: For a kept connection to send its next request.
    idle_timeout_s: float = 75.0
