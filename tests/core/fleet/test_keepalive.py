"""How the interval between pings is learnt: what makes it longer, what shorter, what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.keepalive import LAND_S, MEMORY, STEPS_S, Keepalive, Network

SIM = Network("460-01", cellular=True)


def quiet(machine: Keepalive, now_ms: int) -> int:
    """One whole interval of silence, a ping and its answer."""
    now_ms += machine.interval_s * 1000
    machine.sent(now_ms)
    machine.answered(now_ms + 300)
    return now_ms + 300


def connected(machine: Keepalive, now_ms: int = 0, *, server_s: int = 0) -> int:
    machine.dialled(SIM)
    machine.connected(now_ms, server_s)
    return now_ms


def test_land_lines_are_asked_every_two_minutes() -> None:
    """Wi-Fi and Ethernet: 120 s, whatever happens."""
    machine = Keepalive()
    machine.dialled(Network("lan"))
    machine.connected(0, 0)
    assert (machine.promise_s, machine.interval_s) == (LAND_S, LAND_S)
    now_ms = 0
    for _ in range(5):
        now_ms = quiet(machine, now_ms)
    machine.sent(now_ms + 120_000)
    assert not machine.lost()
    assert machine.interval_s == LAND_S
    assert machine.lessons() == {}


def test_a_fixed_interval_is_kept() -> None:
    """What is configured is promised and kept, on cellular too."""
    machine = Keepalive(60)
    now_ms = connected(machine)
    for _ in range(4):
        now_ms = quiet(machine, now_ms)
    assert (machine.promise_s, machine.interval_s) == (60, 60)


def test_cellular_grows_after_two_quiet_successes_each() -> None:
    """300, 300, 600, 600, 900, 900, 1200 and no further, on one connection."""
    machine = Keepalive()
    now_ms = connected(machine)
    seen = []
    for _ in range(9):
        seen.append(machine.interval_s)
        now_ms = quiet(machine, now_ms)
    assert seen == [300, 300, 600, 600, 900, 900, 1_200, 1_200, 1_200]
    assert machine.promise_s == STEPS_S[-1], "CONNECT promises the longest: it is said only once"


def test_reports_that_are_acknowledged_prove_as_much_as_pings() -> None:
    """A silence ended by a report counts; a report soon after another proves nothing."""
    machine = Keepalive()
    now_ms = connected(machine)
    for _ in range(20):
        now_ms += 60_000
        machine.sent(now_ms)
        assert not machine.answered(now_ms)
    assert machine.interval_s == 300
    for expected in (False, True):
        now_ms += 290_000
        machine.sent(now_ms)
        machine.sent(now_ms + 5)
        assert machine.answered(now_ms + 10) is expected
    assert machine.interval_s == 600


def test_a_silent_end_goes_back_one_step() -> None:
    """Unanswered after a silence that the step below would not have had."""
    machine = Keepalive()
    machine.recall({SIM.name: 2})
    now_ms = connected(machine)
    machine.sent(now_ms + 900_000)
    assert machine.lost()
    connected(machine, 10**7)
    assert machine.interval_s == 600
    machine.sent(10**7 + 100_000)
    assert not machine.lost(), "after so short a silence the radio is to blame"
    assert machine.interval_s == 600
    connected(machine, 2 * 10**7)
    assert not machine.lost(), "nothing had been asked"


def test_the_first_step_is_the_last() -> None:
    """Below five minutes a SIM card is not asked."""
    machine = Keepalive()
    now_ms = connected(machine)
    machine.sent(now_ms + 300_000)
    assert not machine.lost()
    assert machine.interval_s == 300


def test_what_the_server_says_is_obeyed() -> None:
    """A shorter interval of the server wins, and nothing longer is learnt behind it."""
    machine = Keepalive()
    now_ms = connected(machine, server_s=100)
    for _ in range(4):
        now_ms = quiet(machine, now_ms)
    assert machine.interval_s == 100
    assert machine.lessons() == {}
    connected(machine)
    assert machine.interval_s == 300, "the next connection has its own grant"


def test_each_network_has_its_own_lesson() -> None:
    """Another operator starts anew, the first is remembered; the oldest are forgotten."""
    machine = Keepalive()
    machine.recall({SIM.name: 3, "bad": "x", "high": 4, "low": -1})
    assert machine.lessons() == {SIM.name: 3}
    connected(machine)
    assert machine.interval_s == 1_200
    machine.dialled(Network("262-02", cellular=True))
    assert machine.interval_s == 300
    machine.recall({f"n{number}": 1 for number in range(MEMORY)})
    assert SIM.name not in machine.lessons()
    assert len(machine.lessons()) == MEMORY


def test_before_a_connection_nothing_is_learnt() -> None:
    """Signs without a connection are no proof."""
    machine = Keepalive()
    machine.sent(10**9)
    assert not machine.answered(10**9)
    assert not machine.lost()


@pytest.mark.parametrize("cellular", [False, True])
@given(
    events=st.lists(
        st.tuples(st.sampled_from(("sent", "answered", "lost", "dial")), st.integers(0, 2_000_000)),
        max_size=40,
    )
)
def test_the_interval_never_exceeds_the_promise(
    cellular: bool, events: list[tuple[str, int]]
) -> None:
    """Whatever happens in whatever order: no silence is longer than CONNECT allowed."""
    machine, now_ms = Keepalive(), 0
    for what, later_ms in events:
        now_ms += later_ms
        match what:
            case "sent":
                machine.sent(now_ms)
            case "answered":
                machine.answered(now_ms)
            case "lost":
                machine.lost()
            case _:
                machine.dialled(Network("n", cellular=cellular))
                machine.connected(now_ms, later_ms % 2 * 77)
        assert 0 < machine.interval_s <= machine.promise_s


def test_where_bytes_are_paid_for_silence_is_learnt_too() -> None:
    """A router with a SIM behind an Ethernet port: a ping every two minutes is 147 kB a day."""
    machine = Keepalive()
    machine.dialled(Network("lan", metered=True))
    assert (machine.interval_s, machine.promise_s) == (300, 1_200)
