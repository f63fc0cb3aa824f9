"""The clock as a component: who vouches for it, what a certificate says, and who set it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from wsgiref.handlers import format_date_time

import pytest

from agent.config.system import Clock as Config
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.core.health.standard import STANDARD
from agent.core.health.tracker import Tracker
from agent.core.moment import Proof
from agent.errors import StoreError
from agent.watch.clock import Hearing
from agent.watch.clock.kernel import Kernel
from agent.watch.clock.watcher import ASK_EVERY_MS, GRACE_MS, STEPS, ClockWatcher, Ports
from tests.fakes import FakeClock

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Said:
    component: str
    outcome: Outcome


class Proved:
    """The clock that is told what is proved of it."""

    def __init__(self) -> None:
        self.proof: Proof | None = None
        self.not_yet_ms = 0
        self.vouched = 0

    def vouch(self) -> None:
        self.vouched += 1

    def prove(self, proof: Proof | None) -> int:
        self.proof = proof
        return self.not_yet_ms


class Notes:
    """Kept in memory; refuses while `full`."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.full = False

    async def load(self, name: str) -> dict[str, Any]:
        return dict(self.kept.get(name, {}))

    async def save(self, name: str, kept: Mapping[str, Any]) -> None:
        if self.full:
            raise StoreError("store.full", "no space left")
        self.kept[name] = dict(kept)


class Bench:
    """A terminal whose clock is `off_s` ahead of the truth."""

    def __init__(self, *, off_s: float = 0.0, config: Config | None = None) -> None:
        self.clock = FakeClock(boot_ms=GRACE_MS)
        self.truth_ms = self.clock.wall_ms - self.clock.boot_ms
        self.clock.jump(off_s)
        self.proved = Proved()
        self.corrections: list[tuple[int, int]] = []
        self.refused = False
        self.synchronised = False
        self.asked = 0
        self.others: Sequence[Said] = ()
        self.notes = Notes()
        self.hearing = Hearing(config or Config(), self.clock, self.proved, self._keep)
        ports = Ports(
            clock=self.clock,
            kernel=self._kernel,
            ask=self._ask,
            notes=self.notes,
        )
        self.watcher = ClockWatcher(self.hearing, ports)
        self.watcher.listens(lambda: self.others)

    async def _keep(self, utc_ms: int, not_yet_ms: int) -> None:
        if self.refused:
            raise StoreError("store.full", "no space left")
        self.corrections.append((utc_ms, not_yet_ms))

    def _kernel(self) -> Kernel:
        error_ms = 20 if self.synchronised else 16_000
        return Kernel(synchronised=self.synchronised, max_error_ms=error_ms, utc_ms=self.utc_ms)

    async def _ask(self) -> int:
        self.asked += 1
        return 0

    @property
    def utc_ms(self) -> int:
        return self.truth_ms + self.clock.boot_ms

    def host_says(self, name: str = "bank", *, off_s: float = 0.0) -> None:
        self.hearing.dated(name, format_date_time(self.utc_ms / 1000 + off_s), 0.2)

    def read(self) -> Mapping[str, Value]:
        outcome = asyncio.run(self.watcher.read())
        assert isinstance(outcome, Reading)
        return outcome.values

    def witnessed(self) -> None:
        for _ in range(2):
            self.host_says()
            self.clock.advance(2)


def refused(code: str) -> Said:
    return Said("connectivity", Reading({"tls": "failed", "tls_code": code, "host": "bank:443"}))


def test_a_clock_nobody_vouches_for_is_neither_right_nor_wrong() -> None:
    """Plausible is plausible: no alarm, and said."""
    values = Bench().read()
    assert (values["state"], values["wrong"], values["trusted"]) == ("unknown", False, True)
    assert "offset_s" not in values


def test_a_clock_that_may_have_stood_still_is_asked_about_and_vouched_for() -> None:
    """The hosts are asked without any certificate's doubt; one whose word counts settles it."""
    bench = Bench()
    bench.clock.carried = False
    assert bench.read()["carried"] is False
    assert (bench.asked, bench.proved.vouched) == (1, 0)
    bench.witnessed()
    bench.read()
    assert bench.proved.vouched == 1


