"""The rules over a real journal: figures from the tally, twins from memory, races in one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.lately import Watch
from agent.core.money.limits import Ground, Level, Limit, Policy, RefusedError, Rules
from agent.core.money.transaction import Card, Kind, Posting
from agent.errors import AgentError
from agent.store import Store
from agent.store import recent as recent_module
from agent.store.checks import Checks
from tests.core.money.payments import record, submission, transaction
from tests.fakes import FakeClock

CARD = Card(scheme="visa", masked="411111******1111")
TWINS = Rules(
    duplicate_window_s=60,
    trace_window_s=3600,
    policies={Ground.DUPLICATE: Policy.HOLD, Ground.LIMIT: Policy.REFUSE},
)


def with_limits(*limits: Limit) -> Rules:
    return Rules(limits=limits, policies={Ground.LIMIT: Policy.REFUSE})


def run(
    folder: Path,
    rules: Rules,
    test: Callable[[Store, Checks], Awaitable[None]],
    clock: FakeClock | None = None,
) -> None:
    async def running() -> None:
        own = clock or FakeClock()
        store = Store(folder, own, rules=rules)
        await store.start()
        try:
            await test(store, Checks(store, own))
        finally:
            assert store.stop()

    asyncio.run(running())


async def take(store: Store, key: str, **of: Any) -> Record:
    return (await store.append(submission(key, **of))).record


async def move(store: Store, record: Record, *events: Event) -> Record:
    for event in events:
        record = await store.advance(record.seq, record.version, Change(event=event))
    return record


async def codes(checks: Checks, **of: Any) -> dict[str, Level]:
    return {one.code: one.level for one in await checks.examine(transaction("new", **of))}


def test_the_unsent_of_a_currency_count_and_final_ones_do_not(tmp_path: Path) -> None:
    """Count and total follow every commit, in this currency only."""
    rules = with_limits(Limit(currency="CNY", total_minor=3000, count=2, warn_percent=100))

    async def test(store: Store, checks: Checks) -> None:
        assert await codes(checks) == {}
        first = await take(store, "a")
        await take(store, "b", currency="USD", stan="9")
        assert await codes(checks) == {"limit.count": Level.WARN}
        await take(store, "c")
        over = {"limit.count": Level.REFUSE, "limit.total": Level.REFUSE}
        assert await codes(checks) == over
        assert await codes(checks, currency="USD") == {}
        use, reached = await checks.fullest()
        assert use is not None
        assert (use.code, use.found, reached) == ("limit.count", 2, True)
        await move(store, first, Event.ATTEMPT, Event.POSTED)
        assert await codes(checks) == {"limit.count": Level.WARN}

    run(tmp_path, rules, test)


def test_the_age_is_that_of_the_oldest_unsent(tmp_path: Path) -> None:
    """It grows on the boot clock, and setting the wall clock does not age anything."""
    clock = FakeClock()

    async def test(store: Store, checks: Checks) -> None:
        old = await take(store, "a")
        clock.advance(50)
        await take(store, "b")
        clock.jump(10**6)
        assert await codes(checks) == {}
        clock.advance(50)
        assert await codes(checks) == {"limit.age": Level.REFUSE}
        await move(store, old, Event.ATTEMPT, Event.POSTED)
        assert await codes(checks) == {}

    run(tmp_path, with_limits(Limit(currency="CNY", age_s=100, warn_percent=100)), test, clock)


def test_no_race_passes_a_limit(tmp_path: Path) -> None:
    """Sixty-four requests at once share a commit; exactly as many are taken as may be."""
    rules = with_limits(Limit(currency="CNY", count=10))

    async def test(store: Store, checks: Checks) -> None:
        del checks
        outcomes = await asyncio.gather(
            *(take(store, f"k{n}", posting=Posting.REQUEST, stan=f"{n}") for n in range(64)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, Record) for one in outcomes) == 10
        refused = [one for one in outcomes if isinstance(one, RefusedError)]
        assert len(refused) == 54
        assert {one.code for one in refused} == {"limit.count"}
        assert (await store.backlog()).total.count == 10

    run(tmp_path, rules, test)


def test_an_advice_over_every_limit_is_taken_and_flagged_for_good(tmp_path: Path) -> None:
    """Money rule 3: what the customer saw approved is kept, and the flag survives a restart."""
    rules = with_limits(Limit(currency="CNY", single_minor=1, count=1))
    flags = ("limit.single", "limit.count")

    async def test(store: Store, checks: Checks) -> None:
        del checks
        assert (await take(store, "a")).flags == ("limit.single",)
        record = await take(store, "b")
        assert (record.state, record.flags) == (State.QUEUED, flags)

    async def again(store: Store, checks: Checks) -> None:
        record = await store.record("b")
        assert record is not None
        assert record.flags == flags
        assert (await move(store, record, Event.ATTEMPT)).flags == flags
        use, reached = await checks.fullest()
        assert use is not None
        assert (use.percent, reached) == (200, True)

    run(tmp_path, rules, test)
    run(tmp_path, rules, again)


def test_a_flag_taken_out_of_the_file_is_noticed(tmp_path: Path) -> None:
    """The row's MAC covers it."""
    import sqlite3

    async def test(store: Store, checks: Checks) -> None:
        del checks
        await take(store, "a")

    async def looked(store: Store, checks: Checks) -> None:
        del checks
        assert await store.record("a") is None

    rules = with_limits(Limit(currency="CNY", single_minor=1))
    run(tmp_path, rules, test)
    db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    db.execute("UPDATE tx SET flags = NULL")
    db.close()
    run(tmp_path, rules, looked)


