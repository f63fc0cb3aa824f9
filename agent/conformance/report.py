"""What an examination found: one line per requirement, sayable in both languages.

A requirement holds when at least one request showed it and none broke it. Decides nothing about
requests (the examiners do) and nothing about layout (the command line does).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agent.conformance.requirements import REQUIREMENTS, Level, Requirement
from agent.core.why.text import Arg, Language, Line, Text

#: More of the same help nobody.
MOST_SIGHTS = 4


class Verdict(StrEnum):
    """What became of one requirement."""

    HOLDS = "holds"
    FAILS = "fails"
    ADVICE = "advice"  #: SHOULD, and is not so
    UNSEEN = "unseen"  #: nothing in this run could show it


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One requirement after the run."""

    requirement: Requirement
    verdict: Verdict
    shown: int  #: how many requests showed that it holds
    seen: tuple[Line, ...]  #: what broke it, or why it was not looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A test payment the host says it posted: somebody has to take it back."""

    key: str
    amount_minor: int
    currency: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole run."""

    findings: tuple[Finding, ...]
    posted: tuple[Posted, ...]
    requests: int

    @property
    def holds(self) -> bool:
        """Whether the host keeps every MUST that could be looked at."""
        return not self.count(Verdict.FAILS)

    def count(self, verdict: Verdict) -> int:
        return sum(finding.verdict is verdict for finding in self.findings)

    def as_plain(self, lang: Language) -> dict[str, Any]:
        """For programs."""
        return {
            "holds": self.holds,
            "requests": self.requests,
            "counts": {verdict.value: self.count(verdict) for verdict in Verdict},
            "requirements": [_plain(finding, lang) for finding in self.findings],
            "posted": [
                {
                    "key": one.key,
                    "amount_minor": one.amount_minor,
                    "currency": one.currency,
                    "reference": one.reference,
                }
                for one in self.posted
            ],
        }


def _plain(finding: Finding, lang: Language) -> dict[str, Any]:
    requirement = finding.requirement
    return {
        "number": requirement.number,
        "level": requirement.level.value,
        "verdict": finding.verdict.value,
        "shown": finding.shown,
        "asks": requirement.asks.render(lang),
        "costs": requirement.costs.render(lang),
        "seen": [line.render(lang) for line in finding.seen],
    }


@dataclass(slots=True)
class Notes:
    """What is written down while examining."""

    held: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    broken: defaultdict[int, list[Line]] = field(default_factory=lambda: defaultdict(list))
    passed_over: dict[int, Line] = field(default_factory=dict)
    posted: dict[str, Posted] = field(default_factory=dict)
    requests: int = 0

    def holds(self, number: int) -> None:
        """A request showed it."""
        self.held[number] += 1

    def breaks(self, number: int, text: Text, **args: Arg) -> None:
        """A request broke it; said once however often."""
        line = Line(text, args)
        lines = self.broken[number]
        if line not in lines and len(lines) < MOST_SIGHTS:
            lines.append(line)

    def unseen(self, number: int, text: Text, **args: Arg) -> None:
        """Why it could not be looked at."""
        self.passed_over.setdefault(number, Line(text, args))

    def report(self) -> Report:
        return Report(
            findings=tuple(self._finding(one) for one in REQUIREMENTS.values()),
            posted=tuple(self.posted.values()),
            requests=self.requests,
        )

    def _finding(self, requirement: Requirement) -> Finding:
        number = requirement.number
        seen = tuple(self.broken.get(number, ()))
        if seen:
            must = requirement.level is Level.MUST
            verdict = Verdict.FAILS if must else Verdict.ADVICE
        elif self.held.get(number):
            verdict = Verdict.HOLDS
        else:
            verdict = Verdict.UNSEEN
            seen = (self.passed_over.get(number, Line(_NOTHING)),)
        return Finding(
            requirement=requirement, verdict=verdict, shown=self.held.get(number, 0), seen=seen
        )


_NOTHING = Text("本次没有任何请求能够看出", "no request of this run could show it")
