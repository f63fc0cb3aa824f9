"""Builders of payments and cases for the tests of `agent.core.why`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.core.moment import Moment, Stamp, to_ms
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Amounts, Backlog, Event, Record, State, Step
from agent.core.money.transaction import (
    App,
    CustomerSaw,
    Kind,
    Posting,
    Transaction,
)
from agent.core.why.explain import (
    Case,
    ChannelView,
    Condition,
    JournalView,
    Payment,
    Verdict,
    explain,
)

AT = datetime(2026, 11, 21, 14, 5, 9, tzinfo=UTC)
NOW = Moment(wall_ms=to_ms(AT), boot_ms=3_600_000, boot_id="boot", trusted=True)
EARLIER = AT - timedelta(minutes=10)


def transaction(**changes: Any) -> Transaction:
    """An advice of CNY 12.50 over uplink `main`."""
    plain = Transaction(
        key="pay-1",
        terminal_id="T0000001",
        merchant_id="M00000000000001",
        kind=Kind.SALE,
        posting=Posting.ADVICE,
        occurred_at=EARLIER,
        uplink="main",
        amount_minor=1250,
        currency="CNY",
        stan="000123",
        customer_saw=CustomerSaw.UNKNOWN,
        app=App(name="till", version="3.2.1"),
    )
    return replace(plain, **changes)


def record(state: State = State.QUEUED, *, t: Transaction | None = None, **changes: Any) -> Record:
    """A record in `state`, never tried."""
    plain = Record(
        seq=1,
        transaction=t or transaction(),
        state=state,
        in_doubt=False,
        version=1,
        sent=0,
        tried=0,
        cause="",
        note="",
        stored_at=EARLIER,
        changed_at=EARLIER,
        next_wall_ms=0,
        next_boot_ms=0,
        boot_no=1,
        lane=None,
        stored=Stamp(to_ms(EARLIER), 0, 1),
    )
    return replace(plain, **changes)


def step(event: Event, cause: str = "", **changes: Any) -> Step:
    """One line of history, once, ten minutes ago."""
    plain = Step(
        event=event,
        state=State.WAITING,
        in_doubt=False,
        cause=cause,
        note="",
        count=1,
        first_at=EARLIER,
        last_at=EARLIER,
    )
    return replace(plain, **changes)


def channel(state: ChannelState = ChannelState.OK, cause: str = "", **changes: Any) -> ChannelView:
    """Uplink `main`."""
    return replace(ChannelView(name="main", state=state, cause=cause), **changes)


def condition(code: str, **changes: Any) -> Condition:
    """A condition standing for ten minutes."""
    return replace(Condition(code=code, since_at=EARLIER, component="connectivity"), **changes)


def backlog(**changes: Any) -> Backlog:
    """Nothing unsent."""
    plain = Backlog(
        total=Amounts(),
        by_state={},
        in_doubt=Amounts(),
        held=Amounts(),
        quarantined=Amounts(),
        oldest_at=None,
        by_cause={},
    )
    return replace(plain, **changes)


def case(one: Record | None = None, *steps: Step, **changes: Any) -> Case:
    """A healthy terminal, asked about `one` or about itself."""
    plain = Case(
        now=NOW,
        daemon_alive=True,
        payment=Payment(key=one.key, record=one, steps=steps) if one else None,
        backlog=backlog(),
        channels=(channel(),),
        journal=JournalView(born_at=EARLIER - timedelta(days=30)),
    )
    return replace(plain, **changes)


def verdict(one: Record | None = None, *steps: Step, **changes: Any) -> Verdict:
    """The verdict on that case."""
    return explain(case(one, *steps, **changes))


def codes(answer: Verdict) -> list[str]:
    """The findings' codes, in order."""
    return [finding.code for finding in answer.findings]
