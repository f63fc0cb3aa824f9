"""The component `payment_app`: does it run, does it answer, and what it reported of its terminal.

Three sources, each of which may be missing: its process (`presence`, or a hook, or Android's own
list), its calls (`activity`), and what it reported to the store: sign-on and batches. What is not
known is left out and nobody's fault. A restart is considered at every reading (`restarting`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.clock import Clock
from agent.config.terminal import PaymentApp
from agent.core.health.reading import NotObservable, Outcome, Reading, Unknown, Value
from agent.core.money.batches import Batch, SignOn
from agent.core.money.journal import Record
from agent.core.terminal.payment_app import Held, Now, Seen
from agent.watch.head import head_of
from agent.watch.payment_app.activity import Activity
from agent.watch.payment_app.restarting import Restarting, name_of

if TYPE_CHECKING:
    from agent.watch.payment_app.presence import Presence

#: The store is asked again after this; the process is looked at more often.
REPORTS_EVERY_MS = 60_000
#: Android's own list costs a process of its own: not more often than this.
PACKAGES_EVERY_MS = 120_000
VERSION_BYTES = 256


class Reports(Protocol):
    """What was reported (the store)."""

    async def open_batches(self) -> Sequence[Batch]: ...
    async def sign_ons(self) -> Mapping[str, SignOn]: ...
    async def pending(self, after_seq: int, limit: int) -> Sequence[Record]: ...


class Packages(Protocol):
    """Android's word of a package, where /proc hides it."""

    async def running(self, package: str) -> bool | None: ...
    async def version(self, package: str) -> str: ...