def test_a_refused_request_leaves_nothing_and_its_key_is_free(tmp_path: Path) -> None:
    """It may be handed over again as it was, once there is room."""
    rules = with_limits(Limit(currency="CNY", count=1))
    clock = FakeClock()

    async def test(store: Store, checks: Checks) -> None:
        first = await take(store, "a", stan="1")
        with pytest.raises(RefusedError) as caught:
            await take(store, "b", posting=Posting.REQUEST)
        assert caught.value.code == "limit.count"
        assert await store.record("b") is None
        await move(store, first, Event.ATTEMPT, Event.POSTED)
        assert (await take(store, "b", posting=Posting.REQUEST)).flags == ()
        await move(store, (await store.record("b")) or first, Event.ATTEMPT, Event.POSTED)
        # Nothing is unsent, so nothing is reached, however lately somebody was refused.
        assert (await checks.fullest())[1] is False

    run(tmp_path, rules, test, clock)


def test_a_request_that_was_refused_keeps_the_alarm_up(tmp_path: Path) -> None:
    """Room for a small payment is no room for the next: a quarter of an hour."""
    rules = with_limits(Limit(currency="CNY", total_minor=2000))
    clock = FakeClock()

    async def test(store: Store, checks: Checks) -> None:
        await take(store, "a")
        assert (await checks.fullest())[1] is False
        with pytest.raises(RefusedError):
            await take(store, "b", posting=Posting.REQUEST)
        assert (await checks.fullest())[1] is True
        clock.advance(901)
        assert (await checks.fullest())[1] is False

    run(tmp_path, rules, test, clock)


def test_without_limits_there_is_no_fullest(tmp_path: Path) -> None:
    """Nothing to show."""

    async def test(store: Store, checks: Checks) -> None:
        del store
        assert await checks.fullest() == (None, False)

    run(tmp_path, TWINS, test)


def test_a_request_tried_before_is_not_refused(tmp_path: Path) -> None:
    """Its money may have moved: it starts in doubt like any other, with a flag."""
    rules = with_limits(Limit(currency="CNY", single_minor=1))

    async def test(store: Store, checks: Checks) -> None:
        del checks
        record = await take(store, "a", posting=Posting.REQUEST, attempts=1)
        assert (record.state, record.in_doubt, record.flags) == (
            State.WAITING,
            True,
            ("limit.single",),
        )

    run(tmp_path, rules, test)


