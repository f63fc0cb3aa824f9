"""From bytes to whole requests: h11 with our limits around it. No sockets, no clock.

Decides what is a fit request (size, framing, host, target) and says what is still missing, so that
the connection can choose a deadline. It does not know the handler, nor who is calling.
"""

from __future__ import annotations

from enum import StrEnum

import h11

from agent.http import refusal
from agent.http.fields import folded
from agent.http.message import Limits, Peer, Request
from agent.http.refusal import Refusal
from agent.http.target import split_target


class Missing(StrEnum):
    """What the next whole request still lacks."""

    ALL = "all"  # not one byte of it has come
    HEAD = "head"
    CONTINUE = "continue"  # the client waits for our word before it sends the body
    BODY = "body"
    CYCLE = "cycle"  # the request before it is still being answered
    NEVER = "never"  # the client said it sends no more


class Intake:
    """One connection's requests, one after the other."""

    def __init__(self, limits: Limits, peer: Peer | None, remote: str = "") -> None:
        self._limits = limits
        self._peer = peer
        self._remote = remote
        self.wire = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        #: Bytes received of what has not become a whole request yet.
        self.ahead_bytes = 0
        #: The request at hand is HEAD: its answer carries no body.
        self.bodyless = False
        self._head: h11.Request | None = None
        self._target: tuple[str, dict[str, str]] = ("", {})
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was received; empty means the client sends no more."""
        self.ahead_bytes += len(data)
        self.wire.receive_data(data)

    def next(self) -> Request | Missing:
        """The next whole request, or what it lacks. Raises Refusal."""
        try:
            while True:
                if self._head is None and self.ahead_bytes:
                    # Its public twin `trailing_data` copies all that waits, each time.
                    _unfolded(self.wire._receive_buffer._data, self._limits.head_bytes)  # noqa: SLF001
                event = self.wire.next_event()
                if event is h11.NEED_DATA:
                    return self._missing()
                if event is h11.PAUSED:
                    return Missing.CYCLE
                if isinstance(event, h11.Request):
                    self._take_head(event)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > self._limits.body_bytes:
                        raise refusal.body_too_large(self._limits.body_bytes)
                elif isinstance(event, h11.EndOfMessage):
                    return self._whole()
                elif isinstance(event, h11.ConnectionClosed):
                    return Missing.NEVER
        except h11.RemoteProtocolError as error:
            raise self._refusal(error) from None

    def restart(self) -> bool:
        """Make ready for the next request; False if there cannot be one."""
        self._head = None
        self._body = bytearray()
        self.bodyless = False
        if self.wire.our_state is not h11.DONE or self.wire.their_state is not h11.DONE:
            return False
        self.wire.start_next_cycle()
        return True

    def _missing(self) -> Missing:
        if self._head is None:
            return Missing.HEAD if self.ahead_bytes else Missing.ALL
        if self.wire.they_are_waiting_for_100_continue:
            return Missing.CONTINUE
        return Missing.BODY

    def _take_head(self, head: h11.Request) -> None:
        # h11 limits only heads that are incomplete, not one that came in a single large read.
        if self.ahead_bytes > self._limits.head_bytes:
            behind = len(self.wire.trailing_data[0])
            if self.ahead_bytes - behind > self._limits.head_bytes:
                raise refusal.head_too_large(self._limits.head_bytes)
        self.bodyless = head.method == b"HEAD"
        if head.http_version not in {b"1.1", b"1.0"}:
            raise refusal.unknown_version()
        if head.method == b"CONNECT":
            raise refusal.malformed("CONNECT is for proxies.")
        names = [name for name, _ in head.headers]
        lengths = names.count(b"content-length")
        if b"transfer-encoding" in names:
            # h11 would let chunked win; a proxy in front may have decided otherwise.
            if lengths or head.http_version == b"1.0":
                raise refusal.ambiguous_length()
        elif lengths:
            stated = next(value for name, value in head.headers if name == b"content-length")
            if int(stated) > self._limits.body_bytes:
                raise refusal.body_too_large(self._limits.body_bytes)
        self._target = split_target(head.target)
        self._head = head

    def _whole(self) -> Request:
        self.ahead_bytes = len(self.wire.trailing_data[0])
        head = self._head
        assert head is not None
        path, query = self._target
        return Request(
            method="GET" if self.bodyless else head.method.decode("ascii"),
            path=path,
            query=query,
            headers=folded(head.headers),
            body=bytes(self._body),
            peer=self._peer,
            remote=self._remote,
        )

    def _refusal(self, error: h11.RemoteProtocolError) -> Refusal:
        match error.error_status_hint:
            case 431 if self._head is None:
                return refusal.head_too_large(self._limits.head_bytes)
            case 501:
                return refusal.unknown_encoding()
            case _:
                # h11's own words may quote what the client sent, so they are not passed on.
                if "Content-Length" in str(error):
                    return refusal.ambiguous_length()
                return refusal.malformed("The request is not well-formed HTTP/1.1.")


def _unfolded(raw: bytearray, limit_bytes: int) -> None:
    """Raises Refusal where a header goes on in the next line.

    h11 joins such lines; others end the header there, and read another length from the same bytes.
    """
    marks = (b"\n\r\n", b"\n\n")
    ends = [end for mark in marks if (end := raw.find(mark, 0, limit_bytes)) >= 0]
    end = min(ends, default=limit_bytes)
    if raw.find(b"\n ", 0, end) >= 0 or raw.find(b"\n\t", 0, end) >= 0:
        raise refusal.malformed("A header goes on in the next line.")
