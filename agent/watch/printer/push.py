"""Automatic status between two readings: the printer rings, and is asked at once.

Decides when what arrives unasked is worth a reading: an automatic status frame that differs from
the one before, or a hang-up. The frame itself is only the bell; the state comes from the exchange
it causes, so a stray or half-lost frame can cost a question and never a wrong alarm. Arming (GS a)
changes a setting of the printer until it is switched off, and only `[printer] push` asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict

from agent.core.health.reading import Value
from agent.watch.drivers import escpos
from agent.watch.printer.exchange import send

#: GS a: on-line, error, paper and panel switch; not the drawer, which rings at every sale.
ARM = b"\x1d\x61\x4e"
DISARM = b"\x1d\x61\x00"
#: A printer that was switched off and on between two readings has forgotten it.
ARM_AGAIN_AFTER_S = 600.0
_COMPARED = ("online", "cover_open", "cutter_fault", "overheated", "paper")
#: Of what no frame was found in.
KEPT_BYTES = 256


class Bell:
    """Listens on the open port while nobody else reads it."""

    def __init__(self, ring: Callable[[], None], now_s: Callable[[], float]) -> None:
        self._ring = ring
        self._now_s = now_s
        self._fd = -1
        self._armed_s: float | None = None
        self._read: Mapping[str, Value] = {}
        self._frame = b""
        self._rest = b""

    def arm(self, fd: int) -> None:
        """Tell the printer to send its status at every change, unless it was told of late.

        GS a waits behind text, so this is for a printer that is on-line and gets to it.
        """
        now_s = self._now_s()
        due = self._armed_s is None or now_s - self._armed_s >= ARM_AGAIN_AFTER_S
        if due and send(fd, ARM):
            self._armed_s = now_s

    def disarm(self, fd: int) -> bool:
        """Leave the printer as it was found; whether that took a word to it."""
        armed = self._armed_s is not None
        self.forget()
        if armed:
            with contextlib.suppress(OSError):  # unplugged: it will have forgotten
                return send(fd, DISARM)
        return False

    def forget(self) -> None:
        """The printer did not answer: it may have been off, and then it knows nothing of us."""
        self.stop()
        self._armed_s = None
        self._frame = self._rest = b""

    def listen(self, fd: int, read: Mapping[str, Value], crossed: bytes) -> None:
        """From now on; `read` is what was just read, `crossed` the newest frame that came in then.

        Raises OSError where the port is gone.
        """
        self.stop()
        self._fd = fd
        self._read = read
        asyncio.get_running_loop().add_reader(fd, self._arrived)
        if crossed:
            self._heard(crossed)

    def stop(self) -> None:
        """Somebody is about to read the port, or to close it."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._fd = -1

    def _arrived(self) -> None:
        try:
            some = os.read(self._fd, 256)
        except BlockingIOError:
            return
        except OSError:
            some = b""
        if not some:
            self.stop()
            self._ring()  # hung up: the reading will say what became of it
            return
        pieces, rest = escpos.split(self._rest + some)
        self._rest = rest[-KEPT_BYTES:]
        for frame in escpos.automatic_frames(pieces):
            self._heard(frame)

    def _heard(self, frame: bytes) -> None:
        # The first answers the arming, and shows what changed after the questions before it.
        changed = frame != self._frame if self._frame else _differs(frame, self._read)
        self._frame = frame
        if changed:
            self._ring()


def _differs(frame: bytes, read: Mapping[str, Value]) -> bool:
    """Whether a frame contradicts what was asked, in what both can tell."""
    state = asdict(escpos.state_of(escpos.decode_asb(frame).faults))
    told = ((state[name], read.get(name)) for name in _COMPARED)
    return any(said != was for said, was in told if said is not None and was is not None)
