"""Which troubles this terminal has now, since when, and which of them anybody should see.

The tracker folds what watchers say into open conditions and emits changes. It delays what is
shown, never what is recorded; it lists consequences under their root; it tells *unknown* from
*fine*. It does not know what it tracks: meaning, severity, delays and dependencies come from the
catalogue. It reads no clock and does no IO: `agent.watch.runner` calls it and persists its result.

Two pairs of changes, for two readers. `began`/`ended` are facts, for history: when the trouble was
there. `shown`/`cleared` are announcements, for people and the fleet: a trouble that never lasted
long enough to be shown began and ended, but is neither shown nor cleared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum

from agent.core.health.conditions import Catalogue, Condition, Severity
from agent.core.health.noting import NOTHING_MORE, Note, Wish, noted
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.core.moment import Moment, at_ms
from agent.record import dataclass

#: Nothing new is shown this soon after the start: watchers need one round to agree.
START_GRACE_S = 5.0
#: A trouble that comes back this soon after it ended is the same one, flapping.
FLAP_WINDOW_S = 600.0
#: How long a silent component's last word counts, where its watcher's period is not told.
DEFAULT_HOLD_S = 60.0


class What(StrEnum):
    """What can happen to a condition."""

    BEGAN = "began"  #: recorded; nobody is told yet
    SHOWN = "shown"  #: it lasted: people and the fleet are told
    CLEARED = "cleared"  #: a shown one is over: they are told again
    ENDED = "ended"  #: recorded as over; `at` is when it stopped being true
    NOTED = "noted"  #: somebody took note of it, or handed it over
    RELEASED = "released"  #: that note is over: taken back, or its time has passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One open condition as everybody else sees it."""

    code: str
    component: str
    severity: Severity
    since_at: datetime
    shown_at: datetime | None  #: None: recorded, or a consequence nobody was told about
    args: Mapping[str, Value]  #: for the texts of the cause catalogue
    flaps: int  #: how often it went away and came back
    suppressed_by: str  #: code of the root it follows from; "" = it is a root itself
    known: bool = True  #: False: its component fell silent; neither confirmed nor over
    acknowledged_by: str = ""  #: who took note of it; that hides nothing
    acknowledged_at: datetime | None = None
    acknowledged_until: datetime | None = None  #: None: until it ends
    acknowledged_note: str = ""
    acknowledged_to: str = ""  #: who has it in hand; "": whoever took note


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something happened to a condition. `alarm` is its state right after that."""

    code: str
    what: What
    at: Moment
    alarm: Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentState:
    """The last thing a component said, and what the asking cost."""

    component: str
    outcome: Outcome
    at: datetime
    duration_ms: int
    success: bool  #: False only for Unknown: the other three are answers


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlarm:
    """A condition as it is kept over a restart: a row of the table `alarm`."""

    code: str
    since_ms: int
    shown_ms: int | None
    flaps: int
    args: Mapping[str, Value]
    note: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One change as the history keeps it."""

    code: str
    what: str
    at: datetime
    args: Mapping[str, Value]


@dataclass(slots=True)
class _Said:
    """What one component last said about one open condition."""

    truth: bool | None
    #: When its word stops counting because it fell silent since (boot time); None: it did not.
    fades_at_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class _Open:
    """One condition that is not plain fine."""

    condition: Condition
    component: str
    began: Moment
    args: Mapping[str, Value] = field(default_factory=dict)
    said: dict[str, _Said] = field(default_factory=dict)
    shown_ms: int | None = None  #: wall time
    flaps: int = 0
    note: Note | None = None
    #: Since when it is true and nobody else's consequence, without a break (boot time).
    steady_since_ms: int | None = None
    #: Since when it is no longer true.
    quiet_since: Moment | None = None

    @property
    def truth(self) -> bool | None:
        told = [said.truth for said in self.said.values()]
        if True in told:
            return True
        return None if None in told or not told else False


