"""What a watcher can say about its component, and the four ways of having nothing to say.

unknown is not a fault and a fault is not unknown: the type keeps them apart, so that nobody
downstream can turn a silent cable into an empty paper roll.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from agent.record import dataclass

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Reading:
    """The component answered. `values` are flat, plain names with units (`free_mb`, `paper`)."""

    values: Mapping[str, Value]
    #: Evidence worth showing beside a finding: raw bytes as hex, addresses, versions.
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotFitted:
    """This terminal has no such component, by configuration. Never alarms."""


@dataclass(frozen=True, slots=True)
class NotObservable:
    """It exists but cannot be seen from here by design. Permanent, never alarms."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It should have answered and did not. `reason` is a sentence, `code` its cause code."""

    reason: str
    code: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)


Outcome = Reading | NotFitted | NotObservable | Unknown
