"""Commands on disk: sequences survive the loss of either file, and nothing altered is believed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.audit import Deed
from agent.core.fleet import ledger
from agent.core.fleet.ledger import Order, Stage
from agent.store.audit import Trail
from agent.store.files import Counters
from agent.store.migrate import create
from agent.store.opening import connect
from agent.store.orders import KEEP_ROWS, Orders
from agent.store.schema import SCHEMA
from agent.store.sequences import MOST_KEYS, Sequences
from tests.fakes import FakeClock
from tests.store.stores import opened

T = TypeVar("T")
CLOCK = FakeClock()
DEED = Deed(actor="fleet:ops", op="command.hold")


def order(seq: int, key_id: str = "ops", cmd_id: str = "") -> Order:
    return Order(
        cmd_id=cmd_id or f"c{seq}", key_id=key_id, seq=seq, digest=b"d%d" % seq, op="hold",
        target="k", at_ms=CLOCK.wall_ms + seq,
    )  # fmt: skip


def with_ledger(tmp_path: Path, work: Callable[[Orders], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with opened(tmp_path) as store:
            return await work(Orders(store, Trail(store, CLOCK, 365)))

    return asyncio.run(inside())


def test_a_command_is_kept_with_its_sequence_and_its_result(tmp_path: Path) -> None:
    """Over a restart, bytes included."""

    async def first(orders: Orders) -> None:
        await orders.begin(CLOCK.wall_ms)
        await orders.begin(CLOCK.wall_ms + 5)
        await orders.take(order(7), DEED)
        await orders.take(order(9, cmd_id="open"), DEED)
        done = ledger.ended(order(7), "ok", at_ms=99, result=b'{"moved":1}')
        await orders.move(done, DEED)

    async def then(orders: Orders) -> None:
        standing = await orders.standing("c7", "ops")
        assert standing.last_seq == 9
        assert standing.since_ms == CLOCK.wall_ms
        assert standing.kept is not None
        assert (standing.kept.status, standing.kept.result) == ("ok", b'{"moved":1}')
        assert [one.cmd_id for one in await orders.unfinished()] == ["open"]
        assert (await orders.standing("other", "eye")).last_seq == 0

    with_ledger(tmp_path, first)
    with_ledger(tmp_path, then)


def test_either_file_alone_keeps_the_sequences_and_mends_the_other(tmp_path: Path) -> None:
    """First the journal is lost, then the counters: no number is forgotten."""
    state = tmp_path / "state"

    async def first(orders: Orders) -> None:
        await orders.begin(CLOCK.wall_ms)
        await orders.take(order(7), DEED)

    async def then(orders: Orders) -> int:
        return (await orders.standing("x", "ops")).last_seq

    with_ledger(tmp_path, first)
    for file in state.glob("journal.db*"):
        file.unlink()
    assert with_ledger(tmp_path, then) == 7
    (state / "counters").unlink()

    async def without(orders: Orders) -> int:
        standing = await orders.standing("x", "ops")
        assert standing.since_ms is None, "there was a gap, and that is known"
        return standing.last_seq

    assert with_ledger(tmp_path, without) == 7
    for file in state.glob("journal.db*"):
        file.unlink()
    assert with_ledger(tmp_path, then) == 7


def test_an_altered_row_is_over_and_never_begun(tmp_path: Path) -> None:
    """Whoever changes the ledger gets nothing done by it."""

    async def first(orders: Orders) -> None:
        await orders.take(order(7), DEED)

    with_ledger(tmp_path, first)
    with closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as db:
        db.execute("UPDATE command SET op = 'restart_agent'")
        db.commit()

    async def then(orders: Orders) -> Order | None:
        return (await orders.standing("c7", "ops")).kept

    kept = with_ledger(tmp_path, then)
    assert kept is not None
    assert (kept.stage, kept.code) == (Stage.DONE, "ledger_altered")


def test_the_ledger_is_bounded_and_forgets_no_sequence(tmp_path: Path) -> None:
    """Results are pruned; numbers are not."""

    async def work(orders: Orders) -> tuple[int, Order | None]:
        for seq in range(1, KEEP_ROWS + 20):
            await orders.take(ledger.ended(order(seq), "rejected", at_ms=1), DEED)
        standing = await orders.standing("c1", "ops")
        return standing.last_seq, standing.kept

    assert with_ledger(tmp_path, work) == (KEEP_ROWS + 19, None)


def test_older_agents_and_newer_ones_share_the_counters_file(tmp_path: Path) -> None:
    """The sequences lie behind the slots an older agent writes, and survive it."""
    path = tmp_path / "counters"
    old = Counters(path)
    sequences = Sequences(path)
    sequences.begin(5)
    for number in range(MOST_KEYS + 2):
        sequences.raise_to(f"key-{number}", number + 1)
    sequences.raise_to("key-9", 3)
    for _ in range(3):
        old.save(connects=old.counts.connects + 1)
    again = Sequences(path)
    assert (again.since_ms, again.last("key-9"), again.last("key-0")) == (5, 10, 0)
    assert Counters(path).counts.connects == 3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2047), size=st.integers(1, 600), noise=st.binary(min_size=1, max_size=8))
def test_a_torn_slot_costs_one_step_at_most(
    tmp_path: Path, at: int, size: int, noise: bytes
) -> None:
    """Garbage over one slot leaves the other; over both nothing is invented."""
    path = tmp_path / "counters"
    path.unlink(missing_ok=True)
    sequences = Sequences(path)
    sequences.begin(5)
    sequences.raise_to("ops", 6)
    sequences.raise_to("ops", 7)
    whole = bytearray(path.read_bytes())
    whole[at : at + size] = (noise * size)[: len(whole[at : at + size])]
    path.write_bytes(bytes(whole))
    assert Sequences(path).last("ops") in {7, 6, 0}


def test_a_journal_of_the_second_schema_gets_ledger_and_trail(tmp_path: Path) -> None:
    """Without losing what it had; and an older agent refuses what this one wrote."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with closing(connect(state / "journal.db")) as db:
        create(db, CLOCK.now(), 2)

    async def work(orders: Orders) -> int:
        await orders.take(order(7), DEED)
        return (await orders.standing("x", "ops")).last_seq

    assert with_ledger(tmp_path, work) == 7
    with closing(sqlite3.connect(state / "journal.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == ("3",)