class PaymentAppWatcher:
    """The payment app as the agent sees it."""

    component = "payment_app"
    deadline_s = 15.0

    def __init__(
        self,
        config: PaymentApp,
        batch_open_max_s: int,
        *,
        clock: Clock,
        reports: Reports | None,
        activity: Activity,
        presence: Presence | None,
        restarting: Restarting,
    ) -> None:
        self._config = config
        self._reported = None if reports is None else _Reported(reports, clock, batch_open_max_s)
        self._clock = clock
        self._activity = activity
        self._presence = presence
        self._restarting = restarting
        self._android: _Android | None = None
        self._state = _State(clock, config.start_grace_s)
        self.period_s = config.period_s if presence is not None or config.heartbeat_s else 60.0
        if presence is not None:
            presence.ended = self._ended

    def heed(self, poke: Callable[[], None]) -> None:
        """`poke` has this read at once."""
        self._state.news = poke
        self._restarting.look = partial(self._look_again, poke)
        self._activity.spoke = self._state.spoke

    def on_android(self, packages: Packages) -> None:
        """This is Android: its own list is asked where /proc hides the app."""
        if self._config.package:
            self._android = _Android(packages, self._config.package, self._clock)

    def feed(self, outcome: Outcome) -> None:
        """What a hook says of it."""
        self._state.told = outcome

    async def read(self) -> Outcome:
        """How it is now."""
        await self._restarting.ready()
        evidence: dict[str, str] = {}
        running = await self._running(evidence)
        version = await self._version()
        while self._state.ends_untold:
            self._state.ends_untold -= 1
            await self._restarting.ended(version)
        seen = self._state.saw(running, self._hangs(running))
        values: dict[str, Value] = {}
        if running is not None or self._config.heartbeat_s:
            values |= self._life(seen, version)
            held = await self._considered(seen, version)
            if held not in (Held.NOT_NEEDED, Held.OFF):
                values["restart"] = str(held)
            if held is Held.WAITING and (
                next_try_s := self._restarting.next_try_s(self._state.since_wall_ms)
            ):
                values["restart_in_s"] = next_try_s
            if self._restarting.last_answer:
                evidence["restart"] = self._restarting.last_answer
        if self._reported is not None:
            values |= await self._reported.values()
        if values:
            return Reading(values, evidence)
        if why := evidence.get("process"):
            late = self._presence is not None and self._presence.late
            return Unknown(why) if late else NotObservable(why)
        return NotObservable("the payment app has not reported sign-on or batches")

    async def close(self) -> None:
        """Let go of its process."""
        self._restarting.close()
        if self._presence is not None:
            self._presence.close()

    def _ended(self) -> None:
        self._activity.gone()
        self._state.ended()

    def _look_again(self, poke: Callable[[], None]) -> bool:
        """After a restart was done: search now. Whether it runs."""
        self._state.begins()
        if self._presence is None or self._presence.process is not None:
            return True
        self._presence.look_again()
        poke()
        return False

    @property
    def watched(self) -> bool:
        return self._presence is not None or self._config.heartbeat_s > 0

    async def _running(self, evidence: dict[str, str]) -> bool | None:
        told = self._state.told
        if isinstance(told, Reading) and isinstance(said := told.values.get("running"), bool):
            if self._presence is None:
                self._state.hook_says(said)
            evidence |= {f"hook_{name}": text for name, text in told.evidence.items()}
            return said
        if self._presence is None:
            if isinstance(told, Unknown):
                evidence["process"] = told.reason
            return None
        running = await self._presence.running()
        if running is None and self._android is not None:
            running = await self._android.running()
            if running is not None:
                if not running:
                    self._activity.gone()  # the system's own list
                self._state.hook_says(running)
                return running
        if running is None:
            evidence["process"] = self._presence.why_unknown
        return running

    async def _version(self) -> str:
        told = self._state.told
        if isinstance(told, Reading) and isinstance(said := told.values.get("version"), str):
            return said
        if self._config.version_file:
            return _first_line(self._config.version_file) or self._activity.version
        if not self._activity.version and self._android is not None:
            return await self._android.version()
        return self._activity.version

    def _hangs(self, running: bool | None) -> bool:
        if not self._config.heartbeat_s or running is False:
            return False
        # It never called: it may be one that does not know of the agent yet.
        silent_ms = self._silent_ms()
        return silent_ms is not None and silent_ms > self._config.heartbeat_s * 1000

    def _silent_ms(self) -> int | None:
        """Since its last call, or since it began: the silence before was another process's."""
        called_ms_ago = self._activity.called_ms_ago
        if called_ms_ago is None:
            return None
        began_ms = self._state.began_ms
        if self._presence is not None and self._presence.process is not None:
            began_ms = max(began_ms, self._presence.process.began_ms)
        return min(called_ms_ago, max(0, self._clock.now().boot_ms - began_ms))

    def _life(self, seen: Seen, version: str) -> dict[str, Value]:
        values: dict[str, Value] = {"app": name_of(self._config) or None, "state": str(seen)}
        if seen is not Seen.UNKNOWN:
            values["running"] = seen is not Seen.STOPPED
            values["hung"] = seen is Seen.HUNG
        silent_ms = self._silent_ms()
        if silent_ms is not None and self._config.heartbeat_s:
            values["silent_s"] = silent_ms // 1000
        if self._presence is not None and self._presence.process is not None:
            values["pid"] = self._presence.process.pid
        if version:
            values["version"] = version
        told = self._restarting.crashes()
        values["crash_count"] = told.count
        values["crash_limit"] = self._config.crash_limit
        values["crash_version"] = told.since_version or None
        values["crash_terminal_id"] = self._activity.terminal_id or None
        if asked := self._restarting.asked:
            values["restarts"] = asked
        return {name: value for name, value in values.items() if value is not None}

    async def _considered(self, seen: Seen, version: str) -> Held:
        # Stopped may only mean that it is not found: its own word counts until its end is seen.
        payment = self._activity.busy or (seen is Seen.HUNG and await self._taking())
        now = Now(
            seen=seen,
            since_ms=self._state.since_wall_ms,
            paused=_there(self._config.pause_file),
            payment=payment,
            called_ms_ago=self._activity.called_ms_ago,
        )
        return await self._restarting.consider(now, version)

    async def _taking(self) -> bool:
        """Whether a payment it sends itself is under way. Of a process that is gone, none is."""
        return self._reported is not None and await self._reported.pending()


def _first_line(path: str) -> str:
    try:
        head = head_of(Path(path), VERSION_BYTES)
    except OSError:
        return ""
    return head.decode("utf-8", "replace").strip().partition("\n")[0].strip()[:64]


def _there(path: str) -> bool:
    return bool(path) and Path(path).exists()


