"""The watchers of components that vendor firmware speaks for.

Decides how a hook's word becomes an outcome: canonical keys become values, the native value and its
source evidence, a hook that broke makes its own component unknown with the reason. A hook either
owns a component or only adds what the agent's own watcher does not know. How hooks are run and
heard is decided in `agent.hooks`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeGuard, TypeVar

from agent.config.hooks import HookComponent
from agent.core.health.reading import (
    NotFitted,
    NotObservable,
    Outcome,
    Reading,
    Unknown,
    Value,
)
from agent.core.health.standard_keypad import BOUNCES
from agent.hooks.doors import Door
from agent.hooks.findings import HookError
from agent.hooks.pull import Puller
from agent.link.contact import Told
from agent.watch.runner import Watcher
from agent.wire.hooks import (
    AnyReading,
    HookNotFitted,
    HookNotObservable,
    HookReading,
    HookUnknown,
)

#: Beside the hook's own deadline: vetting, starting, killing and sweeping.
MARGIN_S = 12.0
#: A stream or push is looked at this often for having gone silent; news is looked at at once.
LOOK_EVERY_S = 60.0


class Doors(Protocol):
    """`agent.hooks.part.HooksPart`: where components are heard."""

    @property
    def puller(self) -> Puller: ...

    def door(self, component: str) -> Door: ...


class HookWatcher:
    """A component of which the agent knows what the vendor's firmware says."""

    def __init__(self, config: HookComponent, door: Door, deadline_s: float) -> None:
        self.component = config.component
        heard = config.door != "pull"
        self.period_s = min(config.stale_s, LOOK_EVERY_S) if heard else config.period_s
        self.deadline_s = deadline_s + MARGIN_S
        self._door = door

    async def read(self) -> Outcome:
        """The hook's word, or why there is none."""
        return await heard(self._door)


class Fed(Watcher, Protocol):
    """A watcher that takes in what others report of its component."""

    def feed(self, outcome: Outcome) -> None: ...


W = TypeVar("W", bound=Watcher)


class _Beside(Generic[W]):
    """The agent's own watcher with a hook beside it, keeping what it offers beside its reading.

    None is how the runner knows that a watcher does not offer it.
    """

    def __init__(self, own: W, door: Door, deadline_s: float) -> None:
        self.component = own.component
        self.period_s = own.period_s
        self.deadline_s = max(own.deadline_s, deadline_s + MARGIN_S)
        self._own = own
        self._door = door
        self.heed: Callable[[Callable[[], None]], None] | None = getattr(own, "heed", None)
        self.hear: Callable[[bytes, int], int] | None = getattr(own, "hear", None)
        self.heard: Told | None = getattr(own, "heard", None)
        self.identity: Callable[[], Awaitable[Mapping[str, str]]] | None
        self.identity = getattr(own, "identity", None)
        self.close: Callable[[], Awaitable[None]] | None = getattr(own, "close", None)
        self.listens: Callable[..., None] | None = getattr(own, "listens", None)


class AddingWatcher(_Beside[Watcher]):
    """The agent's own watcher, and what a hook knows beyond it."""

    async def read(self) -> Outcome:
        """The own watcher's outcome; values it lacks are the hook's, if that has a reading."""
        asked = asyncio.create_task(heard(self._door), name=f"watch.{self.component}.hook")
        try:
            outcome = await self._own.read()
            if not isinstance(outcome, Reading):
                return outcome
            added = await asked
        finally:
            asked.cancel()
        return merged(outcome, added)


class FeedingWatcher(_Beside[Fed]):
    """An own watcher that takes in what others report: it says what is made of it."""

    async def read(self) -> Outcome:
        """The own watcher's outcome; the hook's word where nobody configured a device for it."""
        said = await heard(self._door)
        self._own.feed(said)
        outcome = await self._own.read()
        return said if isinstance(outcome, NotFitted) else outcome


