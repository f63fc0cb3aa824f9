"""What an update needs to know before its next step: money, battery, hour, version, health.

Decides nothing; what these facts mean is `agent.core.software`'s business. Called by
`agent.watch.software.updates` with every turn.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.software import Software
from agent.core.health.reading import Reading, Value
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.moment import Moment, to_ms
from agent.core.money.journal import Backlog
from agent.core.software import guard
from agent.core.software.carried import Carried, Found, forgettable, missing, told
from agent.core.software.standing import Installed
from agent.core.software.update import Alarmed, Facts, Phase, Update, unwell
from agent.core.software.versions import compare
from agent.errors import StoreError
from agent.record import dataclass
from agent.watch.software.watcher import View

if TYPE_CHECKING:
    from agent.wire.hooks import ActionDone, ActionFailed, ActionRefused

    Answer = ActionDone | ActionRefused | ActionFailed

log = logging.getLogger(__name__)


class Acts(Protocol):
    """`agent.hooks.actions.act` at the configured socket. Never raises for what a hook does."""

    async def __call__(self, name: str, *, deadline_s: float, **fields: object) -> Answer: ...


class Health(Protocol):
    """What the watchers know."""

    def alarms(self) -> list[Alarm]: ...
    def components(self) -> list[ComponentState]: ...


class Money(Protocol):
    """What is unsent before an update, and what is there of it afterwards. Raises StoreError."""

    async def unsent(self) -> Carried | None: ...
    async def found(self, before: Carried) -> Found: ...


class Versions(Protocol):
    """The software watcher."""

    def view(self) -> View | None: ...
    def look_again(self) -> None: ...
    async def look(self) -> View: ...
    async def installed(self, component: str) -> Installed | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What updates need of the others."""

    act: Acts
    backlog: Callable[[], Awaitable[Backlog]]
    money: Money
    keep_ms: int  #: so long final payments are kept
    health: Health
    versions: Versions
    clock: Clock
    blocking: Blocking


