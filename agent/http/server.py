"""HTTP/1.1 server on a unix socket and on TCP: who gets in, and how it starts and ends.

Serves the local API and the simulated hosts. It decides who gets a slot, where it listens, and the
order of stopping. It refuses to know routes, roles and what a request means.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from agent.errors import OperatorError
from agent.http import refusal
from agent.http.connection import Connection
from agent.http.message import Handler, Limits, Peer
from agent.http.refusal import Refusal

log = logging.getLogger(__name__)

SUBMIT = "submit"
#: Connections over the cap that are told so properly; those beyond it are just cut.
TURNED_AWAY_MAX = 16
BACKLOG = 128
#: How long cut connections may take to be gone; it is two turns of the loop, unless it is stuck.
CUT_S = 1.0


class Listener(Protocol):
    """A socket that is listened at."""

    def close(self) -> None: ...


class Server:
    """One handler behind any number of listening sockets, under one set of limits."""

    def __init__(
        self,
        handler: Handler,
        limits: Limits | None = None,
        *,
        slot_class: Callable[[Peer | None], str] = lambda _peer: "",
    ) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self.stopping = False
        self._slot_class = slot_class
        self._listeners: list[Listener] = []
        self._socket_files: list[tuple[Path, int]] = []
        self._inside: dict[Connection, str] = {}
        self._turned_away: set[Connection] = set()
        self._turned_away_count = 0
        self._empty = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many slots are taken."""
        return len(self._inside)

    async def start_unix(self, path: str | Path, mode: int = 0o660) -> None:
        """Listen on a unix socket whose file has exactly this mode.

        A file left behind by a dead process is replaced; OperatorError if the path is in use, is
        not a socket, or cannot be created.
        """
        file = Path(path)
        sock, inode = _unix_socket(file, mode)
        self._socket_files.append((file, inode))
        listener = await asyncio.get_running_loop().create_unix_server(
            lambda: Connection(self), sock=sock, backlog=BACKLOG
        )
        self._listeners.append(listener)

    async def start_handed(self, sock: socket.socket, link: str | Path) -> None:
        """Listen on a unix socket that was made for us; its name, mode and end are its maker's.

        `link` leads to it where it stands elsewhere. OperatorError if the link cannot be made.
        """
        sock.setblocking(False)
        try:
            linked = _linked(Path(link), str(sock.getsockname()))
        except BaseException:
            sock.close()
            raise
        if linked:
            self._socket_files.append((Path(link), linked))
        loop, made = asyncio.get_running_loop(), partial(Connection, self)
        if sys.version_info >= (3, 13):  # it would remove the file at the end
            listener = await loop.create_unix_server(
                made, sock=sock, backlog=BACKLOG, cleanup_socket=False
            )
        else:
            listener = await loop.create_unix_server(made, sock=sock, backlog=BACKLOG)
        self._listeners.append(listener)

    async def start_tcp(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        interface: str = "",
        handshakes: int = 0,
    ) -> int:
        """Listen on TCP at a literal address; returns the port (0 asks for a free one).

        With an `interface` only what arrives there is heard, and a link-local address is its.
        `handshakes`: at most so many at once, where strangers can connect; 0: any number.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if interface:
                _only(sock, interface)
            sock.bind(_at(host, port, interface))
        except OSError as error:
            sock.close()
            raise OperatorError(
                "http.address_unusable",
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                "Choose another port, or stop what uses this one.",
            ) from error
        bound: int = sock.getsockname()[1]
        if tls is not None and handshakes:
            from agent.http.shaking import Shaking

            sock.listen(BACKLOG)
            made = partial(Connection, self)
            limit_s = self.limits.head_timeout_s
            self._listeners.append(Shaking(sock, made, tls, at_once=handshakes, within_s=limit_s))
            return bound
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            sock=sock,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self.limits.head_timeout_s,
        )
        self._listeners.append(listener)
        return bound

    async def close(self, grace_s: float = 1.0) -> None:
        """Stop listening, let running handlers finish within the grace, then cut the rest."""
        self.stopping = True
        for listener in self._listeners:
            listener.close()
        for file, inode in self._socket_files:
            _remove(file, inode)
        self._socket_files.clear()
        for connection in (*self._inside, *self._turned_away):
            connection.stop()
        await self._emptied(grace_s)
        for connection in (*self._inside, *self._turned_away):
            connection.cut()
        if not await self._emptied(CUT_S):
            log.warning("event=connections_stuck count=%d", len(self._inside))
        self._listeners.clear()

    # What connections call.

    def admit(self, connection: Connection) -> Refusal | None:
        """Give it a slot, or say why not."""
        self._empty.clear()
        refused = self._refusal(connection)
        if refused is None:
            if self._turned_away_count and 2 * len(self._inside) <= self.limits.max_connections:
                log.info("event=connections_free turned_away=%d", self._turned_away_count)
                self._turned_away_count = 0
            return None
        self._turned_away_count += 1
        level = logging.WARNING if self._turned_away_count == 1 else logging.DEBUG
        log.log(
            level, "event=connection_turned_away code=%s open=%d", refused.code, len(self._inside)
        )
        self._turned_away.add(connection)
        if len(self._turned_away) > TURNED_AWAY_MAX:
            connection.cut()
        return refused

    def gone(self, connection: Connection) -> None:
        """Its slot is free."""
        self._inside.pop(connection, None)
        self._turned_away.discard(connection)
        if not self._inside and not self._turned_away:
            self._empty.set()

    def _refusal(self, connection: Connection) -> Refusal | None:
        if self.stopping:
            return refusal.stopping()
        slot = self._slot_class(connection.peer)
        taken = len(self._inside)
        if slot != SUBMIT:
            # Reserved slots count as taken, whether or not a submitter sits in them now.
            submitters = sum(held == SUBMIT for held in self._inside.values())
            taken += max(0, self.limits.reserved_for_submit - submitters)
        if taken >= self.limits.max_connections:
            return refusal.full()
        self._inside[connection] = slot
        return None

    async def _emptied(self, limit_s: float) -> bool:
        if self._inside or self._turned_away:
            try:
                async with asyncio.timeout(limit_s):
                    await self._empty.wait()
            except TimeoutError:
                return False
        return True


def _only(sock: socket.socket, interface: str) -> None:
    """Linux hears on every interface what is for an address of any; older kernels ask for rights
    to change that."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    except PermissionError:
        log.info("event=listener_not_bound interface=%s reason=rights", interface)


