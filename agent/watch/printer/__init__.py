"""The printer of this terminal, watched without disturbing it.

`build` picks the way to it by the form of `[printer] device`: `/dev/ttyS0` is a serial line,
`/dev/usb/lp0` a USB printer, `tcp://host:9100` one on the network. Each is loaded only where it is
configured. Two doors lead into a built watcher beside `read`: `PassThrough`, for status bytes the
payment app got from a port that is its own, and `Identified`, for the inventory.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from os.path import realpath
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agent.config.devices import Printer
from agent.core.health.reading import NotFitted, Outcome

if TYPE_CHECKING:
    from agent.blocking import Blocking
    from agent.watch.printer.ports import Link, OpenPort
    from agent.watch.printer.printing import Put
    from agent.watch.printer.watcher import PrinterWatcher


class PassThrough(Protocol):
    """For the door of the payment app (`POST /v1/devices/printer/bytes`)."""

    def hear(self, received: bytes, query: int = 0) -> int:
        """Status bytes as they came from the printer, in order.

        `query` is the n of the DLE EOT that a single byte answers (1 to 4); 0: automatic status,
        whole or in pieces (a Star or Custom frame where [printer] dialect says so). Returns how
        many answers or frames were understood; 0 also while `[printer] share` is not pass_through.
        Never raises, never blocks; a change is read at once.
        """
        ...


class Identified(Protocol):
    """For the inventory."""

    async def identity(self) -> Mapping[str, str]:
        """maker, model, firmware, serial, font, usb_id, as far as known; nothing is masked."""
        ...


@runtime_checkable
class Prints(Protocol):
    """For slips."""

    async def put(self, told: bytes) -> Put:
        """Print these bytes. Raises `printing.PrintError`, a HardwareError, unless all went out."""
        ...


class NoPrinter:
    """A terminal without a printer: nothing is loaded for it."""

    component = "printer"
    deadline_s = 1.0

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s

    def heed(self, ring: Callable[[], None]) -> None:
        """Nothing ever changes."""

    def hear(self, received: bytes, query: int = 0) -> int:
        """Nothing is understood."""
        return 0

    async def identity(self) -> Mapping[str, str]:
        """Nothing is known."""
        return {}

    async def read(self) -> Outcome:
        """Not fitted, by configuration."""
        return NotFitted()

    async def close(self) -> None:
        """Nothing is open."""


def build(
    config: Printer,
    blocking: Blocking,
    open_port: OpenPort | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> PrinterWatcher | NoPrinter:
    """The watcher of the printer `config` names; without a device it reads NotFitted.

    `open_port` stands in for opening a serial line.
    """
    if not config.device:
        return NoPrinter(config.period_s)
    from agent.watch.printer.watcher import PrinterWatcher

    return PrinterWatcher(config, blocking, _link(config, blocking, open_port), now_s)


def _link(config: Printer, blocking: Blocking, open_port: OpenPort | None) -> Link:
    if config.device.startswith("tcp://"):
        from agent.watch.printer.tcp_link import TcpLink

        return TcpLink(config, blocking)
    if any(re.search(r"/usb/lp\d+$", one) for one in (config.device, realpath(config.device))):
        from agent.watch.printer.usb_link import UsbLink

        return UsbLink(config, blocking)
    from agent.watch.printer.serial_link import SerialLink, open_serial

    return SerialLink(config, blocking, open_port or open_serial)
