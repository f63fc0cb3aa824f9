"""May it be taken again? Never while anybody could still be charged."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from agent.actions import check
from agent.actions.ports import Identity, Ports
from agent.core.money.journal import Record, State
from agent.core.money.limits import Answer
from agent.core.money.transaction import Delivery, Kind, Posting
from agent.errors import StoreError
from agent.wire.check import CheckArgs
from agent.wire.problem import RequestError
from tests.core.money.payments import record
from tests.fakes import FakeClock

#: What is over without money having moved.
OVER = {State.DECLINED, State.REVERSED, State.VOIDED, State.LAPSED}


class Judge:
    """Finds nothing against any payment; knows one that is open."""

    def __init__(self, like: str | None = None, full: bool = False) -> None:
        self.like, self.full = like, full

    async def examine(self, transaction: object) -> tuple[()]:
        if self.full:
            raise StoreError("store.full", "no room")
        return ()

    async def unfinished(self, transaction: object) -> str | None:
        return self.like

    def entered(self, entry_ms: int) -> list[Any]:
        return []


def asked(one: Record, judge: Judge | None = None, **more: Any) -> Any:
    async def found(key: str) -> Record | None:
        return one if key == one.key else None

    ports = Ports(
        journal=SimpleNamespace(record=found),  # type: ignore[arg-type]
        mover=None,
        health=SimpleNamespace(),  # type: ignore[arg-type]
        channels=None,
        identity=Identity(device_id="d", tenant="", site="", version="1"),
        clock=FakeClock(),
        judged=judge or Judge(),
    )
    args = CheckArgs(
        terminal_id="T0000001", merchant_id="M00000000000001", kind=Kind.SALE,
        posting=Posting.REQUEST, amount_minor=1250, currency="CNY", **more,
    )  # fmt: skip
    return asyncio.run(check.run(ports, args))


@pytest.mark.parametrize("state", sorted(State))
@pytest.mark.parametrize("doubt", [False, True])
@pytest.mark.parametrize("delivery", sorted(Delivery))
def test_only_what_is_over_and_moved_no_money_may_be_taken_again(
    state: State, doubt: bool, delivery: Delivery
) -> None:
    """For every state, with doubt and without, whoever sends it; asked by key or found alike."""
    one = record("k", of={"delivery": delivery}, state=state, in_doubt=doubt)
    for told in (asked(one, again_of="k"), asked(one, Judge("k"))):
        safe = state in OVER and not doubt
        assert told.again.retry == ("safe_to_retry" if safe else "do_not_retry")
        assert told.answer == (Answer.TAKE if safe else Answer.REFUSE)
        assert told.again.key == "k"
        assert told.again.advice.zh
        if not safe:
            assert told.findings[0].code == "payment.unfinished"
            assert "k" in told.findings[0].reason.en


def test_another_customer_may_pay_the_same_but_the_same_payment_never_twice() -> None:
    """The cashier's word lifts the likeness, not what the app itself names."""
    one = record("k", state=State.WAITING, in_doubt=True)
    assert asked(one, Judge("k"), confirmed=("payment.unfinished",)).answer is Answer.TAKE
    named = asked(one, again_of="k", confirmed=("payment.unfinished",))
    assert named.answer is Answer.REFUSE


def test_an_unknown_key_and_a_full_store_are_answers() -> None:
    """Nobody guesses: the app is told that it was never handed over here."""
    one = record("k", state=State.WAITING, in_doubt=True)
    with pytest.raises(RequestError) as refused:
        asked(one, again_of="never")
    assert (refused.value.code, refused.value.field) == ("transaction.unknown", "again_of")
    full = asked(one, Judge(full=True), again_of="k")
    assert (full.answer, full.again.retry) == (Answer.REFUSE, "do_not_retry")
    assert [finding.code for finding in full.findings] == ["store.full"]
