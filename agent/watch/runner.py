"""Asks every watcher on its schedule and keeps what they say: tracked, shown, persisted.

The runner measures duration and success, so that no watcher has to, and is the boundary behind
which a watcher may fail: one that raises or hangs makes its own component *unknown* with the
reason, and nothing else. What a reading means is the catalogue's business, how it is kept the
store's. `agent.main` runs it as the part `watch` and hands its view to telemetry, API and CLI.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from agent.clock import Clock
from agent.core.health.conditions import Catalogue
from agent.core.health.noting import Wish
from agent.core.health.reading import Outcome, Unknown
from agent.core.health.tracker import (
    Alarm,
    Change,
    ComponentState,
    HistoryLine,
    OpenAlarm,
    Tracker,
    What,
)
from agent.core.moment import Moment
from agent.errors import AgentError

log = logging.getLogger(__name__)

TICK_S = 5.0
#: The last readings are for looking into a dead daemon; flash is worth more than their freshness.
READINGS_EVERY_S = 300.0
PRUNE_EVERY_S = 86_400.0
#: What all ports together have for closing; a driver that hangs must not hold up the end.
CLOSE_S = 1.0
#: Twelve missed ticks: the loop or the timers stand still.
STUCK_AFTER_S = 60.0
#: Changes kept in memory while the store cannot take them; the oldest go first.
UNSAVED_LIMIT = 1_000

Sink = Callable[[Sequence[Change]], None]


class Watcher(Protocol):
    """One component, asked regularly. Never disturbs a receipt or a payment."""

    @property
    def component(self) -> str: ...

    @property
    def period_s(self) -> float: ...

    @property
    def deadline_s(self) -> float: ...

    async def read(self) -> Outcome:
        """What the component says now. May raise or hang: the runner answers for it."""
        ...


class Timers(Protocol):
    """The daemon's one scheduler."""

    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        """Run `call` every `period_s`, for the first time soon."""
        ...


class Records(Protocol):
    """Where health is kept; `agent.store.health.HealthRows` is one."""

    async def load(self) -> list[OpenAlarm]: ...

    async def save(
        self,
        changes: Sequence[Change],
        alarms: Sequence[OpenAlarm],
        components: Sequence[ComponentState],
    ) -> None: ...

    async def history(self, since: datetime, until: datetime) -> list[HistoryLine]: ...

    async def prune(self, now: Moment) -> int: ...


