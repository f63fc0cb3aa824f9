"""The tracker: what is recorded, what is shown, when it is over, what follows from what."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.core.health.conditions import Catalogue, Condition, Severity, Sign, holds
from agent.core.health.reading import (
    NotFitted,
    NotObservable,
    Outcome,
    Reading,
    Unknown,
    Value,
)
from agent.core.health.tracker import Alarm, Change, OpenAlarm, Tracker, What
from tests.fakes import FakeClock


def condition(
    code: str,
    *components: str,
    after: tuple[str, ...] = (),
    severity: Severity = Severity.MAJOR,
    visible_s: float = 10,
    clear_s: float = 5,
    silence_of: str = "",
) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=tuple(
            Sign(component=name, judge=holds(code.partition(".")[2]), args=("what", "raw"))
            for name in components
        ),
        depends_on=after,
        visible_after_s=visible_s,
        clear_after_s=clear_s,
        silence_of=silence_of,
    )


CATALOGUE = Catalogue(
    [
        condition("net.link", "net"),
        condition("net.gate", "net", after=("net.link",)),
        condition("net.host", "net", "up", after=("net.gate",), visible_s=0),
        condition("dev.silent", silence_of="dev", severity=Severity.MINOR),
        condition("dev.garbage", severity=Severity.MINOR),
        condition("dev.out", "dev", after=("dev.silent",)),
        condition("dev.low", "dev", after=("dev.silent",), severity=Severity.WARNING),
        condition("own.degraded", "own", severity=Severity.CRITICAL),
    ],
    silent="own.degraded",
)


class Bench:
    """A tracker past its start-up grace, and a clock."""

    def __init__(self, *, grace: bool = False) -> None:
        self.clock = FakeClock()
        self.tracker = Tracker(CATALOGUE, self.clock.now(), holds_s={"dev": 30})
        if not grace:
            self.clock.advance(60)

    def see(self, component: str, outcome: Outcome) -> list[str]:
        changes = self.tracker.observe(component, outcome, 3, self.clock.now())
        return told(changes)

    def read(self, component: str, **values: Value) -> list[str]:
        return self.see(component, Reading(values))

    def wait(self, seconds: float) -> list[str]:
        self.clock.advance(seconds)
        return told(self.tracker.tick(self.clock.now()))

    def shown(self) -> list[str]:
        return [
            f"{one.code}<{one.suppressed_by}" if one.suppressed_by else one.code
            for one in self.tracker.alarms()
        ]

    def only(self) -> Alarm:
        (alarm,) = self.tracker.alarms()
        return alarm


def told(changes: Sequence[Change]) -> list[str]:
    return [f"{one.code} {one.what}" for one in changes]


def test_recorded_at_once_shown_after_its_delay() -> None:
    """A trouble enters the history the moment it is seen and the screen when it lasted."""
    bench = Bench()
    began_at = bench.clock.now().at
    assert bench.read("dev", out=True) == ["dev.out began"]
    assert bench.wait(9.9) == []
    assert bench.shown() == []
    assert bench.wait(0.1) == ["dev.out shown"]
    alarm = bench.only()
    assert alarm.since_at == began_at
    assert alarm.shown_at == bench.clock.now().at
    assert (alarm.component, alarm.severity) == ("dev", Severity.MAJOR)
    assert (alarm.flaps, alarm.known, alarm.suppressed_by) == (0, True, "")


def test_a_condition_without_delay_is_shown_with_its_observation() -> None:
    """Began and shown come in this order from one observation."""
    assert Bench().read("up", host=True) == ["net.host began", "net.host shown"]


def test_it_is_shown_once() -> None:
    """One open alarm per code: further readings announce nothing."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.wait(10)
    assert bench.read("dev", out=True) == []
    assert bench.wait(100) == []
    assert bench.shown() == ["dev.out"]


def test_since_survives_updates_and_arguments_do_not() -> None:
    """A later reading brings new arguments, never a new beginning."""
    bench = Bench()
    bench.see("dev", Reading({"out": True, "what": "first"}, {"raw": "12"}))
    since = bench.clock.now().at
    bench.wait(10)
    assert bench.only().args == {"what": "first", "raw": "12"}
    assert bench.read("dev", out=True, what="second") == []
    assert bench.only().since_at == since
    assert bench.only().args == {"what": "second"}


