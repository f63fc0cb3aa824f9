"""What the payment app reported of the terminal, as a reading."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from agent.core.health.reading import NotObservable, Outcome, Reading
from agent.core.health.standard import STANDARD
from agent.core.money.batches import Batch, SignOn
from agent.watch.payment_app import PaymentAppWatcher
from tests.fakes import FakeClock

CLOCK = FakeClock()
NOW = CLOCK.now().at


class Told:
    """What was reported."""

    def __init__(self, batches: list[Batch], *sign_ons: SignOn) -> None:
        self._batches = batches
        self._sign_ons = {one.terminal_id: one for one in sign_ons}

    async def open_batches(self) -> list[Batch]:
        return self._batches

    async def sign_ons(self) -> Mapping[str, SignOn]:
        return self._sign_ons


def read(told: Told, limit_s: int = 3600, clock: FakeClock = CLOCK) -> Outcome:
    return asyncio.run(PaymentAppWatcher(told, clock, limit_s).read())


def raised(outcome: Outcome) -> set[str]:
    assert isinstance(outcome, Reading)
    judged = STANDARD.judged_by("payment_app")
    return {condition.code for condition, sign in judged if sign.judge(outcome.values)}


def on(signed_on: bool, terminal: str = "T1") -> SignOn:
    return SignOn(terminal_id=terminal, signed_on=signed_on, at=NOW)


def batch(hours: float) -> Batch:
    return Batch(terminal_id="T1", batch="7", opened_at=NOW - timedelta(hours=hours), count=3)


def test_nothing_reported_is_nobodys_fault() -> None:
    """Unknown, not signed off."""
    assert isinstance(read(Told([])), NotObservable)


def test_signed_on_and_a_young_batch_are_well() -> None:
    """Nothing is raised, and what is known is shown."""
    outcome = read(Told([batch(0.5)], on(True)))
    assert raised(outcome) == set()
    assert isinstance(outcome, Reading)
    assert (outcome.values["batch"], outcome.values["batch_open_s"]) == ("7", 1800)


def test_one_terminal_signed_off_is_named() -> None:
    """With several, the one that has to sign on."""
    outcome = read(Told([], on(True), on(False, "T2")))
    assert raised(outcome) == {"config.not_signed_on"}
    assert isinstance(outcome, Reading)
    assert outcome.values["terminal_id"] == "T2"


def test_a_batch_open_for_too_long_is_told() -> None:
    """If the clock can be believed, and if anybody wants to know."""
    assert raised(read(Told([batch(2)]))) == {"settlement.batch_not_closed"}
    assert raised(read(Told([batch(2)]), limit_s=0)) == set()
    lost = FakeClock()
    lost.trusted = False
    assert raised(read(Told([batch(2)]), clock=lost)) == set()
    bare = Batch(terminal_id="T1", batch="7", opened_at=NOW - timedelta(hours=2))
    assert raised(read(Told([bare]))) == {"settlement.batch_not_closed"}