class Watch:
    """The part, and the view others have of it."""

    name = "watch"
    fatal = False

    def __init__(
        self,
        catalogue: Catalogue,
        watchers: Iterable[Watcher],
        *,
        clock: Clock,
        timers: Timers,
        records: Records,
        cover: Callable[[Outcome], Outcome] = lambda outcome: outcome,
    ) -> None:
        """`cover` makes of what a watcher said what may be kept and told."""
        self._cover = cover
        self._asked = {watcher.component: _Asked(watcher, clock) for watcher in watchers}
        self._catalogue = catalogue
        self._clock = clock
        self._timers = timers
        self._tracker = Tracker(
            catalogue,
            clock.now(),
            holds_s={name: asked.watcher.period_s for name, asked in self._asked.items()},
        )
        self._ledger = _Ledger(records, self._tracker, clock)
        self._sinks: list[Sink] = []
        self._running = False
        self._ticked_ms: int | None = None
        self._early: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Take up what was open, watch until `stop`, keep the last readings."""
        first = self._ticked_ms is None
        self._ticked_ms = self._clock.now().boot_ms
        if first:
            self._tell(await self._ledger.take_up(self._asked))
            for name, asked in self._asked.items():
                period_s = asked.watcher.period_s
                self._timers.every(period_s, f"watch.{name}", partial(self._round, name))
            self._timers.every(TICK_S, "watch.tick", self._tick)
            self._timers.every(PRUNE_EVERY_S, "watch.prune", self._ledger.prune)
        self._running = True
        try:
            await stop.wait()
        finally:
            self._running = False
            for task in self._early:
                task.cancel()
            for asked in self._asked.values():
                asked.give_up()
        await self._let_go()
        self._ledger.all_readings_due()
        await self._ledger.write()

    async def _let_go(self) -> None:
        """Have ports closed in good order, so that a device is left as it was found."""
        closing = [
            asyncio.create_task(close(), name=f"watch.{name}.close")
            for name, asked in self._asked.items()
            if (close := getattr(asked.watcher, "close", None)) is not None
        ]
        if not closing:
            return
        closed, late = await asyncio.wait(closing, timeout=CLOSE_S)
        for task in late:
            task.cancel()
        for task in closed:
            if (error := task.exception()) is not None:
                log.warning("event=watcher_close_failed task=%s error=%r", task.get_name(), error)

    def beat(self, now_ms: int) -> str:
        """ "" while the ticks come."""
        if not self._running or self._ticked_ms is None:
            return ""
        silent_s = (now_ms - self._ticked_ms) / 1000
        return f"no health tick for {silent_s:.0f} s" if silent_s > STUCK_AFTER_S else ""

    def alarms(self) -> list[Alarm]:
        """Visible roots, worst first, then their consequences."""
        return self._tracker.alarms()

    async def acknowledge(self, code: str, by: str, wish: Wish | None) -> Alarm | None:
        """Note of a visible alarm, or that taken back (None), on disk then; None: not open."""
        change = self._tracker.acknowledge(code, by, self._clock.now(), wish)
        if change is not None:
            self._ledger.changed([change])
            self._tell([change])
            await self._ledger.write()
        return None if change is None else change.alarm

    def components(self) -> list[ComponentState]:
        """The last word of every component."""
        return self._tracker.components()

    def subscribe(self, sink: Sink) -> None:
        """`sink` is called on the loop with every batch of changes; it must not block or raise."""
        self._sinks.append(sink)

    async def history(self, since: datetime, until: datetime) -> list[HistoryLine]:
        """What happened between two times, oldest first."""
        return await self._ledger.history(since, until)

    async def ask(self, component: str) -> ComponentState | None:
        """Read one component now, for a person who waits; None if nobody watches it."""
        if component not in self._asked:
            return None
        await self._round(component)
        return next((one for one in self.components() if one.component == component), None)

    def watched(self) -> Mapping[str, float]:
        """The components, each with the seconds that one read may take."""
        return {name: asked.watcher.deadline_s for name, asked in self._asked.items()}

    async def identity(self, component: str) -> Mapping[str, str]:
        """What a watcher knows of its device (maker, model...); empty if it says nothing."""
        asked = self._asked.get(component)
        knows = None if asked is None else getattr(asked.watcher, "identity", None)
        if asked is None or knows is None:
            return {}
        try:
            async with asyncio.timeout(asked.watcher.deadline_s):
                told: Mapping[str, str] = await knows()
        except Exception as error:  # noqa: BLE001 - boundary: the watcher call
            log.debug("event=identity_failed component=%s error=%r", component, str(error))
            return {}
        return told

    def hear(self, component: str, received: bytes, query: int = 0) -> int:
        """Bytes somebody else got from the device; how many were understood. Never blocks."""
        asked = self._asked.get(component)
        hears = None if asked is None else getattr(asked.watcher, "hear", None)
        return 0 if hears is None else int(hears(received, query))

    def poke(self, component: str) -> None:
        """Read `component` at once: its device has just come or gone. Returns before it is read.

        A read that was under way may have looked before that, so it is not taken for the answer.
        Pokes while one waits are one.
        """
        asked = self._asked.get(component)
        if asked is not None and self._running and not asked.poked:
            asked.poked = True
            self._soon(component, self._afresh(component))

    async def _afresh(self, component: str) -> None:
        asked = self._asked[component]
        try:
            await asked.finished()
        finally:
            asked.poked = False
        await self._round(component)

    async def _round(self, component: str) -> None:
        if not self._running:
            return
        told = await self._asked[component].ask()
        if told is None:
            return
        outcome, duration_ms = self._cover(told[0]), told[1]
        changes = self._tracker.observe(component, outcome, duration_ms, self._clock.now())
        self._ledger.heard(component, outcome, changes)
        self._tell(changes)
        self._look_deeper(component, changes)
        await self._ledger.write()

    async def _tick(self) -> None:
        if not self._running:
            return
        now = self._clock.now()
        self._ticked_ms = now.boot_ms
        changes = self._tracker.tick(now)
        self._ledger.changed(changes)
        self._tell(changes)
        await self._ledger.write()

    def _tell(self, changes: Sequence[Change]) -> None:
        for change in changes:
            level = logging.INFO if change.what in (What.SHOWN, What.CLEARED) else logging.DEBUG
            log.log(level, "event=health_%s code=%s", change.what, change.code)
        if changes:
            for sink in self._sinks:
                sink(changes)

    def _look_deeper(self, component: str, changes: Sequence[Change]) -> None:
        """Ask at once those who can name the root of what just began.

        Otherwise a dead link would be shown as a dead host until its own watcher's turn comes.
        """
        others: set[str] = set()
        for change in changes:
            if change.what is What.BEGAN:
                for code in self._catalogue[change.code].depends_on:
                    others |= {sign.component for sign in self._catalogue[code].signs}
        for other in sorted((others & self._asked.keys()) - {component}):
            self._soon(other, self._round(other))

    def _soon(self, component: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"watch.{component}.early")
        self._early.add(task)
        task.add_done_callback(self._early.discard)


class _Asked:
    """One watcher and its running read."""

    def __init__(self, watcher: Watcher, clock: Clock) -> None:
        self.watcher = watcher
        self.poked = False  #: somebody waits to have it read again
        self._clock = clock
        self._reading: asyncio.Task[Outcome] | None = None
        self._hung = False
        self._trouble = ""

    async def ask(self) -> tuple[Outcome, int] | None:
        """The outcome and its duration in ms; None if somebody else takes in this very read."""
        started_ms = self._clock.now().boot_ms
        if self._reading is not None and not self._reading.done():
            if self._hung:
                return Unknown(f"the {self.watcher.component} check still hangs"), 0
            await asyncio.wait({self._reading}, timeout=self.watcher.deadline_s)
            return None
        self._hung = False
        reading = asyncio.create_task(self._read(), name=f"watch.{self.watcher.component}.read")
        self._reading = reading
        done, _ = await asyncio.wait({reading}, timeout=self.watcher.deadline_s)
        duration_ms = self._clock.now().boot_ms - started_ms
        if not done:
            # Cancelled but not awaited: a read that ignores it must not hold up anybody else.
            self._hung = True
            reading.cancel()
            late = Unknown(f"no answer within {self.watcher.deadline_s:g} s")
            return self._noted(late), duration_ms
        if reading.cancelled():
            return None
        return self._noted(reading.result()), duration_ms

    async def finished(self) -> None:
        """Until no read is under way, or the one that is has had its time."""
        if self._reading is not None and not self._reading.done():
            await asyncio.wait({self._reading}, timeout=self.watcher.deadline_s)

    def give_up(self) -> None:
        """Cancel the read still running, if any."""
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> Outcome:
        try:
            return await self.watcher.read()
        except TimeoutError:
            return Unknown(f"no answer within {self.watcher.deadline_s:g} s")
        except AgentError as error:
            return Unknown(error.what, error.code)
        except Exception as error:  # boundary: the watcher call
            component, kind = self.watcher.component, type(error).__name__
            level = logging.DEBUG if self._trouble == kind else logging.WARNING
            log.log(level, "event=watcher_failed component=%s", component, exc_info=error)
            self._trouble = kind
            return Unknown(f"the {component} check failed: {kind}: {error}")

    def _noted(self, outcome: Outcome) -> Outcome:
        """Log the first silence and the end of it."""
        component = self.watcher.component
        if isinstance(outcome, Unknown):
            if not self._trouble:
                log.warning(
                    "event=component_unknown component=%s reason=%r", component, outcome.reason
                )
            self._trouble = self._trouble or "unknown"
        elif self._trouble:
            log.info("event=component_known component=%s", component)
            self._trouble = ""
        return outcome


class _Ledger:
    """What still has to be written, and when. The store being away delays nothing else."""

    def __init__(self, records: Records, tracker: Tracker, clock: Clock) -> None:
        self._records = records
        self._tracker = tracker
        self._clock = clock
        self._unsaved: list[Change] = []
        self._due: set[str] = set()  # components whose last word should be written now
        self._written_ms: dict[str, int] = {}
        self._kinds: dict[str, type[Outcome]] = {}
        self._writing = asyncio.Lock()
        self._failures = 0

    async def take_up(self, components: Iterable[str]) -> list[Change]:
        """Restore what was open; an unreadable store means starting afresh, not failing."""
        try:
            saved = await self._records.load()
        except AgentError as error:
            log.warning("event=health_not_loaded reason=%r", str(error))
            return []
        changes = self._tracker.restore(saved, components, self._clock.now())
        self.changed(changes)
        return changes

    def heard(self, component: str, outcome: Outcome, changes: Sequence[Change]) -> None:
        """A component spoke: decide whether its word is worth a write."""
        last_ms = self._written_ms.get(component)
        now_ms = self._clock.now().boot_ms
        new_kind = self._kinds.get(component) is not type(outcome)
        self._kinds[component] = type(outcome)
        if changes or new_kind or last_ms is None or now_ms - last_ms >= READINGS_EVERY_S * 1000:
            self._due.add(component)
        self.changed(changes)

    def changed(self, changes: Sequence[Change]) -> None:
        """Keep these until they are written."""
        self._unsaved += changes
        del self._unsaved[:-UNSAVED_LIMIT]

    def all_readings_due(self) -> None:
        """The daemon stops: write the last word of everybody."""
        self._due |= {one.component for one in self._tracker.components()}

    async def write(self, also: str = "") -> None:
        """Write what is due, in order, if anything is; `also` is."""
        self._due |= {also} - {""}
        async with self._writing:
            if not self._unsaved and not self._due:
                return
            changes, due = list(self._unsaved), set(self._due)
            states = [one for one in self._tracker.components() if one.component in due]
            try:
                await self._records.save(changes, self._tracker.snapshot(), states)
            except AgentError as error:
                self._failures += 1
                level = logging.WARNING if self._failures == 1 else logging.DEBUG
                log.log(level, "event=health_not_saved reason=%r", str(error))
                return
            if self._failures:
                log.info("event=health_saved failures=%d", self._failures)
            self._failures = 0
            written = {id(one) for one in changes}
            self._unsaved = [one for one in self._unsaved if id(one) not in written]
            self._due -= due
            now_ms = self._clock.now().boot_ms
            self._written_ms |= dict.fromkeys(due, now_ms)

    async def prune(self) -> None:
        """Keep the history within its bounds."""
        try:
            gone = await self._records.prune(self._clock.now())
        except AgentError as error:
            log.debug("event=health_not_pruned reason=%r", str(error))
            return
        if gone:
            log.info("event=health_pruned rows=%d", gone)

    async def history(self, since: datetime, until: datetime) -> list[HistoryLine]:
        """Straight from the store."""
        return await self._records.history(since, until)
