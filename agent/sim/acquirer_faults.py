"""What can be wrong with the simulated acquirer, and which message meets it.

Faults are values with names, as those of the reference host. "After" means: the money has moved
before the fault. What a fault does to a connection is `agent.sim.acquirer`'s business.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from agent.errors import OperatorError


class Kind(StrEnum):
    """What happens to a message."""

    NONE = "none"
    DROP = "drop"  #: close the connection
    SILENT = "silent"  #: never answer; the connection stays
    CODE = "code"  #: answer field 39 = `code`
    FIELD = "field"  #: answer with `field` changed
    NO_CODE = "no_code"  #: answer without field 39
    MTI = "mti"  #: answer with another message type
    TPDU = "tpdu"  #: answer whose TPDU is not swapped
    GARBAGE = "garbage"  #: a frame that is no message
    LENGTH = "length"  #: an impossible length
    TRUNCATED = "truncated"  #: half a frame, then close
    SPLIT = "split"  #: one byte at a time
    TWICE = "twice"  #: the answer, and the same answer again
    STILL_THERE = "still_there"  #: frames of length 0 before the answer
    REFUSE = "refuse"  #: nobody listens


class Scope(StrEnum):
    """Which messages a fault meets."""

    ALL = "all"
    PAYMENT = "payment"  #: requests and advices
    REVERSAL = "reversal"
    OTHER = "other"  #: batch, settlement, network management


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault with its parameters."""

    kind: Kind = Kind.NONE
    name: str = "none"
    only: Scope = Scope.ALL
    times: int = 0  #: messages it meets, then it is gone; 0 = until switched off
    delay_s: float = 0.0  #: wait before answering; the money moves first
    after: bool = False  #: the money has moved before the fault
    code: str = "96"
    field: str = "11"

    @staticmethod
    def named(name: str, **changes: Any) -> Fault:
        """A fault of the table with some of its fields changed. Raises OperatorError."""
        base = NAMED.get(name)
        if base is None:
            raise OperatorError(
                "sim.fault_unknown", f"no fault is called {name!r}", f"one of: {', '.join(NAMED)}"
            )
        allowed = {entry.name: entry.type for entry in fields(Fault)}
        # A response code given as a number on the command line is meant as its two digits.
        if isinstance(changes.get("code"), int):
            changes["code"] = f"{changes['code']:02d}"
        if isinstance(changes.get("field"), int):
            changes["field"] = str(changes["field"])
        for entry, value in changes.items():
            if entry in ("kind", "name") or entry not in allowed or not _fits(value, entry):
                raise OperatorError("sim.fault_invalid", f"a fault has no {entry} = {value!r}")
        if "only" in changes:
            changes["only"] = Scope(changes["only"])
        return replace(base, **changes)


def _fits(value: object, entry: str) -> bool:
    match entry:
        case "after":
            return isinstance(value, bool)
        case "delay_s" | "times":
            return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        case "only":
            return value in set(Scope)
        case _:
            return isinstance(value, str)


NAMED: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(),
        Fault(name="delay", delay_s=1.0),
        Fault(name="drop_before", kind=Kind.DROP),
        Fault(name="drop_after", kind=Kind.DROP, after=True),
        Fault(name="black_hole", kind=Kind.SILENT),
        Fault(name="black_hole_after", kind=Kind.SILENT, after=True),
        Fault(name="code", kind=Kind.CODE),
        Fault(name="code_after", kind=Kind.CODE, after=True),
        Fault(name="wrong_stan", kind=Kind.FIELD, after=True, field="11"),
        Fault(name="wrong_terminal", kind=Kind.FIELD, after=True, field="41"),
        Fault(name="wrong_merchant", kind=Kind.FIELD, after=True, field="42"),
        Fault(name="wrong_amount", kind=Kind.FIELD, after=True, field="4"),
        Fault(name="no_code", kind=Kind.NO_CODE, after=True),
        Fault(name="wrong_mti", kind=Kind.MTI, after=True),
        Fault(name="wrong_tpdu", kind=Kind.TPDU, after=True),
        Fault(name="garbage", kind=Kind.GARBAGE, after=True),
        Fault(name="bad_length", kind=Kind.LENGTH, after=True),
        Fault(name="truncated", kind=Kind.TRUNCATED, after=True),
        Fault(name="split", kind=Kind.SPLIT, after=True),
        Fault(name="twice", kind=Kind.TWICE, after=True),
        Fault(name="still_there", kind=Kind.STILL_THERE, after=True),
        Fault(name="refuse", kind=Kind.REFUSE),
    )
}
NOTHING = NAMED["none"]


class FaultSwitch:
    """The fault in force, or a seeded mix of which each message draws its own."""

    def __init__(self) -> None:
        self.fault = NOTHING
        self.mix: Mapping[str, float] = {}
        self.met: Counter[str] = Counter()
        self._left = 0
        self._random = random.Random(0)

    def set(self, fault: Fault) -> None:
        """From now on this fault; ends a mix."""
        self.fault, self._left, self.mix = fault, fault.times, {}

    def set_mix(self, probabilities: Mapping[str, float], seed: int = 0) -> None:
        """From now on each message draws: names with their probabilities. Raises OperatorError."""
        for name, probability in probabilities.items():
            if Fault.named(name).kind is Kind.REFUSE or not _fits(probability, "delay_s"):
                raise OperatorError("sim.fault_invalid", f"{name} cannot be part of a mix so")
        if sum(probabilities.values()) > 1.000_001:
            raise OperatorError("sim.fault_invalid", "the probabilities of a mix exceed 1")
        self.set(NOTHING)
        self.mix, self._random = dict(probabilities), random.Random(seed)

    def draw(self, scope: Scope) -> Fault:
        """The fault this message meets."""
        fault = self._drawn() if self.mix else self.fault
        if fault.only not in (Scope.ALL, scope):
            return NOTHING
        if self._left:
            self._left -= 1
            if not self._left:
                self.fault = NOTHING
        if fault is not NOTHING:
            self.met[fault.name] += 1
        return fault

    def _drawn(self) -> Fault:
        rest = self._random.random()
        for name, probability in self.mix.items():
            rest -= probability
            if rest < 0:
                return NAMED[name]
        return NOTHING
