"""What is counted of each payment, and how: standings, percentiles, factors, causes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.health.conditions import Severity
from agent.core.health.reading import NotFitted, NotObservable, Reading, Unknown, Value
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.moment import Stamp, to_ms
from agent.core.money.journal import Record, State
from agent.core.money.transaction import App
from agent.core.why.around import around_of
from agent.core.why.stats import (
    OTHER,
    UNKNOWN,
    VALUES,
    Around,
    Counting,
    Factor,
    Row,
    Timed,
    Trouble,
    band_of,
    causes_of,
    late,
    row_of,
    stood,
)
from agent.core.why.stats_compare import Verdict
from agent.core.why.stats_words import TITLES, label
from tests.core.why.cases import record, transaction

T0 = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NOW_MS = to_ms(T0 + timedelta(hours=1))
MINUTE_MS = 60_000


def told(one: Record, now_ms: int) -> Row:
    """Of a record, through the columns statistics read."""
    t, stored, sent = one.transaction, one.stored, one.last_sent
    app = "" if t.app is None else f"{t.app.name} {t.app.version}"
    return row_of(
        Timed(
            one.seq, one.state, one.cause, to_ms(t.occurred_at), to_ms(one.changed_at),
            stored.wall_ms, stored.boot_ms, stored.boot_no,
            sent and sent.wall_ms, sent and sent.boot_ms, sent and sent.boot_no,
            t.amount_minor, t.currency, app,
        ),
        now_ms,
    )  # fmt: skip


def posted(took_s: float, **changes: object) -> Row:
    t = replace(transaction(), occurred_at=T0)
    ended = T0 + timedelta(seconds=took_s)
    return told(record(State.POSTED, t=t, changed_at=ended, **changes), NOW_MS)


def test_a_confirmed_payment_took_until_it_was_posted() -> None:
    """From capture to the end; amount as a band, the app by name and version."""
    t = replace(transaction(), occurred_at=T0, app=App(name="till", version="2.1"))
    row = told(record(State.POSTED, t=t, changed_at=T0 + timedelta(seconds=3)), NOW_MS)
    assert (row.standing, row.took_ms, row.app_version) == ("confirmed", 3_000, "till 2.1")
    nameless = told(record(State.POSTED, t=replace(t, app=None)), NOW_MS)
    assert nameless.app_version == UNKNOWN


def test_one_that_waits_has_waited_until_now() -> None:
    """Late as soon as it has waited that long, not judged before."""
    t = replace(transaction(), occurred_at=T0)
    row = told(record(State.QUEUED, t=t), NOW_MS)
    assert (row.standing, row.took_ms) == ("waiting", 3_600_000)
    assert late(row, 60_000) is True
    assert late(row, 7_200_000) is None


@pytest.mark.parametrize("state", [State.DECLINED, State.VOIDED, State.LAPSED, State.REVERSED])
def test_what_ended_otherwise_is_not_judged(state: State) -> None:
    """It was never to be confirmed."""
    row = told(record(state, t=replace(transaction(), occurred_at=T0)), NOW_MS)
    assert (row.standing, late(row, 1)) == ("ended", None)


def test_a_clock_that_was_set_measures_nothing() -> None:
    """Backwards, out of all reason, or against the boot clock: nobody can say how long it took."""
    assert posted(-5).standing == "clock"
    assert posted(500 * 86_400).standing == "clock"
    stored, sent = Stamp(1_000_000, 1_000, 3), Stamp(9_000_000, 5_000, 3)
    assert posted(3, stored=stored, last_sent=sent).standing == "clock"
    assert posted(3, stored=stored, last_sent=replace(sent, boot_no=4)).standing == "confirmed"
    assert posted(3, stored=stored, last_sent=Stamp(1_004_000, 5_000, 3)).standing == "confirmed"


def test_amounts_fall_into_bands_of_their_own_currency() -> None:
    """By powers of ten of its unit; 1000 yen are no 10 yen."""
    assert band_of(999, "CNY") == "0-10 CNY"
    assert band_of(1_000, "CNY") == "10-100 CNY"
    assert band_of(1_000, "JPY") == "1000-10000 JPY"
    assert band_of(100_000_000, "CNY") == "10000+ CNY"
    assert [band_of(None, "CNY"), band_of(5, None), band_of(-5, "CNY")] == [UNKNOWN] * 3


def test_nothing_and_one_payment() -> None:
    """No figure is made up: no payment, no percentile; one payment, its own."""
    counting = Counting(late_after_ms=MINUTE_MS)
    assert counting.percentile_s(50) == 0.0
    assert counting.lateness().rate is None
    assert all(one.verdict == "too_few" for one in counting.factored())
    counting.take(posted(2), Around())
    assert counting.percentile_s(50) == counting.percentile_s(99) == 2.0
    assert counting.bars[1] == 1
    assert [group.verdict for one in counting.factored() for group in one.groups] == [
        Verdict.TOO_FEW
    ] * len(Factor)


@given(st.lists(st.integers(min_value=1, max_value=86_400_000), min_size=1, max_size=60))
def test_percentiles_are_right_to_five_per_cent(took: list[int]) -> None:
    """Against the sorted list, whatever it holds."""
    counting = Counting(late_after_ms=MINUTE_MS)
    for one in took:
        counting.take(Row(0, one, "confirmed", UNKNOWN, UNKNOWN), Around())
    for percent in (50, 90, 99):
        place = -(-len(took) * percent // 100) - 1
        true_s = max(sorted(took)[place] / 1000, 0.01)
        assert true_s * 0.999 <= max(counting.percentile_s(percent), 0.01) <= true_s * 1.051


def test_planted_lateness_is_found_where_it_was_planted() -> None:
    """Three weeks, mobile data late four times as often: network and only network is named."""
    counting = Counting(late_after_ms=MINUTE_MS)
    wifi, mobile = Around(network="wifi", printer="ok"), Around(network="cellular", printer="ok")
    base_ms = to_ms(T0)
    for number in range(21 * 200):
        day, place = divmod(number, 200)
        around = mobile if place % 2 else wifi
        is_late = place // 2 % (5 if around is mobile else 20) == day % 5
        row = Row(
            base_ms + day * 86_400_000 + place * 60_000,
            300_000 if is_late else 1_000,
            "confirmed",
            "0-10 CNY",
            "till 1",
        )
        counting.take(row, around)
    told = {one.factor: one for one in counting.factored()}
    assert told[Factor.NETWORK].verdict == "goes_with"
    by_value = {group.value: group for group in told[Factor.NETWORK].groups}
    assert by_value["cellular"].verdict is Verdict.MORE
    assert by_value["wifi"].verdict is Verdict.LESS
    assert by_value["cellular"].days == 21
    assert told[Factor.HOUR].verdict in ("same", "too_few")
    assert told[Factor.WEEKDAY].verdict == "too_few", "three Mondays are too few"
    assert told[Factor.PRINTER].verdict == "too_few", "there is nothing to compare with"


def test_values_beyond_counting_are_others() -> None:
    """A hundred versions of an app do not become a hundred groups; unknown and others come last."""
    counting = Counting(late_after_ms=MINUTE_MS, factors=(Factor.APP_VERSION, Factor.AMOUNT))
    for number in range(100):
        row = Row(0, 1_000, "confirmed", f"{(0, 10, 100)[number % 3]}-x", f"v{number:03d}")
        counting.take(row, Around())
    versions, amounts = counting.factored()
    assert len(versions.groups) == VALUES + 1
    assert versions.groups[-1].value == OTHER
    assert versions.groups[-1].share.of == 100 - VALUES
    assert [group.value for group in amounts.groups] == ["0-x", "10-x", "100-x"]


def test_groups_in_which_nothing_differs_say_so() -> None:
    """Enough to compare, and no difference: `same`."""
    counting = Counting(late_after_ms=MINUTE_MS, factors=(Factor.AMOUNT,))
    for number in range(2_000):
        took = 100_000 if number // 2 % 10 == 0 else 1_000
        row = Row(number % 10 * 86_400_000, took, "confirmed", "ab"[number // 20 % 2], UNKNOWN)
        counting.take(row, Around())
    assert counting.factored()[0].verdict == "same"


def test_late_ones_have_their_own_trouble_or_share_the_terminals() -> None:
    """Its own counts first; else what stood longest while it waited; else nothing is on record."""
    standing = [
        Trouble("network.no_link", 0, 1_000),
        Trouble("host.down", 900, 5_000),
    ]
    waits = [(500, 4_000), (500, 4_000), (9_000, 9_500)]
    own = [[Trouble("tls.untrusted", 600, 700)], [], []]
    assert causes_of(waits, own, standing) == {"tls.untrusted": 1, "host.down": 1, "": 1}


def test_what_stood_is_read_from_the_history() -> None:
    """Pairs of began and ended; a beginning or an end that is missing is the edge of the look."""
    lines = [
        ("host.down", "shown", 5),
        ("tls.untrusted", "ended", 10),
        ("network.no_link", "began", 20),
        ("printer.paper_out", "began", 25),
        ("network.no_link", "ended", 30),
        ("host.down", "began", 40),
    ]
    assert stood(lines, 100) == [
        Trouble("tls.untrusted", 5, 10),
        Trouble("network.no_link", 20, 30),
        Trouble("host.down", 40, 100),
    ]
    assert stood([], 100) == []


def test_every_value_has_words_and_unknown_ones_their_own() -> None:
    """Both languages for every factor; a value nobody knows is shown as it is."""
    assert set(TITLES) == set(Factor)
    assert label(Factor.NETWORK, UNKNOWN) == ("未知", "unknown")
    assert label(Factor.APP_VERSION, OTHER) == ("其他", "others")
    assert label(Factor.HOUR, "06-09") == ("06-09 时", "06-09 h")
    assert label(Factor.WEEKDAY, "1") == ("周一", "Monday")
    assert label(Factor.CHANNEL, "sim 2") == ("sim 2", "sim 2")


# -- circumstances -----------------------------------------------------------------------------


def state(component: str, outcome: Reading | NotFitted | NotObservable | Unknown) -> ComponentState:
    return ComponentState(component=component, outcome=outcome, at=T0, duration_ms=1, success=True)


def reading(component: str, **values: Value) -> ComponentState:
    return state(component, Reading(values))


@pytest.mark.parametrize(
    ("interface", "network"),
    [("wlan0", "wifi"), ("wwan0", "cellular"), ("eth0", "ethernet"), ("tun0", "vpn"),
     ("zz9", UNKNOWN), ("", UNKNOWN)],
)  # fmt: skip
def test_the_network_is_known_by_its_interface(interface: str, network: str) -> None:
    """By the beginning of its name; what fits none is unknown."""
    around = around_of([reading("connectivity", interface=interface, link_up=True)], [], "", "")
    assert (around.network, around.channel) == (network, UNKNOWN)


def test_a_channel_names_its_kind_and_a_cable_has_no_signal() -> None:
    """The configured kind counts before any name."""
    around = around_of([reading("signal", band="weak")], [], "shop", "wifi")
    assert around == Around(network="wifi", channel="shop", signal="weak", printer=UNKNOWN)
    assert around_of([], [], "line", "ethernet").signal == "wired"


def test_what_nobody_says_is_unknown() -> None:
    """No reading, no link, no band."""
    assert around_of([], [], "", "") == Around()
    assert around_of([reading("connectivity", link_up=False)], [], "", "").network == "none"
    assert around_of([reading("signal", band=3)], [], "", "").signal == UNKNOWN


def test_the_printer_is_its_alarm_or_ready() -> None:
    """Unknown is neither."""
    alarm = Alarm(
        code="printer.paper_out", component="printer", severity=Severity.MAJOR, since_at=T0,
        shown_at=T0, args={}, flaps=0, suppressed_by="",
    )  # fmt: skip
    assert around_of([reading("printer")], [alarm], "", "").printer == "printer.paper_out"
    assert around_of([reading("printer")], [], "", "").printer == "ok"
    assert around_of([state("printer", NotFitted())], [], "", "").printer == "not_fitted"
    assert around_of([state("printer", NotObservable("x"))], [], "", "").printer == UNKNOWN
    assert around_of([state("printer", Unknown("x"))], [], "", "").printer == UNKNOWN


def test_what_is_not_confirmed_is_counted_and_not_timed() -> None:
    """A payment that waits too long is late without a time; one that ended is only counted."""
    counting = Counting(late_after_ms=MINUTE_MS)
    counting.take(Row(0, 90_000, "waiting", UNKNOWN, UNKNOWN), Around())
    counting.take(Row(0, 0, "ended", UNKNOWN, UNKNOWN), Around())
    assert counting.standings == {"waiting": 1, "ended": 1}
    assert (counting.late, counting.judged, sum(counting.bars)) == (1, 1, 0)