def test_over_only_after_it_stayed_away() -> None:
    """Cleared after its delay; the history keeps when it really stopped."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.wait(10)
    assert bench.read("dev", out=False) == []
    stopped_at = bench.clock.now().at
    assert bench.wait(4.9) == []
    bench.clock.advance(0.1)
    ended, cleared = bench.tracker.tick(bench.clock.now())
    assert (ended.what, ended.at.at) == (What.ENDED, stopped_at)
    assert (cleared.what, cleared.at.at) == (What.CLEARED, bench.clock.now().at)
    assert bench.shown() == []
    assert bench.tracker.snapshot() == []


def test_the_recovery_of_what_was_never_shown_is_not_announced() -> None:
    """It began and ended for the history; nobody is told of either."""
    bench = Bench()
    assert bench.read("dev", out=True) == ["dev.out began"]
    bench.wait(5)
    bench.read("dev", out=False)
    assert bench.wait(5) == ["dev.out ended"]


def test_a_trouble_must_last_without_a_break_to_be_shown() -> None:
    """Two short troubles do not add up to a long one."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.wait(8)
    bench.read("dev", out=False)
    bench.wait(1)
    bench.read("dev", out=True)
    assert bench.wait(9) == []
    assert bench.wait(1) == ["dev.out shown"]
    assert bench.only().flaps == 1


def test_flapping_is_counted_and_announces_nothing() -> None:
    """A shown alarm that goes away and comes back within its delay stays one alarm."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.wait(10)
    for _ in range(3):
        assert bench.read("dev", out=False) == []
        assert bench.wait(4) == []
        assert bench.read("dev", out=True) == []
        assert bench.wait(4) == []
    assert bench.only().flaps == 3


@pytest.mark.parametrize(("pause_s", "flaps"), [(599, 1), (601, 0)])
def test_what_comes_back_soon_after_its_end_still_counts_as_flapping(
    pause_s: float, flaps: int
) -> None:
    """The count outlives the end by ten minutes and no longer."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.read("dev", out=False)
    assert bench.wait(5) == ["dev.out ended"]
    bench.clock.advance(pause_s)
    bench.read("dev", out=True)
    bench.wait(10)
    assert bench.only().flaps == flaps


def test_consequences_are_listed_under_their_root() -> None:
    """With the link down, the dead host is kept, not announced, and named as a consequence."""
    bench = Bench()
    assert bench.read("net", link=True, gate=True, host=True) == [
        "net.link began",
        "net.gate began",
        "net.host began",
    ]
    assert bench.shown() == []
    assert bench.wait(10) == ["net.link shown"]
    assert bench.shown() == ["net.link", "net.gate<net.link", "net.host<net.link"]


def test_a_consequence_is_shown_once_its_root_is_gone() -> None:
    """It gets its full delay again: the last word about it may be older than the repair."""
    bench = Bench()
    bench.read("net", link=True, gate=True)
    bench.wait(10)
    bench.read("net", link=False, gate=True)
    assert bench.wait(5) == ["net.link ended", "net.link cleared"]
    assert bench.shown() == []
    assert bench.wait(9) == []
    assert bench.wait(1) == ["net.gate shown"]


def test_what_was_shown_before_its_root_becomes_a_consequence() -> None:
    """The root found later takes its place on top; nothing is announced twice."""
    bench = Bench()
    bench.read("up", host=True)
    assert bench.shown() == ["net.host"]
    assert bench.read("net", link=True) == ["net.link began"]
    assert bench.shown() == ["net.host<net.link"]
    assert bench.wait(10) == ["net.link shown"]
    assert bench.shown() == ["net.link", "net.host<net.link"]


def test_worst_first_then_oldest() -> None:
    """The order of alarms is the order in which somebody should act."""
    bench = Bench()
    bench.read("dev", low=True)
    bench.clock.advance(1)
    bench.read("dev", low=True, out=True)
    bench.clock.advance(1)
    bench.read("net", link=True)
    bench.read("own", degraded=True)
    bench.wait(10)
    assert bench.shown() == ["own.degraded", "dev.out", "net.link", "dev.low"]


def test_silence_is_a_condition_of_its_own() -> None:
    """A component that does not answer raises its own code with the reason; others wait."""
    bench = Bench()
    assert bench.see("dev", Unknown("no answer", "", {"port": "p"})) == ["dev.silent began"]
    assert bench.wait(10) == ["dev.silent shown"]
    assert bench.only().args == {"component": "dev", "reason": "no answer", "port": "p"}
    assert bench.only().component == "dev"
    bench.read("dev")
    assert bench.wait(5) == ["dev.silent ended", "dev.silent cleared"]