class Tracker:
    """All open conditions of one terminal. Delays run on boot time only: clocks may jump."""

    def __init__(
        self,
        catalogue: Catalogue,
        now: Moment,
        holds_s: Mapping[str, float] | None = None,
    ) -> None:
        """`holds_s`: component -> how long its last word counts after it fell silent."""
        self._catalogue = catalogue
        self._holds_s = holds_s or {}
        self._shows_from_ms = now.boot_ms + round(START_GRACE_S * 1000)
        self._open: dict[str, _Open] = {}
        self._components: dict[str, ComponentState] = {}
        self._ended: dict[str, tuple[int, int]] = {}  # code -> (boot ms, flaps)

    def observe(
        self, component: str, outcome: Outcome, duration_ms: int, now: Moment
    ) -> list[Change]:
        """Take in what `component` said."""
        self._components[component] = ComponentState(
            component=component,
            outcome=outcome,
            at=now.at,
            duration_ms=duration_ms,
            success=not isinstance(outcome, Unknown),
        )
        began: list[str] = []
        match outcome:
            case Reading():
                began = self._heard(component, outcome, now)
            case Unknown():
                began = self._silent(component, outcome, now)
            case _:  # NotFitted, NotObservable
                return [*self._gone(component, now), *self.tick(now)]
        # Built before the tick, which may show them at once: history reads began, then shown.
        changes = [self._change(code, What.BEGAN, now) for code in began]
        return [*changes, *self.tick(now)]

    def tick(self, now: Moment) -> list[Change]:
        """Let time pass: fade what silent components said, end, suppress and show."""
        changes: list[Change] = []
        for one in list(self._open.values()):
            _trust(one, now)
            _fade(one, now)
            if one.note is not None and one.note.over(now):
                one.note = None
                changes.append(self._change(one.condition.code, What.RELEASED, now))
            changes += self._settle(one, now)
        for one in self._open.values():
            changes += self._reveal(one, now)
        return changes

    def alarms(self) -> list[Alarm]:
        """What people should see: roots, worst and oldest first, then what follows from them."""
        seen = [self._alarm(one) for one in self._open.values() if self._visible(one)]
        order = list(Severity)
        return sorted(
            seen,
            key=lambda alarm: (
                alarm.suppressed_by != "",
                order.index(alarm.severity),
                alarm.since_at,
                alarm.code,
            ),
        )

    def acknowledge(
        self, code: str, by: str, now: Moment, wish: Wish | None = NOTHING_MORE
    ) -> Change | None:
        """Somebody takes note of a visible alarm, or takes that back (`wish` is None).

        None: it is not there. A note nobody made can be taken back, too.
        """
        one = self._open.get(code)
        if one is None or not self._visible(one):
            return None
        one.note = None if wish is None else noted(one.note, by, wish, now)
        return self._change(code, What.RELEASED if wish is None else What.NOTED, now)

    def components(self) -> list[ComponentState]:
        """The last word of every component heard since the start."""
        return list(self._components.values())

    def snapshot(self) -> list[OpenAlarm]:
        """Everything open, shown or not, to be kept over a restart."""
        return [
            OpenAlarm(
                code=code,
                since_ms=one.began.wall_ms,
                shown_ms=one.shown_ms,
                flaps=one.flaps,
                args=one.args,
                note=one.note,
            )
            for code, one in self._open.items()
        ]

    def restore(
        self, saved: Iterable[OpenAlarm], components: Iterable[str], now: Moment
    ) -> list[Change]:
        """Take up what was open before the restart; to be called once, before any observation.

        Kept as *unknown* until its component speaks: neither over nor confirmed. What nobody in
        `components` could ever confirm or clear is ended at once.
        """
        present = set(components)
        changes: list[Change] = []
        for old in saved:
            if old.code not in self._catalogue:
                continue
            condition = self._catalogue[old.code]
            raised_by = old.args.get("component")  # set where it was raised by falling silent
            told_by = {sign.component for sign in condition.signs} | {condition.silence_of}
            if isinstance(raised_by, str):
                told_by = {raised_by}
            self._open[old.code] = _Open(
                condition=condition,
                component=raised_by if isinstance(raised_by, str) else condition.component,
                began=replace(now, wall_ms=old.since_ms, boot_id="", trusted=True),
                args=dict(old.args),
                said={name: _Said(None) for name in told_by & present},
                shown_ms=old.shown_ms,
                flaps=old.flaps,
                note=old.note,
            )
            if not told_by & present:
                changes += self._end(old.code, now, now)
        return changes

    def _heard(self, component: str, reading: Reading, now: Moment) -> list[str]:
        began: list[str] = []
        judged: set[str] = set()
        told = {**reading.evidence, **reading.values}
        for condition, sign in self._catalogue.judged_by(component):
            judged.add(condition.code)
            truth = sign.judge(reading.values)
            if truth is None:
                self._fading(condition.code, component, now)
            else:
                began += self._say(condition, component, truth, sign.shown(told), now)
        for code, one in self._open.items():
            # It raised this by being silent, and it speaks again.
            if code not in judged and component in one.said:
                one.said[component] = _Said(False)
        return began

    def _silent(self, component: str, outcome: Unknown, now: Moment) -> list[str]:
        condition = self._catalogue.silence(component, outcome.code)
        raised = condition.code if condition is not None else ""
        for code, one in self._open.items():
            if code == raised or component not in one.said:
                continue
            if one.condition.sign_of(component) is None:
                one.said[component] = _Said(False)  # silent for another reason than before
            else:
                self._fading(code, component, now)
        if condition is None:
            return []
        args: dict[str, Value] = {
            **outcome.evidence,
            "component": component,
            "reason": outcome.reason,
        }
        return self._say(condition, component, True, args, now)

    def _gone(self, component: str, now: Moment) -> list[Change]:
        """A component that is not there, or not to be seen from here, has no trouble."""
        changes: list[Change] = []
        for code, one in list(self._open.items()):
            if one.said.pop(component, None) is not None and not one.said:
                changes += self._end(code, now, now)
        return changes

    def _say(
        self,
        condition: Condition,
        component: str,
        truth: bool,
        args: Mapping[str, Value],
        now: Moment,
    ) -> list[str]:
        """Note one component's word; the code if that opened the condition."""
        one = self._open.get(condition.code)
        opened: list[str] = []
        if one is None:
            if not truth:
                return []
            one = _Open(condition=condition, component=component, began=now)
            ended_at_ms, flaps = self._ended.pop(condition.code, (None, 0))
            if ended_at_ms is not None and now.boot_ms - ended_at_ms <= FLAP_WINDOW_S * 1000:
                one.flaps = flaps + 1
            self._open[condition.code] = one
            opened = [condition.code]
        one.said[component] = _Said(truth)
        if truth:
            one.args = dict(args)
            one.component = component
        return opened

    def _fading(self, code: str, component: str, now: Moment) -> None:
        one = self._open.get(code)
        said = one.said.get(component) if one is not None else None
        if said is not None and said.fades_at_ms is None:
            hold_s = self._holds_s.get(component, DEFAULT_HOLD_S)
            said.fades_at_ms = now.boot_ms + round(hold_s * 1000)

    def _settle(self, one: _Open, now: Moment) -> list[Change]:
        match one.truth:
            case True:
                if one.quiet_since is not None:
                    one.flaps += 1
                one.quiet_since = None
            case None:
                one.quiet_since = None
                one.steady_since_ms = None
            case _:
                one.quiet_since = one.quiet_since or now
                one.steady_since_ms = None
                quiet_ms = now.boot_ms - one.quiet_since.boot_ms
                if quiet_ms >= one.condition.clear_after_s * 1000:
                    return self._end(one.condition.code, one.quiet_since, now)
        return []

    def _reveal(self, one: _Open, now: Moment) -> list[Change]:
        if one.truth is not True or self._root(one.condition):
            # When the root is gone, what followed from it gets its full delay again: the last
            # word about it may be older than the repair.
            one.steady_since_ms = None
            return []
        if one.steady_since_ms is None:
            one.steady_since_ms = now.boot_ms
        lasted_ms = now.boot_ms - one.steady_since_ms
        if (
            one.shown_ms is not None
            or now.boot_ms < self._shows_from_ms
            or lasted_ms < one.condition.visible_after_s * 1000
        ):
            return []
        one.shown_ms = now.wall_ms
        return [self._change(one.condition.code, What.SHOWN, now)]

    def _end(self, code: str, at: Moment, now: Moment) -> list[Change]:
        one = self._open[code]
        changes = [self._change(code, What.ENDED, at)]
        if one.shown_ms is not None:
            changes.append(self._change(code, What.CLEARED, now))
        del self._open[code]
        self._ended[code] = (now.boot_ms, one.flaps)
        return changes

    def _root(self, condition: Condition) -> str:
        """The code this one follows from, or "".

        Looks through what is not open itself: with the link gone nobody can tell about the
        gateway, and the host is a consequence all the same. There are no circles.
        """
        for code in condition.depends_on:
            root = self._root(self._catalogue[code])
            if root or code in self._open:
                return root or code
        return ""

    def _visible(self, one: _Open) -> bool:
        root = self._root(one.condition)
        return one.shown_ms is not None or (root != "" and self._open[root].shown_ms is not None)

    def _change(self, code: str, what: What, at: Moment) -> Change:
        return Change(code=code, what=what, at=at, alarm=self._alarm(self._open[code]))

    def _alarm(self, one: _Open) -> Alarm:
        note, wish = one.note, one.note.wish if one.note else NOTHING_MORE
        return Alarm(
            code=one.condition.code,
            component=one.component,
            severity=one.condition.severity,
            since_at=one.began.at,
            shown_at=None if one.shown_ms is None else at_ms(one.shown_ms),
            args=one.args,
            flaps=one.flaps,
            suppressed_by=self._root(one.condition),
            known=one.truth is not None,
            acknowledged_by=note.by if note else "",
            acknowledged_at=None if note is None else at_ms(note.at_ms),
            acknowledged_until=None if wish.until_ms is None else at_ms(wish.until_ms),
            acknowledged_note=wish.text,
            acknowledged_to=wish.to,
        )


def _trust(one: _Open, now: Moment) -> None:
    """Put right what a wrong wall clock dated, as soon as the clock can be believed."""
    if one.began.trusted or not now.trusted or one.began.boot_id != now.boot_id:
        return
    wrong_by_ms = now.wall_ms - (now.boot_ms - one.began.boot_ms) - one.began.wall_ms
    one.began = replace(one.began, wall_ms=one.began.wall_ms + wrong_by_ms, trusted=True)
    if one.shown_ms is not None:
        one.shown_ms += wrong_by_ms


def _fade(one: _Open, now: Moment) -> None:
    for said in one.said.values():
        if said.fades_at_ms is not None and now.boot_ms >= said.fades_at_ms:
            said.truth = None