# -- twins ---------------------------------------------------------------------------------------


def test_a_twin_is_held_as_a_request_and_flagged_as_an_advice(tmp_path: Path) -> None:
    """By card or by STAN and batch; what the cashier confirmed goes out."""

    async def test(store: Store, checks: Checks) -> None:
        del checks
        await take(store, "a", card=CARD)
        held = await take(store, "b", card=CARD, stan="2", posting=Posting.REQUEST)
        assert (held.state, held.cause) == (State.HELD, "duplicate.suspected")
        assert (await take(store, "c", card=CARD)).state is State.QUEUED
        meant = submission("d", card=CARD, posting=Posting.REQUEST)
        meant = type(meant)(
            transaction=meant.transaction,
            payload=meant.payload,
            confirmed=frozenset({"duplicate.suspected"}),
        )
        record = (await store.append(meant)).record
        assert (record.state, record.flags) == (State.QUEUED, ("duplicate.suspected",))

    run(tmp_path, TWINS, test)


@pytest.mark.parametrize(
    ("events", "twin"),
    [
        ((), True),
        ((Event.ATTEMPT, Event.POSTED), True),
        ((Event.ATTEMPT, Event.DECLINED), False),
        ((Event.VOID,), False),
        ((Event.LAPSE,), False),
    ],
)
def test_what_the_host_did_not_take_has_no_twin(
    tmp_path: Path, events: tuple[Event, ...], twin: bool
) -> None:
    """A customer whose card was declined tries again: that is no duplicate."""

    async def test(store: Store, checks: Checks) -> None:
        await move(store, await take(store, "a", card=CARD), *events)
        assert ("duplicate.suspected" in await codes(checks, card=CARD)) is twin

    async def again(store: Store, checks: Checks) -> None:
        del store
        assert ("duplicate.suspected" in await codes(checks, card=CARD)) is twin

    run(tmp_path, TWINS, test)
    run(tmp_path, TWINS, again)  # read back from the newest rows


def test_twins_of_one_batch_see_each_other(tmp_path: Path) -> None:
    """Handed over in the same commit, the second one is still the second."""

    async def test(store: Store, checks: Checks) -> None:
        del checks
        records = await asyncio.gather(*(take(store, f"k{n}", card=CARD) for n in range(8)))
        assert sorted(record.flags for record in records) == [(), *[("duplicate.suspected",)] * 7]

    run(tmp_path, TWINS, test)


def test_what_is_too_old_or_too_much_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by the window and by a number."""
    monkeypatch.setattr(recent_module, "MOST", 3)
    clock = FakeClock()

    async def test(store: Store, checks: Checks) -> None:
        await take(store, "a", card=CARD)
        for n in range(3):
            await take(store, f"other{n}", amount_minor=7 + n, stan=str(n))
        assert await codes(checks, card=CARD) == {}
        await take(store, "b", card=CARD)
        assert "duplicate.suspected" in await codes(checks, card=CARD)
        clock.advance(3601)
        assert await codes(checks, card=CARD) == {}
        assert (await take(store, "c", card=CARD)).flags == ()

    async def much_later(store: Store, checks: Checks) -> None:
        del store
        assert await codes(checks, card=CARD) == {}

    run(tmp_path, TWINS, test, clock)
    clock.advance(7200)
    run(tmp_path, TWINS, much_later, clock)


def test_a_payment_rolled_back_is_nobodys_twin(tmp_path: Path) -> None:
    """What was not stored was not taken."""

    async def test(store: Store, checks: Checks) -> None:
        def refused(journal: Any) -> None:
            journal.append(submission("a", card=CARD), FakeClock().now())
            declined = journal.record("b", FakeClock().now())
            journal.advance(declined.seq, declined.version, VOID, FakeClock().now())
            raise RuntimeError("after the append")

        other = {"card": CARD, "amount_minor": 77, "stan": "7"}
        await take(store, "b", **other)
        with pytest.raises(RuntimeError):
            await store.journal(refused)
        assert await codes(checks, card=CARD) == {}
        assert "duplicate.suspected" in await codes(checks, **other)

    run(tmp_path, TWINS, test)


VOID = Change(event=Event.VOID)


def test_the_date_of_the_payments_decides_not_that_of_the_hand_over(tmp_path: Path) -> None:
    """A morning's coffees handed over together are no duplicates."""

    async def test(store: Store, checks: Checks) -> None:
        first = transaction().occurred_at
        await take(store, "a", card=CARD, stan="1")
        later = first + timedelta(hours=1)
        assert await codes(checks, card=CARD, stan="2", occurred_at=later) == {}

    run(tmp_path, TWINS, test)