def test_what_was_known_counts_for_one_period_and_then_is_unknown() -> None:
    """A silent component neither clears its alarms nor raises new ones."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.wait(10)
    bench.read("dev", out=True, low=True)
    bench.see("dev", Unknown("no answer"))
    bench.wait(29)
    assert bench.see("dev", Unknown("no answer")) == []
    assert [one.known for one in bench.tracker.alarms() if one.code == "dev.out"] == [True]
    assert bench.wait(1) == []
    assert [one.known for one in bench.tracker.alarms() if one.code == "dev.out"] == [False]
    assert bench.wait(3_600) == []
    assert bench.shown() == ["dev.silent", "dev.out<dev.silent", "dev.low<dev.silent"]
    bench.read("dev", out=True, low=False)
    assert bench.wait(5) == ["dev.low ended", "dev.silent ended", "dev.silent cleared"]
    assert bench.only().known


def test_what_was_about_to_clear_does_not_clear_in_silence() -> None:
    """Good news that grew old while nobody answered is no news."""
    bench = Bench()
    bench.tracker = Tracker(CATALOGUE, bench.clock.now(), holds_s={"dev": 2})
    bench.wait(10)
    bench.read("dev", out=True)
    bench.wait(10)
    bench.read("dev", out=False)
    bench.see("dev", Unknown("no answer"))
    assert bench.wait(60) == ["dev.silent shown"]
    assert "dev.out<dev.silent" in bench.shown()


def test_silence_for_another_reason_replaces_the_first() -> None:
    """Garbage on the line after no answer at all: one of them, not both."""
    bench = Bench()
    bench.see("dev", Unknown("no answer"))
    bench.wait(10)
    assert bench.see("dev", Unknown("nonsense", "dev.garbage")) == ["dev.garbage began"]
    assert bench.wait(10) == ["dev.silent ended", "dev.silent cleared", "dev.garbage shown"]


def test_silence_without_any_condition_raises_the_common_one() -> None:
    """A check that fails where no condition describes it is the agent's own trouble."""
    bench = Bench()
    assert bench.see("net", Unknown("crashed")) == ["own.degraded began"]
    bench.wait(10)
    assert bench.only().component == "net"


def test_a_catalogue_without_a_common_condition_stays_quiet() -> None:
    """Unknown is still recorded as the component's state."""
    clock = FakeClock()
    tracker = Tracker(Catalogue([condition("net.link", "net")]), clock.now())
    assert tracker.observe("net", Unknown("crashed"), 3, clock.now()) == []
    (state,) = tracker.components()
    assert (state.success, state.outcome) == (False, Unknown("crashed"))


def test_a_value_that_is_missing_fades_like_silence() -> None:
    """A reading that cannot tell about one condition keeps its last word for a while."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.wait(10)
    bench.read("dev", low=False)
    bench.wait(29)
    assert bench.only().known
    bench.wait(1)
    assert not bench.only().known


@pytest.mark.parametrize("outcome", [NotFitted(), NotObservable("by design")])
def test_what_is_not_there_has_no_trouble(outcome: Outcome) -> None:
    """Everything of a component that is gone by design ends at once, without waiting."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.wait(10)
    bench.read("dev", out=True, low=True)
    assert bench.see("dev", outcome) == ["dev.out ended", "dev.out cleared", "dev.low ended"]
    assert bench.shown() == []
    (state,) = bench.tracker.components()
    assert state.success
    assert state.duration_ms == 3


def test_two_components_may_tell_the_same() -> None:
    """It holds while one of them says so, and losing the other changes nothing."""
    bench = Bench()
    bench.read("up", host=True)
    bench.read("net", host=True)
    assert bench.see("up", NotFitted()) == []
    assert bench.shown() == ["net.host"]
    bench.read("up", host=False)
    assert bench.wait(60) == []
    bench.read("net", host=False)
    assert bench.wait(5) == ["net.host ended", "net.host cleared"]


def test_nothing_new_is_shown_while_starting() -> None:
    """For five seconds watchers get the chance to name the root first."""
    bench = Bench(grace=True)
    assert bench.read("up", host=True) == ["net.host began"]
    assert bench.wait(4.9) == []
    assert bench.wait(0.1) == ["net.host shown"]


