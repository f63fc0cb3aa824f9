"""What an uplink remembers between attempts is bounded, and forgotten when it stops being true."""

from __future__ import annotations

from agent.core.money.delivery import Answer, Trouble
from agent.uplink import memory as module
from agent.uplink.memory import Memory
from tests.core.money.payments import record
from tests.fakes import FakeClock


def test_a_payment_that_could_not_be_asked_about_can_be_with_another_payload() -> None:
    """The app may bring the question with the bytes it replaces (money rule 9)."""
    memory = Memory()
    assert memory.can_ask(record())
    memory.cannot_ask(record())
    assert not memory.can_ask(record())
    assert memory.can_ask(record(seq=2))
    assert memory.can_ask(record(payload_version=2))
    memory.forget(1)
    assert memory.can_ask(record())


def test_nothing_grows_without_end() -> None:
    """The oldest goes first; what is said again counts as new."""
    memory = Memory()
    now = FakeClock().now()
    trouble = Trouble(answer=Answer.BUSY, count=1, since_boot_ms=0, others_then=0)
    for seq in (*range(module.MAX_REMEMBERED), 0, module.MAX_REMEMBERED):
        memory.trouble(seq, trouble)
        memory.asked_again(seq)
        memory.cannot_ask(record(seq=seq))
        memory.rest(seq, now.boot_ms + 1)
    for kept in (memory.troubles, memory.asked, memory.unaskable, memory.rests):
        assert len(kept) == module.MAX_REMEMBERED
        assert 0 in kept
        assert 1 not in kept
    assert memory.asked[0] == 2