def test_payments_nothing_can_be_known_by_are_not_compared() -> None:
    """A bus takes the same fare all day: without a card or a batch there is nothing to remember,
    and one card is compared with its own payments only."""
    recent = recent_module.Recent(3600)
    now = FakeClock().now()
    for n in range(50):
        recent.moved(None, record(f"fare{n}", of={"batch": None}, seq=n + 1))
        other = Card(scheme="visa", masked=f"4111 11** **** {n:04}")
        recent.moved(None, record(f"card{n}", of={"batch": None, "card": other}, seq=n + 101))
    recent.commit()
    assert len(recent._order) == 50
    assert recent.like(transaction("new", batch=None), now, 1) == []
    like = recent.like(transaction("new", batch=None, card=other), now, 1)
    assert [one.key for one in like] == ["card49"]


WATCH = Rules(watch=Watch(again_window_s=900, least=2, fast_ms=1_500))


def test_an_open_payment_is_known_at_once_and_after_a_restart(tmp_path: Path) -> None:
    """In doubt it is named without a card; ended it is not; what was rolled back never was."""
    clock = FakeClock()
    at = clock.now().at

    async def before(store: Store, checks: Checks) -> None:
        one = await take(store, "a", occurred_at=at)
        assert await checks.unfinished(transaction("new", occurred_at=at)) is None
        await move(store, one, Event.ATTEMPT, Event.NO_ANSWER)
        assert await checks.unfinished(transaction("new", occurred_at=at)) == "a"
        with pytest.raises(AgentError):
            await take(store, "a", occurred_at=at, amount_minor=1)
        assert await checks.unfinished(transaction("new", amount_minor=1, occurred_at=at)) is None

    async def after(store: Store, checks: Checks) -> None:
        assert await checks.unfinished(transaction("new", occurred_at=at)) == "a"
        one = await store.record("a")
        assert one is not None
        await move(store, one, Event.POSTED)
        assert await checks.unfinished(transaction("new", occurred_at=at)) is None

    run(tmp_path, WATCH, before, clock)
    run(tmp_path, WATCH, after, clock)


def test_a_payment_is_held_against_the_one_it_refers_to(tmp_path: Path) -> None:
    """More back than was paid is refused before anything is recorded; keyed too fast is flagged."""

    async def refunds(store: Store, checks: Checks) -> None:
        await take(store, "sale")
        back = {"kind": Kind.REFUND, "refers_to": "sale", "posting": Posting.REQUEST}
        found = await checks.examine(transaction("r", amount_minor=1_251, **back))
        assert [one.code for one in found] == ["refund.too_large"]
        assert await checks.examine(transaction("r", amount_minor=1_250, **back)) == ()
        fast = replace(submission("quick"), entry_ms=300)
        assert (await store.append(fast)).record.flags == ("entry.too_fast",)

    run(tmp_path, WATCH, refunds)
