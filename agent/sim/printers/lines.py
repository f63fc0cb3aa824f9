"""How bytes reach a simulated printer: a pseudo terminal, or port 9100 as on a network printer.

A line carries bytes and can be pulled out and put back; it knows nothing of what they say. Needs
a running asyncio loop and no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Hear = Callable[[bytes], None]

READ_BYTES = 4_096
#: Connections the kernel keeps waiting while another client is being served.
BACKLOG = 4
_SPEEDS = {
    getattr(termios, f"B{speed}"): speed
    for speed in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}


class Line(Protocol):
    """One connection of the printer."""

    @property
    def name(self) -> str:
        """Where it is found."""
        ...

    @property
    def plugged(self) -> bool: ...

    @property
    def speed(self) -> int:
        """Baud, as the other side has set it; 0 where there is no such thing."""
        ...

    def plug(self, hear: Hear) -> None:
        """Connect the cable; what arrives is handed to `hear`. Harmless when it is in."""
        ...

    def unplug(self) -> None:
        """Pull it: whoever has it open sees a hang-up."""
        ...

    def write(self, reply: bytes) -> None:
        """Send what the printer says. What nobody takes is lost, as on a real one."""
        ...


class PtyLine:
    """A serial port at `path`: a symbolic link to a pseudo terminal that outlives pulled cables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends: tuple[int, int] | None = None  # master, slave

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def plugged(self) -> bool:
        return self._ends is not None

    @property
    def speed(self) -> int:
        if self._ends is None:
            return 0
        return _SPEEDS.get(termios.tcgetattr(self._ends[1])[5], 0)

    def plug(self, hear: Hear) -> None:
        if self._ends is not None:
            return
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        # The slave stays open here: without any holder the master reads as hung up.
        self._ends = (master, slave)
        asyncio.get_running_loop().add_reader(master, self._on_bytes, master, hear)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self.path)

    def unplug(self) -> None:
        if self._ends is None:
            return
        (master, slave), self._ends = self._ends, None
        asyncio.get_running_loop().remove_reader(master)
        if self.path.is_symlink() and str(self.path.readlink()) == os.ttyname(slave):
            self.path.unlink()
        os.close(master)
        os.close(slave)

    def write(self, reply: bytes) -> None:
        if self._ends is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ends[0], reply)

    def _on_bytes(self, master: int, hear: Hear) -> None:
        with contextlib.suppress(BlockingIOError):
            hear(os.read(master, READ_BYTES))


class TcpLine:
    """A network printer's port: one client at a time, the others wait until it has gone."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port  #: 0 until it is plugged: then the one the kernel chose
        self.clients = 0  #: how many were served
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def plugged(self) -> bool:
        return self._listener is not None

    @property
    def speed(self) -> int:
        return 0

    @property
    def busy(self) -> bool:
        """Whether a client is being served."""
        return self._client is not None

    def plug(self, hear: Hear) -> None:
        if self._listener is not None:
            return
        listener = socket.create_server((self.host, self.port), backlog=BACKLOG)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._on_client, listener, hear)

    def unplug(self) -> None:
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()
        self._hang_up(None)

    def write(self, reply: bytes) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.send(reply)

    def _on_client(self, listener: socket.socket, hear: Hear) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        self._client = client
        self.clients += 1
        loop.add_reader(client, self._on_bytes, client, hear)

    def _on_bytes(self, client: socket.socket, hear: Hear) -> None:
        try:
            received = client.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if received:
            hear(received)
        else:
            self._hang_up(hear)

    def _hang_up(self, hear: Hear | None) -> None:
        """Let the client go and, with `hear`, take the next."""
        loop = asyncio.get_running_loop()
        client, self._client = self._client, None
        if client is not None:
            loop.remove_reader(client)
            client.close()
        if self._listener is not None and hear is not None:
            loop.add_reader(self._listener, self._on_client, self._listener, hear)


def mangled(sent: bytes, sender_baud: int, receiver_baud: int) -> bytes:
    """What a receiver at the wrong speed makes of bytes: its samples fall on other bits.

    8N1; a byte whose stop bit is missing arrives as NUL, as from a Linux serial driver.
    """
    levels = [bit for byte in sent for bit in (0, *(byte >> n & 1 for n in range(8)), 1)]

    def level(bit_time: float) -> int:
        at = int(bit_time * sender_baud / receiver_baud)
        return levels[at] if at < len(levels) else 1

    received = bytearray()
    now, end = 0.0, len(levels) * receiver_baud / sender_baud
    while now < end:
        if level(now):
            now += 0.25  # wait for the edge of a start bit
            continue
        byte = sum(level(now + 1.5 + n) << n for n in range(8))
        whole = level(now + 9.5)
        received.append(byte if whole else 0)
        now += 9.5
        while not whole and now < end and not level(now):
            now += 0.25  # a break: nothing more until the line has been high again
    return bytes(received)
