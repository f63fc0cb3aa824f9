"""One way to one host: what closes it, what opens it, and how wide it is meanwhile."""

from __future__ import annotations

from agent.core.money.channel import Channel, ChannelState
from agent.core.money.delivery import ASKED, OUTCOMES, Answer, Reply
from tests.fakes import FakeClock


def channel(switched: ChannelState = ChannelState.OK) -> Channel:
    return Channel(name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=4, switched=switched)


def meets(
    it: Channel, answer: Answer, clock: FakeClock, begun: int | None = None, **reply: object
) -> bool:
    return it.turn(
        OUTCOMES[answer],
        Reply(answer=answer, **reply),  # type: ignore[arg-type]
        begun=it.closures if begun is None else begun,
        now=clock.now(),
        drawn=0.5,
    )


def test_after_trouble_one_payment_at_a_time_tries_the_way() -> None:
    """Closed for its back-off, then one probe, then wide open after the first success."""
    clock, it = FakeClock(), channel()
    assert it.slots(clock.now()) == 4
    assert meets(it, Answer.NOT_SENT, clock, cause="network.dns_failed")
    assert (it.state, it.cause) == (ChannelState.BACKING_OFF, "network.dns_failed")
    assert it.slots(clock.now()) == 0
    assert it.wait_ms(clock.now()) == 1_000
    clock.advance(1)
    assert (it.slots(clock.now()), it.wait_ms(clock.now())) == (1, 0)
    assert meets(it, Answer.POSTED, clock)
    assert (it.state, it.cause, it.slots(clock.now())) == (ChannelState.OK, "", 4)
    assert not meets(it, Answer.POSTED, clock)
    assert it.passed == 2


def test_since_is_when_the_trouble_began_not_when_it_changed_its_name() -> None:
    """A dead name server that becomes a dead host is one outage."""
    clock, it = FakeClock(), channel()
    meets(it, Answer.NOT_SENT, clock)
    began = it.since_wall_ms
    clock.advance(60)
    assert not meets(it, Answer.NO_ANSWER, clock)
    meets(it, Answer.NO_ANSWER, clock)
    assert it.since_wall_ms == began


def test_the_host_may_ask_for_time_and_a_bad_credential_pauses() -> None:
    """U12 waits what was asked; U10 and U14 wait for somebody to mend it."""
    clock, it = FakeClock(), channel()
    meets(it, Answer.BUSY, clock, retry_after_s=30.0)
    assert it.wait_ms(clock.now()) == 31_000
    it = channel()
    meets(it, Answer.BUSY, clock)
    assert it.wait_ms(clock.now()) == 2_000
    it = channel()
    assert meets(it, Answer.UNAUTHORISED, clock)
    assert it.state is ChannelState.PAUSED
    assert it.wait_ms(clock.now()) == 225_000
    it.kick()
    assert (it.wait_ms(clock.now()), it.slots(clock.now())) == (0, 1)


def test_an_answer_that_says_nothing_about_the_way_changes_nothing() -> None:
    """409 is about the payment."""
    clock, it = FakeClock(), channel()
    assert not it.turn(
        ASKED[Answer.UNSUPPORTED],
        Reply(answer=Answer.UNSUPPORTED),
        begun=0,
        now=clock.now(),
        drawn=0.5,
    )
    assert it.state is ChannelState.OK


def test_a_switched_off_channel_never_opens() -> None:
    """The kill switch and the pilot's shadow mode record and send nothing."""
    clock = FakeClock()
    for state in (ChannelState.DISABLED, ChannelState.SHADOW):
        it = channel(state)
        assert (it.state, it.slots(clock.now()), it.wait_ms(clock.now())) == (state, 0, None)


def test_attempts_under_way_together_fail_as_one() -> None:
    """U26: an outage of a second must not close a wide channel for minutes."""
    clock, it = FakeClock(), channel()
    begun = it.closures
    for _ in range(4):
        meets(it, Answer.NO_ANSWER, clock, begun)
    assert (it.failures, it.wait_ms(clock.now())) == (1, 1_000)
    meets(it, Answer.UNAUTHORISED, clock, begun)
    assert (it.state, it.failures) == (ChannelState.PAUSED, 1)
    assert not meets(it, Answer.NO_ANSWER, clock, begun), "a late failure hides no pause"
    assert it.state is ChannelState.PAUSED
    clock.advance(300)
    meets(it, Answer.NO_ANSWER, clock)
    assert (it.state, it.failures) == (ChannelState.BACKING_OFF, 2)


def test_a_host_that_answers_opens_the_channel_without_counting_as_passed() -> None:
    """Issuer down, keys lost: the way is fine, but nothing got through on it (rule 7 counts)."""
    clock, it = FakeClock(), channel()
    meets(it, Answer.NO_ANSWER, clock)
    assert it.state is ChannelState.BACKING_OFF
    meets(it, Answer.LATER, clock)
    assert (it.state, it.passed, it.failures) == (ChannelState.OK, 0, 0)
