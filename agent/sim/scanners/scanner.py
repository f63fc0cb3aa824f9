"""A simulated barcode scanner on a pseudo terminal.

For demonstrations, tests and anyone who writes a driver without a scanner on the desk. It answers
its maker's questions, sends codes, and everything about it can be switched while it runs: by
calling `switch(...)` in the same process, or from another one (`agent.sim.scanners.language`).
Unlike a printer's, its port is held by nobody but its reader, so that a watcher which looks for
other readers finds none.

Knows nothing of the agent and takes no tables from it. Needs a running asyncio loop and no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import termios
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

from agent.sim.printers.lines import mangled
from agent.sim.scanners.brains import VENDORS, Conditions

KEPT = 65_536
#: What arrives from a line that is all noise.
GARBAGE = b"\xf8\x80\xfe\x00\x1f"
#: A code like those a wallet shows, and nobody's.
SAMPLE = b"280000000000000000"
#: Without a reader the port is looked at this often.
LOOK_S = 0.01
#: Between the bytes of one packet no scanner waits longer.
PAUSE_S = 0.15
SELF_LEAVES_S = 5.0
_SPEEDS = {
    getattr(termios, f"B{speed}"): speed
    for speed in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}


class SimulatedScanner:
    """A scanner at `path`, a symbolic link to a pseudo terminal that outlives pulled cables."""

    def __init__(self, path: Path, vendor: str = "honeywell") -> None:
        self.path = path
        self.vendor = vendor
        self.brain = VENDORS[vendor]()
        self.received = bytearray()  #: every byte sent to it, the newest KEPT
        self._master: int | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._before = b""  #: the reply before, for stale ones

    async def __aenter__(self) -> Self:
        self.plug()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    @property
    def conditions(self) -> Conditions:
        return self.brain.conditions

    @property
    def plugged(self) -> bool:
        return self._master is not None

    @property
    def late(self) -> int:
        """Replies still held back."""
        return sum(name.startswith("reply") for name in self._timers)

    def switch(self, **changes: object) -> None:
        """Change conditions by name: `switch(battery_percent=5, slow_s=0.5)`."""
        unknown = changes.keys() - asdict(self.conditions).keys()
        if unknown:
            raise ValueError(f"no such condition: {', '.join(sorted(unknown))}")
        self.brain.conditions = replace(self.conditions, **changes)  # type: ignore[arg-type]  # names checked

    def reset(self) -> None:
        """Everything fine again, the cable in."""
        self.brain.conditions = Conditions()
        self.plug()

    def plug(self) -> None:
        """Connect the cable: the port appears. Needs the running loop."""
        if self._master is not None:
            return
        master, slave = os.openpty()
        name = os.ttyname(slave)
        os.set_blocking(master, False)
        os.close(slave)
        self._master = master
        self._wait_for_reader(master)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(self.path)

    def unplug(self) -> None:
        """Pull the cable: the port vanishes, whoever has it open sees a hang-up."""
        if self._master is None:
            return
        master, self._master = self._master, None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        asyncio.get_running_loop().remove_reader(master)
        if self.path.is_symlink():
            self.path.unlink()
        os.close(master)

    def scan(self, content: bytes | None = SAMPLE) -> None:
        """Somebody holds a code before it; None: in vain, and it says so."""
        self._write(self.brain.code(content))

    def leave_stale_reply(self) -> None:
        """Put an old reply on the line: the answer to a question nobody waited for."""
        self._write(self._before)

    # -- the line ------------------------------------------------------------------------------

    def _wait_for_reader(self, master: int) -> None:
        """Nobody has the port open: reading would say "hung up" over and over."""
        if self._read_by_somebody(master):
            asyncio.get_running_loop().add_reader(master, self._on_bytes, master)
        else:
            self._later("look", LOOK_S, lambda: self._wait_for_reader(master))

    def _read_by_somebody(self, master: int) -> bool:
        poll = select.poll()
        poll.register(master, select.POLLIN)
        return not any(events & select.POLLHUP for _, events in poll.poll(0))

    def _on_bytes(self, master: int) -> None:
        try:
            received = os.read(master, 4096)
        except BlockingIOError:
            return
        except OSError:  # the last reader closed the port
            asyncio.get_running_loop().remove_reader(master)
            self._wait_for_reader(master)
            return
        self.received += received
        del self.received[:-KEPT]
        if self.conditions.silent:
            return
        for reply in self.brain.feed(self._as_heard(received)):
            self._answer(reply)
        self._later("pause", PAUSE_S, self.brain.pause)
        self._later("leave", SELF_LEAVES_S, self._by_itself)

    def _by_itself(self) -> None:
        for word in self.brain.later():
            self._write(word)

    def _answer(self, reply: bytes) -> None:
        stale = self.conditions.stale
        if stale == "lag":
            reply, self._before = self._before, reply
        elif stale == "next":
            reply, self._before = self._before + reply, reply
            self.switch(stale="off")
        else:
            self._before = reply
        if self.conditions.slow_s:
            self._later(f"reply {id(reply)}", self.conditions.slow_s, lambda: self._write(reply))
        else:
            self._write(reply)

    def _write(self, sent: bytes) -> None:
        master = self._master
        if master is None or not self._read_by_somebody(master):
            return  # nobody reads: lost, as on a real one
        if self.conditions.garbage:
            sent = GARBAGE
        port, own = self._port_speed(master), self.conditions.baud
        if own and port and own != port:
            sent = mangled(sent, own, port)
        with contextlib.suppress(BlockingIOError):
            os.write(master, sent)

    def _as_heard(self, received: bytes) -> bytes:
        port = self._port_speed(self._master) if self._master is not None else 0
        own = self.conditions.baud
        return mangled(received, port, own) if own and port and own != port else received

    def _port_speed(self, master: int) -> int:
        return _SPEEDS.get(termios.tcgetattr(master)[5], 0)

    def _later(self, name: str, after_s: float, call: Callable[[], None]) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

        def due() -> None:
            self._timers.pop(name, None)
            call()

        self._timers[name] = asyncio.get_running_loop().call_later(after_s, due)
