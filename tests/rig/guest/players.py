"""Who plays the device side: the project's own simulators, in threads.

Behind a gadget a player reads what the host side sent and answers by its conditions, which the
checks change; a pulled cable ends its file, which is opened again when the cable is back. The
keypad is the simulator's own, on uinput.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import threading
from collections.abc import Callable, Coroutine
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from agent.sim.keypad import KEYS, SimulatedKeypad
from agent.sim.printers.conditions import Conditions
from agent.sim.printers.escpos import EscPosBrain
from agent.sim.printers.usblp import port_status
from agent.sim.scanners.brains import VENDORS
from agent.sim.uinput import UinputLine
from tests.rig.guest.gadgets import REPORT_BYTES, open_played
from tests.rig.guest.results import RigError, say

#: _IOWR('g', 0x22, unsigned char) of include/uapi/linux/usb/g_printer.h
_SET_PRINTER_STATUS = 0xC0016722
LOOK_S = 0.5


class Player:
    """A thread on the device side's file: bytes in, `answer` out."""

    def __init__(self, path: Path, answer: Callable[[bytes], list[bytes]]) -> None:
        self._path, self._answer = path, answer
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.fd = -1
        self.received = 0
        self.sent = 0

    def start(self) -> None:
        self._stop.clear()
        self.fd = open_played(self._path)
        if os.isatty(self.fd):
            import tty

            tty.setraw(self.fd)
        self._thread = threading.Thread(target=self._run, name=self._path.name, daemon=True)
        self._thread.start()

    def expect_end(self) -> None:
        """The cable is about to be pulled: that its file ends is no news."""
        self._stop.set()

    def stop(self) -> None:
        """Let go of the file."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)
        with contextlib.suppress(OSError):
            os.close(self.fd)
        self.fd = -1

    def write(self, content: bytes) -> None:
        with self._lock:
            while content:
                written = os.write(self.fd, content)
                content = content[written:]
                self.sent += written

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                readable, _, _ = select.select([self.fd], [], [], LOOK_S)
                if not readable:
                    continue
                received = os.read(self.fd, 4096)
                self.received += len(received)
                for reply in self._answer(received):
                    self.write(reply)
        except OSError as error:
            if not self._stop.is_set():
                say("note", text=f"{self._path}: the device side ended: {error}")


class Printer(Player):
    """The ESC/POS simulator on the device side of a gadget: USB printer class, or serial."""

    def __init__(self, path: Path, *, printer_class: bool) -> None:
        self._brain = EscPosBrain()
        self._printer_class = printer_class
        super().__init__(path, self._brain.feed)

    def start(self) -> None:
        super().start()
        self._show()

    def switch(self, **changes: object) -> None:
        """Change its conditions: what it answers, and the status bits of the USB class."""
        replies = self._brain.change(replace(self._brain.conditions, **changes))  # type: ignore[arg-type]
        self._show()
        for reply in replies:
            self.write(reply)

    def heal(self) -> None:
        """Everything fine again."""
        fine = Conditions()
        self.switch(**{each.name: getattr(fine, each.name) for each in fields(fine)})

    def _show(self) -> None:
        """GET_PORT_STATUS, which the kernel's gadget answers for us."""
        if self._printer_class and self.fd >= 0:
            fcntl.ioctl(self.fd, _SET_PRINTER_STATUS, port_status(self._brain.conditions))


class Scanner(Player):
    """A serial scanner's firmware on the device side of a gadget."""

    def __init__(self, path: Path, vendor: str) -> None:
        self._brain = VENDORS[vendor]()
        super().__init__(path, self._answered)

    def switch(self, **changes: object) -> None:
        """Change its conditions."""
        self._brain.conditions = replace(self._brain.conditions, **changes)  # type: ignore[arg-type]

    def scan(self) -> None:
        """Somebody holds a code before it."""
        self.write(self._brain.code(b"280000000000000000"))

    def heal(self) -> None:
        """Everything fine again."""
        fine = type(self._brain.conditions)()
        self.switch(**{each.name: getattr(fine, each.name) for each in fields(fine)})

    def _answered(self, received: bytes) -> list[bytes]:
        replies = self._brain.feed(received)
        return [] if self._brain.conditions.silent else replies


def type_scan(path: Path, digits: str) -> None:
    """A scanner in keyboard mode reads a code: key reports, each released, Enter at the end."""
    usages = [0x27 if digit == "0" else 0x1D + int(digit) for digit in digits] + [0x28]
    fd = open_played(path)
    try:
        for usage in usages:
            for report in (bytes((0, 0, usage)), b""):
                _, writable, _ = select.select([], [fd], [], 5.0)
                if not writable:
                    raise RigError(f"{path} takes no reports: the host side does not poll it")
                os.write(fd, report.ljust(REPORT_BYTES, b"\0"))
    finally:
        os.close(fd)


class Keypad:
    """The simulated keypad on uinput: the kernel makes a device of it."""

    appears = Path("/run/rig-keypad")

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="keypad", daemon=True)
        self._thread.start()
        self._keypad = SimulatedKeypad(UinputLine(self.appears, list(KEYS.values())))

    def plug(self) -> None:
        self._do(self._keypad.plug())

    def unplug(self) -> None:
        self._do(_called(self._keypad.unplug))

    def stick(self, key: str) -> None:
        """The key goes down and stays there."""
        self._do(_called(lambda: self._keypad.stick(key)))

    def free(self) -> None:
        """No key is down any more."""
        self._do(_called(self._keypad.free))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30.0)


async def _called(act: Callable[[], None]) -> None:
    act()
