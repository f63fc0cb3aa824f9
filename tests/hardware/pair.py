"""A serial line whose bytes are there the moment they are sent, for days of simulated time.

A pseudo terminal hands bytes over in the background, when the kernel gets to it; a busy machine
would turn that into a silent printer. A pair of connected sockets has no such delay. `open_port`
stands where the watcher would open the device.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from pathlib import Path

from agent.config.devices import Printer as Config
from agent.sim.printers.lines import READ_BYTES, Hear


class PairLine:
    """Opened through `open_port`, any number of times; the last to open it is heard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hear: Hear | None = None
        self._end: socket.socket | None = None

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def plugged(self) -> bool:
        return self._hear is not None

    @property
    def speed(self) -> int:
        return 0

    def plug(self, hear: Hear) -> None:
        self._hear = hear
        self.path.touch()

    def unplug(self) -> None:
        self._hear = None
        self.path.unlink(missing_ok=True)
        self._drop()

    def write(self, reply: bytes) -> None:
        if self._end is not None:
            with contextlib.suppress(OSError):
                self._end.send(reply)

    def open_port(self, config: Config) -> socket.socket:
        """The watcher's end."""
        if self._hear is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), config.device)
        self._drop()
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self._end = ours
        asyncio.get_running_loop().add_reader(ours, self._on_bytes, ours)
        return theirs

    def _on_bytes(self, end: socket.socket) -> None:
        received = b""
        with contextlib.suppress(ConnectionError):
            received = end.recv(READ_BYTES)
        if not received:
            self._drop()
        elif self._hear is not None:
            self._hear(received)

    def _drop(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            asyncio.get_running_loop().remove_reader(end)
            end.close()
