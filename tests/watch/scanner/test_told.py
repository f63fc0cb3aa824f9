"""What hooks, firmware and the payment app may say of the scanner, and for how long it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent.config.devices import Scanner
from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading, Unknown, Value
from agent.supervise import DaemonThreads
from agent.watch.scanner import ScannerWatch, build
from tests.fakes import FakeClock

LIMIT = {"battery_limit_percent": 15}


def built_in(clock: FakeClock, **settings: object) -> ScannerWatch:
    given = {"dialect": "hook", **settings}
    return build(Scanner(**given), DaemonThreads(), clock)  # type: ignore[arg-type]


def read(watcher: ScannerWatch) -> Outcome:
    return asyncio.run(watcher.read())


def test_a_built_in_scanner_is_what_its_firmware_says() -> None:
    """Flags, charge and identity of a report become the reading."""
    watcher = built_in(FakeClock())
    watcher.feed(
        Reading(
            {"connected": True, "sensor_fault": False, "battery_percent": 71.6},
            {"make": "Sunmi", "model": "P2", "firmware": "1.0\x07", "serial": "S1", "spam": "x"},
        )
    )
    assert read(watcher) == Reading(
        {"connected": True, "sensor_fault": False, "battery_percent": 72} | LIMIT,
        {"make": "Sunmi", "model": "P2", "firmware": "1.0 ", "serial": "S1", "percent": "72"},
    )


def test_a_scanner_said_to_be_gone_is_gone() -> None:
    """connected = false raises the same alarm as a pulled cable."""
    watcher = built_in(FakeClock())
    watcher.feed(Reading({"connected": False}))
    outcome = read(watcher)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "scanner.disconnected"


def test_a_report_counts_for_a_while() -> None:
    """Before the first and after the last report nothing is made up."""
    clock = FakeClock()
    watcher = built_in(clock, told_max_age_s=60.0)
    assert isinstance(read(watcher), NotObservable)
    clock.advance(50)
    watcher.feed(Reading({"connected": True}))
    clock.advance(60)
    assert isinstance(read(watcher), Reading)
    clock.advance(1)
    silent = read(watcher)
    assert isinstance(silent, Unknown)
    assert silent.code == "scanner.not_answering"
    assert "61 s" in silent.reason


def test_a_report_that_never_comes_is_missed() -> None:
    """A hook that is configured and never speaks is not passed over for ever."""
    clock = FakeClock()
    watcher = built_in(clock, told_max_age_s=60.0)
    clock.advance(61)
    assert isinstance(read(watcher), Unknown)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (NotFitted(), lambda outcome: outcome == NotFitted()),
        (NotObservable("sealed"), lambda outcome: outcome == NotObservable("sealed")),
        (
            Unknown("no service", "device.driver_missing"),
            lambda outcome: outcome == Unknown("no service", "device.driver_missing"),
        ),
    ],
)
def test_other_outcomes_are_passed_on(said: Outcome, heard: Callable[[Outcome], bool]) -> None:
    """A hook that cannot tell says so, in its own words and with its own cause."""
    watcher = built_in(FakeClock())
    watcher.feed(said)
    assert heard(read(watcher))


@pytest.mark.parametrize(
    "values",
    [
        {"connected": 1}, {"battery_percent": 101}, {"battery_percent": -1},
        {"battery_percent": True}, {"battery_percent": "80"}, {"sensor_fault": "no"},
        {"reads": -1}, {"reads": True}, {"no_reads": "3"}, {"good_read_age_s": -5},
        {"good_read_age_s": True}, {"good_read_age_s": 1e300}, {"error": 5}, {"anything": True},
    ],
)  # fmt: skip
def test_nonsense_in_a_report_is_dropped(values: dict[str, Value]) -> None:
    """Wrong types, impossible numbers and unknown names change nothing."""
    watcher = built_in(FakeClock())
    watcher.feed(Reading(values))
    assert read(watcher) == Reading(dict(LIMIT), {})


def test_totals_become_tries() -> None:
    """Counts are totals since anything; only their growth counts, and a restart starts afresh."""
    clock = FakeClock()
    watcher = built_in(clock, no_read_least=10)
    for reads, no_reads in ((500, 100), (505, 101), (2, 3), (2, 3)):
        watcher.feed(Reading({"reads": reads, "no_reads": no_reads}))
    outcome = read(watcher)
    assert isinstance(outcome, Reading)
    # 5 + 2 good ones; 1 + 3 in vain
    assert outcome.values["no_read_percent"] == round(100 * 4 / 11, 1)
    assert outcome.values["misses_codes"] is False


def test_the_age_somebody_else_saw() -> None:
    """good_read_age_s of a report goes on growing until a newer one."""
    clock = FakeClock()
    watcher = built_in(clock)
    watcher.feed(Reading({"good_read_age_s": 30}))
    clock.advance(12)
    watcher.feed(Reading({"good_read_age_s": 30}))  # a hook's last word, handed over again
    outcome = read(watcher)
    assert isinstance(outcome, Reading)
    assert outcome.values["good_read_age_s"] == 42
    watcher.feed(Reading({"good_read_age_s": 3}))
    outcome = read(watcher)
    assert isinstance(outcome, Reading)
    assert outcome.values["good_read_age_s"] == 3


def test_where_a_report_comes_from_is_kept() -> None:
    """Source, confidence, a short native status, and what to do about a broken hook."""
    watcher = built_in(FakeClock())
    watcher.feed(Reading({}, {"source": "ScanService", "confidence": "reported", "raw": "-2001"}))
    outcome = read(watcher)
    assert isinstance(outcome, Reading)
    assert outcome.evidence == {"source": "ScanService", "confidence": "reported", "raw": "-2001"}
    watcher.feed(Unknown("killed", "", {"hook": "deadline", "do": "mend it", "raw": "x" * 13}))
    assert read(watcher) == Unknown("killed", "", {"hook": "deadline", "do": "mend it"})