def _at(host: str, port: int, interface: str) -> tuple[str, int] | tuple[str, int, int, int]:
    if ":" in host and interface and host.lower().startswith("fe80:"):
        return (host, port, 0, socket.if_nametoindex(interface))
    return (host, port)


def _unix_socket(file: Path, mode: int) -> tuple[socket.socket, int]:
    """A listening socket whose file has the mode before anyone can connect, and its inode.

    The inode tells our file from one a successor has put in its place.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(file)
        sock.bind(str(file))
        # Between bind and listen every connect is refused, so a chmod here leaves no window, and
        # unlike umask it does not reach into files other threads create at this moment.
        file.chmod(mode)
        sock.listen(BACKLOG)
        return sock, file.stat().st_ino
    except OperatorError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise OperatorError(
            "http.socket_unusable",
            f"cannot listen on {file}: {error.strerror or error}",
            "The directory must exist and be writable by the agent, the path be under 108 bytes.",
        ) from error


def _linked(file: Path, target: str) -> int:
    """A link in the place of what a dead process left there, and its inode; 0: none is needed."""
    try:
        if str(file) == target or (not file.is_symlink() and _same(file, target)):
            return 0
        if file.is_symlink():
            file.unlink()
        _clear(file)
        file.symlink_to(target)
        return file.lstat().st_ino
    except OSError as error:
        raise OperatorError(
            "http.socket_unusable",
            f"cannot put a link at {file}: {error.strerror or error}",
            "The directory must exist and be writable by the agent.",
        ) from error


def _same(file: Path, other: str) -> bool:
    try:
        return file.samefile(other)
    except FileNotFoundError:
        return False


def _clear(file: Path) -> None:
    """Remove what a dead process left; refuse if somebody answers or it is no socket."""
    try:
        kind = file.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise OperatorError(
            "http.socket_unusable",
            f"{file} exists and is not a socket",
            "Move it away, or set another run_dir.",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(file))
        except ConnectionRefusedError:
            file.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            log.debug("event=socket_probe result=backlog_full path=%s", file)
    raise OperatorError(
        "http.socket_in_use",
        f"another process answers on {file}",
        "Stop the other agent first.",
    )


def _remove(file: Path, inode: int) -> None:
    try:
        if file.lstat().st_ino == inode:
            file.unlink()
    except FileNotFoundError:
        log.debug("event=socket_file_gone path=%s", file)