@pytest.mark.parametrize("jump_s", [-50 * 365 * 86_400, 10 * 365 * 86_400])
def test_delays_do_not_care_about_the_wall_clock(jump_s: float) -> None:
    """Setting the clock to 1970 or 2036 neither shows nor clears anything early or late."""
    bench = Bench()
    bench.read("dev", out=True)
    bench.clock.jump(jump_s)
    assert bench.wait(9.9) == []
    assert bench.wait(0.1) == ["dev.out shown"]
    bench.read("dev", out=False)
    bench.clock.jump(-jump_s)
    assert bench.wait(4.9) == []
    assert bench.wait(0.1) == ["dev.out ended", "dev.out cleared"]


def test_what_a_wrong_clock_dated_is_put_right() -> None:
    """Once the clock can be believed, *since* and *shown* are counted back from it."""
    bench = Bench()
    right_at = bench.clock.now().at
    bench.clock.jump(-50 * 365 * 86_400)
    bench.read("dev", out=True)
    bench.wait(10)
    bench.read("net", link=True)
    assert bench.only().since_at.year < 1980
    bench.clock.jump(50 * 365 * 86_400)
    bench.wait(5)
    alarm = bench.only()
    assert alarm.since_at == right_at
    assert alarm.shown_at is not None
    assert (alarm.shown_at - right_at).total_seconds() == 10


def test_open_conditions_survive_a_restart() -> None:
    """Since, shown, flaps and arguments come back; boot time starts anew; nobody is told again."""
    bench = Bench()
    bench.read("dev", out=True, what="roll")
    bench.wait(10)
    bench.read("dev", out=True, what="roll", low=True)
    before = bench.only()
    saved = bench.tracker.snapshot()
    bench.clock.reboot()
    tracker = Tracker(CATALOGUE, bench.clock.now())
    bench.tracker = tracker
    assert tracker.restore(saved, ["dev", "net"], bench.clock.now()) == []
    after = bench.only()
    assert (after.since_at, after.shown_at, after.args) == (
        before.since_at,
        before.shown_at,
        before.args,
    )
    assert not after.known
    assert bench.wait(60) == []
    assert bench.read("dev", out=True, low=True) == []
    assert bench.only().known
    assert bench.wait(10) == ["dev.low shown"]
    bench.read("dev", out=False, low=False)
    assert bench.wait(5) == [
        "dev.out ended",
        "dev.out cleared",
        "dev.low ended",
        "dev.low cleared",
    ]


def test_silence_survives_a_restart_and_clears_when_the_component_speaks() -> None:
    """Who fell silent is remembered with the arguments."""
    bench = Bench()
    bench.see("net", Unknown("crashed"))
    bench.wait(10)
    saved = bench.tracker.snapshot()
    bench.tracker = Tracker(CATALOGUE, bench.clock.now())
    assert bench.tracker.restore(saved, ["dev", "net", "own"], bench.clock.now()) == []
    assert bench.only().component == "net"
    bench.read("own", degraded=False)
    bench.read("net")
    assert bench.wait(5) == ["own.degraded ended", "own.degraded cleared"]


def test_what_nobody_watches_any_more_ends_with_the_restart() -> None:
    """An alarm no configured component could ever clear does not stay for ever."""
    bench = Bench()
    old = OpenAlarm(code="dev.out", since_ms=1, shown_ms=2, flaps=0, args={})
    unseen = OpenAlarm(code="dev.low", since_ms=1, shown_ms=None, flaps=0, args={})
    forgotten = OpenAlarm(code="z.gone", since_ms=1, shown_ms=2, flaps=0, args={})
    changes = bench.tracker.restore([old, unseen, forgotten], ["net"], bench.clock.now())
    assert told(changes) == ["dev.out ended", "dev.out cleared", "dev.low ended"]
    assert bench.tracker.snapshot() == []


def test_a_restored_alarm_over_at_its_first_reading_is_announced_as_cleared() -> None:
    """The paper was put in while the daemon was down: people still learn that it is over."""
    bench = Bench(grace=True)
    old = OpenAlarm(code="dev.out", since_ms=1, shown_ms=2, flaps=0, args={})
    bench.tracker.restore([old], ["dev"], bench.clock.now())
    assert bench.read("dev", out=False) == []
    assert bench.wait(5) == ["dev.out ended", "dev.out cleared"]