class _State:
    """Since when it is as it is, and what has not been told yet."""

    def __init__(self, clock: Clock, grace_s: float) -> None:
        self._clock = clock
        self._grace_until_ms = clock.now().boot_ms + round(grace_s * 1000)
        self._seen = Seen.UNKNOWN
        self._was_there = False
        self._hook_running: bool | None = None
        self._since_ms = clock.now().boot_ms
        self.began_ms = 0  #: boot clock: it was started then; 0: not known, before the agent
        self.ends_untold = 0
        self.told: Outcome | None = None
        self.news: Callable[[], None] = lambda: None

    def ended(self) -> None:
        """A process of it is gone."""
        self.ends_untold += 1
        self.news()

    def hook_says(self, running: bool) -> None:
        """The firmware's word, or Android's, where nobody else sees its process."""
        if self._hook_running and not running:
            self.ends_untold += 1
        if running and self._hook_running is False:
            self.begins()
        self._hook_running = running

    def begins(self) -> None:
        """It was started just now."""
        self.began_ms = self._clock.now().boot_ms

    @property
    def since_wall_ms(self) -> int:
        """Since when it is as it is, by the wall clock of now."""
        now = self._clock.now()
        return now.wall_ms - (now.boot_ms - self._since_ms)

    def spoke(self) -> None:
        """It called: if it was thought to hang, it does not."""
        if self._seen is Seen.HUNG:
            self.news()

    def saw(self, running: bool | None, hangs: bool) -> Seen:
        """How it is. Not there yet after the start is not known rather than stopped."""
        if running is False:
            starting = not self._was_there and self._clock.now().boot_ms < self._grace_until_ms
            fresh = Seen.UNKNOWN if starting else Seen.STOPPED
        elif hangs:
            fresh = Seen.HUNG
        else:
            fresh = Seen.UNKNOWN if running is None else Seen.RUNNING
        self._was_there = self._was_there or running is True
        if fresh is not self._seen:
            self._seen, self._since_ms = fresh, self._clock.now().boot_ms
        return fresh


class _Reported:
    """Sign-on and batches as they were reported, asked for once a minute."""

    def __init__(self, reports: Reports, clock: Clock, batch_open_max_s: int) -> None:
        self._reports = reports
        self._clock = clock
        self._batch_open_max_s = batch_open_max_s
        self._asked_ms: int | None = None
        self._values: dict[str, Value] = {}

    async def pending(self) -> bool:
        """Whether a payment the app sends itself is not settled."""
        return bool(await self._reports.pending(0, 1))

    async def values(self) -> Mapping[str, Value]:
        """As values of the reading; empty: nothing was reported."""
        now_ms = self._clock.now().boot_ms
        if self._asked_ms is None or now_ms - self._asked_ms >= REPORTS_EVERY_MS:
            self._values = await self._ask()
            self._asked_ms = now_ms
        return self._values

    async def _ask(self) -> dict[str, Value]:
        sign_ons = await self._reports.sign_ons()
        batches = await self._reports.open_batches()
        if not sign_ons and not batches:
            return {}
        values: dict[str, Value] = {"batches_open": len(batches)}
        if sign_ons:
            off = [one for one in sign_ons.values() if not one.signed_on]
            values["signed_on"] = not off
            if off:
                values["terminal_id"] = off[0].terminal_id
        values["batch_overdue"] = False
        if batches and batches[0].opened_at is not None:
            oldest = batches[0]
            now = self._clock.now()
            open_s = max(0, round((now.at - batches[0].opened_at).total_seconds()))
            values["batch"] = oldest.batch
            values["batch_open_s"] = open_s
            # A clock nobody believes says nothing about how long something has been open.
            limit_s = self._batch_open_max_s
            values["batch_overdue"] = bool(limit_s and open_s > limit_s and now.trusted)
            if oldest.count is not None:
                values["count"] = oldest.count
        return values


class _Android:
    """The package manager's word, kept for a while."""

    def __init__(self, packages: Packages, package: str, clock: Clock) -> None:
        self._packages = packages
        self._package = package
        self._clock = clock
        self._asked_ms: int | None = None
        self._running: bool | None = None
        self._version = ""

    async def running(self) -> bool | None:
        await self._ask()
        return self._running

    async def version(self) -> str:
        await self._ask()
        return self._version

    async def _ask(self) -> None:
        now_ms = self._clock.now().boot_ms
        if self._asked_ms is not None and now_ms - self._asked_ms < PACKAGES_EVERY_MS:
            return
        self._asked_ms = now_ms
        self._running = await self._packages.running(self._package)
        self._version = await self._packages.version(self._package)
