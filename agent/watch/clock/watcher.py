"""Watches the terminal's clock: what it is worth, who says so, and who set it.

A wrong clock breaks certificates before anything else, so this is decided before a certificate is
blamed: where one's dates do not fit and nobody has vouched for the clock, the host is asked. Never
sets the clock. Steps are kept and told with the time before and after.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from agent.clock import Clock
from agent.core.health.reading import Outcome, Reading, Value
from agent.core.moment import Moment, at_ms
from agent.core.terminal.rhythm import Rhythm, Step
from agent.core.terminal.witness import State, Verdict
from agent.errors import AgentError
from agent.record import dataclass
from agent.watch.clock.hearing import Hearing
from agent.watch.clock.kernel import Kernel, keeper

log = logging.getLogger(__name__)

PERIOD_S = 5.0
KERNEL_EVERY_MS = 60_000
KEEPER_EVERY_MS = 3_600_000
#: A doubt that asking did not settle is looked into again after this.
ASK_EVERY_MS = 300_000
#: How long a step stays worth telling.
RECENT_MS = 3_600_000
#: After a cold start network time needs its time; nobody is told of 1970 before this.
GRACE_MS = 120_000
#: Steps kept; a terminal without a battery for its clock sees one a day.
STEPS = 30
NOTE = "clock"

#: Causes that a certificate's dates are blamed for.
EARLY = "clock.wrong"
DATES = (EARLY, "tls.host_certificate_expired", "tls.ca_expired")


class Said(Protocol):
    """The last word of one component."""

    @property
    def component(self) -> str: ...
    @property
    def outcome(self) -> Outcome: ...


class Notes(Protocol):
    """What is kept over restarts (`agent.store.notes.Notes`)."""

    async def load(self, name: str) -> dict[str, Any]: ...

    async def save(self, name: str, kept: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything this watcher asks of the world."""

    clock: Clock
    kernel: Callable[[], Kernel] | None = None  #: None: not a witness here
    #: Asks the hosts; how many named a time.
    ask: Callable[[], Awaitable[int]] | None = None
    notes: Notes | None = None
    root: Path = Path("/")


