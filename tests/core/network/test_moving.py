"""What another channel means to those who were waiting on the old one."""

from __future__ import annotations

from agent.core.fleet.session import (
    MOVED_WHY,
    Connect,
    Connected,
    Drop,
    Origin,
    Phase,
    Policy,
    Release,
    Session,
)
from agent.core.money.channel import Channel, ChannelState
from agent.core.money.delivery import OUTCOMES, Answer, Reply
from tests.fakes import FakeClock


def fails(it: Channel, clock: FakeClock, begun: int) -> bool:
    reply = Reply(answer=Answer.NO_ANSWER)
    return it.turn(OUTCOMES[reply.answer], reply, begun=begun, now=clock.now(), drawn=0.9)


def test_money_does_not_wait_for_failures_on_the_old_way() -> None:
    """The back-off is over at once, and what was cut on the old way does not begin another."""
    clock = FakeClock()
    it = Channel(name="host", base_s=20.0, cap_s=300.0, pause_s=300.0, width=4)
    under_way = it.closures
    assert fails(it, clock, it.closures)
    assert it.wait_ms(clock.now())
    it.moved()
    assert it.wait_ms(clock.now()) == 0
    assert it.slots(clock.now()) == 1
    assert not fails(it, clock, under_way)
    assert it.wait_ms(clock.now()) == 0


def test_an_open_or_paused_channel_stays_what_it_is() -> None:
    """A pause for a bad credential is no network's doing."""
    clock = FakeClock()
    it = Channel(name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=4)
    it.moved()
    assert (it.state, it.slots(clock.now())) == (ChannelState.OK, 4)
    reply = Reply(answer=Answer.UNAUTHORISED)
    it.turn(OUTCOMES[reply.answer], reply, begun=it.closures, now=clock.now(), drawn=0.5)
    it.moved()
    assert (it.state, it.slots(clock.now())) == (ChannelState.PAUSED, 0)


def test_the_session_leaves_the_old_connection_and_comes_back_soon() -> None:
    """Connected or connecting: dropped, what was in flight released; then soon, not at once."""
    session = Session(Policy(endpoints=1, boot_delay_s=0, base_s=2.0))
    assert session.moved(0, 0.5) == ()
    session.start(0, 0.0)
    assert isinstance(session.tick(0, 0.0)[0], Connect)
    session.connected(0, Connected())
    actions = session.moved(10, 0.5)
    assert actions == (Drop(MOVED_WHY), Release())
    assert session.phase is Phase.WAITING
    assert session.wake_at_ms() == 1_010


def test_a_long_wait_is_shortened_unless_it_is_a_punishment() -> None:
    """Ten failures on a dead line are forgotten; wrong credentials are not."""
    session = Session(Policy(endpoints=1, boot_delay_s=0, base_s=2.0))
    session.start(0, 0.0)
    for _ in range(8):
        session.tick(session.wake_at_ms() or 0, 0.0)
        session.closed(0, 0, Origin.NETWORK, 0.9)
    assert (session.wake_at_ms() or 0) > 100_000
    assert session.moved(0, 0.5) == ()
    assert session.wake_at_ms() == 1_000
    session.tick(1_000, 0.0)
    session.closed(1_000, 0x87, Origin.REFUSED, 0.5)
    due_ms = session.wake_at_ms()
    session.moved(1_000, 0.5)
    assert session.wake_at_ms() == due_ms


def test_the_time_a_host_asked_for_is_kept_on_another_way() -> None:
    """Retry-After is the host's word, not the way's."""
    clock = FakeClock()
    it = Channel(name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=4)
    busy = Reply(answer=Answer.BUSY, retry_after_s=30.0)
    it.turn(OUTCOMES[Answer.BUSY], busy, begun=it.closures, now=clock.now(), drawn=0.5)
    it.moved()
    assert it.wait_ms(clock.now()) == 31_000
    clock.advance(31)
    failed = Reply(answer=Answer.NOT_SENT)
    it.turn(OUTCOMES[Answer.NOT_SENT], failed, begun=it.closures, now=clock.now(), drawn=0.5)
    assert it.wait_ms(clock.now())
    it.moved()
    assert it.wait_ms(clock.now()) == 0, "control: the old way's own back-off is forgotten"