def test_a_host_that_repeats_itself_proves_the_clock_wrong_by_how_much() -> None:
    """Offset and source are the arguments of the alarm; the clock itself is told."""
    bench = Bench(off_s=3 * DAY_S)
    bench.witnessed()
    values = bench.read()
    assert (values["state"], values["wrong"]) == ("wrong", True)
    assert values["offset_s"] == pytest.approx(3 * DAY_S, abs=2)
    assert values["source"] == "http_date bank"
    assert bench.proved.proof is not None
    assert bench.proved.proof.base_ms == pytest.approx(bench.truth_ms, abs=1_500)
    bench.clock.jump(-3 * DAY_S)
    values = bench.read()
    assert (values["state"], values["wrong"], values["offset_s"]) == ("right", False, 0)
    assert values["stepped_s"] == -3 * DAY_S


def test_what_was_stamped_ahead_is_kept_from_being_believed() -> None:
    """Once it is right again; a store that refuses is asked again."""
    bench = Bench(off_s=3 * DAY_S)
    bench.witnessed()
    bench.read()
    ahead_ms = bench.clock.wall_ms
    bench.clock.jump(-3 * DAY_S)
    bench.refused = True
    bench.read()
    assert bench.corrections == []
    bench.refused = False
    bench.read()
    assert [not_yet_ms for _, not_yet_ms in bench.corrections] == [ahead_ms]
    bench.read()
    assert len(bench.corrections) == 1
    bench.proved.not_yet_ms = ahead_ms + 5  # as the journal may tell
    bench.read()
    assert bench.corrections[-1][1] == ahead_ms + 5


def test_a_kernel_that_ntp_keeps_is_a_witness_until_it_is_left_alone() -> None:
    """Its word counts when it is said again, and no longer than it is synchronised."""
    bench = Bench()
    bench.synchronised = True
    assert bench.read()["state"] == "unknown"
    bench.clock.advance(5)
    values = bench.read()
    assert (values["state"], values["source"], values["synchronised"]) == ("right", "kernel", True)
    bench.synchronised = False
    bench.clock.advance(5)
    bench.clock.jump(DAY_S)  # whoever sets the clock makes the kernel forget
    values = bench.read()
    assert (values["state"], values["synchronised"]) == ("unknown", False)
    assert values["step_after_at"] > values["step_before_at"]  # type: ignore[operator]


def test_a_kernel_contradicted_by_a_host_is_a_dispute_and_no_alarm() -> None:
    """One of the two has a wrong clock; it need not be ours."""
    bench = Bench()
    bench.synchronised = True
    for _ in range(2):
        bench.host_says(off_s=-DAY_S)
        bench.read()
        bench.clock.advance(60)
    values = bench.read()
    assert (values["state"], values["wrong"]) == ("disputed", False)
    assert bench.proved.proof is None


def test_acquirers_fields_without_a_year_find_a_clock_hours_off() -> None:
    """UTC+8 as configured: a terminal set to local time as if it were UTC is eight hours ahead."""
    bench = Bench(off_s=8 * 3_600)
    for _ in range(2):
        at = bench.utc_ms // 1000 + 8 * 3_600
        text = format_date_time(at)  # Wed, 18 Nov 2026 19:06:40 GMT
        month_day = "11" + text[5:7]
        assert text[8:11] == "Nov"
        bench.hearing.fielded("acquirer", month_day, text[17:25].replace(":", ""), 0.3)
        bench.clock.advance(2)
    values = bench.read()
    assert (values["wrong"], values["source"]) == (True, "host_fields acquirer")
    assert values["offset_s"] == pytest.approx(8 * 3_600, abs=2)


def test_a_broker_and_a_portal_are_witnesses_too() -> None:
    """A user property of the broker, and the comparison the captive-portal probe made."""
    bench = Bench(off_s=600)
    bench.hearing.brokered("mq", str(bench.utc_ms), 0.1)
    bench.hearing.compared("portal.example", 600, 0.4)
    values = bench.read()
    assert (values["wrong"], values["source"]) == (True, "broker mq, probe_date portal.example")


