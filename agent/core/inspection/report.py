"""What a self-inspection found: one verdict for each check, with evidence, cause and duration.

Decides what an answer is worth: a component that says nothing is *unknown*, never failed; one whose
values meet a condition of the catalogue warns or fails by that condition's severity; what follows
from another check's trouble says so. Asks nobody and reads no clock: `agent.watch.inspection` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum

from agent.core.health.conditions import Catalogue, Severity
from agent.core.health.reading import (
    NotObservable,
    Outcome,
    Reading,
    Unknown,
    Value,
)
from agent.record import dataclass

#: A report is kept and sent: a value longer than this is evidence of nothing.
VALUE_CHARS = 160
#: The value with which a component says which right it lacks to tell the rest.
NEEDS = "needs"
#: Values of one check.
MOST_VALUES = 60


class Verdict(StrEnum):
    """What a check came to, the worst first."""

    FAIL = "fail"  #: money does not move or cannot be taken, or a device is out
    WARN = "warn"  #: works, with a limp, or will not for long
    UNKNOWN = "unknown"  #: no answer: neither fine nor a fault
    PASS = "pass"
    NOT_FITTED = "not_fitted"  #: this terminal has no such thing
    NOT_OBSERVABLE = "not_observable"  #: it has, and nobody can look from here, by design


class Trigger(StrEnum):
    """Who wanted it."""

    ASKED = "asked"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Looked:
    """What one check saw. `codes`: causes it names by itself, beside the catalogue's conditions."""

    outcome: Outcome
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check and its verdict."""

    name: str
    verdict: Verdict
    duration_ms: int
    codes: tuple[str, ...] = ()  #: of causes, the worst first
    args: Mapping[str, Value] = field(default_factory=dict)  #: for the texts of the first
    reason: str = ""  #: why nothing is known
    evidence: Mapping[str, Value] = field(default_factory=dict)
    follows: str = ""  #: cause found by another check that this one follows from

    @property
    def code(self) -> str:
        """Its cause; "" where there is none."""
        return self.codes[0] if self.codes else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One inspection, under way or over."""

    number: int
    trigger: Trigger
    actor: str
    started_ms: int  #: UTC
    ended_ms: int | None = None  #: None: under way
    expected: tuple[str, ...] = ()  #: names of all its checks, in the order they are shown
    checks: tuple[Check, ...] = ()  #: in the order they ended

    @property
    def totals(self) -> dict[str, int]:
        """How many checks came to what; every verdict is named."""
        counted = Counter(check.verdict for check in self.checks)
        return {verdict.value: counted[verdict] for verdict in Verdict}

    def shown(self) -> Iterator[Check]:
        """The checks in the order they are shown, with what they follow from."""
        order = {name: place for place, name in enumerate(self.expected)}
        yield from sorted(self.checks, key=lambda check: order.get(check.name, len(order)))


def judged(name: str, looked: Looked, duration_ms: int, catalogue: Catalogue) -> Check:
    """The verdict over what was seen."""
    match looked.outcome:
        case Reading(values=values, evidence=evidence):
            found = [
                (condition.severity, condition.code, sign.shown(values))
                for condition, sign in catalogue.judged_by(name)
                if sign.judge(values) is True
            ]
            named = {code for _, code, _ in found}
            found += [
                (_severity(code, catalogue), code, values)
                for code in looked.codes
                if code not in named
            ]
            ranks = list(Severity)
            found.sort(key=lambda one: ranks.index(one[0]))  # stable: the catalogue's order
            verdict = _worth([severity for severity, _, _ in found])
            needs = values.get(NEEDS)
            if needs and verdict is Verdict.PASS:
                verdict = Verdict.UNKNOWN
            return Check(
                name=name,
                verdict=verdict,
                duration_ms=duration_ms,
                codes=tuple(code for _, code, _ in found),
                args=_short(found[0][2]) if found else {},
                reason=_cut(f"needs {needs}") if needs and not found else "",
                evidence=_short({**evidence, **values}),
            )
        case Unknown(reason=reason, code=code, evidence=evidence):
            return Check(
                name=name,
                verdict=Verdict.UNKNOWN,
                duration_ms=duration_ms,
                codes=_silence(name, code, catalogue),
                args=_short({"component": name, "reason": reason, **evidence}),
                reason=_cut(reason),
                evidence=_short(evidence),
            )
        case NotObservable(why=why):
            verdict, reason = Verdict.NOT_OBSERVABLE, _cut(why)
        case _:  # NotFitted
            verdict, reason = Verdict.NOT_FITTED, ""
    return Check(name=name, verdict=verdict, duration_ms=duration_ms, reason=reason)


def related(checks: Sequence[Check], catalogue: Catalogue) -> tuple[Check, ...]:
    """The same checks; one whose cause depends on what another found says which cause that is."""
    held = {code for check in checks for code in check.codes}

    def root(code: str) -> str:
        for above in catalogue[code].depends_on if code in catalogue else ():
            further = root(above)
            if further or above in held:
                return further or above
        return ""

    return tuple(replace(check, follows=root(check.code)) for check in checks)


def to_plain(report: Report) -> dict[str, object]:
    """The report as plain values, for keeping."""
    return {
        "expected": list(report.expected),
        "checks": [
            {
                "name": check.name,
                "verdict": check.verdict.value,
                "duration_ms": check.duration_ms,
                "codes": list(check.codes),
                "args": dict(check.args),
                "reason": check.reason,
                "evidence": dict(check.evidence),
                "follows": check.follows,
            }
            for check in report.checks
        ],
    }


def checks_from(plain: object) -> tuple[tuple[str, ...], tuple[Check, ...]]:
    """Names expected and checks out of what `to_plain` made; what cannot be read is left out."""
    if not isinstance(plain, dict):
        return (), ()
    expected = tuple(str(name) for name in _list(plain.get("expected")))
    return expected, tuple(_checks(_list(plain.get("checks"))))


def _checks(items: Iterable[object]) -> Iterator[Check]:
    for one in items:
        if not isinstance(one, dict) or one.get("verdict") not in list(Verdict):
            continue
        duration = one.get("duration_ms")
        yield Check(
            name=str(one.get("name", "")),
            verdict=Verdict(one["verdict"]),
            duration_ms=duration if isinstance(duration, int) else 0,
            codes=tuple(str(code) for code in _list(one.get("codes"))),
            args=_values(one.get("args")),
            reason=str(one.get("reason", "")),
            evidence=_values(one.get("evidence")),
            follows=str(one.get("follows", "")),
        )


def _silence(name: str, code: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The cause of a silence: as named, else that of the component; no general one."""
    if code not in catalogue:
        code = next((one.code for one in catalogue if one.silence_of == name), code)
    return (code,) if code else ()


def _worth(found: Sequence[Severity]) -> Verdict:
    if not found:
        return Verdict.PASS
    return Verdict.FAIL if found[0] in (Severity.CRITICAL, Severity.MAJOR) else Verdict.WARN


def _severity(code: str, catalogue: Catalogue) -> Severity:
    return catalogue[code].severity if code in catalogue else Severity.MAJOR


def _short(values: Mapping[str, Value]) -> dict[str, Value]:
    told = [(name, value) for name, value in values.items() if value is not None and value != ""]
    return {
        name: _cut(value) if isinstance(value, str) else value for name, value in told[:MOST_VALUES]
    }


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS else text[: VALUE_CHARS - 1] + "…"


def _list(plain: object) -> list[object]:
    return plain if isinstance(plain, list) else []


def _values(plain: object) -> dict[str, Value]:
    if not isinstance(plain, dict):
        return {}
    return {
        str(name): value
        for name, value in plain.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