@dataclass(slots=True)
class _Past:
    """What is carried from reading to reading."""

    kernel: Kernel | None = None
    kernel_ms: int | None = None
    keeper: str = ""
    keeper_ms: int | None = None
    asked_ms: int | None = None
    step: Step | None = None
    state: State = State.UNKNOWN
    unkept: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A certificate whose dates do not fit."""

    code: str
    host: str


class ClockWatcher:
    """One reading of what the clock is worth."""

    component = "clock"
    period_s = PERIOD_S
    deadline_s = 15.0

    def __init__(self, hearing: Hearing, ports: Ports) -> None:
        self._hearing = hearing
        self._ports = ports
        self._others: Callable[[], Sequence[Said]] = tuple
        self._rhythm = Rhythm(ports.clock.now())
        self._past = _Past()

    def listens(self, others: Callable[[], Sequence[Said]]) -> None:
        """Where the other components' last words are: a certificate may doubt the clock."""
        self._others = others

    async def read(self) -> Outcome:
        """The clock as it is now."""
        now, past = self._ports.clock.now(), self._past
        if (step := self._rhythm.tick(now).step) is not None:
            log.warning(
                "event=clock_step by_s=%.1f before=%s after=%s",
                step.by_ms / 1000, _text(step.before_ms), _text(step.after_ms),
            )  # fmt: skip
            past.step = step
            past.unkept.append(step)
        self._hear_kernel(now)
        verdict, doubt = self._hearing.verdict(), self._doubt()
        doubted = doubt is not None or not now.carried
        if doubted and verdict.state in (State.UNKNOWN, State.DISPUTED):
            await self._ask(now)
            verdict = self._hearing.verdict()
        self._tell(verdict)
        await self._hearing.settle()
        await self._keep()
        # Once more: the verdict may just have changed whether it is believed.
        return self._reading(verdict, doubt, self._ports.clock.now())

    def _hear_kernel(self, now: Moment) -> None:
        past = self._past
        if past.keeper_ms is None or now.boot_ms - past.keeper_ms >= KEEPER_EVERY_MS:
            past.keeper, past.keeper_ms = keeper(self._ports.root), now.boot_ms
        if self._ports.kernel is None:
            return
        # A step makes the kernel forget that it was synchronised: ask at once.
        stepped = past.step is not None and past.step.boot_ms == now.boot_ms
        due = past.kernel_ms is None or now.boot_ms - past.kernel_ms >= KERNEL_EVERY_MS
        again = past.kernel is not None and past.kernel.synchronised and past.state is State.UNKNOWN
        if not (due or stepped or again):
            return
        told = past.kernel = self._ports.kernel()
        past.kernel_ms = now.boot_ms
        if told.synchronised and told.utc_ms is not None and told.max_error_ms is not None:
            self._hearing.disciplined(told.utc_ms, told.max_error_ms)
        else:
            self._hearing.undisciplined()

    def _doubt(self) -> _Doubt | None:
        """Whether somebody could not finish TLS because of a certificate's dates."""
        for one in self._others():
            if not isinstance(one.outcome, Reading):
                continue
            values = one.outcome.values
            code: Value = None
            if one.component == "connectivity" and values.get("tls") == "failed":
                code = values.get("tls_code")
            elif one.component == "uplink" and values.get("state") in ("backing_off", "paused"):
                code = values.get("cause")
            if code in DATES:
                return _Doubt(str(code), str(values.get("host") or values.get("channel") or ""))
        return None

    async def _ask(self, now: Moment) -> None:
        past = self._past
        if self._ports.ask is None:
            return
        if past.asked_ms is not None and now.boot_ms - past.asked_ms < ASK_EVERY_MS:
            return
        past.asked_ms = now.boot_ms
        named = await self._ports.ask()
        log.info("event=clock_asked hosts_that_named_a_time=%d", named)

    def _tell(self, verdict: Verdict) -> None:
        past = self._past
        if verdict.state is past.state:
            return
        past.state = verdict.state
        loud = verdict.state in (State.WRONG, State.DISPUTED)
        log.log(
            logging.WARNING if loud else logging.INFO,
            "event=clock_%s offset_s=%s by=%r against=%r",
            verdict.state, _seconds(verdict), ", ".join(verdict.sources),
            ", ".join(verdict.against),
        )  # fmt: skip

    async def _keep(self) -> None:
        """Keep the steps; while the store does not take them they wait."""
        past, notes = self._past, self._ports.notes
        if not past.unkept or notes is None:
            past.unkept.clear()
            return
        try:
            kept = (await notes.load(NOTE)).get("steps")
            before = kept if isinstance(kept, list) else []
            new = [[one.before_ms, one.after_ms] for one in past.unkept]
            await notes.save(NOTE, {"steps": [*before, *new][-STEPS:]})
        except AgentError as error:
            log.debug("event=steps_unkept reason=%r", str(error))
            del past.unkept[:-STEPS]
            return
        past.unkept.clear()

    def _reading(self, verdict: Verdict, doubt: _Doubt | None, now: Moment) -> Reading:
        past = self._past
        values: dict[str, Value] = {
            "state": verdict.state.value,
            "trusted": now.trusted,
            "carried": now.carried,
            "wrong": _wrong(verdict, doubt, now),
            "offset_s": _seconds(verdict),
            "source": ", ".join(verdict.sources) or None,
            "stepped_s": 0,
            # Where the clock is proved, dates that do not fit are the certificate's own fault.
            "certificate_early": (
                verdict.state is State.RIGHT and doubt is not None and doubt.code == EARLY
            ),
        }
        if verdict.state is State.UNKNOWN:
            values["source"] = None
            if doubt is not None and doubt.code == EARLY:
                values["source"] = f"certificate {doubt.host}".strip()
        if past.kernel is not None:
            values["synchronised"] = past.kernel.synchronised
        values["kept_by"] = past.keeper or None
        evidence = {"against": ", ".join(verdict.against)} if verdict.against else {}
        if verdict.offset_ms is not None:
            evidence["offset"] = (
                f"{verdict.offset_ms / 1000:+.3f} s ± {verdict.error_ms / 1000:.3f} s"
            )
        if past.kernel is not None and past.kernel.max_error_ms is not None:
            evidence["kernel_max_error"] = f"{past.kernel.max_error_ms} ms"
        if past.kernel is not None and past.kernel.reason:
            evidence["kernel"] = past.kernel.reason
        if past.step is not None and now.boot_ms - past.step.boot_ms < RECENT_MS:
            values["stepped_s"] = round(past.step.by_ms / 1000)
            values["step_before_at"] = _text(past.step.before_ms)
            values["step_after_at"] = _text(past.step.after_ms)
        return Reading({name: one for name, one in values.items() if one is not None}, evidence)


def _wrong(verdict: Verdict, doubt: _Doubt | None, now: Moment) -> bool | None:
    if verdict.state is State.WRONG:
        return True
    if verdict.state is State.RIGHT and now.trusted:
        return False
    if verdict.state is State.UNKNOWN and doubt is not None and doubt.code == EARLY:
        return True  # nobody contradicts the certificate
    if not now.trusted:
        return True if now.boot_ms >= GRACE_MS else None
    return False


def _seconds(verdict: Verdict) -> int | None:
    """How far ahead the clock is, in whole seconds; 0 within what the witnesses can tell."""
    if verdict.offset_ms is None:
        return None
    if abs(verdict.offset_ms) <= max(verdict.error_ms, 2_000):
        return 0
    return round(verdict.offset_ms / 1000)


def _text(wall_ms: int) -> str:
    return at_ms(wall_ms).isoformat(timespec="seconds")
