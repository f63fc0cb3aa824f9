"""Puts a slip on paper, over the watcher's own port, and says only what the printer has proved.

Before: the printer must say that it is ready; unknown is not ready. While the bytes go out nothing
else is sent. After the last one stands GS r 1, which a printer answers when it has worked through
all before it, and not at all while it is out of paper or off-line; then it is asked once more how
it is. What stopped in the middle is said, never claimed printed. Loaded when first asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
from collections.abc import Mapping

from agent.core.health.reading import Reading, Value
from agent.errors import HardwareError
from agent.record import dataclass
from agent.watch.drivers import escpos
from agent.watch.drivers.escpos import PieceKind
from agent.watch.printer.exchange import drain, receive
from agent.watch.printer.ports import Port, flush
from agent.watch.printer.problems import Where

#: Answered when everything before it is done.
DONE_QUERY = b"\x1d\x72\x01"
#: A line that takes no byte for so long has stopped.
STALL_S = 8.0
#: After the last byte is out; a slip is printed in a second or two.
DONE_S = 10.0
#: Between looks at a printer that has not answered yet.
LOOK_S = 1.0
CHUNK_BYTES = 512
#: What keeps a printer from printing, the likeliest root first.
_TROUBLE: tuple[tuple[str, str], ...] = (
    ("cover_open", "its cover is open"),
    ("paper_out", "it is out of paper"),
    ("paper_jam", "paper is jammed"),
    ("overheated", "its head is too hot"),
    ("cutter_fault", "its cutter is stuck"),
    ("low_voltage", "its supply voltage is low"),
    ("hardware_fault", "it reports a fault"),
    ("waiting_recovery", "it waits for somebody to press FEED"),
    ("offline", "it is off-line"),
)


class PrintError(HardwareError):
    """`print.owned`, `print.not_ready` (nothing was sent), `print.stopped` (some was)."""


@dataclass(frozen=True, slots=True)
class Put:
    """All of it was sent."""

    confirmed: bool  #: … and the printer said that it had worked through it


def trouble(values: Mapping[str, Value]) -> str:
    """What keeps it from printing; "" where it says that it is ready."""
    told = {**values, "paper_out": values.get("paper", "") == "out" or values.get("paper_out")}
    for name, words in _TROUBLE:
        if told.get(name) is True:
            return words
    # A Custom printer does not say whether it is on-line, but tells everything else.
    if values.get("online") is True or (values.get("online") is None and values.get("paper")):
        return ""
    return "it does not say that it is ready"


def ready(where: Where, reading: Reading) -> None:
    """Raises PrintError unless it may be printed now."""
    if reading.values.get("in_use") is True:
        raise PrintError("print.owned", f"another program has the printer on {where.name} open")
    if why := trouble(reading.values):
        raise PrintError("print.not_ready", f"the printer on {where.name} is not ready: {why}")


async def put(port: Port, where: Where, told: bytes) -> Put:
    """Send all of it and wait for the printer. Raises PrintError `print.stopped`, OSError."""
    fd = port.fileno()
    drain(fd, where)
    await _write(fd, where, told + DONE_QUERY)
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + DONE_S
    received = b""
    while loop.time() < ends_s:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                received += await receive(fd, where)
        pieces, received_rest = escpos.split(received)
        if any(piece.kind is PieceKind.PLAIN for piece in pieces):
            return Put(confirmed=True)
        if any(piece.kind is PieceKind.STATUS and piece.raw[0] & 0x08 for piece in pieces):
            return Put(confirmed=False)  # off-line: the reading after this says why
        received = received_rest
        await _write(fd, where, escpos.query(1))
    return Put(confirmed=False)


async def _write(fd: int, where: Where, told: bytes) -> None:
    loop = asyncio.get_running_loop()
    at = 0
    while at < len(told):
        with contextlib.suppress(BlockingIOError):
            at += os.write(fd, told[at : at + CHUNK_BYTES])
            continue
        writable = loop.create_future()
        loop.add_writer(fd, _wake, writable)
        try:
            async with asyncio.timeout(STALL_S):
                await writable
        except TimeoutError:
            flush(fd, termios.TCOFLUSH)  # it must not come out of the next receipt
            raise PrintError(
                "print.stopped", f"the printer on {where.name} stopped taking bytes"
            ) from None
        finally:
            loop.remove_writer(fd)


def _wake(writable: asyncio.Future[None]) -> None:
    if not writable.done():
        writable.set_result(None)
