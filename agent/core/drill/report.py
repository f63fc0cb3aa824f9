"""What an outage drill is made of and what it came to; how its report is kept and read again.

A step passes, fails or was skipped, with the figures that show it. Reading never raises: what
flash left of a report is shown as far as it can be read. Called by `agent.main.drill`, by the
store's reader and by whoever shows a drill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum

from agent.core.health.reading import Value
from agent.record import dataclass

#: How every key of a drill begins: no payment app may use such a key for a real payment.
KEY_PREFIX = "drill-"
MOST_STEPS = 32


class Step(StrEnum):
    """What is done, in this order."""

    ACCEPT = "accept"  #: marked records are taken over while the sink is down
    KILL = "kill"  #: the process that takes them over is killed in the middle
    RESTART = "restart"  #: the agent itself is ended hard and starts anew
    REOPEN = "reopen"  #: every record that was confirmed is there, unaltered
    ALARM = "alarm"  #: the sink's silence becomes an alarm
    DRAIN = "drain"  #: the sink is there again: each once, in order
    CLEAR = "clear"  #: the alarm ends
    REMOVE = "remove"  #: nothing is left


class Verdict(StrEnum):
    """What a step came to."""

    PASS = "pass"
    FAIL = "fail"
    SKIPPED = "skipped"


class Result(StrEnum):
    """What a drill came to."""

    NONE = ""  #: under way
    PASSED = "passed"
    FAILED = "failed"
    BROKEN_OFF = "broken_off"  #: the agent ended in the middle, before there was anything to judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One step that ended."""

    name: Step
    verdict: Verdict
    began_ms: int  #: UTC
    duration_ms: int
    facts: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill, under way or over."""

    number: int
    trigger: str  #: `asked` or `schedule`
    actor: str
    records: int
    restart: bool
    started_ms: int  #: UTC
    ended_ms: int | None = None
    result: Result = Result.NONE
    interrupted: bool = False  #: the agent ended in the middle without having been asked to
    restarting_ms: int = 0  #: UTC; when it ended because it had been asked to
    steps: tuple[Done, ...] = ()

    @property
    def expected(self) -> tuple[Step, ...]:
        """Its steps in order; the restart is always named, if only to say it was skipped."""
        return tuple(Step)

    def done(self, step: Step) -> Done | None:
        """What came of one step; None: it has not ended."""
        return next((one for one in self.steps if one.name is step), None)

    def after(self, done: Done) -> Drill:
        """With one more step."""
        return replace(self, steps=(*self.steps, done))

    def over(self, ended_ms: int, result: Result | None = None) -> Drill:
        """The whole of it; without `result` by what its steps came to."""
        if result is None:
            wanted = {step: self.done(step) for step in self.expected}
            good = all(
                one is not None and one.verdict is not Verdict.FAIL for one in wanted.values()
            )
            result = Result.PASSED if good else Result.FAILED
        return replace(self, ended_ms=ended_ms, result=result)


def key_of(number: int, place: int) -> str:
    """The key of one of a drill's records."""
    return f"{KEY_PREFIX}{number:06d}-{place:05d}"


def to_plain(drill: Drill) -> dict[str, object]:
    """For keeping, as JSON takes it."""
    return {
        "trigger": drill.trigger,
        "actor": drill.actor,
        "records": drill.records,
        "restart": drill.restart,
        "ended_ms": drill.ended_ms,
        "result": str(drill.result),
        "interrupted": drill.interrupted,
        "restarting_ms": drill.restarting_ms,
        "steps": [
            {
                "name": str(one.name),
                "verdict": str(one.verdict),
                "began_ms": one.began_ms,
                "duration_ms": one.duration_ms,
                "facts": dict(one.facts),
            }
            for one in drill.steps
        ],
    }


def from_plain(number: int, started_ms: int, plain: object) -> Drill:
    """What `to_plain` gave, or what is left of it."""
    told = plain if isinstance(plain, Mapping) else {}
    ended_ms, result = told.get("ended_ms"), told.get("result")
    steps = told.get("steps")
    found = [_done(one) for one in steps[:MOST_STEPS]] if isinstance(steps, list) else []
    return Drill(
        number=number,
        trigger="schedule" if told.get("trigger") == "schedule" else "asked",
        actor=_text(told.get("actor")),
        records=_number(told.get("records")),
        restart=told.get("restart") is True,
        started_ms=started_ms,
        ended_ms=_number(ended_ms) if ended_ms is not None else None,
        result=next((one for one in Result if one == result), Result.NONE),
        interrupted=told.get("interrupted") is True,
        restarting_ms=_number(told.get("restarting_ms")),
        steps=tuple(one for one in found if one is not None),
    )


def _done(plain: object) -> Done | None:
    told = plain if isinstance(plain, Mapping) else {}
    name = next((one for one in Step if one == told.get("name")), None)
    verdict = next((one for one in Verdict if one == told.get("verdict")), None)
    if name is None or verdict is None:
        return None
    facts = told.get("facts")
    kept = facts.items() if isinstance(facts, Mapping) else ()
    return Done(
        name=name,
        verdict=verdict,
        began_ms=_number(told.get("began_ms")),
        duration_ms=_number(told.get("duration_ms")),
        facts={
            str(key): value for key, value in kept if isinstance(value, bool | int | float | str)
        },
    )


def _text(value: object) -> str:
    return value[:120] if isinstance(value, str) else ""


def _number(value: object) -> int:
    """A number of milliseconds or records; what cannot be one is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value < 2**48 else 0
