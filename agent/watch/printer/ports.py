"""What every link to a printer has in common: an open descriptor, and letting go of it.

Decides how a port is closed without waiting for unsent bytes. Knows no protocol.
"""

from __future__ import annotations

import contextlib
import logging
import termios
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from agent.blocking import Blocking
from agent.config.devices import Printer
from agent.link.owners import Owner
from agent.record import dataclass
from agent.watch.printer.problems import Where

if TYPE_CHECKING:
    from agent.watch.drivers.ieee1284 import DeviceId

log = logging.getLogger(__name__)

CLOSE_DEADLINE_S = 2.0


class Port(Protocol):
    """An open port: its descriptor does not block and reports hang-ups as end of file."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


OpenPort = Callable[[Printer], Port]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What can be told of a printer without opening it."""

    #: Its presence is worth a reading by itself: the kernel found a printer, not just a port.
    tells: bool = False
    device_id: DeviceId | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)


class Link(Protocol):
    """The way to one printer."""

    @property
    def where(self) -> Where: ...

    @property
    def keeps_open(self) -> bool:
        """Whether the port is ours between two readings."""
        ...

    @property
    def open_deadline_s(self) -> float: ...

    async def presence(self) -> Presence | None:
        """What is told without opening; None where nothing is. NoReadingError: not there."""
        ...

    async def open(self) -> Port:
        """NoReadingError says why not."""
        ...

    async def owner(self) -> Owner | None:
        """Another program that has the port open, as far as that can be seen."""
        ...


async def let_go(port: Port, where: Where, blocking: Blocking) -> None:
    """Close off the loop; a close that fails or hangs is told to the log and to nobody else."""
    if where.kind == "tcp":
        port.close()  # never blocks: nothing is left unsent
        return
    try:
        await blocking.call("printer.close", lambda: shut(port), CLOSE_DEADLINE_S)
    except (OSError, TimeoutError) as error:
        log.warning("event=printer_close_failed device=%s error=%r", where.name, str(error))


def shut(port: Port) -> None:
    """Close without waiting: unsent bytes would make close() wait up to 30 s."""
    flush(port.fileno(), termios.TCIOFLUSH)
    port.close()


def flush(fd: int, queues: int) -> None:
    """Empty a serial line's queues; anything else has none."""
    with contextlib.suppress(termios.error):
        termios.tcflush(fd, queues)
