"""The day's account of bytes: read from the meter, kept over restarts, judged against the budget.

Looks when the recorder glances, never by itself. Writes a few times a day: when four kilobytes have
come together, when the step changes or a day begins, and at the end. A power cut forgets at most
what was not written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from agent.config.telemetry import Telemetry
from agent.core.fleet.budget import DEFAULT_KB, PROFILES, Account, Periods, Step, stretched
from agent.core.health.reading import Value
from agent.core.moment import Moment
from agent.errors import StoreError
from agent.record import dataclass
from agent.telemetry.ports import Notes

log = logging.getLogger(__name__)

NOTE = "telemetry.bytes"
WRITE_EVERY_BYTES = 4_096
KB = 1_000


class Meter(Protocol):
    """What the connections cost (`link.meter`)."""

    @property
    def counted(self) -> bool: ...
    def total_bytes(self) -> int: ...


class Sent(Protocol):
    """What was sent, for where the kernel does not count (`telemetry.line`)."""

    @property
    def connects(self) -> int: ...
    @property
    def sent_messages(self) -> int: ...
    @property
    def sent_bytes(self) -> int: ...
    @property
    def changed(self) -> Callable[[], object]: ...


#: TLS 1.3, IP level, both directions, as measured: a message and its PUBACK beside topic and
#: payload, a resumed connection with its greeting and its end, a ping with its answer.
MESSAGE_BYTES, CONNECT_BYTES, PING_BYTES = 213, 3_354, 204


@dataclass(slots=True)
class Fit:
    """An estimate from what was sent, where TCP_INFO is missing."""

    connects: int = 0
    messages: int = 0
    payload: int = 0
    at_ms: int = 0

    def since(self, sent: Sent, keepalive_s: int, now_ms: int) -> int:
        """Bytes since the last time this was asked. `keepalive_s` 0: no connection stands."""
        # The counter of connects outlives the process: what it was before is not known at first.
        connects = sent.connects - self.connects if self.connects else min(1, sent.connects)
        pings = (now_ms - self.at_ms) // (1000 * keepalive_s) if keepalive_s else 0
        cost = (
            connects * CONNECT_BYTES
            + (sent.sent_messages - self.messages) * MESSAGE_BYTES
            + (sent.sent_bytes - self.payload)
            + (pings * PING_BYTES if self.at_ms else 0)
        )
        self.connects, self.messages = sent.connects, sent.sent_messages
        self.payload = sent.sent_bytes
        if pings or not (self.at_ms and keepalive_s):
            self.at_ms = now_ms
        return cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The connection as far as it costs."""

    keepalive_s: Callable[[], int] = lambda: 0  #: 0: none stands
    paid: Callable[[], bool] = lambda: False  #: bytes are paid for on the network in use


class Spending:
    """One for the life of the process."""

    def __init__(
        self,
        settings: Telemetry,
        meter: Meter,
        sent: Sent,
        notes: Notes | None = None,
        standing: Standing | None = None,
    ) -> None:
        self._settings = settings
        self._meter = meter
        self._sent = sent
        self._notes = notes
        self._standing = standing or Standing()
        self._was_paid = False
        self._account: Account | None = None
        self._seen_bytes = 0
        self._written_bytes = 0
        self._fit = Fit()

    @property
    def account(self) -> Account:
        """Of this day; nothing is spent before the first look."""
        return self._account or Account()

    @property
    def step(self) -> Step:
        """What is still told."""
        return self.account.step

    def periods(self) -> Periods:
        """How often what is not urgent is told now."""
        return stretched(self.configured, self.step)

    @property
    def configured(self) -> Periods:
        """The same with nothing given up."""
        return configured(self._settings)

    @property
    def budget_kb(self) -> int:
        """What this day may cost; 0: there is no limit.

        Without one configured only what is paid for is limited, and only while it is.
        """
        asked = self._settings.daily_budget_kb
        if asked is not None:
            return asked
        return DEFAULT_KB if self._was_paid else 0

    async def look(self, at: Moment) -> Step | None:
        """Bring the account up to date; the step before, if another one begins."""
        account = self._account or await self._load()
        self._account = account
        new_day = account.look(at)
        total = self._meter.total_bytes()
        estimate = self._fit.since(self._sent, self._standing.keepalive_s(), at.boot_ms)
        # Where the network changed since the last look, all of it counts as paid for.
        paid = self._standing.paid()
        either, self._was_paid = paid or self._was_paid, paid
        if self._meter.counted:
            account.spend(total - self._seen_bytes, paid=either)
        else:
            account.spend(estimate, estimated=True, paid=either)
        self._seen_bytes = total
        before, budget_kb = account.step, self.budget_kb
        explicit = self._settings.daily_budget_kb is not None
        changed = account.judge(budget_kb * KB, paid_only=not explicit)
        if changed:
            log.warning(
                "event=telemetry_budget step=%s spent_kb=%d budget_kb=%d",
                account.step,
                account.spent_bytes // KB,
                budget_kb,
            )
            self._sent.changed()
        grown = account.spent_bytes - self._written_bytes
        if changed or new_day or grown >= WRITE_EVERY_BYTES:
            await self.write()
        return before if changed else None

    async def write(self) -> None:
        """Keep it over a restart."""
        if self._account is None or self._notes is None:
            return
        self._written_bytes = self._account.spent_bytes
        try:
            await self._notes.save(NOTE, self._account.kept())
        except StoreError as error:
            log.debug("event=spending_unwritten code=%s", error.code)

    def values(self) -> dict[str, Value]:
        """For the component `fleet`."""
        account = self.account
        return {
            "budget_step": str(account.step),
            "budget_kb": self.budget_kb,
            "spent_today_kb": account.spent_bytes // KB,
            "spent_yesterday_kb": None if account.last_bytes is None else account.last_bytes // KB,
            "spent_is_estimate": account.estimated_bytes > 0,
        }

    async def _load(self) -> Account:
        if self._notes is None:
            return Account()
        try:
            account = Account.known(await self._notes.load(NOTE))
        except StoreError as error:
            log.debug("event=spending_unread code=%s", error.code)
            return Account()
        self._written_bytes = account.spent_bytes
        return account


def configured(settings: Telemetry) -> Periods:
    """The profile's periods, and single ones that are configured."""
    profile = PROFILES[settings.profile]
    return Periods(
        health_s=settings.health_period_s or profile.health_s,
        full_s=settings.full_period_s or profile.full_s,
        backlog_s=settings.backlog_period_s or profile.backlog_s,
    )
