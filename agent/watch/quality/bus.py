"""ModemManager over D-Bus: one question a round on a connection that is kept.

The only module that knows D-Bus (`jeepney`, the optional extra `modem`); what the answers mean is
`modemmanager`'s. It never has ModemManager started, never changes a connection, and asks for one
thing to be switched on: that the modem measure its signal (`Signal.Setup`), which is switched off
again at the end. Loaded when a modem is seen and the bus is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from collections.abc import Sequence
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageFlag,
    MessageType,
    Parser,
    message_bus,
    new_method_call,
)
from jeepney.auth import BEGIN, Authenticator
from jeepney.bus import get_bus

from agent.clock import Clock
from agent.watch.quality import modemmanager
from agent.watch.quality.facts import NotReadable, RadioFacts

SERVICE = "org.freedesktop.ModemManager1"
ROOT = "/org/freedesktop/ModemManager1"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
DEADLINE_S = 4.0
CLOSE_S = 0.5
#: How often a modem measures: its own radio time, so not more often than anybody looks.
RATE_LEAST_S = 30

_NOBODY = ("ServiceUnknown", "NameHasNoOwner")
_FORBIDDEN = ("AccessDenied", "Unauthorized", "AuthFailed")
#: What a bus, or whoever listens in its place, can make of a connection.
_BROKEN = (OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError, struct.error)


class RefusedError(Exception):
    """The answer was an error; its name says which."""


class BusSource:
    """The modems ModemManager has."""

    name = "modemmanager"

    def __init__(self, clock: Clock, *, address: str = "", period_s: float = 60.0) -> None:
        self._clock = clock
        self._address = address or SYSTEM_BUS
        self._rate_s = max(RATE_LEAST_S, round(period_s))
        self._line: _Line | None = None
        self._measuring: set[str] = set()  #: modems that measure because we asked
        self._refused: dict[str, str] = {}  #: modems that may not be asked to, and why

    async def read(self) -> Sequence[RadioFacts | NotReadable]:
        """Every modem; nothing where ModemManager does not run."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._look()
        except RefusedError as error:
            return (
                [NotReadable(source=self.name, reason=_why(str(error)))] if _matters(error) else []
            )
        except TimeoutError:
            self._drop()
            return [NotReadable(source=self.name, reason="ModemManager does not answer")]
        except _BROKEN as error:
            self._drop()
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return [NotReadable(source=self.name, reason=f"D-Bus cannot be used: {why}")]

    async def close(self) -> None:
        """Have the modems measure as before, and hang up."""
        with contextlib.suppress(TimeoutError, RefusedError, *_BROKEN):
            async with asyncio.timeout(CLOSE_S):
                for path in sorted(self._measuring):
                    await self._setup(path, 0)
        self._drop()

    async def _look(self) -> list[RadioFacts | NotReadable]:
        body = await self._ask(ROOT, OBJECTS, "GetManagedObjects")
        tree = plain(body[0]) if body else {}
        found = modemmanager.modems(tree if isinstance(tree, dict) else {}, _boot_ms(self._clock))
        told: list[RadioFacts | NotReadable] = []
        for modem in found:
            if modem.signal_rate_s == 0 and modem.path not in self._refused:
                await self._measure(modem.path)
            told.append(modem.facts)
            if modem.path in self._refused:
                reason = self._refused[modem.path]
                told.append(
                    NotReadable(source=self.name, reason=reason, interface=modem.facts.interface)
                )
        return told

    async def _measure(self, path: str) -> None:
        try:
            await self._setup(path, self._rate_s)
        except RefusedError as error:
            self._refused[path] = (
                "the modem's signal in dBm is not measured: the agent's user needs the right "
                f"org.freedesktop.ModemManager1.Device.Control ({error})"
            )
            return
        self._measuring.add(path)

    async def _setup(self, path: str, rate_s: int) -> None:
        await self._ask(path, modemmanager.SIGNAL, "Setup", "u", (rate_s,))

    async def _ask(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: tuple[Any, ...] = (),
    ) -> tuple[Any, ...]:
        line = self._line
        if line is None:
            line = self._line = await _Line.to(self._address)
        address = DBusAddress(path, bus_name=SERVICE, interface=interface)
        message = new_method_call(address, member, signature or None, body)
        # Who asks for a modem's signal must not be who starts a service.
        message.header.flags = MessageFlag.no_auto_start
        return await line.ask(message)

    def _drop(self) -> None:
        """Whatever is left of the connection is not used again."""
        line, self._line = self._line, None
        self._measuring.clear()
        if line is not None:
            line.close()


class _Line:
    """One connection to the bus. One question at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = Parser()
        self._serials = itertools.count(1)

    @classmethod
    async def to(cls, address: str) -> _Line:
        """Connected, let in and greeted; raises what _BROKEN holds."""
        reader, writer = await asyncio.open_unix_connection(get_bus(address))
        line = cls(reader, writer)
        try:
            await line._enter()
        except BaseException:
            line.close()
            raise
        return line

    async def _enter(self) -> None:
        steps = Authenticator()
        for request in steps:
            self._writer.write(request)
            steps.feed(await self._some())
        self._writer.write(BEGIN)
        await self.ask(message_bus.Hello())

    async def ask(self, message: Message) -> tuple[Any, ...]:
        """The body of the answer. Raises RefusedError, and what _BROKEN holds."""
        serial = next(self._serials)
        self._writer.write(message.serialise(serial))
        while True:
            answer = self._parser.get_next_message()
            if answer is None:
                self._parser.add_data(await self._some())
                continue
            if answer.header.fields.get(HeaderFields.reply_serial) != serial:
                continue
            if answer.header.message_type is MessageType.error:
                raise RefusedError(str(answer.header.fields.get(HeaderFields.error_name, "")))
            told: tuple[Any, ...] = answer.body
            return told

    async def _some(self) -> bytes:
        received = await self._reader.read(4096)
        if not received:
            raise EOFError("the bus hung up")
        return received

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def plain(value: Any) -> Any:
    """The same without D-Bus' variants: `("u", 3)` -> 3, at every depth."""
    match value:
        case dict():
            return {str(key): plain(_bare(one)) for key, one in value.items()}
        case list():
            return [plain(one) for one in value]
        case _:
            return value


def _bare(value: Any) -> Any:
    # A pair whose first is a signature: that is how a variant comes.
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        return value[1]
    return value


def _matters(error: RefusedError) -> bool:
    """Whether anything is wrong at all: that ModemManager does not run is not."""
    return not str(error).endswith(_NOBODY)


def _why(name: str) -> str:
    if name.endswith(_FORBIDDEN):
        return f"D-Bus does not let the agent's user ask ModemManager ({name})"
    return f"ModemManager refuses to answer ({name})"


def _boot_ms(clock: Clock) -> int:
    return clock.now().boot_ms