def plugged(
    own: Sequence[Watcher], hooks: Iterable[HookComponent], doors: Doors, deadline_s: float
) -> list[Watcher]:
    """The watchers with those of the hooks in their places."""
    found: dict[str, Watcher] = {one.component: one for one in own}
    for config in hooks:
        door = doors.door(config.component)
        native = found.get(config.component)
        if native is not None and _is_fed(native):
            found[config.component] = FeedingWatcher(native, door, deadline_s)
        elif config.owns or native is None:
            found[config.component] = HookWatcher(config, door, deadline_s)
        else:
            found[config.component] = AddingWatcher(native, door, deadline_s)
    return list(found.values())


def _is_fed(own: Watcher) -> TypeGuard[Fed]:
    return hasattr(own, "feed")


async def heard(door: Door) -> Outcome:
    """What came through the door, as an outcome."""
    try:
        return outcome_of(await door.ask())
    except HookError as error:
        finding = error.finding
        return Unknown(finding.what(), evidence={"hook": finding.word, "do": finding.step()})


def outcome_of(said: AnyReading) -> Outcome:
    """A message of the contract as an outcome."""
    match said:
        case HookReading():
            if said.component == "scanner" and said.state.get("connected") is False:
                return Unknown(
                    "the firmware says that no scanner is connected",
                    "scanner.disconnected",
                    _evidence(said) | said.facts,
                )
            return Reading(values=_values(said), evidence=_evidence(said) | said.facts)
        case HookUnknown(reason=reason, code=code):
            return Unknown(reason, code, _evidence(said))
        case HookNotFitted():
            return NotFitted()
        case HookNotObservable(reason=reason):
            return NotObservable(reason)


def merged(own: Reading, added: Outcome) -> Reading:
    """`own` with what only the hook knows; a hook without a reading changes nothing."""
    match added:
        case Reading(values=values, evidence=evidence):
            known = {name: value for name, value in own.values.items() if value is not None}
            told = {f"hook_{name}": text for name, text in evidence.items()}
            return Reading({**own.values, **values, **known}, {**told, **own.evidence})
        case Unknown(reason=reason):
            return Reading(own.values, {**own.evidence, "hook_unknown": reason})
        case _:
            return own


def _values(said: HookReading) -> Mapping[str, Value]:
    values: dict[str, Value] = {
        name: value for name, value in said.state.items() if value is not None
    }
    if said.about is not None:
        for name in ("make", "model", "firmware", "serial", "interface", "driver"):
            if text := getattr(said.about, name):
                values.setdefault(name, text)
    values |= _AS_WATCHED.get(said.component, _nothing_more)(values)
    return values


def _printer(values: Mapping[str, Value]) -> dict[str, Value]:
    """The paper flags as the printer's own watcher says it."""
    if values.get("paper_out") is True:
        return {"paper": "out"}
    if values.get("paper_low") is True:
        return {"paper": "low"}
    return {"paper": "ok"} if values.get("paper_out") is False else {}


def _keypad(values: Mapping[str, Value]) -> dict[str, Value]:
    """Flags and counts as the keypad's own watcher says it."""
    more: dict[str, Value] = {}
    if "connected" in values:
        more["present"] = values["connected"]
    stuck, bouncing = values.get("stuck_keys"), values.get("chatter_keys")
    if isinstance(stuck, int):
        more["stuck"] = "confirmed" if stuck else "no"
    if isinstance(bouncing, int):
        more["bounces_last_minute"] = bouncing * BOUNCES
    return more


def _nothing_more(values: Mapping[str, Value]) -> dict[str, Value]:
    del values
    return {}


#: The names the agent's own watchers, and the conditions, have for the same.
_AS_WATCHED = {"printer": _printer, "keypad": _keypad}


def _evidence(said: HookReading | HookUnknown) -> dict[str, str]:
    evidence: dict[str, str] = {}
    if said.source:
        evidence["source"] = said.source
    if said.raw is not None:
        evidence["raw"] = str(said.raw)
    if isinstance(said, HookReading):
        evidence["confidence"] = said.confidence
    return evidence
