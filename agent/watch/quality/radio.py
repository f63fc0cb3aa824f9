"""How well the radios hear: Wi-Fi, modem and SIM. Thin until one is seen, then it loads its source.

Decides which radios matter (one that nobody needs is no alarm), what their signal is called, and
when a SIM that gives no connection is trouble rather than a modem that is still looking. Where a
source cannot be read that is said beside the reading, with the right that is needed; it is never
the radio's fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.radio import Cellular, Signal
from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading
from agent.link.contact import Contact
from agent.watch.quality import interfaces
from agent.watch.quality.interfaces import Surroundings

if TYPE_CHECKING:
    from agent.watch.android.facts import Android
    from agent.watch.quality.facts import NotReadable, RadioFacts, RadioSource
    from agent.watch.quality.judge import Judge


LOOK_S = 3.0
#: The slowest source: a modem on a serial line that answers as late as it may.
SOURCE_S = 20.0
#: After a failed connection the radio is looked at, but not more often than this.
POKE_EVERY_MS = 15_000
BUS_SOCKETS = ("run/dbus/system_bus_socket", "var/run/dbus/system_bus_socket")


class SignalWatcher:
    """The radios of this terminal."""

    component = "signal"

    def __init__(
        self,
        signal: Signal,
        cellular: Cellular,
        blocking: Blocking,
        clock: Clock,
        *,
        needed: Sequence[str] = (),
        more: Sequence[RadioSource] = (),
        root: Path = Path("/"),
    ) -> None:
        """`needed`: interfaces the configuration relies on, or globs; `more`: sources of others."""
        self.period_s = signal.period_s
        self.deadline_s = LOOK_S + SOURCE_S + 2.0
        self._signal = signal
        self._cellular = cellular
        self._blocking = blocking
        self._clock = clock
        self._needed = frozenset(needed)
        self._root = root
        self._sources: dict[str, RadioSource] = {one.name: one for one in more}
        self._judge: Judge | None = None
        self._poke: Callable[[], None] = lambda: None
        self._poked_ms = 0

    def heed(self, poke: Callable[[], None]) -> None:
        """`poke` has this watcher read at once."""
        self._poke = poke

    def on_android(self, android: Android) -> None:
        """Where Android tells of its radios: one more source, asked first."""
        from agent.watch.android.facts import AndroidRadios

        radios = AndroidRadios(android)
        self._sources = {radios.name: radios, **self._sources}

    def heard(self, contact: Contact) -> None:
        """A connection that failed may be the radio's: it is looked at now, not in a minute."""
        now_ms = self._clock.now().boot_ms
        failed = contact.layer in ("dns", "tcp", "tls")
        if failed and self._judge is not None and now_ms - self._poked_ms >= POKE_EVERY_MS:
            self._poked_ms = now_ms
            self._poke()

    async def read(self) -> Outcome:
        """All radios; the one that needs attention first."""
        around = await self._blocking.call(
            "signal.look", partial(interfaces.look, self._root), LOOK_S
        )
        doubts = self._have_sources(around)
        if not self._sources and not doubts:
            return NotFitted()
        told = [one for some in await self._ask() for one in some]
        from agent.watch.quality.facts import RadioFacts

        facts = _once([one for one in told if isinstance(one, RadioFacts)])
        doubts += [one for one in told if not isinstance(one, RadioFacts)]
        if not facts:
            return _nothing(doubts)
        return self._judged(facts, doubts, around)

    async def close(self) -> None:
        """Leave modems as they were found."""
        for source in self._sources.values():
            await source.close()

    def _have_sources(self, around: Surroundings) -> list[NotReadable]:
        """Load what the radios that are there need; why one cannot be read."""
        if around.wifi and self._signal.wifi == "auto" and "wifi" not in self._sources:
            from agent.watch.quality.wifi import WifiSource

            self._sources["wifi"] = WifiSource(
                self._blocking, self._clock, names=self._signal.names, root=self._root
            )
        match self._cellular_source(around):
            case "at" if "at" not in self._sources:
                from agent.watch.quality.at_port import AtSource

                self._sources["at"] = AtSource(self._cellular, self._blocking, self._clock)
            case "modemmanager" if "modemmanager" not in self._sources:
                return self._have_bus()
        return []

    def _cellular_source(self, around: Surroundings) -> str:
        match self._cellular.source:
            case "auto" if self._cellular.device:
                return "at"
            case "auto":
                bus = self._cellular.bus or any((self._root / one).exists() for one in BUS_SOCKETS)
                return "modemmanager" if bus and (around.cellular or self._cellular.bus) else ""
            case "at" if not self._cellular.device:
                return ""
            case "off":
                return ""
            case chosen:
                return chosen

    def _have_bus(self) -> list[NotReadable]:
        try:
            from agent.watch.quality.bus import BusSource
        except ImportError:
            from agent.watch.quality.facts import NotReadable

            reason = "ModemManager cannot be asked: posagent was installed without its extra modem"
            return [NotReadable(source="modemmanager", reason=reason)]
        self._sources["modemmanager"] = BusSource(
            self._clock, address=self._cellular.bus, period_s=self.period_s
        )
        return []

    async def _ask(self) -> list[Sequence[RadioFacts | NotReadable]]:
        """Every source at once; one that hangs costs only its own word."""

        async def ask(source: RadioSource) -> Sequence[RadioFacts | NotReadable]:
            try:
                async with asyncio.timeout(SOURCE_S):
                    return await source.read()
            except TimeoutError:
                from agent.watch.quality.facts import NotReadable

                return [NotReadable(source=source.name, reason=f"{source.name} does not answer")]

        return await asyncio.gather(*(ask(one) for one in self._sources.values()))

    def _judged(
        self, facts: list[RadioFacts], doubts: list[NotReadable], around: Surroundings
    ) -> Reading:
        if self._judge is None:
            from agent.watch.quality.judge import Judge

            self._judge = Judge(self._signal, self._cellular, self._needed)
        return self._judge.reading(facts, doubts, around.default, self._clock.now().boot_ms)


def _once(facts: list[RadioFacts]) -> list[RadioFacts]:
    """A radio that two sources tell of is told by one: the first that has a figure for it."""
    chosen: dict[tuple[str, str], RadioFacts] = {}
    for one in facts:
        before = chosen.setdefault((one.kind, one.interface), one)
        if not before.measured and one.measured:
            chosen[one.kind, one.interface] = one
    return [
        one
        for one in facts
        if not one.interface or chosen[one.kind, one.interface].source == one.source
    ]


def _nothing(doubts: Sequence[NotReadable]) -> Outcome:
    """No radio could be read: none is there, or none lets itself be read."""
    if not doubts:
        return NotFitted()
    return NotObservable("; ".join(one.reason for one in doubts))
