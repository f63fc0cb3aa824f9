"""One channel as connections take it: bound to its interface, cut when the channel breaks.

It binds and keeps account; which channel is taken, and when it is given up, is decided by
`agent.link.channels`. A socket bound to a device leaves by that device whatever the main route
says; a source address alone does not. Called by the dialer, the resolver and the MQTT transport.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from types import TracebackType
from weakref import WeakKeyDictionary

from agent.link.fault import UNREACHABLE, CutError, DialError

#: Name and time in seconds -> its addresses as text; raises DialError or OSError.
Resolve = Callable[[str, float], Awaitable[list[str]]]

NO_LINK = "network.no_link"


class Hold(StrEnum):
    """How connections are kept on a channel."""

    DEVICE = "device"  #: SO_BINDTODEVICE
    SOURCE = "source"  #: its source address, which a policy rule sends the right way
    SYSTEM = "system"  #: not at all: the system's own choice is this channel


class Way:
    """One channel in use. A switch makes a new one, so that what belongs to the old is known."""

    def __init__(
        self,
        *,
        channel: str,
        interface: str,
        hold: Hold,
        sources: tuple[str, ...] = (),
        resolve: Resolve | None = None,
        doubted: Callable[[], None] | None = None,
        doubt_after_s: float = 3.0,
    ) -> None:
        """`doubted` is called when a dial takes suspiciously long."""
        self.channel = channel
        self.interface = interface
        self.held_by = hold
        self.resolve = resolve
        self.sources = sources
        self._doubted = doubted
        self._doubt_after_s = doubt_after_s
        self._given_up = ""
        self.code = ""  #: the cause of that
        self._dials: set[Dialling] = set()
        self._open: WeakKeyDictionary[StreamWriter, StreamReader] = WeakKeyDictionary()

    @property
    def given_up(self) -> str:
        """Why it is of no use any more; "" while it is."""
        return self._given_up

    def bind(self, sock: socket.socket) -> None:
        """Keep this socket on the channel. OSError where the kernel refuses."""
        if self.held_by is Hold.DEVICE:
            bind_to_device(sock, self.interface)
        elif self.held_by is Hold.SOURCE:
            four = sock.family == socket.AF_INET
            source = next((one for one in self.sources if (":" in one) is not four), None)
            if source is None:
                raise OSError(errno.EADDRNOTAVAIL, f"{self.interface} has no such address")
            sock.bind((source, 0))

    def dialling(self, timeout_s: float) -> Dialling:
        """Around a dial, which then ends when the channel does."""
        return Dialling(self, timeout_s)

    def hold(self, reader: StreamReader, writer: StreamWriter) -> None:
        """An open connection, ended when the channel breaks."""
        self._open[writer] = reader
        if self._given_up:
            _end(reader, writer, self._given_up, self.code)

    def cut(self, why: str, code: str = NO_LINK) -> None:
        """The channel is broken: nobody has to wait for what is still open on it."""
        self._given_up, self.code = why, code
        for dial in tuple(self._dials):
            dial.cut()
        for writer, reader in tuple(self._open.items()):
            _end(reader, writer, why, code)
        self._open.clear()

    @property
    def connections(self) -> int:
        """How many are open on it, dials included."""
        alive = sum(not writer.transport.is_closing() for writer in self._open)
        return alive + len(self._dials)

    def dial_began(self, dial: Dialling) -> asyncio.TimerHandle | None:
        """One more under way."""
        self._dials.add(dial)
        if self._given_up:
            dial.cut()
        if self._doubted is None:
            return None
        return asyncio.get_running_loop().call_later(self._doubt_after_s, self._doubted)

    def dial_ended(self, dial: Dialling) -> None:
        """One less."""
        self._dials.discard(dial)


class Dialling:
    """One dial over a channel: cut with it, and doubted when it takes long."""

    def __init__(self, way: Way, timeout_s: float) -> None:
        self._way = way
        # Beyond the dial's own deadlines, which say what did not answer.
        self._limit = asyncio.timeout(timeout_s + 1.0)
        self._doubt: asyncio.TimerHandle | None = None

    def cut(self) -> None:
        """End it now."""
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._doubt = self._way.dial_began(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._way.dial_ended(self)
        if self._doubt is not None:
            self._doubt.cancel()
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            why = self._way.given_up or "took too long"
            reason = f"the channel {self._way.channel} was given up: {why}"
            raise DialError("tcp", reason, self._way.code or UNREACHABLE) from None


def bind_to_device(sock: socket.socket, interface: str) -> None:
    """From now on this socket sends and hears on that interface only (Linux)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")


def _end(reader: StreamReader, writer: StreamWriter, why: str, code: str) -> None:
    # The reason first: an abort alone reads as "the host closed the connection".
    reader.set_exception(CutError(why, code))
    writer.transport.abort()
