"""The real store against a small model of it, over random stories with restarts and power cuts.

The model is the transition table plus three sentences about reversals. After every step the store
must agree with it: nothing acknowledged is gone, every history leads to where its record stands,
the counts are those of a recount, and what is due keeps to its lane.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.core.moment import at_ms
from agent.core.money.abandoning import CAUSE
from agent.core.money.journal import FINAL, Change, Event, IllegalMoveError, Record, State, move
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Submission
from agent.errors import CallerError
from agent.store import Store
from agent.store.prepared import Prepared
from tests.core.money.payments import submission
from tests.fakes import FakeClock

T = TypeVar("T")
TIMES = int(os.environ.get("POSAGENT_FUZZ", "0"))
EFFORT = settings(
    max_examples=30 * max(TIMES, 1),
    stateful_step_count=30 if not TIMES else 60,
    derandomize=not TIMES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

SALES = ("s1", "s2", "s3")
VOIDS = {"v1": "s1", "v2": "s2"}
REVERSALS = {"r1": "s1", "r2": "s2", "r2b": "s2", "r9": "s9"}  # s9 is never handed over
KEYS = st.sampled_from([*SALES, *VOIDS, *REVERSALS])
#: What the uploader, a person or damage may do to a record at any time.
EVENTS = st.sampled_from(
    [event for event in Event if event not in (Event.FREEZE, Event.REPLACED, Event.RESTART)]
)
#: How an attempt ends.
ENDS = st.sampled_from(
    [Event.POSTED, Event.POSTED, Event.DECLINED, Event.NO_ANSWER, Event.NOT_SENT, Event.REFUSED]
)
OCCURRED_AT = at_ms(1_795_000_010_000)  # later than the journal, or everything starts in doubt


@dataclass(slots=True)
class Row:
    """What the model knows of one acknowledged payment."""

    variant: int  #: which content
    tried: int  #: by the app, when it was first handed over
    state: State
    in_doubt: bool
    body: bytes
    version: int = 1
    payloads: int = 1
    happened: Counter[Event] = field(default_factory=Counter)

    def take(self, event: Event) -> None:
        """Raises IllegalMoveError where the table says no; then nothing has changed."""
        self.state, self.in_doubt = move(self.state, self.in_doubt, event)
        self.version += 1
        self.happened[event] += 1


class Machine(RuleBasedStateMachine):
    """One terminal's journal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-", dir=_quick()))
        self.homes = 0
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.rows: dict[str, Row] = {}
        self.order = Order.PAYMENT
        self.store: Store | None = None

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def opened(self) -> Store:
        home = self.folder / str(self.homes)
        store = Store(home, self.clock, {"host": self.order})
        self.wait(store.start())
        return store

    @property
    def books(self) -> Store:
        assert self.store is not None
        return self.store

    def stands(self, key: str) -> Record:
        record = self.wait(self.books.record(key))
        assert record is not None
        return record

    # -- what happens ----------------------------------------------------------------------

    @initialize(order=st.sampled_from(Order))
    def begin(self, order: Order) -> None:
        self.order = order
        self.store = self.opened()

    @rule(key=KEYS, variant=st.integers(0, 1), tried=st.sampled_from([0, 0, 0, 2]))
    def hand_over(self, key: str, variant: int, tried: int) -> None:
        """L1 a new key, L2 the same again, L3 another payment under it."""
        known = self.rows.get(key)
        offered = _submission(key, variant, tried)
        if known is not None and known.variant != variant:
            with pytest.raises(CallerError) as caught:
                self.wait(self.books.append(offered))
            assert caught.value.code == "key.mismatch"
            return
        appended = self.wait(self.books.append(offered))
        assert appended.created is (known is None)
        if known is not None:
            return
        doubt = tried > 0
        state = State.WAITING if doubt else State.QUEUED
        self.rows[key] = Row(variant, tried, state, doubt, offered.payload.body)
        original = self.rows.get(REVERSALS.get(key, ""))
        if original is not None and original.state not in {*FINAL, State.SENDING}:
            original.take(Event.FREEZE)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), end=ENDS)
    def attempt(self, data: st.DataObject, end: Event) -> None:
        """Sent, and what came of it: the uploader's whole turn, if the record is free to go."""
        due = [r.key for r in self.due() if r.state is not State.HELD]
        if due:
            key = data.draw(st.sampled_from(due))
            self.advance(key, Event.ATTEMPT)
            self.advance(key, end)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), event=EVENTS)
    def anything(self, data: st.DataObject, event: Event) -> None:
        """Any event at any record: done where the table has it, refused without a trace else."""
        self.advance(data.draw(st.sampled_from(sorted(self.rows))), event)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), event=EVENTS)
    def too_late(self, data: st.DataObject, event: Event) -> None:
        """A change against a version that is no more is refused."""
        record = self.stands(data.draw(st.sampled_from(sorted(self.rows))))
        with pytest.raises(CallerError) as caught:
            self.wait(self.books.advance(record.seq, record.version - 1, Change(event=event)))
        assert caught.value.code == "record.changed"

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), body=st.sampled_from([b"new", b"newer"]))
    def replace(self, data: st.DataObject, body: bytes) -> None:
        """Rule 9: other bytes under the same key, while it waits or is held."""
        key = data.draw(st.sampled_from(sorted(self.rows)))
        row, record = self.rows[key], self.stands(key)
        fresh = _submission(key, row.variant, row.tried, body)
        replacing = Prepared(self.books, self.clock).replace(record, fresh, "app")
        if row.body != body and row.state not in (State.WAITING, State.HELD):
            with pytest.raises(IllegalMoveError):
                self.wait(replacing)
            return
        self.wait(replacing)
        if row.body != body:
            row.take(Event.REPLACED)
            row.body = body
            row.payloads += 1

    @rule(seconds=st.sampled_from([0.5, 60, 86_400]), reboot=st.booleans())
    def stop_and_start(self, seconds: float, reboot: bool) -> None:
        """A clean stop: what was being sent is in doubt afterwards."""
        assert self.books.stop()
        self.pass_time(seconds, reboot=reboot)
        self.restarted()
        self.store = self.opened()
        self.every_history_leads_to_its_record()

    @rule(reboot=st.booleans())
    def cut_the_power(self, reboot: bool) -> None:
        """The files as they lie there at this moment are all that is left."""
        here, there = self.folder / str(self.homes), self.folder / str(self.homes + 1)
        shutil.copytree(here, there)
        assert self.books.stop()
        shutil.rmtree(here)
        self.homes += 1
        self.pass_time(1, reboot=reboot)
        self.restarted()
        self.store = self.opened()
        self.every_history_leads_to_its_record()

    def pass_time(self, seconds: float, *, reboot: bool) -> None:
        if reboot:
            self.clock.reboot(seconds)
        else:
            self.clock.advance(seconds)

    def restarted(self) -> None:
        for row in self.rows.values():
            if row.state is State.SENDING:
                row.take(Event.RESTART)

    # -- the model -------------------------------------------------------------------------

    def advance(self, key: str, event: Event) -> None:
        """The same change to the store and to the model."""
        record = self.stands(key)
        cause = CAUSE if event is Event.ABANDON else ""
        asked = self.books.advance(record.seq, record.version, Change(event=event, cause=cause))
        if not self.allowed(key, event):
            with pytest.raises(IllegalMoveError):
                self.wait(asked)
            return
        self.wait(asked)

    def allowed(self, key: str, event: Event) -> bool:
        """Change the model; False, and nothing changed, where it must be refused."""
        row = self.rows[key]
        if event in (Event.POSTED, Event.DECLINED) and self.being_reversed(key):
            # Rule 5: an outcome of what is being reversed is history.
            event = Event.FREEZE if row.state is State.SENDING else Event.LATE
        before = row.state
        try:
            row.take(event)
        except IllegalMoveError:
            return False
        original = self.rows.get(REVERSALS.get(key, ""))
        if original is not None and row.state in FINAL and before not in FINAL:
            self.follow(row, event, original)
        return True

    def follow(self, reversal: Row, event: Event, original: Row) -> None:
        """What the end of a reversal does to its original."""
        over = original.state in FINAL
        refused = reversal.state is State.DECLINED or event is Event.ABANDON
        if refused and not over and original.state is not State.HELD:
            original.take(Event.HOLD)
        if reversal.state is State.POSTED:
            taken = (State.WAITING, State.HELD, State.POSTED)
            original.take(Event.REVERSE if original.state in taken else Event.LATE)

    def being_reversed(self, key: str) -> bool:
        return key not in REVERSALS and any(
            self.rows[reversal].state not in FINAL
            for reversal, of in REVERSALS.items()
            if of == key and reversal in self.rows
        )

    def due(self) -> list[Record]:
        found: list[Record] = []
        after: int | str | None = 0
        while after is not None:
            piece = self.wait(self.books.due("host", after, 3))
            found += piece.records
            after = piece.after
        return found

    # -- what must hold --------------------------------------------------------------------

    def every_history_leads_to_its_record(self) -> None:
        """As many steps as changes, the last one where the record stands, posted once at most.

        Looked at where it may have been lost: after a start, and at the end.
        """
        for key, row in self.rows.items():
            record = self.stands(key)
            assert self.wait(self.books.payload(record)).body == row.body
            steps = self.wait(self.books.steps(record.seq))
            assert sum(step.count for step in steps) == record.version
            # An attempt under way may have been counted into the line of an earlier one.
            if record.state is not State.SENDING or steps[-1].state is State.SENDING:
                assert (steps[-1].state, steps[-1].in_doubt) == (record.state, record.in_doubt)
            assert steps[0].event == "submitted"
            assert row.happened[Event.POSTED] <= 1
            assert sum(step.count for step in steps if step.event == Event.POSTED) <= 1
            assert sum(row.happened[end] for end in (Event.DECLINED, Event.LAPSE, Event.VOID)) <= 1

    @invariant()
    def nothing_acknowledged_is_gone(self) -> None:
        """Every payment is there, under its key, with its content, where the model has it; the
        backlog, kept with every commit, says what counting all rows says."""
        if self.store is None:
            return
        records = self.wait(self.books.page(limit=500))
        assert {record.key for record in records} == set(self.rows)
        for record in records:
            row = self.rows[record.key]
            where = (record.state, record.in_doubt, record.version, record.payload_version)
            assert where == (row.state, row.in_doubt, row.version, row.payloads), record.key
            offered = _submission(record.key, row.variant, row.tried)
            assert record.transaction == offered.transaction
        assert [record.seq for record in records] == sorted(record.seq for record in records)
        unsent = [record for record in records if not record.final]
        backlog = self.wait(self.books.backlog())
        assert backlog.total.count == len(unsent)
        total = sum(record.transaction.amount_minor or 0 for record in unsent)
        assert backlog.total.by_currency == ({"CNY": total} if unsent else {})
        counted = Counter(record.state for record in unsent)
        assert {state: amounts.count for state, amounts in backlog.by_state.items()} == counted
        doubtful = [r for r in unsent if r.in_doubt or r.state is State.SENDING]
        assert backlog.in_doubt.count == len(doubtful)
        assert (backlog.oldest_at is None) is (not unsent)

    @invariant()
    def what_is_due_keeps_to_its_lane(self) -> None:
        """A reversal goes before its original and after its attempt; a void after its sale."""
        if self.store is None:
            return
        due = self.due()
        assert len({record.seq for record in due}) == len(due)
        going = [record.key for record in due if record.state is not State.HELD]
        for record in due:
            assert record.state in (State.QUEUED, State.WAITING) or record.in_doubt
            assert not (record.key in SALES and self.being_reversed(record.key))
        for key in going:
            about = REVERSALS.get(key) or VOIDS.get(key)
            root = self.rows.get(about or "")
            if root is not None and key in REVERSALS:
                assert root.state is not State.SENDING
            elif root is not None and self.before(about or "", key):
                # At a terminal what is held does not stop the till.
                till = self.order is Order.TERMINAL and root.state is State.HELD
                assert root.state in FINAL or till, (key, about)
        if self.order is Order.TERMINAL:
            assert len(going) <= 1
            # A reversal need not wait for the answer to another payment.
            sending = any(row.state is State.SENDING for row in self.rows.values())
            assert not sending or not going or going[0] in REVERSALS

    def before(self, one: str, other: str) -> bool:
        """Whether it was handed over earlier."""
        keys = list(self.rows)
        return keys.index(one) < keys.index(other)

    def teardown(self) -> None:
        if self.store is not None:
            self.every_history_leads_to_its_record()
            assert self.store.stop()
        self.loop.close()
        shutil.rmtree(self.folder)


def _quick() -> str | None:
    """Memory where there is some: what is tested here is not the flash."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _submission(key: str, variant: int, tried: int, body: bytes = b"first") -> Submission:
    kind, refers_to = Kind.SALE, None
    if key in VOIDS:
        kind, refers_to = Kind.VOID, VOIDS[key]
    if key in REVERSALS:
        kind, refers_to = Kind.REVERSAL, REVERSALS[key]
    return submission(
        key,
        body,
        kind=kind,
        refers_to=refers_to,
        attempts=tried,
        amount_minor=1250 + variant,
        occurred_at=OCCURRED_AT,
        stan=f"{sum(key.encode()):06d}",
    )


TestMachine = Machine.TestCase
TestMachine.settings = EFFORT
