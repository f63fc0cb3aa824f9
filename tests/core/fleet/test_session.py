"""The session machine: what it does about every way a broker can behave."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from agent.core.fleet.dialect import AT_MOST_EVERY_MS, DAY_MS, PATIENCE, Dialect
from agent.core.fleet.session import (
    DUPLICATE_ID,
    NOT_AUTHORISED,
    Acked,
    Action,
    Announce,
    Connect,
    Connected,
    Drop,
    Origin,
    Phase,
    Policy,
    Raise,
    Refused,
    Release,
    Session,
)

ALMOST_ONE = 0.999999


def started(**policy: object) -> Session:
    """A session that has booted at time 0 without delay."""
    session = Session(Policy(**{"endpoints": 1, **policy}))  # type: ignore[arg-type]
    session.start(0, 0.0)
    return session


def dialled(session: Session, now_ms: int | None = None) -> Connect:
    """The next attempt, at the moment it is due."""
    due_ms = session.wake_at_ms() if now_ms is None else now_ms
    assert due_ms is not None
    (action,) = session.tick(due_ms, 0.0)
    assert isinstance(action, Connect)
    return action


def online(session: Session, now_ms: int = 0, **granted: object) -> tuple[Action, ...]:
    """Connected at `now_ms`."""
    dialled(session, now_ms)
    return session.connected(now_ms, Connected(**granted))  # type: ignore[arg-type]


def wait_s(session: Session, now_ms: int) -> float:
    """How long it stays away from now."""
    assert session.phase is Phase.WAITING
    due_ms = session.wake_at_ms()
    assert due_ms is not None
    return (due_ms - now_ms) / 1000


def test_idle_until_started() -> None:
    """Nothing happens before the agent says it has booted."""
    session = Session(Policy(endpoints=1))
    assert session.phase is Phase.IDLE
    assert session.wake_at_ms() is None
    assert session.tick(10**9, 0.5) == ()
    assert session.connected(0, Connected()) == ()
    assert session.closed(0, 0, Origin.NETWORK, 0.5) == ()
    assert session.puback(1, 0, 0, 0.5) == ()
    session.sent(1, 1, 0)
    assert session.room == 0
    assert session.granted is None
    assert not session.unacknowledged(1)


def test_boot_delay_is_spread_over_its_whole_length() -> None:
    """After a power cut of a street the terminals do not come back together."""
    session = Session(Policy(endpoints=1, boot_delay_s=30))
    session.start(5_000, 0.5)
    assert session.tick(19_999, 0.0) == ()
    assert session.tick(20_000, 0.0) == (Connect(0, Dialect.V5),)


def test_online_is_announced_after_every_connack() -> None:
    """The fleet sees `online` with each connection, and what the broker forgot is said again."""
    session = started()
    assert online(session, session_present=True) == (Announce(True),)
    session.closed(1_000, 0, Origin.SERVER, 0.0)
    assert online(session, 1_000) == (Announce(False),)


@pytest.mark.parametrize(
    ("configured", "receive_maximum", "window"), [(8, 0, 8), (8, 3, 3), (8, 100, 8), (64, 10, 10)]
)
def test_window_never_exceeds_what_the_broker_takes(
    configured: int, receive_maximum: int, window: int
) -> None:
    """At most min(Receive Maximum, configured window) messages are unacknowledged."""
    session = started(window=configured)
    assert session.room == 0
    online(session, receive_maximum=receive_maximum)
    assert session.room == window
    for mid in range(1, window + 1):
        session.sent(mid, mid, 0)
    assert session.room == 0
    assert session.puback(1, 0, 10, 0.0) == (Acked(1),)
    assert session.room == 1
    assert session.granted == Connected(receive_maximum=receive_maximum)


def test_puback_of_the_own_state_frees_the_window_only() -> None:
    """The state message has no row to delete, and an unknown packet id is ignored."""
    session = started()
    online(session)
    session.sent(1, 0, 0)
    assert session.unacknowledged(1)
    assert session.puback(1, 0, 10, 0.0) == ()
    assert not session.unacknowledged(1)
    assert session.puback(77, 0, 10, 0.0) == ()


def test_silence_after_a_publish_drops_the_socket() -> None:
    """No PUBACK in 60 s: a half-open link, QoS 1 forbids resending on it."""
    session = started()
    online(session)
    assert session.wake_at_ms() is None
    session.sent(1, 1, 1_000)
    session.sent(2, 2, 2_000)
    assert session.wake_at_ms() == 61_000
    assert session.tick(60_999, 0.0) == ()
    assert session.tick(61_000, 0.0) == (Drop("puback timeout"), Release())
    assert session.phase is Phase.WAITING


def test_hanging_connect_is_given_up() -> None:
    """DNS or TLS that never ends costs one attempt, not the daemon."""
    session = started(connect_timeout_s=60)
    dialled(session)
    assert session.phase is Phase.CONNECTING
    assert session.tick(60_000, 0.0) == (Drop("connect timeout"), Release())
    assert session.connected(60_001, Connected()) == ()


def test_full_jitter_grows_and_is_capped() -> None:
    """The n-th failure waits a random part of base * 2^n, at most the cap."""
    session = started(base_s=2, cap_s=300)
    ceilings = []
    now_ms = 0
    for _ in range(10):
        dialled(session, now_ms)
        session.closed(now_ms, 0, Origin.NETWORK, ALMOST_ONE)
        ceilings.append(round(wait_s(session, now_ms)))
        now_ms = session.wake_at_ms() or 0
    assert ceilings == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    dialled(session, now_ms)
    session.closed(now_ms, 0, Origin.NETWORK, 0.0)
    assert wait_s(session, now_ms) == 0


def test_backoff_survives_a_month_of_failures() -> None:
    """The exponent is bounded: no overflow after thousands of attempts."""
    session = started(cap_s=300)
    for _ in range(5_000):
        now_ms = session.wake_at_ms() or 0
        dialled(session, now_ms)
        session.closed(now_ms, 0, Origin.NETWORK, 0.0)
    assert session.failures == 5_000


def test_connack_alone_does_not_reset_the_backoff() -> None:
    """A broker that accepts and drops is not stormed (60 s and one PUBACK reset it)."""
    session = started(base_s=2, cap_s=300)
    for expected in (2, 4, 8):
        now_ms = session.wake_at_ms() or 0
        online(session, now_ms)
        session.closed(now_ms + 59_999, 0, Origin.NETWORK, ALMOST_ONE)
        assert round(wait_s(session, now_ms + 59_999)) == expected
    # Long enough but nothing acknowledged: still not proven.
    now_ms = session.wake_at_ms() or 0
    online(session, now_ms)
    session.closed(now_ms + 90_000, 0, Origin.NETWORK, ALMOST_ONE)
    assert round(wait_s(session, now_ms + 90_000)) == 16
    # Acknowledged but too short.
    now_ms = session.wake_at_ms() or 0
    online(session, now_ms)
    session.sent(1, 1, now_ms)
    session.puback(1, 0, now_ms + 10, 0.0)
    session.closed(now_ms + 20_000, 0, Origin.NETWORK, ALMOST_ONE)
    assert round(wait_s(session, now_ms + 20_000)) == 32
    # Both: from the beginning again.
    now_ms = session.wake_at_ms() or 0
    online(session, now_ms)
    session.sent(1, 1, now_ms)
    session.puback(1, 0, now_ms + 10, 0.0)
    session.closed(now_ms + 60_000, 0, Origin.NETWORK, ALMOST_ONE)
    assert round(wait_s(session, now_ms + 60_000)) == 2


def test_after_a_server_ended_it_a_fleet_comes_back_spread() -> None:
    """The first retry is U(0, spread), each later one waits at least the spread, until steady."""
    session = started(spread_s=600)
    online(session)
    session.closed(0, 0, Origin.SERVER, ALMOST_ONE)
    assert round(wait_s(session, 0)) == 600
    session.moved(0, 0.5)
    assert round(wait_s(session, 0)) == 600, "another channel does not help a server that is gone"
    now_ms = session.wake_at_ms() or 0
    dialled(session)
    session.closed(now_ms, 0, Origin.NETWORK, 0.0)
    assert wait_s(session, now_ms) == 600
    now_ms = session.wake_at_ms() or 0
    online(session, now_ms)
    session.closed(now_ms, 0, Origin.SERVER, 0.5)
    assert wait_s(session, now_ms) == 660, "a CONNACK is not steady"
    now_ms = session.wake_at_ms() or 0
    online(session, now_ms)
    session.sent(1, 1, now_ms + 60_000)
    session.puback(1, 0, now_ms + 60_001, 0.0)
    session.closed(now_ms + 60_002, 0, Origin.NETWORK, ALMOST_ONE)
    assert round(wait_s(session, now_ms + 60_002)) == 2, "the own link's trouble after that"


@pytest.mark.parametrize("dead_s", [0.0, 45.0, 1_500.0])
def test_a_killed_broker_is_never_met_by_more_than_its_share(dead_s: float) -> None:
    """4,000 terminals, spread 600 s: at most 1.3 * N / spread tries in any second-long average."""
    count, spread_s = 4_000, 600
    draw = random.Random(6).random
    tries: list[float] = []
    for _ in range(count):
        session = started(spread_s=spread_s)
        online(session)
        session.closed(0, 0, Origin.SERVER, draw())
        while (at_ms := session.wake_at_ms() or 0) < 3_600_000:
            tries.append(at_ms / 1000)
            dialled(session)
            if at_ms >= dead_s * 1000:
                break
            session.closed(at_ms, 0, Origin.NETWORK, draw())
    assert len(tries) >= count
    window_s = 30
    slots = Counter(int(at // window_s) for at in tries)
    assert max(slots.values()) / window_s <= 1.3 * count / spread_s


def test_an_unanswered_ping_drops_the_socket() -> None:
    """A ping is waited for as long as a PUBACK; one answer is enough."""
    session = started(puback_timeout_s=60)
    session.pinged(0)
    session.ponged()
    online(session)
    assert session.wake_at_ms() is None
    session.pinged(1_000)
    session.pinged(5_000)
    assert session.wake_at_ms() == 61_000
    session.ponged()
    assert session.wake_at_ms() is None
    session.pinged(70_000)
    session.sent(1, 1, 80_000)
    assert session.wake_at_ms() == 130_000
    session.puback(1, 0, 90_000, 0.0)
    drop, *_ = session.tick(130_000, 0.0)
    assert drop == Drop("ping timeout")


@pytest.mark.parametrize("code", [0x88, 0x89, 0x8B, 0x97, 0x9F])
def test_a_busy_broker_gets_five_minutes(code: int) -> None:
    """0x89 and its kin: U(0, 300 s), whether said in a CONNACK or a DISCONNECT."""
    session = started(spread_s=60)
    online(session)
    session.closed(0, code, Origin.SERVER, ALMOST_ONE)
    assert round(wait_s(session, 0)) == 300
    dialled(session)
    session.closed(0, code, Origin.REFUSED, ALMOST_ONE)
    assert round(wait_s(session, 0)) == 360, "not sooner than those who come for the first time"


def test_wrong_credentials_stop_for_long_and_alarm_once() -> None:
    """0x87: nobody is helped by hammering; the alarm goes when a CONNACK says yes."""
    session = started(long_s=1_800)
    dialled(session)
    actions = session.closed(0, 0x87, Origin.REFUSED, 0.0)
    assert actions == (Release(), Raise(NOT_AUTHORISED))
    assert session.alarm == NOT_AUTHORISED
    assert wait_s(session, 0) == 1_800
    dialled(session)
    assert session.closed(0, 0x87, Origin.REFUSED, 0.0) == (Release(),)
    now_ms = session.wake_at_ms() or 0
    online(session, now_ms)
    assert session.alarm == ""


def test_takeover_is_a_duplicate_id_alarm_with_long_backoff() -> None:
    """0x8E: two terminals with one id must not throw each other out all day."""
    session = started(long_s=1_800)
    online(session)
    assert session.closed(0, 0x8E, Origin.SERVER, 0.5) == (Release(), Raise(DUPLICATE_ID))
    assert wait_s(session, 0) == 2_700
    now_ms = session.wake_at_ms() or 0
    online(session, now_ms)
    assert session.alarm == DUPLICATE_ID
    session.sent(1, 1, now_ms)
    session.sent(2, 2, now_ms)
    session.puback(1, 0, now_ms + 59_999, 0.0)
    assert session.alarm == DUPLICATE_ID
    session.puback(2, 0, now_ms + 60_000, 0.0)
    assert session.alarm == ""


def test_a_twin_that_is_seen_is_a_takeover() -> None:
    """The broker said nothing, what it keeps did: dropped, alarm, away for long."""
    session = started(long_s=1_800)
    assert session.twin(0, 0.0) == ()
    online(session)
    drop, *actions = session.twin(0, 0.0)
    assert isinstance(drop, Drop)
    assert actions == [Release(), Raise(DUPLICATE_ID)]
    assert wait_s(session, 0) == 1_800


@pytest.mark.parametrize("code", [0x90, 0x95, 0x99])
def test_a_message_nobody_will_ever_take_is_given_up(code: int) -> None:
    """One poisonous message does not block those behind it."""
    session = started()
    online(session)
    session.sent(1, 5, 0)
    session.sent(2, 0, 0)
    assert session.puback(1, code, 10, 0.0) == (Refused(5, code),)
    assert session.puback(2, code, 10, 0.0) == ()
    assert session.phase is Phase.CONNECTED


def test_a_refusal_for_lack_of_rights_keeps_the_row() -> None:
    """PUBACK 0x87 is about us, not about the message: drop, alarm, try again much later."""
    session = started()
    online(session)
    session.sent(1, 5, 0)
    actions = session.puback(1, 0x87, 10, 0.0)
    assert actions == (Drop("puback refused 0x87"), Release(), Raise(NOT_AUTHORISED))
    assert wait_s(session, 10) == 1_800


def test_a_broker_without_v5_is_spoken_to_in_3_1_1() -> None:
    """CONNACK 0x84 (or 0x01 from an old broker) falls back, and that is remembered."""
    for code in (0x84, 0x01):
        session = started()
        assert dialled(session).dialect is Dialect.V5
        session.closed(0, code, Origin.REFUSED, 0.0)
        assert dialled(session).dialect is Dialect.V311
        session.connected(0, Connected())
        session.closed(0, 0, Origin.SERVER, 0.0)
        assert dialled(session).dialect is Dialect.V311
        # A restart of that broker (hangs up before CONNACK) does not unlearn it.
        session.closed(0, 0, Origin.SERVER, 0.0)
        assert dialled(session).dialect is Dialect.V311


@pytest.mark.parametrize(("code", "origin"), [(0, Origin.SERVER), (0x82, Origin.NETWORK)])
def test_hanging_up_on_v5_tries_3_1_1_and_back(code: int, origin: Origin) -> None:
    """Some old brokers just close; where 3.1.1 fares no better, 5 is tried again."""
    session = started(endpoints=2)
    seen = []
    for _ in range(4):
        order = dialled(session)
        seen.append((order.endpoint, order.dialect))
        session.closed(0, code, origin, 0.0)
    assert seen == [(0, Dialect.V5), (0, Dialect.V311), (1, Dialect.V5), (1, Dialect.V311)]
    assert session.endpoint == 0
    assert session.dialect is Dialect.V5


def silent(session: Session) -> Dialect:
    """An attempt whose CONNECT arrives and is never answered; the version it was in."""
    order = dialled(session)
    now_ms = session.wake_at_ms() or 0
    session.greeted(now_ms - 60_000)
    now_ms = session.wake_at_ms() or 0
    assert session.tick(now_ms, 0.0) == (Drop("connack timeout"), Release())
    return order.dialect


def served(session: Session, now_ms: int, origin: Origin = Origin.SERVER) -> Dialect:
    """A connection that works, until it is ended at `now_ms`; the version it was in."""
    order = dialled(session, now_ms)
    session.connected(now_ms, Connected())
    session.sent(1, 1, now_ms)
    session.puback(1, 0, now_ms, 0.0)
    session.closed(now_ms, 0, origin, 0.0)
    return order.dialect


def test_a_broker_that_never_answers_v5_is_soon_spoken_to_in_3_1_1() -> None:
    """Some misread a v5 CONNECT and stay silent: 20 s of it are enough, 3.1.1 is waited for."""
    session = started(connect_timeout_s=60, connack_timeout_s=20)
    dialled(session)
    assert session.wake_at_ms() == 60_000
    session.greeted(3_000)
    assert session.tick(22_999, 0.0) == ()
    assert session.tick(23_000, 0.0) == (Drop("connack timeout"), Release())
    assert dialled(session, 23_000).dialect is Dialect.V311
    session.greeted(23_500)
    assert session.wake_at_ms() == 83_000
    session.connected(24_000, Connected())
    assert session.phase is Phase.CONNECTED
    session.greeted(24_000)
    assert session.wake_at_ms() is None


def test_a_slow_handshake_is_not_given_the_whole_wait_for_an_answer_again() -> None:
    """Everything up to the CONNACK takes a minute at most."""
    session = started(connect_timeout_s=60, connack_timeout_s=20)
    dialled(session)
    session.greeted(55_000)
    assert session.wake_at_ms() == 60_000


def test_silence_before_the_greeting_says_nothing_about_the_version() -> None:
    """DNS, TCP or TLS that hangs is no reason for 3.1.1."""
    session = started()
    for _ in range(20):
        assert dialled(session).dialect is Dialect.V5
        now_ms = session.wake_at_ms() or 0
        assert session.tick(now_ms, 0.0) == (Drop("connect timeout"), Release())


def test_a_version_that_has_worked_is_doubted_only_after_many_silences() -> None:
    """A broker that restarts or is overloaded is silent too; one that was replaced stays so."""
    session = started()
    assert served(session, 0) is Dialect.V5
    cycle = [silent(session) for _ in range(PATIENCE + 2)]
    assert cycle == [Dialect.V5] * (PATIENCE + 1) + [Dialect.V311]
    # 3.1.1 fares no better: it was not the version, and 5 is believed in again.
    cycle = [silent(session) for _ in range(PATIENCE + 2)]
    assert cycle == [Dialect.V5] * (PATIENCE + 1) + [Dialect.V311]


def test_v5_is_tried_again_after_the_broker_ended_a_connection() -> None:
    """It may have been updated: one try, and not again for an hour whatever it does."""
    session = started(spread_s=0)
    assert silent(session) is Dialect.V5
    now_ms = session.wake_at_ms() or 0
    assert served(session, now_ms) is Dialect.V311
    assert dialled(session, now_ms).dialect is Dialect.V5
    session.closed(now_ms, 0x84, Origin.REFUSED, 0.0)
    for later_ms in (0, 1, AT_MOST_EVERY_MS - 1):
        assert served(session, now_ms + later_ms) is Dialect.V311
    assert dialled(session, now_ms + AT_MOST_EVERY_MS).dialect is Dialect.V5
    session.connected(now_ms + AT_MOST_EVERY_MS, Connected())
    assert session.dialect is Dialect.V5


def test_v5_is_tried_again_after_a_day() -> None:
    """A lost network says nothing about the broker, but nobody speaks 3.1.1 for ever."""
    session = started()
    dialled(session)
    session.closed(0, 0x84, Origin.REFUSED, 0.0)
    for now_ms in (0, AT_MOST_EVERY_MS, DAY_MS - 1):
        assert served(session, now_ms, Origin.NETWORK) is Dialect.V311
    assert served(session, DAY_MS, Origin.NETWORK) is Dialect.V5


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_configured_protocol_outlives_silence_and_days(dialect: Dialect) -> None:
    """`protocol = "3.1.1"` stays 3.1.1, `"5"` stays 5, whatever the broker does."""
    session = started(dialect=dialect)
    for _ in range(PATIENCE + 3):
        assert silent(session) is dialect
    assert served(session, 2 * DAY_MS) is dialect
    assert dialled(session).dialect is dialect


def test_a_protocol_error_right_after_connack_falls_back() -> None:
    """A broker whose v5 is broken gets 3.1.1; once it has acknowledged it is believed."""
    session = started()
    online(session)
    session.closed(0, 0x82, Origin.SERVER, 0.0)
    assert session.dialect is Dialect.V311
    session = started()
    online(session)
    session.sent(1, 1, 0)
    session.puback(1, 0, 10, 0.0)
    session.closed(20, 0x82, Origin.SERVER, 0.0)
    assert session.dialect is Dialect.V5


def test_a_configured_protocol_is_kept() -> None:
    """`protocol = "5"` never becomes 3.1.1 by itself."""
    session = started(dialect=Dialect.V5)
    dialled(session)
    session.closed(0, 0x84, Origin.REFUSED, 0.0)
    assert dialled(session).dialect is Dialect.V5


def test_endpoints_are_tried_in_turn_and_the_first_is_preferred() -> None:
    """Unreachable, flapping or moved: next one; after a steady connection the first again."""
    session = started(endpoints=3)
    assert dialled(session).endpoint == 0
    session.closed(0, 0, Origin.NETWORK, 0.0)
    assert dialled(session).endpoint == 1
    session.connected(0, Connected())
    session.sent(1, 1, 0)
    session.puback(1, 0, 60_000, 0.0)
    session.closed(60_000, 0, Origin.SERVER, 0.0)
    assert session.endpoint == 0
    # It accepts and drops at once, twice: go elsewhere.
    online(session, 60_000)
    session.closed(60_000, 0, Origin.SERVER, 0.0)
    assert session.endpoint == 1
    session = started(endpoints=2)
    online(session)
    session.closed(0, 0x9D, Origin.SERVER, 0.0)
    assert session.endpoint == 1


def test_another_channel_shortens_the_wait_and_drops_what_stands() -> None:
    """The own link's trouble: a second or two, whatever was being waited for; no alarm is cut."""
    session = started(base_s=2)
    online(session)
    drop, *_ = session.moved(0, 0.5)
    assert isinstance(drop, Drop)
    assert wait_s(session, 0) == 1
    for _ in range(6):
        now_ms = session.wake_at_ms() or 0
        dialled(session)
        session.closed(now_ms, 0, Origin.NETWORK, ALMOST_ONE)
    assert wait_s(session, now_ms) > 60
    assert session.moved(now_ms, 0.5) == ()
    assert wait_s(session, now_ms) == 1
    dialled(session)
    session.closed(now_ms + 1_000, 0x87, Origin.REFUSED, 0.0)
    session.moved(now_ms + 1_000, 0.0)
    assert wait_s(session, now_ms + 1_000) == 1_800
