"""A simulated keypad: a source of Linux input events whose keys stick, bounce, die and get lost.

For tests, demonstrations and anyone who writes software for a keypad that is not on the desk.
Events go to a unix socket, to everybody who is connected, as a device of the kernel hands them to
everybody who has it open; where the kernel has uinput they go to a device of its own
(`agent.sim.uinput`).
Switched while it runs by calling its methods, or from another process through a control socket
(`serve`; `help` lists the words). Knows nothing of the agent and takes no tables from it. Needs a
running asyncio loop and no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from agent.sim.orders import clear, taken_at

#: Name -> code in include/uapi/linux/input-event-codes.h.
KEYS: Mapping[str, int] = {
    **{str(digit): digit + 1 for digit in range(1, 10)},
    "0": 11,
    **{f"n{digit}": 0x200 + digit for digit in range(10)},  # KEY_NUMERIC_0…9
    "star": 0x20A,
    "hash": 0x20B,
    "dot": 83,
    "enter": 28,
    "clear": 0x163,
    "cancel": 223,
    **{f"f{number}": 58 + number for number in range(1, 5)},
    "up": 103,
    "left": 105,
    "right": 106,
    "down": 108,
    "menu": 139,
}
NATIVE_BYTES = 24 if struct.calcsize("P") == 8 else 16
_LAYOUTS = {24: struct.Struct("=QQHHi"), 16: struct.Struct("=LLHHi")}
_SYN, _KEY, _MSC = 0, 1, 4
_REPORT, _DROPPED, _SCAN = 0, 3, 4
#: Let go and down again: what a worn contact does to one press.
BOUNCE_US = 4_000
#: As the kernel repeats a key that is held.
REPEAT_FIRST_S, REPEAT_S = 0.25, 0.033
GARBAGE = bytes(range(256)) * 3


class Line(Protocol):
    """Where events go."""

    @property
    def plugged(self) -> bool: ...

    async def plug(self) -> None: ...

    def unplug(self) -> None: ...

    def send(self, events: bytes) -> None: ...


@dataclass(slots=True)
class _Owed:
    """To one reader: the rest of an event that was cut, and whether others were lost."""

    rest: bytes = b""
    lost: bool = False


class SocketLine:
    """A unix socket at `path`: everybody connected gets every event from then on."""

    def __init__(self, path: Path, lost: bytes) -> None:
        self.path = path
        self._lost = lost  # what somebody is told who was too slow
        self._server: socket.socket | None = None
        self._readers: dict[socket.socket, _Owed] = {}

    @property
    def plugged(self) -> bool:
        return self._server is not None

    async def plug(self) -> None:
        if self._server is not None:
            return
        clear(self.path)
        self._server = server = socket.socket(socket.AF_UNIX)
        server.setblocking(False)
        server.bind(str(self.path))
        server.listen()
        asyncio.get_running_loop().add_reader(server, self._accept)

    def unplug(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(server)
        server.close()
        for reader in list(self._readers):
            self._gone(reader)
        self.path.unlink(missing_ok=True)

    def send(self, events: bytes) -> None:
        self._accept()  # who has connected has the device open, from that moment on
        for reader, owed in list(self._readers.items()):
            try:
                self._send_to(reader, owed, events)
            except OSError:
                self._gone(reader)

    def _send_to(self, reader: socket.socket, owed: _Owed, events: bytes) -> None:
        """What he has not taken in when more comes is lost, but for an event already begun."""
        for some in (owed.rest, self._lost if owed.lost else b"", events):
            if not some:
                continue
            try:
                sent = reader.send(some)
            except BlockingIOError:
                sent = 0
            if sent < len(some):
                owed.lost = some is not self._lost or owed.lost
                owed.rest = some[sent:] if sent or some is owed.rest else b""
                return
            owed.rest = b""
            if some is self._lost:
                owed.lost = False

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._server is not None:
                reader, _ = self._server.accept()
                reader.setblocking(False)
                self._readers[reader] = _Owed()
                asyncio.get_running_loop().add_reader(reader, self._heard, reader)

    def _heard(self, reader: socket.socket) -> None:
        """A keypad listens to nobody; the end of a connection is all there is to hear."""
        try:
            if reader.recv(64):
                return
        except BlockingIOError:
            return
        except OSError:
            self._gone(reader)
            return
        self._gone(reader)

    def _gone(self, reader: socket.socket) -> None:
        if self._readers.pop(reader, None) is not None:
            asyncio.get_running_loop().remove_reader(reader)
            reader.close()


class SimulatedKeypad:
    """A keypad whose events go down a line."""

    def __init__(
        self,
        line: Line | Path,
        *,
        event_bytes: int = NATIVE_BYTES,
        now_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
    ) -> None:
        """`line`: a path makes a unix socket there."""
        self._layout = _LAYOUTS[event_bytes]
        self._now_us = now_us
        self.line = SocketLine(line, self._lost()) if isinstance(line, Path) else line
        self.repeats = True  #: a key that is held is sent again and again
        self.chatter = False
        self.dead: set[str] = set()
        self.stuck: set[str] = set()
        self._down: dict[str, asyncio.TimerHandle] = {}

    async def __aenter__(self) -> Self:
        await self.plug()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    async def plug(self) -> None:
        """Connect the cable: the device appears."""
        await self.line.plug()

    def unplug(self) -> None:
        """Pull the cable: the device vanishes, whoever has it open is told so."""
        for timer in self._down.values():
            timer.cancel()
        self._down.clear()
        self.line.unplug()

    async def reset(self) -> None:
        """Everything fine again, the cable in."""
        self.chatter = False
        self.dead.clear()
        self.free()
        await self.plug()

    def press(self, name: str) -> None:
        """A finger goes down on the key."""
        code = KEYS[name]
        if name in self.dead or name in self._down:
            return
        self._event(code, 1)
        if self.chatter:
            self._event(code, 0)
            self._event(code, 1, later_us=BOUNCE_US)
        loop = asyncio.get_running_loop()
        self._down[name] = loop.call_later(REPEAT_FIRST_S, self._repeat, name)

    def release(self, name: str) -> None:
        """It is taken off; a stuck key stays down."""
        if name in self._down and name not in self.stuck:
            self._down.pop(name).cancel()
            self._event(KEYS[name], 0, later_us=BOUNCE_US if self.chatter else 0)

    def tap(self, *names: str) -> None:
        """Press and release one after the other."""
        for name in names:
            self.press(name)
            self.release(name)

    def stick(self, name: str) -> None:
        """Press the key so that it stays down."""
        self.press(name)
        self.stuck.add(name)

    def free(self) -> None:
        """No key is stuck or down any more."""
        self.stuck.clear()
        for name in list(self._down):
            self.release(name)

    def drop(self) -> None:
        """Whoever reads has lost events, and is told so."""
        self.line.send(self._lost())

    def garbage(self) -> None:
        """Bytes that are no events."""
        self.line.send(GARBAGE)

    def _repeat(self, name: str) -> None:
        self._down[name] = asyncio.get_running_loop().call_later(REPEAT_S, self._repeat, name)
        if self.repeats:
            self._event(KEYS[name], 2)

    def _event(self, code: int, value: int, later_us: int = 0) -> None:
        """One event of a key, with its scan code beside it, as most drivers send it."""
        at_us = self._now_us() + later_us
        scanned = self._packed(at_us, _MSC, _SCAN, 0x70000 + code) if value < 2 else b""
        key, end = self._packed(at_us, _KEY, code, value), self._packed(at_us, _SYN, _REPORT, 0)
        self.line.send(scanned + key + end)

    def _lost(self) -> bytes:
        at_us = self._now_us()
        dropped, end = (self._packed(at_us, _SYN, code, 0) for code in (_DROPPED, _REPORT))
        return dropped + self._packed(at_us, _KEY, KEYS["5"], 0) + end

    def _packed(self, at_us: int, kind: int, code: int, value: int) -> bytes:
        return self._layout.pack(at_us // 1_000_000, at_us % 1_000_000, kind, code, value)


#: Orders about one key, given for each of the names behind them.
_ORDERS: Mapping[str, Callable[[SimulatedKeypad, str], None]] = {
    "press": SimulatedKeypad.press,
    "release": SimulatedKeypad.release,
    "tap": SimulatedKeypad.tap,
    "stick": SimulatedKeypad.stick,
    "dead": lambda keypad, name: keypad.dead.add(name),
    "alive": lambda keypad, name: keypad.dead.discard(name),
}
_SWITCHES: Mapping[tuple[str, ...], Callable[[SimulatedKeypad], object]] = {
    ("free",): SimulatedKeypad.free,
    ("drop",): SimulatedKeypad.drop,
    ("garbage",): SimulatedKeypad.garbage,
    ("chatter", "on"): lambda keypad: setattr(keypad, "chatter", True),
    ("chatter", "off"): lambda keypad: setattr(keypad, "chatter", False),
    ("repeat", "on"): lambda keypad: setattr(keypad, "repeats", True),
    ("repeat", "off"): lambda keypad: setattr(keypad, "repeats", False),
    ("cable", "out"): SimulatedKeypad.unplug,
}
LANGUAGE = (
    "press|release|tap|stick|dead|alive KEY…, free, drop, chatter on|off, repeat on|off, "
    f"garbage, cable in|out, reset, status, help; keys: {' '.join(KEYS)}"
)


async def obey(keypad: SimulatedKeypad, order: str) -> str:
    """Carry out one line of the control language; the answer starts `ok`, `error` or is JSON."""
    words = tuple(order.lower().split())
    match words:
        case ("help",):
            return f"ok {LANGUAGE}"
        case ("status",):
            return json.dumps(
                {
                    "plugged": keypad.line.plugged,
                    "chatter": keypad.chatter,
                    "stuck": sorted(keypad.stuck),
                    "dead": sorted(keypad.dead),
                }
            )
        case ("cable", "in"):
            await keypad.plug()
            return "ok"
        case ("reset",):
            await keypad.reset()
            return "ok"
        case (word, *names) if word in _ORDERS and set(names) <= KEYS.keys():
            for name in names:
                _ORDERS[word](keypad, name)
            return "ok"
        case _ if words in _SWITCHES:
            _SWITCHES[words](keypad)
            return "ok"
    return f"error: {order.strip()!r} is not one of: {LANGUAGE}"


async def serve(keypad: SimulatedKeypad, control_path: Path, stop: asyncio.Event) -> None:
    """Run it, obeying orders given at `control_path`, until `stop` is set. Raises OSError."""
    async with taken_at(control_path, lambda order: obey(keypad, order)), keypad:
        await stop.wait()
