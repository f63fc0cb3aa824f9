"""What the agent knows of itself, read like any other component: the queue, the uplinks, the agent.

The conditions over these values (`core.health.standard`) are how a dead host, a full store or a
wrong clock become alarms like an empty paper roll. Nothing is measured here; the rooms are asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agent.clock import Clock
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.core.moment import at_ms
from agent.core.money.deadlines import CUT_OFF
from agent.core.money.journal import KEY_LOSS, Backlog, Record, State
from agent.core.money.limits import Use
from agent.core.terminal.rhythm import Gap, Rhythm
from agent.errors import StoreError

#: How long a freeze or a sleep stays worth telling.
RECENT_MS = 3_600_000


#: Cause -> what its text calls the words of the failed connection.
_DETAIL: Mapping[str, str] = {
    "network.host_unreachable": "tcp_reason",
    "network.dns_failed": "dns_reason",
    "tls.untrusted": "tls_reason",
}


class Facts(Protocol):
    """What start-up found out about the journal."""

    @property
    def path(self) -> str: ...
    @property
    def damage(self) -> str: ...


class Store(Protocol):
    """The journal, as far as the queue watcher asks it."""

    async def backlog(self) -> Backlog: ...
    async def facts(self) -> Facts: ...
    @property
    def refusal(self) -> StoreError | None: ...


class Limits(Protocol):
    """How far the configured limits are used up."""

    async def fullest(self) -> tuple[Use | None, bool]: ...


class Channel(Protocol):
    """One uplink."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def since_at(self) -> datetime | None: ...
    @property
    def next_attempt_at(self) -> datetime | None: ...
    @property
    def last_success_at(self) -> datetime | None: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...


class Lapsed:
    """Requests that lapsed within the last hour; a cashier must hear of each."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._boot_ms: deque[int] = deque(maxlen=1_000)

    def heed(self, record: Record) -> None:
        """A record was committed."""
        if record.state is State.LAPSED:
            self._boot_ms.append(self._clock.now().boot_ms)

    def count(self) -> int:
        """How many there were lately."""
        now_ms = self._clock.now().boot_ms
        while self._boot_ms and now_ms - self._boot_ms[0] > RECENT_MS:
            self._boot_ms.popleft()
        return len(self._boot_ms)


class QueueWatcher:
    """The unsent money and the store that holds it."""

    component = "queue"
    period_s = 10.0  # a store that refuses payments is told of within ten seconds
    deadline_s = 10.0

    def __init__(
        self, store: Store, lapsed: Callable[[], int], clock: Clock, limits: Limits | None = None
    ) -> None:
        self._store = store
        self._limits = limits
        self._lapsed = lapsed
        self._clock = clock

    async def read(self) -> Outcome:
        refusal = self._store.refusal
        if refusal is not None:
            full = refusal.code == "store.full"
            return Reading(
                values={
                    "store_full": full,
                    "store_unavailable": not full,
                    "reason": refusal.what,
                }
            )
        backlog = await self._store.backlog()
        facts = await self._store.facts()
        aside = backlog.quarantined
        oldest_s = 0
        if backlog.oldest_at is not None:
            oldest_s = max(0, round((self._clock.now().at - backlog.oldest_at).total_seconds()))
        values: dict[str, Value] = {
            "unsent": backlog.total.count,
            "in_doubt": backlog.in_doubt.count,
            "held": backlog.held.count,
            "not_signed_on": backlog.by_cause.get(KEY_LOSS, 0),
            "batch_incomplete": backlog.by_cause.get(CUT_OFF, 0),
            # Unknown is not none: a journal nobody could count yet is at least one record.
            "quarantined": 1 if aside is None else aside.count,
            "oldest_s": oldest_s,
            "lapsed_recent": self._lapsed(),
            "store_full": False,
            "store_unavailable": False,
            "data_error": bool(facts.damage),
            "store": facts.path,
        }
        if facts.damage:
            values["reason"] = facts.damage
        values.update(await self._limited())
        return Reading(values=values)

    async def _limited(self) -> Mapping[str, Value]:
        use, reached = (None, False) if self._limits is None else await self._limits.fullest()
        if use is None:
            return {"limit_reached": False}
        from agent.core.why.checked import plain  # where limits are configured

        limit, found = plain(use)
        return {
            "limit_reached": reached,
            "limit_code": use.code,
            "limit_percent": use.percent,
            "limit": limit,
            "found": found,
        }


class UplinkWatcher:
    """The worst of the ways to the hosts: one terminal, one answer to "does money leave?"."""

    component = "uplink"
    period_s = 5.0
    deadline_s = 5.0

    _WORST: Mapping[str, int] = {"paused": 4, "backing_off": 3, "disabled": 2, "shadow": 1}

    def __init__(self, channels: Callable[[], Sequence[Channel]], clock: Clock) -> None:
        self._channels = channels
        self._clock = clock

    async def read(self) -> Outcome:
        channels = self._channels()
        if not channels:
            return Reading(values={"state": "none", "cause": ""})
        worst = max(channels, key=lambda channel: self._WORST.get(channel.state, 0))
        now = self._clock.now().at
        values: dict[str, Value] = {
            "state": str(worst.state),
            "cause": worst.cause,
            "channel": worst.name,
        }
        if worst.since_at is not None:
            values["since_s"] = max(0, round((now - worst.since_at).total_seconds()))
        if worst.last_success_at is not None:
            ago = round((now - worst.last_success_at).total_seconds())
            values["last_success_s_ago"] = max(0, ago)
        if worst.next_attempt_at is not None:
            values["retry_at"] = worst.next_attempt_at.isoformat(timespec="seconds")
        if worst.evidence:
            values["reason"] = worst.evidence[0]
            if detail := _DETAIL.get(worst.cause):
                values[detail] = worst.evidence[0]
        return Reading(values=values)


class AgentWatcher:
    """Whether we were let run. Sleep is the kernel's doing and no fault; being frozen awake is."""

    component = "agent"
    period_s = 5.0
    deadline_s = 5.0

    def __init__(
        self,
        clock: Clock,
        restarts: Callable[[], Mapping[str, int]],
        exposed: Callable[[], Mapping[str, Value]] = dict,
    ) -> None:
        self._clock = clock
        self._restarts = restarts
        self._exposed = exposed
        self._rhythm = Rhythm(clock.now())
        self._frozen: Gap | None = None
        self._slept: Gap | None = None

    async def read(self) -> Outcome:
        now = self._clock.now()
        beat = self._rhythm.tick(now)
        if beat.rebooted:
            return Unknown("the kernel's boot id changed under us")
        self._frozen = beat.frozen or self._frozen
        self._slept = beat.slept or self._slept
        restarts = self._restarts()
        values: dict[str, Value] = {
            "clock_trusted": now.trusted,
            "part_restarts": sum(restarts.values()),
            "frozen_s": 0,
            "slept_s": 0,
            **self._exposed(),
        }
        if restarts:
            values["part"] = max(restarts, key=lambda name: restarts[name])
        if self._slept is not None and now.boot_ms - self._slept.boot_ms < RECENT_MS:
            values["slept_s"] = round(self._slept.slept_ms / 1000)
        if self._frozen is not None and now.boot_ms - self._frozen.boot_ms < RECENT_MS:
            values["frozen_s"] = round(self._frozen.frozen_ms / 1000)
            values["from_at"] = _text(self._frozen.from_ms)
            values["to_at"] = _text(self._frozen.to_ms)
        return Reading(values=values)


def _text(wall_ms: int) -> str:
    return at_ms(wall_ms).isoformat(timespec="seconds")