def test_sources_that_are_switched_off_are_not_heard() -> None:
    """By configuration; nonsense is not heard by anybody."""
    bench = Bench(off_s=600, config=Config(sources=()))
    for _ in range(2):
        bench.host_says()
        bench.hearing.brokered("mq", str(bench.utc_ms), 0.1)
        bench.hearing.compared("portal", 600, 0.1)
        bench.hearing.fielded("acquirer", "1118", "190640", 0.1)
        bench.clock.advance(2)
    assert bench.read()["state"] == "unknown"
    bench = Bench()
    bench.hearing.dated("bank", "yesterday", 0.1)
    bench.hearing.brokered("mq", "soon", 0.1)
    bench.hearing.fielded("acquirer", "9999", "999999", 0.1)
    assert bench.read()["state"] == "unknown"


def test_a_certificate_that_is_not_valid_yet_speaks_against_the_clock_unless_it_is_proved() -> None:
    """Nobody contradicts it: the clock. Witnesses do: the certificate."""
    bench = Bench()
    bench.others = (Said("printer", Unknown("silent")), refused("clock.wrong"))
    values = bench.read()
    assert (values["wrong"], values["source"]) == (True, "certificate bank:443")
    assert bench.asked == 1
    bench.witnessed()
    values = bench.read()
    assert (values["wrong"], values["certificate_early"]) == (False, True)


def test_an_expired_certificate_has_the_hosts_asked_and_not_again_at_once() -> None:
    """Asking costs 10 kB: once, then every five minutes while the doubt lasts."""
    bench = Bench()
    bench.others = (refused("tls.host_certificate_expired"),)
    assert bench.read()["wrong"] is False  # an expired certificate alone accuses nobody's clock
    bench.read()
    assert bench.asked == 1
    bench.clock.advance(ASK_EVERY_MS / 1000)
    bench.read()
    assert bench.asked == 2
    bench.witnessed()
    bench.clock.advance(ASK_EVERY_MS / 1000)
    bench.read()
    assert bench.asked == 2, "the clock is proved: there is nothing to ask"


def test_a_cold_start_has_its_grace_and_then_an_impossible_clock_is_wrong() -> None:
    """Network time needs its two minutes; nobody is told of 1970 before."""
    bench = Bench()
    bench.clock.wall_ms, bench.clock.boot_ms = 5_000, 20_000
    assert "wrong" not in bench.read()
    bench.clock.advance(GRACE_MS / 1000)
    values = bench.read()
    assert (values["wrong"], values["trusted"]) == (True, False)


def test_steps_are_kept_with_before_and_after_and_only_the_last_ones() -> None:
    """Over a store that refuses for a while; a clock that jumps for ever does not fill it."""
    bench = Bench()
    bench.read()
    bench.notes.full = True
    bench.clock.jump(100)
    bench.read()
    bench.notes.full = False
    for _ in range(STEPS + 5):
        bench.clock.jump(10)
        bench.read()
    steps = bench.notes.kept["clock"]["steps"]
    assert len(steps) == STEPS
    assert all(after - before == 10_000 for before, after in steps)
    bench.notes.kept["clock"] = {"steps": "garbage"}
    bench.clock.jump(10)
    bench.read()
    assert len(bench.notes.kept["clock"]["steps"]) == 1


@pytest.mark.parametrize(
    "tls_code", ["clock.wrong", "tls.host_certificate_expired", "tls.ca_expired"]
)
def test_a_wrong_clock_is_blamed_before_any_certificate(tls_code: str) -> None:
    """The certificate's alarm follows from the clock's, whichever was found first."""
    clock = FakeClock()
    tracker = Tracker(STANDARD, clock.now())
    clock.advance(10)
    connectivity = refused(tls_code).outcome
    tracker.observe("connectivity", connectivity, 1, clock.now())
    tracker.observe(
        "clock", Reading({"wrong": True, "offset_s": 99, "source": "x"}), 1, clock.now()
    )
    clock.advance(60)
    tracker.tick(clock.now())
    roots = {one.code for one in tracker.alarms() if not one.suppressed_by}
    assert roots == {"clock.wrong"}
    (alarm,) = (one for one in tracker.alarms() if one.code == "clock.wrong")
    assert alarm.args == {"offset_s": 99, "source": "x"}
