"""Bands, windows and verdicts: what a figure is called, and when that changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.radio import Cellular, Signal
from agent.core.health.reading import Value
from agent.core.health.standard import STANDARD
from agent.watch.quality.bands import RSRP, WIFI, Band, Edges, Judged, judged
from agent.watch.quality.facts import Kind, NotReadable, RadioFacts, Registration, SimState
from agent.watch.quality.judge import Judge
from agent.watch.quality.window import Counters, Latch, Tries, percentile

LTE = RadioFacts(
    kind=Kind.CELLULAR,
    source="at",
    interface="wwan0",
    technology="lte",
    rsrp_dbm=-85,
    registration=Registration.HOME,
    sim_state=SimState.READY,
    operator="46000",
)
JOINED = RadioFacts(
    kind=Kind.WIFI, source="nl80211", interface="wlan0", associated=True, rssi_dbm=-60
)
MIN = 60_000


# -- bands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (LTE, Judged(signal_dbm=-85, band=Band.GOOD)),
        (replace(LTE, rsrp_dbm=-80), Judged(signal_dbm=-80, band=Band.EXCELLENT)),
        (replace(LTE, rsrp_dbm=-90.1), Judged(signal_dbm=-90.1, band=Band.FAIR)),
        (replace(LTE, rsrp_dbm=-100.5), Judged(signal_dbm=-100.5, band=Band.WEAK)),
        (replace(LTE, rsrp_dbm=None, rssi_dbm=-95), Judged(signal_dbm=-95, band=Band.WEAK)),
        (replace(LTE, rsrp_dbm=None, rssi_dbm=-95, mapped=True), Judged()),
        (replace(LTE, rsrp_dbm=None, level=1), Judged(band=Band.WEAK)),
        (replace(LTE, rsrp_dbm=None, level=0), Judged()),
        (replace(LTE, rsrp_dbm=None, quality_percent=10), Judged(band=Band.WEAK)),
        (replace(LTE, rsrp_dbm=None, quality_percent=0), Judged()),
        (replace(LTE, rsrp_dbm=None), Judged()),
        (JOINED, Judged(signal_dbm=-60, band=Band.GOOD)),
        (replace(JOINED, rssi_dbm=-76), Judged(signal_dbm=-76, band=Band.WEAK)),
        (replace(JOINED, rssi_dbm=None), Judged()),
        (replace(JOINED, associated=False, rssi_dbm=-76), Judged()),
    ],
)
def test_bands(facts: RadioFacts, expected: Judged) -> None:
    """RSRP before RSSI before bars before percent; what the modem made up is not judged."""
    assert judged(facts, None) == expected


def test_a_band_on_its_edge_does_not_flap() -> None:
    """Around an edge the band stays what it was, from either side; configured edges move it."""
    assert [WIFI.band(value, Band.FAIR) for value in (-76, -77, -78, -78.1)] == [
        Band.FAIR, Band.FAIR, Band.FAIR, Band.WEAK,
    ]  # fmt: skip
    assert [WIFI.band(value, Band.WEAK) for value in (-75, -72.1, -72)] == [
        Band.WEAK, Band.WEAK, Band.FAIR,
    ]  # fmt: skip
    assert judged(JOINED, None, Edges(wifi_dbm=-50)).band is Band.WEAK


@given(st.lists(st.floats(-150, 0), min_size=1, max_size=40))
def test_a_band_holds_its_figure(values: list[float]) -> None:
    """Whatever came before, a band is never further from the figure than the margin."""
    band: Band | None = None
    least = {Band.EXCELLENT: -80.0, Band.GOOD: -90.0, Band.FAIR: -100.0, Band.WEAK: -1e9}
    for value in values:
        band = RSRP.band(value, band)
        assert value >= least[band] - RSRP.margin


# -- windows -------------------------------------------------------------------------------------


def test_drops_survive_a_driver_that_is_reloaded() -> None:
    """Counters that begin again count on; an hour later they are forgotten."""
    counters = Counters()
    for minute, count in enumerate((7, 7, 8, 9, 0, 1)):
        counters.see(minute * MIN, {"drops": count})
    assert counters.last_hour("drops") == 3
    counters.see(63 * MIN, {"drops": 1})
    assert counters.last_hour("drops") == 2
    counters.see(70 * MIN, {"drops": 1})
    assert counters.last_hour("drops") == 0


def test_a_modem_that_falls_off_its_bus_is_a_drop() -> None:
    """Away and back is one loss however long it is away, and its fresh counters count on."""
    counters = Counters()
    counters.absent(0, "drops")
    assert counters.last_hour("drops") == 0  # it was never there
    counters.see(MIN, {"drops": 4})
    counters.absent(2 * MIN, "drops")
    counters.absent(3 * MIN, "drops")
    counters.see(4 * MIN, {"drops": 1})
    assert counters.last_hour("drops") == 2


@given(st.lists(st.integers(0, 50), max_size=60))
def test_counters_never_count_backwards(counts: list[int]) -> None:
    """Any series of counts: never negative, never more than all of them."""
    counters = Counters()
    for minute, count in enumerate(counts):
        counters.see(minute * 1000, {"drops": count})
    assert 0 <= counters.last_hour("drops") <= sum(counts)


def test_percentiles_are_measured_values() -> None:
    """Nearest rank; nothing without a measurement."""
    assert percentile([], 50) is None
    assert percentile([7], 95) == 7
    assert (percentile(range(1, 101), 50), percentile(range(1, 101), 95)) == (50, 95)


def test_tries_leave_the_window() -> None:
    """Shares and percentiles are those of the last minutes only."""
    tries = Tries(10 * MIN)
    for minute in range(20):
        lost = minute < 12
        tries.add(minute * MIN, "bank", lost=lost, took_ms=None if lost else 100 + minute)
    sums = tries.sums(19 * MIN)
    assert (sums.count, sums.lost, sums.timed, sums.p50_ms) == (11, 3, 8, 115)
    assert (sums.loss_percent, sums.gaps) == (27.3, 1)
    empty = tries.sums(90 * MIN)
    assert (empty.count, empty.loss_percent, empty.p95_ms) == (0, None, None)


@pytest.mark.parametrize(
    ("pattern", "gaps"),
    [
        ("++++", 0),
        ("----", 0),
        ("++----", 0),  # it is down now
        ("+----+", 1),  # it was down once
        ("+-+-+-+", 3),
        ("-+-+-", 2),
    ],
)
def test_only_what_comes_back_is_flaky(pattern: str, gaps: int) -> None:
    """A host that stays away is not a gap; one outage is one gap, however long."""
    tries = Tries(MIN)
    for place, one in enumerate(pattern):
        tries.add(place, "bank", lost=one == "-", took_ms=None)
        tries.add(place, "dead", lost=True, took_ms=None)
    assert tries.sums(10).gaps == gaps


def test_a_latch() -> None:
    """Yes at one figure, no only well below; without a figure nothing is remembered."""
    latch = Latch()
    told = [latch.judge(value, 20, 10) for value in (15, 20, 11, 10, 9, 15, None, 15)]
    assert told == [False, True, True, True, False, False, None, False]


# -- verdicts ------------------------------------------------------------------------------------


def judge(expected: str = "auto", needed: tuple[str, ...] = (), **more: object) -> Judge:
    cellular = Cellular(expected=expected, **more)  # type: ignore[arg-type]
    return Judge(Signal(), cellular, frozenset(needed))


def values(
    told: Judge, *facts: RadioFacts, default: str = "wwan0", at_ms: int = 0
) -> dict[str, Value]:
    return dict(told.reading(facts, (), default, at_ms).values)


def raised(told: dict[str, Value]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by("signal") if sign.judge(told)}


def test_a_healthy_modem() -> None:
    """All that is known, in units, and nothing that is not."""
    told = values(judge(), replace(LTE, rsrq_db=-9.5))
    assert told == {
        "radio": "cellular",
        "interface": "wwan0",
        "source": "at",
        "signal_dbm": -85,
        "band": "good",
        "weak": False,
        "technology": "lte",
        "rsrq_db": -9.5,
        "sim_state": "ready",
        "registration": "home",
        "roaming": False,
        "operator": "46000",
        "sim_trouble": False,
    }
    assert raised(told) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"sim_state": SimState.ABSENT, "registration": Registration.UNKNOWN},
        {"sim_state": SimState.PIN_REQUIRED, "registration": Registration.IDLE},
        {"sim_state": SimState.PUK_REQUIRED},
        {"sim_state": SimState.LOCKED},
        {"sim_state": SimState.FAILED},
        {"registration": Registration.DENIED},
        {"registration": Registration.OFF},
    ],
)
def test_sim_trouble_at_once(change: dict[str, object]) -> None:
    """What no waiting mends is trouble in the first round, with the words the text needs."""
    told = values(judge(), replace(LTE, **change))  # type: ignore[arg-type]
    assert "network.sim_problem" in raised(told)
    assert "sim_state" in told


def test_a_modem_may_search_for_a_while() -> None:
    """A tunnel is no trouble; two minutes without a network are; found again clears it."""
    one = judge(search_s=120)
    searching = replace(LTE, registration=Registration.SEARCHING, rsrp_dbm=None)
    values(one, LTE)
    told = [values(one, searching, at_ms=at * 1000).get("sim_trouble") for at in (0, 60, 119, 120)]
    assert told == [False, False, False, True]
    assert values(one, LTE, at_ms=121_000)["sim_trouble"] is False


def test_what_nobody_needs_is_no_alarm() -> None:
    """An empty slot, or a weak spare Wi-Fi, in a terminal whose route is Ethernet: told, silent."""
    empty = replace(LTE, source="modemmanager", sim_state=SimState.ABSENT, rsrp_dbm=None,
                    registration=Registration.UNKNOWN)  # fmt: skip
    assert raised(values(judge(), empty, default="eth0")) == set()
    assert raised(values(judge(), replace(JOINED, rssi_dbm=-90), default="eth0")) == set()
    for needed in (judge("yes"), judge(needed=("wwan*",))):
        assert raised(values(needed, empty, default="eth0")) == {"network.sim_problem"}
    assert raised(values(judge("no"), empty, default="wwan0")) == set()


def test_a_modem_that_carried_payments_is_needed() -> None:
    """Once it was registered, losing the SIM is an alarm, though the route is gone with it."""
    one = judge()
    values(one, LTE)
    gone = replace(LTE, sim_state=SimState.ABSENT, registration=Registration.UNKNOWN)
    assert raised(values(one, gone, default="")) == {"network.sim_problem"}


def test_unknown_stays_unknown() -> None:
    """No figure and no word: neither fine nor faulty."""
    bare = RadioFacts(kind=Kind.CELLULAR, source="at", interface="wwan0")
    told = values(judge(), bare)
    judged_now = {one.code: sign.judge(told) for one, sign in STANDARD.judged_by("signal")}
    assert judged_now == {"network.sim_problem": None, "network.weak_signal": None}


def test_wifi_values() -> None:
    """Band of the frequency, rate, and the share of frames sent again since the last look."""
    one = judge()
    first = replace(JOINED, frequency_mhz=2437, bitrate_kbps=72_200, tx_retries=10, tx_packets=100)
    told = values(one, first, default="wlan0")
    assert (told["frequency_band"], told["bitrate_mbps"]) == ("2.4 GHz", 72.2)
    assert "retried_percent" not in told
    again = values(one, replace(first, tx_retries=35, tx_packets=200), default="wlan0")
    assert again["retried_percent"] == 25
    assert "ssid" not in again
    weak = values(one, replace(first, rssi_dbm=-82), default="wlan0")
    assert (raised(weak), weak["band"]) == ({"network.weak_signal"}, "weak")


def test_of_two_radios_the_needed_one_is_shown() -> None:
    """The one that carries the traffic, and beside it the SIM; each has its line of evidence."""
    one = judge()
    reading = one.reading(
        [replace(LTE, source="modemmanager"), replace(JOINED, rssi_dbm=-50)],
        [NotReadable(source="nl80211", reason="why")],
        "wlan0",
        0,
    )
    assert (reading.values["radio"], reading.values["interface"]) == ("wifi", "wlan0")
    assert reading.values["sim_state"] == "ready"
    assert set(reading.evidence) == {"wwan0", "wlan0", "nl80211_unread"}
