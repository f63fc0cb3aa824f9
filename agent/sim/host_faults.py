"""What can be wrong with the simulated host, and which fault the next request meets.

Faults are values with names (`NAMED`): `Fault.named("error_503", retry_after_s=2)`. One fault may
stand for all requests, or a seeded mix draws one per request. This file decides *which*; what a
fault does to a connection is the host's business (`agent.sim.host`).
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
    """What happens to a request. "Before" and "after" mean: the payment is posted or not."""

    NONE = "none"  #: answer as the contract says (with `delay_s`: late)
    DROP = "drop"  #: close the connection without a byte of answer
    STATUS = "status"  #: answer with `status` and a plain error body
    IN_PROGRESS = "in_progress"  #: 409 for `tries` requests of each key, then post
    MALFORMED = "malformed"  #: posted, answered with bytes that are not the JSON promised
    EMPTY = "empty"  #: posted, answered with no body
    TRUNCATED = "truncated"  #: posted, answered with half of the body announced
    WRONG_ECHO = "wrong_echo"  #: posted, answered with another `echo` field
    DECLINE = "decline"  #: refused by business rule `code`, stored as final
    DRIP = "drip"  #: posted, answered one byte a second
    SILENT = "silent"  #: connection accepted, never answered
    REFUSE = "refuse"  #: nobody listens: connection refused


class Scope(StrEnum):
    """Which requests a fault meets."""

    POST = "post"
    STATUS = "status"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault with its parameters."""

    kind: Kind = Kind.NONE
    name: str = "none"
    only: Scope = Scope.BOTH
    times: int = 0  #: requests it meets, then it is gone; 0 = until switched off
    delay_s: float = 0.0  #: wait before posting, with the key in progress meanwhile
    after: bool = False  #: the payment is posted (and the ledger synced) before the fault
    status: int = 500
    retry_after_s: int | None = None
    tries: int = 2
    code: str = "51"  #: response code of a decline
    echo: str = "amount_minor"  #: field answered wrongly: amount_minor, currency, key, terminal_id

    @staticmethod
    def named(name: str, **changes: Any) -> Fault:
        """A fault of the table below, with some of its fields changed. Checks what it is given."""
        base = NAMED.get(name)
        if base is None:
            raise OperatorError(
                "sim.fault_unknown", f"no fault is called {name!r}", f"one of: {', '.join(NAMED)}"
            )
        allowed = {field.name: field.type for field in fields(Fault)}
        for field, value in changes.items():
            if field in {"kind", "name"} or field not in allowed:
                raise OperatorError("sim.fault_invalid", f"a fault has no setting {field!r}")
            if not _fits(value, str(allowed[field])):
                raise OperatorError(
                    "sim.fault_invalid", f"{field} must be {allowed[field]}, not {value!r}"
                )
        if "only" in changes:
            changes["only"] = Scope(changes["only"])
        return replace(base, **changes)


def _fits(value: object, wanted: str) -> bool:
    match wanted:
        case "bool":
            return isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        case "int" | "int | None":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case "Scope":
            return value in set(Scope)
        case _:
            return isinstance(value, str)


def _table(*faults: Fault) -> Mapping[str, Fault]:
    return {fault.name: fault for fault in faults}


NAMED: Mapping[str, Fault] = _table(
    Fault(),
    Fault(name="delay", delay_s=1.0),
    Fault(name="drop_before", kind=Kind.DROP),
    Fault(name="drop_after", kind=Kind.DROP, after=True),
    Fault(name="error_500", kind=Kind.STATUS),
    Fault(name="error_500_after", kind=Kind.STATUS, after=True),
    Fault(name="error_502", kind=Kind.STATUS, status=502),
    Fault(name="error_502_after", kind=Kind.STATUS, status=502, after=True),
    Fault(name="error_503", kind=Kind.STATUS, status=503, retry_after_s=1),
    Fault(name="busy", kind=Kind.STATUS, status=429, retry_after_s=1),
    Fault(name="unauthorised", kind=Kind.STATUS, status=401),
    Fault(name="forbidden", kind=Kind.STATUS, status=403),
    Fault(name="bad_request", kind=Kind.STATUS, status=400),
    Fault(name="mismatch", kind=Kind.STATUS, status=422, only=Scope.POST),
    Fault(name="redirect", kind=Kind.STATUS, status=302),
    Fault(name="in_progress", kind=Kind.IN_PROGRESS),
    Fault(name="malformed", kind=Kind.MALFORMED),
    Fault(name="empty", kind=Kind.EMPTY),
    Fault(name="truncated", kind=Kind.TRUNCATED),
    Fault(name="wrong_amount", kind=Kind.WRONG_ECHO),
    Fault(name="wrong_key", kind=Kind.WRONG_ECHO, echo="key"),
    Fault(name="decline", kind=Kind.DECLINE, only=Scope.POST),
    Fault(name="drip", kind=Kind.DRIP),
    Fault(name="black_hole", kind=Kind.SILENT),
    Fault(name="black_hole_after", kind=Kind.SILENT, after=True),
    Fault(name="refuse", kind=Kind.REFUSE),
)

NOTHING = NAMED["none"]


class FaultSwitch:
    """The fault in force. Draws are seeded: the same requests in the same order meet the same."""

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
        """From now on each request draws: names of `NAMED` with their probabilities."""
        for name, probability in probabilities.items():
            if Fault.named(name).kind is Kind.REFUSE:
                raise OperatorError("sim.fault_invalid", "refuse cannot be part of a mix")
            if not _fits(probability, "float"):
                raise OperatorError("sim.fault_invalid", f"{probability!r} is not a probability")
        if sum(probabilities.values()) > 1.000_001:
            raise OperatorError("sim.fault_invalid", "the probabilities of a mix exceed 1")
        self.set(NOTHING)
        self.mix, self._random = dict(probabilities), random.Random(seed)

    def draw(self, scope: Scope) -> Fault:
        """The fault this request meets."""
        fault = self._drawn() if self.mix else self.fault
        if fault.only not in (Scope.BOTH, scope):
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
