"""Who else is out there: a name server, the server that tells a captive portal, bad hosts.

Small doubles with one switch each, serving from the namespace they were opened in. They answer
enough for a resolver or a probe and nothing more.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from enum import StrEnum

from tests.network.netns import Namespace

_A, _OPT = 1, 41
_NXDOMAIN, _SERVFAIL, _REFUSED = 3, 2, 5


class Names(StrEnum):
    """How the name server behaves."""

    ANSWERS = "answers"
    DEAD = "dead"  #: reads and never answers
    SLOW = "slow"  #: answers after `delay_s`
    LYING = "lying"  #: every name is `lie`
    NXDOMAIN = "nxdomain"  #: knows no name
    REFUSED = "refused"  #: serves others only
    SERVFAIL = "servfail"  #: a forwarder whose own upstream is away
    TRUNCATED = "truncated"  #: says "ask by TCP", where nobody answers
    GARBAGE = "garbage"  #: bytes that are no answer


class Server:
    """A thread that serves sockets until it is closed."""

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._ours, theirs = socket.socketpair()
        self._selector.register(theirs, selectors.EVENT_READ, None)
        self._sockets: list[socket.socket] = [theirs]
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def _add(self, one: socket.socket, ready: Callable[[socket.socket], None]) -> None:
        one.setblocking(False)
        self._sockets.append(one)
        self._selector.register(one, selectors.EVENT_READ, ready)

    def _remove(self, one: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(one)
        if one in self._sockets:
            self._sockets.remove(one)
        one.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                with contextlib.suppress(OSError, ValueError):
                    key.data(key.fileobj)

    def close(self) -> None:
        self._ours.send(b"x")
        self._thread.join(5.0)
        for one in [*self._sockets, self._ours]:
            one.close()
        self._selector.close()


class NameServer(Server):
    """Answers A questions from a table; what it knows nothing of does not exist."""

    def __init__(self, place: Namespace, address: str, table: Mapping[str, str]) -> None:
        super().__init__("names")
        self.mode = Names.ANSWERS
        self.delay_s = 0.0
        self.lie = "0.0.0.0"
        self.table = dict(table)
        self.asked = 0
        sock = place.inside(lambda: _bound(socket.SOCK_DGRAM, address, 53))
        self._add(sock, self._question)
        self._thread.start()

    def _question(self, sock: socket.socket) -> None:
        raw, who = sock.recvfrom(4096)
        self.asked += 1
        if self.mode is Names.DEAD:
            return
        answer = b"\x00" * 5 if self.mode is Names.GARBAGE else self._answer(raw)
        if self.mode is Names.SLOW:
            late = threading.Timer(self.delay_s, _send, (sock, answer, who))
            late.daemon = True
            late.start()
            return
        _send(sock, answer, who)

    def _answer(self, raw: bytes) -> bytes:
        number, end, name, kind = raw[:2], *_asked(raw)
        question = raw[12:end]
        code, records = 0, b""
        address = self.table.get(name)
        flags = 0x8180
        match self.mode:
            case Names.NXDOMAIN:
                code = _NXDOMAIN
            case Names.REFUSED:
                code = _REFUSED
            case Names.SERVFAIL:
                code = _SERVFAIL
            case Names.TRUNCATED:
                flags |= 0x0200
            case _:
                if self.mode is Names.LYING:
                    address = self.lie
                if address is None:
                    code = _NXDOMAIN
                elif kind == _A:
                    records = b"\xc0\x0c" + struct.pack(">HHIH", _A, 1, 1, 4)
                    records += socket.inet_aton(address)
        counts = struct.pack(">HHHHH", flags | code, 1, 1 if records else 0, 0, 0)
        return number + counts + question + records


class Portal(Server):
    """The server a terminal asks whether it is on the internet; or whoever answers in its place."""

    FORMS: Mapping[str, bytes] = {
        "open": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n%s\r\n",
        "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://login.shop.test/\r\n"
        b"Content-Length: 0\r\n%s\r\n",
        "page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n%s\r\n"
        b"<html>sign in</html>\n",
        "required": b"HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n%s\r\n",
    }

    def __init__(self, place: Namespace, address: str, ports: tuple[int, ...] = (80,)) -> None:
        super().__init__("portal")
        self.form = "open"
        self.asked = 0
        self.clock_offset_s = 0
        for port in ports:
            sock = place.inside(lambda port=port: _listening(address, port, 64))
            self._add(sock, self._accept)
        self._thread.start()

    def _accept(self, sock: socket.socket) -> None:
        connection, _ = sock.accept()
        self._add(connection, self._request)

    def _request(self, connection: socket.socket) -> None:
        raw = b""
        with contextlib.suppress(OSError):
            raw = connection.recv(4096)
        if raw:
            self.asked += 1
            stamp = time.gmtime(time.time() + self.clock_offset_s)
            date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", stamp)
            more = f"Date: {date}\r\nConnection: close\r\n".encode()
            with contextlib.suppress(OSError):
                connection.send(self.FORMS[self.form] % more)
        self._remove(connection)


class BadHost(Server):
    """Accepts TCP and then: says nothing, or resets."""

    def __init__(self, place: Namespace, address: str, port: int, *, resets: bool) -> None:
        super().__init__("bad host")
        self._resets = resets
        self._add(place.inside(lambda: _listening(address, port, 64)), self._accept)
        self._thread.start()

    def _accept(self, sock: socket.socket) -> None:
        connection, _ = sock.accept()
        if self._resets:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
        else:
            self._add(connection, self._drain)

    def _drain(self, connection: socket.socket) -> None:
        if not connection.recv(4096):
            self._remove(connection)


class StrictHost(Server):
    """Wants a certificate of the terminal, refuses the one shown, and says why by a TLS alert.

    A listener of asyncio closes without that word; most hosts in the field say it.
    """

    def __init__(self, place: Namespace, address: str, port: int, tls: ssl.SSLContext) -> None:
        super().__init__("strict host")
        self._tls = tls
        self._add(place.inside(lambda: _listening(address, port, 64)), self._accept)
        self._thread.start()

    def _accept(self, sock: socket.socket) -> None:
        connection, _ = sock.accept()
        connection.settimeout(3.0)
        threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            with contextlib.suppress(ssl.SSLError):
                self._tls.wrap_socket(connection, server_side=True).close()
                return
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):  # closing with bytes unread would swallow the alert
                pass
        connection.close()


def full_backlog(place: Namespace, address: str, port: int) -> list[socket.socket]:
    """A listener nobody accepts from, its queue filled: further SYNs are swallowed."""

    def fill() -> list[socket.socket]:
        listener = _listening(address, port, 0)
        made = [listener]
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect((address, port))
            made.append(one)
        return made

    return place.inside(fill)


def _listening(address: str, port: int, backlog: int) -> socket.socket:
    sock = _bound(socket.SOCK_STREAM, address, port)
    sock.listen(backlog)
    return sock


def _bound(kind: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


def _send(sock: socket.socket, answer: bytes, who: tuple[str, int]) -> None:
    with contextlib.suppress(OSError):
        sock.sendto(answer, who)


def _asked(raw: bytes) -> tuple[int, str, int]:
    """Where the question ends, its name and its type."""
    labels, at = [], 12
    while raw[at]:
        labels.append(raw[at + 1 : at + 1 + raw[at]].decode("ascii", "replace"))
        at += 1 + raw[at]
    return at + 5, ".".join(labels).lower(), int.from_bytes(raw[at + 1 : at + 3], "big")
