"""Whether a fact has moved enough to be worth a message: report by exception, with hysteresis.

Pure. `telemetry.recorder` asks at each period; what was last *recorded* for sending is the
baseline, because the outbox delivers it. A SIM card pays for every message: a latency that jitters
or an uptime that counts is not news, a roll that ran out is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from agent.core.fleet.messages import main_cause, oldest_age_s
from agent.core.health.reading import Value
from agent.core.moment import Moment
from agent.core.money.journal import Amounts, Backlog, State
from agent.record import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A number has moved when it differs by at least `absolute` and by `relative` of the old."""

    absolute: float
    relative: float = 0.0


#: By the unit at the end of the name. Whatever always grows is only in the full report.
STEPS: Mapping[str, Step | None] = {
    "uptime_s": None,
    "_at_ms": None,
    "_at": None,
    "_ts": None,
    "_ago": None,
    "_percent": Step(5),
    "_dbm": Step(6),
    "_db": Step(4),
    "_mbps": Step(5, 0.50),
    "_c": Step(3),
    "_days": Step(1),
    "_mb": Step(8, 0.10),
    "_kb": Step(1024, 0.10),
    "_bytes": Step(1 << 20, 0.10),
    "_ms": Step(100, 0.50),
    "_s": Step(60, 0.25),
}
DEFAULT_STEP = Step(0, 0.10)


def moved(name: str, old: Value, new: Value) -> bool:
    """Whether a value differs enough from the one last sent."""
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return False
    step = next((step for unit, step in STEPS.items() if name.endswith(unit)), DEFAULT_STEP)
    if step is None and old is not None and new is not None:
        return False
    if step is None or not _number(old) or not _number(new):
        return True
    difference = abs(float(new or 0) - float(old or 0))
    return difference >= step.absolute and difference >= step.relative * abs(float(old or 0))


def _number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(slots=True)
class Readings:
    """What the fleet was last told about the components."""

    alarms: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    fields: dict[str, Value] = field(default_factory=dict)
    full_due_ms: int = 0

    def difference(self, now: Mapping[str, Value]) -> dict[str, Value]:
        """The fields worth sending; one that vanished is null."""
        news = {
            name: value
            for name, value in now.items()
            if name not in self.fields or moved(name, self.fields[name], value)
        }
        gone: dict[str, Value] = {
            name: None
            for name, value in self.fields.items()
            if name not in now and value is not None
        }
        return news | gone

    def told(
        self,
        fields: Mapping[str, Value],
        alarms: tuple[str, ...],
        acknowledged: tuple[str, ...],
        *,
        full: bool,
    ) -> None:
        """A message with these was recorded."""
        self.alarms, self.acknowledged = alarms, acknowledged
        self.fields = dict(fields) if full else self.fields | dict(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    stuck: bool
    count: int
    sums: Mapping[str, int]
    apart: tuple[int, int, int]
    cause: str


@dataclass(slots=True)
class BacklogEdges:
    """Tells a stuck backlog from the payments that are merely on their way.

    On a busy counter the backlog is 0, 1, 0, 1 all day. It is news when the oldest has waited
    `stuck_after_s`, when it then doubles or halves, when its cause changes, when it is gone, and
    whenever something is held, in doubt or quarantined that was not before. Whatever was told, that
    nothing is left is told too: the last word stays with the broker.
    """

    stuck_after_s: float
    _last: _Known | None = None

    @property
    def known(self) -> bool:
        """Whether the fleet was ever told."""
        return self._last is not None

    def edge(self, facts: Backlog, at: Moment) -> bool:
        """Whether to tell the fleet now. The first time always: it may believe the past."""
        last = self._last
        if last is None:
            return True
        now = self._know(facts, at)
        if now.stuck != last.stuck or now.apart != last.apart:
            return True
        if last.count and not now.count:
            return True
        return now.stuck and (now.cause != last.cause or self._far(now, last))

    def lasting(self, facts: Backlog, at: Moment) -> bool:
        """Whether there is something to say again: more than payments on their way."""
        now = self._know(facts, at)
        return now.stuck or any(now.apart)

    def crosses_in_s(self, facts: Backlog, at: Moment) -> float | None:
        """How long until the oldest counts as stuck; None: it does, or nothing waits."""
        age_s = oldest_age_s(facts, at)
        if not facts.total.count or age_s is None or age_s >= self.stuck_after_s:
            return None
        return self.stuck_after_s - age_s

    def told(self, facts: Backlog, at: Moment) -> None:
        """A message with these was recorded: the new baseline."""
        self._last = self._know(facts, at)

    def _know(self, facts: Backlog, at: Moment) -> _Known:
        age_s = oldest_age_s(facts, at)
        # Without a clock to trust an age is unknown, and unsent money counts as stuck.
        waited = age_s is None or age_s >= self.stuck_after_s
        # What is on its way to the host right now is in doubt only for that moment.
        sending = facts.by_state.get(State.SENDING, Amounts()).count
        return _Known(
            stuck=facts.total.count > 0 and waited,
            count=facts.total.count,
            sums=facts.total.by_currency,
            apart=(
                facts.held.count,
                max(0, facts.in_doubt.count - sending),
                -1 if facts.quarantined is None else facts.quarantined.count,
            ),
            cause=main_cause(facts)[0],
        )

    @staticmethod
    def _far(now: _Known, last: _Known) -> bool:
        pairs = [(now.count, last.count)]
        currencies = set(now.sums) | set(last.sums)
        pairs += [(now.sums.get(each, 0), last.sums.get(each, 0)) for each in currencies]
        return any(a != b and (abs(a) >= 2 * abs(b) or abs(b) >= 2 * abs(a)) for a, b in pairs)
