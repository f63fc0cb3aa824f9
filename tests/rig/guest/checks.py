"""One check: something is done to a device, and who says so is timed.

Decides when a check holds: the watcher of that component must show it in the local API, and a
subscriber of the broker must be told; after the healing that must be taken back. The same function
runs with the watcher switched off, where all of it must fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.rig.guest.results import say
from tests.rig.guest.terminal import Broker, Heard, components

#: Built-in delays of the conditions (5 to 60 s), the watcher's period, and a slow machine.
LIMIT_S = 120.0
LOOK_S = 0.5

Component = Mapping[str, Any]


class Sign(Protocol):
    """How the fleet is told."""

    def begun(self, broker: Broker, since_s: float) -> Heard | None: ...

    def ended(self, broker: Broker, since_s: float) -> Heard | None: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Event:
    """By the event of an alarm of this component."""

    code: str
    component: str

    def begun(self, broker: Broker, since_s: float) -> Heard | None:
        heard = broker.event(self.code, active=True, since_s=since_s)
        return heard if heard and heard.body.get("component") == self.component else None

    def ended(self, broker: Broker, since_s: float) -> Heard | None:
        return broker.event(self.code, active=False, since_s=since_s)

    def __str__(self) -> str:
        return f"event {self.code}"


@dataclass(frozen=True, slots=True)
class Told:
    """By a reading of the health message: what is nobody's fault raises no alarm."""

    name: str
    value: object
    otherwise: tuple[object, ...]

    def begun(self, broker: Broker, since_s: float) -> Heard | None:
        return broker.health(self.name, self.value, since_s=since_s)

    def ended(self, broker: Broker, since_s: float) -> Heard | None:
        found = (broker.health(self.name, each, since_s=since_s) for each in self.otherwise)
        return next((each for each in found if each is not None), None)

    def __str__(self) -> str:
        return f"health {self.name} = {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is done, and by what it must be recognised."""

    name: str
    injected: str
    component: str
    shown: Callable[[Component], bool]
    told: Sign
    inject: Callable[[], None]
    heal: Callable[[], None]


@dataclass(slots=True)
class Finding:
    """What was seen; times in seconds after the injection, `cleared_s` after the healing."""

    began_s: float
    before: Component
    already: bool = False
    seen_s: float | None = None
    as_what: str = ""
    told_s: float | None = None
    message: str = ""
    cleared_s: float | None = None

    def look(self, check: Check, told: Mapping[str, Component], broker: Broker) -> bool:
        """Note what is there by now; true when nothing is missing any more."""
        if self.seen_s is None:
            now = told.get(check.component, {})
            if now and check.shown(now):
                self.seen_s = round(time.monotonic() - self.began_s, 1)
                self.as_what = _described(now, self.before)
        if self.told_s is None:
            heard = check.told.begun(broker, self.began_s)
            if heard is not None:
                self.told_s = round(heard.at_s - self.began_s, 1)
                self.message = _published(check, heard)
        return self.seen_s is not None and self.told_s is not None


def run(
    checks: Sequence[Check], broker: Broker, *, watched: bool, limit_s: float = LIMIT_S
) -> bool:
    """Do them at the same time, time them, heal them, report each; true when all went well."""
    told = components()
    findings = []
    for check in checks:
        check.inject()
        now = told.get(check.component, {})
        already = bool(now) and check.shown(now)
        findings.append(Finding(time.monotonic(), now, already=already))
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        told = components()
        pairs = zip(checks, findings, strict=True)
        complete = [one.look(each, told, broker) for each, one in pairs]  # every one has to look
        if all(complete):
            break
        time.sleep(LOOK_S)
    healed = time.monotonic()
    for check in checks:
        check.heal()
    for check, finding in zip(checks, findings, strict=True):
        if finding.told_s is not None:
            finding.cleared_s = _taken_back(check, broker, healed, limit_s)
    verdicts = [
        _report(check, finding, watched=watched, limit_s=limit_s)
        for check, finding in zip(checks, findings, strict=True)
    ]
    return all(verdicts)


def _taken_back(check: Check, broker: Broker, healed_s: float, limit_s: float) -> float | None:
    while time.monotonic() < healed_s + limit_s:
        ended = check.told.ended(broker, healed_s)
        if ended is not None:
            return round(ended.at_s - healed_s, 1)
        time.sleep(LOOK_S)
    return None


def _report(check: Check, finding: Finding, *, watched: bool, limit_s: float) -> bool:
    nothing = finding.seen_s is None and finding.told_s is None
    everything = None not in (finding.seen_s, finding.told_s, finding.cleared_s)
    well = (everything and not finding.already) if watched else nothing
    if not well:
        last = components().get(check.component, {})
        said = _described(last, finding.before)
        say("note", text=f"{check.name}: against before it, {check.component} was last {said}")
    say(
        "row",
        name=check.name,
        injected=check.injected,
        component=check.component,
        wanted=str(check.told),
        watched=watched,
        well=well,
        limit_s=limit_s,
        already=finding.already,
        seen_s=finding.seen_s,
        as_what=finding.as_what,
        told_s=finding.told_s,
        message=finding.message,
        cleared_s=finding.cleared_s,
    )
    return well


def _described(component: Component, before: Component) -> str:
    """What the API says of it now and did not say before, short enough for a table."""
    if not component:
        return "not told of at all"
    if component["outcome"] == "reading":
        was = before.get("values", {})
        news = {name: each for name, each in component["values"].items() if was.get(name) != each}
        said = ", ".join(f"{name} {_word(each)}" for name, each in news.items())
        return said[:240] or "nothing new"
    return f"{component['outcome']}: {component['reason']}"[:240]


def _word(value: object) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "unknown"
        case _:
            return str(value)


def _published(check: Check, heard: Heard) -> str:
    if isinstance(check.told, Event):
        return f"{check.told.code} ({heard.body['severity']}), seq {heard.body['seq']}"
    return f"{check.told}, seq {heard.body['seq']}"