class Gathering:
    """The facts of one terminal."""

    def __init__(self, config: Software, ports: Ports) -> None:
        self._config = config
        self._ports = ports
        self._limits = _limits(config)
        self._looked = False
        self._missing = ""
        self._well_ms: int | None = None
        self._phase_ms = 0  #: boot time of the phase's beginning in this run

    def begin_phase(self) -> None:
        """What is measured is measured anew."""
        self._well_ms = None
        self._looked, self._missing = False, ""  # what one update was missing is not the next one's
        self._phase_ms = self._ports.clock.now().boot_ms

    async def of(self, update: Update) -> Facts:
        """All there is for this update, as far as its phase needs it."""
        now = self._ports.clock.now()
        installed = await self._installed(update)
        holds: tuple[guard.Hold, ...] = ()
        given_up = lost = ""
        if update.phase in (Phase.PENDING, Phase.PREPARED, Phase.APPLYING):
            situation = await self._situation()
            holds = guard.holds(self._limits, situation, any_time=update.any_time)
            waited_s = (now.wall_ms - update.phase_ms) / 1000 if now.trusted else 0.0
            given_up = guard.given_up(self._limits, holds, max(waited_s, self._waited_s(now)))
        why = ""
        if update.phase is Phase.WAITING:
            lost = await self._lost(update)
            why = unwell(update, installed, _alarmed(self._ports.health.alarms()))
            if why:
                self._well_ms = None
            elif self._well_ms is None:
                self._well_ms = now.boot_ms
        well_s = 0.0 if self._well_ms is None else (now.boot_ms - self._well_ms) / 1000
        return Facts(
            now_ms=now.wall_ms,
            holds=holds,
            installed=installed,
            unwell=why,
            well_s=well_s,
            given_up=given_up,
            boot=now.boot_id,
            lost=lost,
            waited_s=self._waited_s(now),
            commit_after_s=self._config.commit_after_s,
            rollback_after_s=self._config.rollback_after_s,
        )

    def _waited_s(self, now: Moment) -> float:
        return (now.boot_ms - self._phase_ms) / 1000

    async def unsent(self) -> str:
        """What the new version must find; "" where it cannot be told."""
        try:
            found = await self._ports.money.unsent()
        except StoreError as error:
            log.warning("event=update_money_unknown reason=%r", str(error))
            return ""
        return "" if found is None else found.text()

    async def _lost(self, update: Update) -> str:
        """What is missing of the money that was unsent before; looked at once in each run."""
        if self._looked or (before := told(update.carried)) is None:
            return self._missing
        try:
            found = await self._ports.money.found(before)
        except StoreError as error:
            log.warning("event=update_money_unknown reason=%r", str(error))
            return ""
        self._looked, self._missing = True, missing(before, found)
        waited_ms = self._ports.clock.now().wall_ms - update.phase_ms
        if self._missing and forgettable(waited_ms, self._ports.keep_ms):
            log.warning("event=update_money_forgotten count=%d found=%d", before.count, found.count)
            self._missing = ""
            return ""
        level = logging.CRITICAL if self._missing else logging.INFO
        log.log(level, "event=update_money count=%d found=%d missing=%r",
                before.count, found.count, self._missing)  # fmt: skip
        return self._missing

    async def _installed(self, update: Update) -> str | None:
        """What is installed, in the words of the update where it is the same version."""
        if update.phase not in (Phase.APPLYING, Phase.WAITING):
            return None
        try:
            found = await self._ports.versions.installed(update.component)
        except TimeoutError:
            return None
        if found is None or not found.told:
            return None
        for named in (update.version, update.before):
            if found.version == named or compare(found.scheme, found.version, named) == 0:
                return named
        return found.version

    async def _situation(self) -> guard.Situation:
        now = self._ports.clock.now()
        unsent = in_doubt = None
        age_s: float | None = None
        try:
            backlog = await self._ports.backlog()
        except StoreError as error:
            log.debug("event=update_backlog_unknown reason=%r", str(error))
        else:
            # What was put aside and not counted yet is at least one.
            aside = backlog.quarantined.count if backlog.quarantined is not None else 1
            unsent, in_doubt = backlog.total.count + aside, backlog.in_doubt.count
            if backlog.oldest_at is not None:
                age_s = max(0.0, (now.wall_ms - to_ms(backlog.oldest_at)) / 1000)
        system = self._system()
        percent, charging = system.get("battery_percent"), system.get("battery_charging")
        local = datetime.fromtimestamp(now.wall_ms / 1000, UTC).astimezone()
        return guard.Situation(
            unsent=unsent,
            in_doubt=in_doubt,
            oldest_age_s=age_s,
            battery_percent=float(percent) if isinstance(percent, int | float) else None,
            charging=charging if isinstance(charging, bool) else None,
            minute=local.hour * 60 + local.minute if now.trusted else None,
        )

    def _system(self) -> Mapping[str, Value]:
        for one in self._ports.health.components():
            if one.component == "system" and isinstance(one.outcome, Reading):
                return one.outcome.values
        return {}


def _alarmed(alarms: Iterable[Alarm]) -> list[Alarmed]:
    return [
        Alarmed(code=one.code, since_ms=to_ms(one.since_at), critical=one.severity == "critical")
        for one in alarms
    ]


def _limits(config: Software) -> guard.Limits:
    window = None
    if config.update_hours:
        start, end = config.update_hours.split("-")
        window = _minutes(start), _minutes(end)
    return guard.Limits(
        policy=guard.Policy(config.update_unsent),
        wait_s=config.update_unsent_wait_s,
        unsent_max=config.update_unsent_max,
        unsent_max_age_s=config.update_unsent_age_s,
        battery_min_percent=config.update_battery_percent,
        window=window,
    )


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
