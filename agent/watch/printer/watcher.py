"""The printer watcher: one reading of whatever printer the configuration names.

Decides in which order things are asked and what becomes of an exchange that failed; the links know
how to reach the printer, the drivers what its bytes mean. It never has a port open that another
program owns, and holds none longer than its kind allows (`Link.keeps_open`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.blocking import Blocking
from agent.config.devices import Printer
from agent.core.health.reading import NotObservable, Outcome, Reading, Unknown, Value
from agent.watch.printer import problems, readings
from agent.watch.printer.exchange import (
    HALF_PAUSE_S,
    PROOF_S,
    QUERIES_MAX,
    SEQUENCES,
    SETTLE_MAX_S,
    Exchange,
    sensor_of,
)
from agent.watch.printer.ports import CLOSE_DEADLINE_S, Link, Port, Presence, let_go
from agent.watch.printer.problems import NoReadingError

if TYPE_CHECKING:
    from agent.watch.printer.passed_on import PassedOn
    from agent.watch.printer.printing import Put
    from agent.watch.printer.push import Bell

component = "printer"

#: A silent port is kept open, but not for ever: another program may have changed its speed.
SILENT_READS_BEFORE_REOPEN = 6
EVIDENCE_MAX_BYTES = 32
#: A printer that is no Star after all is not looked at for one again before this. Until then it is
#: asked so little that no answers late from now can pass for the proof.
NO_STAR_FOR_S = 60.0
#: Closing throws away what is unsent; three bytes at 1200 baud take 25 ms.
LAST_WORD_S = 0.05


class PrinterWatcher:
    """Reads one printer over one link."""

    def __init__(
        self, config: Printer, blocking: Blocking, link: Link, now_s: Callable[[], float]
    ) -> None:
        self.component = component
        self.period_s = config.period_s
        self._config = config
        self._blocking = blocking
        self._link = link
        self._now_s = now_s
        self._session = _Session()
        self._passed_on = _passed_on(config, now_s)
        self._ring: Callable[[], None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._while_printing: Outcome | None = None

    @property
    def deadline_s(self) -> float:
        """The slowest read: opened, then two full sequences with every answer just in time."""
        questions = SEQUENCES * (QUERIES_MAX + 2 * len(self._config.also_ask) + 1)
        pauses_s = SEQUENCES * (SETTLE_MAX_S + HALF_PAUSE_S) + PROOF_S
        asked_s = questions * self._config.answer_timeout_s + pauses_s
        return self._link.open_deadline_s + CLOSE_DEADLINE_S + asked_s

    def heed(self, ring: Callable[[], None]) -> None:
        """`ring` is called, on the loop, when the printer may read otherwise than before."""
        self._ring = ring

    def hear(self, received: bytes, query: int = 0) -> int:
        """See `agent.watch.printer.PassThrough`."""
        if self._passed_on is None:
            return 0
        understood, news = self._passed_on.hear(received, query)
        if understood and news and self._ring is not None:
            self._ring()
        return understood

    async def read(self) -> Outcome:
        """How the printer is now, or why that cannot be said."""
        if self._while_printing is not None:
            return self._while_printing  # nothing may come between the lines of a slip
        async with self._one_at_a_time:
            if (bell := self._session.bell) is not None:
                bell.stop()
            try:
                if self._config.share != "exclusive":
                    return self._untouched(await self._link.presence())
                # Where opening tells whether it is there, nothing is looked up before.
                presence = None if self._link.keeps_open else await self._link.presence()
                reading = await self._asked(presence)
            except NoReadingError as nothing:
                return await self._failed(nothing)
            self._session.silent_reads = 0
            return reading

    async def put(self, told: bytes) -> Put:
        """Print these bytes, if the printer says that it is ready. Raises PrintError."""
        from agent.watch.printer import printing

        where = self._link.where
        if self._config.share != "exclusive":
            raise printing.PrintError("print.owned", f"{where.name} is the payment app's")
        async with self._one_at_a_time:
            if (bell := self._session.bell) is not None:
                bell.stop()
            try:
                presence = None if self._link.keeps_open else await self._link.presence()
                reading = await self._asked(presence)
                printing.ready(where, reading)
                if "star" in {self._session.dialect, self._config.dialect}:
                    raise printing.PrintError("print.not_ready", f"{where.name} is no ESC/POS")
                self._while_printing = reading
                return await self._printed(told, presence)
            except NoReadingError as nothing:
                # Before a byte was sent: afterwards it is `print.stopped`.
                raise printing.PrintError("print.not_ready", nothing.reason) from None
            finally:
                self._while_printing = None
                if self._ring is not None:
                    self._ring()

    async def _printed(self, told: bytes, presence: Presence | None) -> Put:
        """Send it, and ask how the printer is afterwards."""
        from agent.watch.printer import printing

        link, session = self._link, self._session
        port = session.port or await link.open()
        try:
            put = await printing.put(port, link.where, told)
        except OSError as error:
            gone = problems.unplugged(link.where, error).reason
            raise printing.PrintError("print.stopped", gone) from None
        finally:
            if not link.keeps_open:
                await let_go(port, link.where, self._blocking)
        try:
            after = await self._asked(presence)
        except NoReadingError as nothing:
            raise printing.PrintError("print.stopped", nothing.reason) from None
        if why := printing.trouble(after.values):
            raise printing.PrintError("print.stopped", f"{link.where.name} stopped: {why}")
        return put

    async def identity(self) -> Mapping[str, str]:
        """See `agent.watch.printer.Identified`.

        Asks (GS I) only over a line of our own and only a printer that was on-line at the last
        reading; what was told is not asked again while the port stays open.
        """
        async with self._one_at_a_time:
            session = self._session
            if session.port is None:
                try:
                    presence = await self._link.presence()
                except NoReadingError:
                    return {}
                return {} if presence is None else dict(presence.evidence)
            # GS I is ESC/POS; a Star printer prints its letters.
            askable = session.online and "star" not in {session.dialect, self._config.dialect}
            if self._config.identify and askable and not session.identified:
                session.identified = True  # whatever comes of it: it is asked once
                await self._identify(session.port)
            return dict(session.identity)

    async def close(self) -> None:
        """Let go of the port, if it is open."""
        session, self._session = self._session, _Session(self._session.no_star_until_s)
        if session.port is None:
            return
        if session.bell is not None and session.bell.disarm(session.port.fileno()):
            await asyncio.sleep(LAST_WORD_S)
        await let_go(session.port, self._link.where, self._blocking)

    def _untouched(self, presence: Presence | None) -> Outcome:
        """The port is the app's: what it passed on, and whether the device is there."""
        known = {"device": self._config.device}
        if presence is not None:
            known |= _shown(presence.evidence)
        if self._passed_on is not None and (reading := self._passed_on.reading()) is not None:
            return Reading(reading.values, {**known, **reading.evidence})
        if presence is not None and presence.tells:
            return Reading({"present": True}, known)
        if self._passed_on is None:
            return NotObservable("the printer is not asked: [printer] share is off")
        return NotObservable("the payment app has not passed on any status of its printer yet")

    async def _asked(self, presence: Presence | None) -> Reading:
        session, link = self._session, self._link
        known = {"device": self._config.device, **_shown(presence.evidence if presence else {})}
        if session.port is None:
            try:
                session.port = await link.open()
            except NoReadingError as nothing:
                if nothing.finding != "busy" or presence is None:
                    raise
                # There and in use: its state cannot be told, and nothing is wrong with it.
                values = {"present": True, "in_use": True}
                return Reading(values, {**known, "reason": nothing.reason})
        port = session.port
        exchange = Exchange(self._config, port, link.where)
        try:
            try:
                reading = await exchange.twice(lambda: self._sequence(exchange, presence))
            finally:
                if not link.keeps_open:
                    session.port = None
                    await let_go(port, link.where, self._blocking)
        except NoReadingError as nothing:
            status = getattr(port, "status", None)
            if nothing.finding != "silent" or not isinstance(status, int):
                raise
            from agent.watch.drivers.ieee1284 import decode_status

            known["port_status"] = f"0x{status & 0xFF:02x}"
            return readings.from_port_status(decode_status(status), known)
        session.online = reading.values.get("online") is True
        self._listen(reading.values, exchange.frame)
        return Reading(reading.values, {**known, **_shown(session.identity), **reading.evidence})

    async def _sequence(self, exchange: Exchange, presence: Presence | None) -> Reading:
        match self._spoken(presence):
            case "star":
                return readings.from_star(self._config, await exchange.star())
            case "custom":
                return readings.from_custom(self._config, await exchange.custom())
            case "escpos":
                return await self._escpos(exchange)
            case "none":
                languages = presence.evidence.get("commands", "") if presence else ""
                raise NoReadingError(
                    "silent",
                    f"the printer on {self._config.device} speaks {languages}, in which it cannot "
                    "be asked: set [printer] dialect if it knows another",
                )
        return await self._guessed(exchange)

    def _spoken(self, presence: Presence | None) -> str:
        """The dialect, or auto while it is not known, or none where it is none we know."""
        spoken = self._session.dialect or self._config.dialect
        if spoken == "auto" and presence is not None and presence.device_id is not None:
            from agent.watch.drivers.dialect import from_device_id

            told = presence.device_id
            return from_device_id(told) or ("none" if told.commands else "auto")
        return spoken

    async def _guessed(self, exchange: Exchange) -> Reading:
        """A printer nothing is known of: ESC/POS, unless it proves that it is a Star."""
        session = self._session
        early = await exchange.half()
        if early and self._now_s() >= session.no_star_until_s:
            session.no_star_until_s = self._now_s() + NO_STAR_FOR_S
            if await exchange.proves_star(early):
                session.dialect, session.no_star_until_s = "star", -math.inf
                return readings.from_star(self._config, await exchange.star())
        try:
            if early:
                raise problems.out_of_step(self._link.where, early)
            reading = await self._escpos(exchange, halved=True)
        except NoReadingError as nothing:
            from agent.watch.drivers.dialect import may_be_star

            if may_be_star(nothing.received):
                raise problems.perhaps_star(nothing) from None
            raise
        session.dialect = "escpos"
        return reading

    async def _escpos(self, exchange: Exchange, halved: bool = False) -> Reading:
        answers = await exchange.escpos(halved)
        reading = readings.from_answers(self._config, answers, sensor_of(self._config))
        if self._config.also_ask:
            from agent.watch.drivers.parts import NAMED

            asked = [part for name in self._config.also_ask for part in NAMED[name]]
            told = {part: await exchange.part(part) for part in asked}
            reading = readings.with_parts(reading, told)
        return reading

    async def _identify(self, port: Port) -> None:
        from agent.watch.printer import identity

        session = self._session
        if session.bell is not None:
            session.bell.stop()
        exchange = Exchange(self._config, port, self._link.where)
        try:
            session.identity = await identity.ask(exchange)
            self._listen({}, exchange.frame)
        except OSError:
            session.online = False  # unplugged: the next reading says so

    def _listen(self, read: Mapping[str, Value], crossed: bytes) -> None:
        """Have the printer ring between readings, where that is configured and possible."""
        session = self._session
        if session.port is None or self._ring is None or not self._config.push:
            return
        if "escpos" not in {session.dialect, self._config.dialect}:
            return
        if session.bell is None:
            from agent.watch.printer.push import Bell

            session.bell = Bell(self._ring, self._now_s)
        if session.online:
            session.bell.arm(session.port.fileno())
        session.bell.listen(session.port.fileno(), read, crossed)

    async def _failed(self, nothing: NoReadingError) -> Unknown:
        """What an exchange without a reading comes to."""
        session = self._session
        session.silent_reads = session.silent_reads + 1 if nothing.finding == "silent" else 0
        session.online = False
        if session.bell is not None:
            session.bell.forget()
        if nothing.finding == "out_of_step" and (owner := await self._link.owner()) is not None:
            # A second reader: it is named, and the port is left to it.
            reason = f"{nothing.reason}; {owner} has it open as well"
            nothing = replace(nothing, reason=reason, keep_open=False)
        if not nothing.keep_open or session.silent_reads >= SILENT_READS_BEFORE_REOPEN:
            await self.close()
        evidence = {"device": self._config.device, "finding": nothing.finding}
        if nothing.received:
            evidence["received"] = nothing.received[:EVIDENCE_MAX_BYTES].hex(" ")
        if nothing.likely_baud:
            evidence["likely_baud"] = str(nothing.likely_baud)
        return Unknown(reason=nothing.reason, code=nothing.code, evidence=evidence)


class _Session:
    """What is known while one port is open, and forgotten with it.

    Only that it is no Star is remembered longer.
    """

    def __init__(self, no_star_until_s: float = -math.inf) -> None:
        self.no_star_until_s = no_star_until_s
        self.port: Port | None = None
        self.bell: Bell | None = None
        self.silent_reads = 0
        self.online = False
        self.dialect = ""
        self.identified = False
        self.identity: dict[str, str] = {}


def _shown(identity: Mapping[str, str]) -> dict[str, str]:
    """Without the serial number: who may see it is for the inventory to decide."""
    return {name: value for name, value in identity.items() if name != "serial"}


def _passed_on(config: Printer, now_s: Callable[[], float]) -> PassedOn | None:
    if config.share != "pass_through":
        return None
    from agent.watch.printer.passed_on import PassedOn

    return PassedOn(config, now_s)
