"""Payloads are sealed as they are stored, keys turned over, and a missing key loses no state."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, State
from agent.core.money.transaction import Payload, Submission
from agent.crypt import KeyFile
from agent.errors import CallerError, OperatorError, StoreError
from agent.store import Store, sealing
from agent.store.care import Care
from agent.store.journal import Journal
from agent.store.rows import record_of
from agent.store.sealing import KEY_FILE, Sealing
from tests.core.money.payments import submission, transaction
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_believing import all_held, database
from tests.store.test_journal import at, post

CANARY = "CANARY-3f9a71-payload"


@pytest.fixture(autouse=True)
def _counted_from_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_series", lambda: 0)


class Threads:
    """Runs at once what the daemon runs beside the loop."""

    async def call(self, name: str, function: Callable[[], object], deadline_s: float) -> object:
        del name, deadline_s
        return function()


def care(store: Store, clock: FakeClock, sweep_period_s: float = 0.0) -> Care:
    return Care(store, clock, Threads(), sweep_period_s)  # type: ignore[arg-type]


def canary(key: str, clock: FakeClock, body: bytes = b"") -> Submission:
    text = CANARY.encode()
    return Submission(
        transaction=transaction(key, **at(clock), reversal_key=f"{key}-rev"),
        payload=Payload(content_type="text/plain", body=body or b"body " + text),
        query_payload=b"ask " + text,
        reversal_payloads={"98": b"back " + text},
    )


def story(test: Callable[[FakeClock], Awaitable[None]]) -> None:
    asyncio.run(test(FakeClock()))  # type: ignore[arg-type]


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def row(folder: Path, columns: str, number: int = 257) -> tuple[object, ...]:
    db = database(folder)
    found: tuple[object, ...] = db.execute(
        f"SELECT {columns} FROM payload WHERE id = ?", (number,)
    ).fetchone()
    db.close()
    return found


def altering(folder: Path, sql: str) -> None:
    db = database(folder)
    db.execute(sql)
    db.close()


async def due(store: Store) -> list[str]:
    return [record.key for record in (await store.due("host", 0, 50)).records]


@pytest.mark.parametrize("size", [0, 300, 5_000, 200_000])
def test_what_was_handed_over_is_in_no_file(tmp_path: Path, size: int) -> None:
    """A canary in payload, query and reversals is found nowhere in state_dir: not in the database,
    not in its log, not after a stop; and it comes back byte for byte."""

    async def test(clock: FakeClock) -> None:
        handed = canary("a", clock, (CANARY * (size // len(CANARY) + 1)).encode())
        async with opened(tmp_path, clock) as store:
            record = (await store.append(handed)).record
            assert CANARY.encode() not in everything(tmp_path)
        assert CANARY.encode() not in everything(tmp_path)
        async with opened(tmp_path, clock) as store:
            assert await store.payload(record) == handed.payload
            kept = await store.journal(lambda journal: journal.payloads.prepared(record))
            assert kept.query_payload == handed.query_payload
            assert dict(kept.reversal_payloads) == dict(handed.reversal_payloads)
            await care(store, clock).verify()
        assert CANARY.encode() not in everything(tmp_path)

    story(test)


def test_without_sealing_the_same_canary_is_found(tmp_path: Path) -> None:
    """The positive control; sealed rows and clear ones are read side by side either way."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock, seal=False) as store:
            clear = (await store.append(canary("a", clock))).record
            assert CANARY.encode() in everything(tmp_path)
            assert not (tmp_path / "state" / KEY_FILE).exists()
        async with opened(tmp_path, clock) as store:
            sealed = (await store.append(canary("b", clock))).record
            assert await store.payload(clear) == canary("a", clock).payload
        async with opened(tmp_path, clock, seal=False) as store:
            assert await store.payload(sealed) == canary("b", clock).payload
            await store.append(canary("c", clock))
        seals = [row(tmp_path, "seal", seq * 256 + 1)[0] for seq in (1, 2, 3)]
        assert seals == [0, 1, 0]

    story(test)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE payload SET body = substr(body, 1, 60) || CAST('x' AS BLOB) || substr(body, 62)",
        "UPDATE payload SET body = x''",
        "UPDATE payload SET body = (SELECT body FROM payload WHERE id = 513)",
        (
            "UPDATE payload SET (body, wrapped, key_id) = "
            "(SELECT body, wrapped, key_id FROM payload WHERE id = 513)"
        ),
        "UPDATE payload SET wrapped = (SELECT wrapped FROM payload WHERE id = 513)",
        "UPDATE payload SET wrapped = NULL",
        "UPDATE payload SET wrapped = x'00'",
        "UPDATE payload SET content_type = 'text/html'",
        "UPDATE payload SET key_id = 7",
        "UPDATE payload SET seal = 0",
        "UPDATE payload SET seal = 2",
        "UPDATE payload SET seal = 9",
    ],
)
def test_an_altered_or_swapped_seal_is_noticed(tmp_path: Path, sql: str) -> None:
    """The row is put aside, nothing unsent goes out, and it counts as quarantined money."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            first = (await store.append(canary("a", clock))).record
            await store.append(canary("b", clock))
        altering(tmp_path, f"{sql} WHERE id = 257")
        async with opened(tmp_path, clock) as store:
            assert 1 not in (await store.due("host", 0, 10)).payloads
            with pytest.raises(CallerError, match="put aside"):
                await store.payload(first)
            await all_held(store)
            backlog = await store.backlog()
            assert backlog.held.count == 1
            assert backlog.quarantined is not None
            assert backlog.quarantined.count == 1

    story(test)


def test_a_journal_of_another_terminal_does_not_open_under_this_ones_name(tmp_path: Path) -> None:
    """Boxes are bound to their database: the same row in another one is an altered row."""

    async def test(clock: FakeClock) -> None:
        state = tmp_path / "two" / "state"
        state.mkdir(parents=True, mode=0o700)
        for name in ("one", "two"):
            async with opened(tmp_path / name, clock) as store:
                await store.append(canary("a", clock))
            for file in ("row.key", KEY_FILE) if name == "one" else ():
                shutil.copy(tmp_path / "one" / "state" / file, state / file)
        body, wrapped = row(tmp_path / "one", "body, wrapped")
        db = database(tmp_path / "two")
        db.execute("UPDATE payload SET body = ?, wrapped = ?", (body, wrapped))
        db.close()
        async with opened(tmp_path / "two", clock) as store:
            found = await store.record("a")
            assert found is not None
            with pytest.raises(CallerError, match="put aside"):
                await store.payload(found)

    story(test)


# -- keys that are not there -----------------------------------------------------------------


def lose_keys(folder: Path) -> dict[str, bytes]:
    files = KeyFile(folder / "state" / KEY_FILE).copies
    saved = {file.name: file.read_bytes() for file in files}
    for file in files:
        file.unlink()
    return saved


def test_a_missing_key_keeps_the_books_open_and_sends_nothing(tmp_path: Path) -> None:
    """States and amounts are told, what is sealed is held with its cause, new payments are taken
    and sent under a new key, and the start says what is lost and what is not."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            await store.append(canary("old", clock))
            await store.append(canary("long", clock, b"x" * 9_000))
            done = (await store.append(canary("done", clock))).record
            await post(store, done)
        lose_keys(tmp_path)
        async with opened(tmp_path, clock) as store:
            facts = await store.facts()
            assert "key 1 of sealed payloads is missing" in facts.damage
            assert "states, amounts and results are known" in facts.damage
            posted = await store.record("done")
            assert posted is not None
            assert posted.state is State.POSTED
            assert await due(store) == []
            for key in ("old", "long"):
                held = await store.record(key)
                assert held is not None
                assert (held.state, held.in_doubt) == (State.HELD, False)
                assert held.cause == "software.data_error"
                assert "key 1, which is not on this terminal" in held.note
            assert (await store.backlog()).quarantined.count == 0  # type: ignore[union-attr]
            fresh = (await store.append(canary("new", clock))).record
            assert (await store.payload(fresh)).body.startswith(b"body")
            assert await due(store) == ["new"]
            assert not (await store.append(canary("old", clock))).created
            keys = await care(store, clock).keys()
            assert (keys.newest, keys.held, keys.missing) == (2, (2,), (1,))

    story(test)


def test_a_ring_that_is_put_back_opens_everything_again(tmp_path: Path) -> None:
    """Held payments go on after their release; the key made meanwhile stays."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            await store.append(canary("old", clock))
        saved = lose_keys(tmp_path)
        async with opened(tmp_path, clock) as store:
            assert await due(store) == []
            await store.append(canary("new", clock))
        (tmp_path / "state" / KEY_FILE).write_bytes(saved[KEY_FILE])
        async with opened(tmp_path, clock) as store:
            assert (await store.facts()).damage == ""
            held = await store.record("old")
            assert held is not None
            await store.advance(held.seq, held.version, Change(event=Event.RELEASE))
            assert await due(store) == ["old", "new"]
            assert (await store.due("host", 0, 9)).payloads[1].body.startswith(b"body")

    story(test)


def test_the_firmware_may_hold_the_ring(tmp_path: Path) -> None:
    """The hook opens it; while it does not, the store is unavailable and loses nothing."""

    async def test(clock: FakeClock) -> None:
        state = tmp_path / "state"
        ring = KeyFile(tmp_path / "ring")
        ring.load()
        answers: list[bytes | None] = [ring.path.read_bytes(), None]

        def unwrap(_raw: bytes) -> bytes:
            answer = answers.pop(0)
            if answer is None:
                raise OSError("the keystore is locked")
            return answer

        kept_as = Sealing(file=tmp_path / "wrapped", unwrap=unwrap)
        kept_as.file.write_bytes(b"opaque")
        kept_as.file.chmod(0o600)
        store = Store(state, clock, sealing=kept_as)
        await store.start()
        await store.append(canary("a", clock))
        with pytest.raises(OperatorError, match="firmware"):
            await care(store, clock).rotate()
        assert store.stop()
        store = Store(state, clock, sealing=kept_as)
        await store.start()
        with pytest.raises(StoreError, match="keystore is locked"):
            await store.record("a")
        assert store.stop()
        assert kept_as.file.read_bytes() == b"opaque"

    story(test)


# -- rotation --------------------------------------------------------------------------------


def test_a_rotation_wraps_keys_anew_and_touches_no_payload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row ends under the newest key, piece by piece; bodies stay; the old key is removed."""
    monkeypatch.setattr(sealing, "PIECE", 4)

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            for number in range(10):
                await store.append(canary(f"k{number}", clock))
        bodies = [row(tmp_path, "body", seq * 256 + 1) for seq in range(1, 11)]
        async with opened(tmp_path, clock) as store:
            looked_after = care(store, clock)
            keys = await looked_after.rotate()
            assert (keys.newest, keys.held, keys.turning) == (2, (1, 2), True)
            await store.append(canary("new", clock))
            await looked_after.turn()
            keys = await looked_after.keys()
            assert (keys.held, keys.in_use, keys.turning) == ((2,), (2,), False)
        assert bodies == [row(tmp_path, "body", seq * 256 + 1) for seq in range(1, 11)]
        assert {row(tmp_path, "key_id", seq * 256 + 1) for seq in range(1, 12)} == {(2,)}
        ring = KeyFile(tmp_path / "state" / KEY_FILE).read()
        assert ring is not None
        assert ring.ids == {2}
        async with opened(tmp_path, clock) as store:
            assert len((await store.due("host", 0, 50)).payloads) == 11

    story(test)


def test_a_rotation_goes_on_after_a_kill_at_any_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of the files taken before and after every step open, send everything and finish."""
    monkeypatch.setattr(sealing, "PIECE", 2)

    async def test(clock: FakeClock) -> None:
        taken: list[Path] = []

        def photograph() -> None:
            taken.append(tmp_path / f"cut{len(taken)}")
            shutil.copytree(tmp_path / "state", taken[-1] / "state")

        async with opened(tmp_path, clock) as store:
            for number in range(5):
                await store.append(canary(f"k{number}", clock))
            looked_after = care(store, clock)
            photograph()
            ring = await store.journal(lambda journal: journal.payloads.seals.ring)
            assert ring is not None
            await looked_after.rotate()
            photograph()
            done = False
            while not done:
                done = await store.journal(looked_after._turn)
                photograph()
        assert len(taken) >= 6
        # The file had the new key, and the journal did not know it yet.
        half = tmp_path / f"cut{len(taken)}"
        shutil.copytree(taken[0], half)
        KeyFile(half / "state" / KEY_FILE).rotate(ring)
        for cut in (*taken, half):
            async with opened(cut, clock) as store:
                assert (await store.facts()).damage == "", cut
                looked_after = care(store, clock)
                await looked_after.turn()
                keys = await looked_after.keys()
                assert len(keys.held) == 1, cut
                assert keys.held == keys.in_use, cut
                assert len((await store.due("host", 0, 50)).payloads) == 5, cut

    story(test)


def test_no_key_is_removed_while_a_journal_lies_in_quarantine(tmp_path: Path) -> None:
    """Its payloads may be sealed with it, and somebody may yet take them back."""

    async def test(clock: FakeClock) -> None:
        folder = tmp_path / "state" / "quarantine"
        async with opened(tmp_path, clock) as store:
            await store.append(canary("a", clock))
            folder.mkdir(mode=0o700)
            (folder / "1-abc-journal.db").write_bytes(b"wreck")
            looked_after = care(store, clock)
            await looked_after.rotate()
            await looked_after.turn()
            keys = await looked_after.keys()
            assert (keys.held, keys.in_use) == ((1, 2), (2,))
            (folder / "1-abc-journal.db").unlink()
        async with opened(tmp_path, clock) as store:
            looked_after = care(store, clock)
            await looked_after.turn()
            assert (await looked_after.keys()).held == (2,)

    story(test)


def test_no_key_is_removed_on_the_word_of_a_flipped_bit(tmp_path: Path) -> None:
    """Which keys are in use is written with a check: unreadable, every key counts as in use."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            await store.append(canary("a", clock))
        KeyFile(tmp_path / "state" / KEY_FILE).rotate(
            KeyFile(tmp_path / "state" / KEY_FILE).load()[0]
        )
        altering(
            tmp_path,
            "UPDATE meta SET value = replace(value, '1 ', '2 ') WHERE name = 'payload_keys'",
        )
        async with opened(tmp_path, clock) as store:
            looked_after = care(store, clock)
            await store.journal(
                lambda journal: looked_after._turning.forget(
                    journal.table.db, journal.payloads.seals
                )
            )
            keys = await looked_after.keys()
            assert keys.held == (1, 2)
            assert (await store.due("host", 0, 9)).payloads[1].body.startswith(b"body")

    story(test)


# -- destroying ------------------------------------------------------------------------------


def test_acknowledged_payloads_are_destroyed_and_the_payment_stays_known(tmp_path: Path) -> None:
    """No wrapped key, no bytes, in no page and no log after a stop; a repeat is still recognised,
    another content still refused, history and state still told."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            handed = canary("a", clock)
            record = (await store.append(handed)).record
            looked_after = care(store, clock)
            with pytest.raises(CallerError, match="is queued"):
                await looked_after.acknowledge("a")
            assert await looked_after.acknowledge("unknown") is None
            await post(store, record)
        (wrapped,) = row(tmp_path, "wrapped")
        assert isinstance(wrapped, bytes)
        async with opened(tmp_path, clock) as store:
            looked_after = care(store, clock)
            for _ in range(2):
                told = await looked_after.acknowledge("a")
                assert told is not None
                assert told.state is State.POSTED
            again = await store.append(handed)
            assert (again.created, again.record.state) == (False, State.POSTED)
            with pytest.raises(CallerError, match="other content"):
                await store.append(canary("a", clock, b"other"))
            assert [step.event for step in await store.steps(record.seq)][-1] == "posted"
            with pytest.raises(CallerError) as gone:
                await store.journal(lambda journal: journal.payloads.prepared(told))
            assert gone.value.code == "payload.destroyed"
            whole = await looked_after.verify()
            assert not whole.found
        assert row(tmp_path, "seal, wrapped, body, query_body, reversals") == (
            2, None, b"", None, None,
        )  # fmt: skip
        assert wrapped not in everything(tmp_path)
        assert wrapped[24:56] not in everything(tmp_path)

    story(test)


def test_the_next_hand_over_acknowledges_in_the_same_write(tmp_path: Path) -> None:
    """What is final is destroyed, what is not or is unknown stays; a repeat acknowledges nothing,
    and a payment that is refused destroys nothing."""

    async def destroyed(store: Store, *keys: str) -> list[bool]:
        def look(journal: Journal) -> list[bool]:
            found = [journal.table.one("by_key", key) for key in keys]
            return [journal.payloads.checked(record_of(tuple(row)))[0] is None for row in found]  # type: ignore[arg-type]

        return await store.journal(look)

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            for key in ("a", "b"):
                await post(store, (await store.append(canary(key, clock))).record)
            await store.append(canary("open", clock))
            other = replace(canary("open", clock, b"other"), acknowledges=("a",))
            with pytest.raises(CallerError, match="other content"):
                await store.append(other)
            assert await destroyed(store, "a", "b", "open") == [False, False, False]
            given = replace(canary("c", clock), acknowledges=("a", "open", "unknown"))
            before = await store.journal(lambda journal: journal.table.db.total_changes)
            assert (await store.append(given)).created
            assert await store.journal(lambda journal: journal.table.db.total_changes) == before + 3
            assert await destroyed(store, "a", "b", "open", "c") == [True, False, False, False]
            again = replace(canary("c", clock), acknowledges=("b",))
            assert not (await store.append(again)).created
            assert await destroyed(store, "b") == [False]
            assert not (await care(store, clock).verify()).found

    story(test)


def test_all_versions_and_clear_ones_are_destroyed_too(tmp_path: Path) -> None:
    """What was stored before sealing was turned on is overwritten as well."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock, seal=False) as store:
            record = (await store.append(canary("a", clock))).record
            await post(store, record)
        async with opened(tmp_path, clock) as store:
            other = (await store.append(canary("b", clock))).record
            await care(store, clock).acknowledge("a")
            assert await store.payload(other) == canary("b", clock).payload
        assert CANARY.encode() not in everything(tmp_path)

    story(test)


def test_a_first_start_without_payments_needs_no_keys_of_the_past(tmp_path: Path) -> None:
    """An empty journal whose key file is gone opens without a complaint."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock, seal=False) as store:
            await store.append(submission("a", **at(clock)))
        async with opened(tmp_path, clock) as store:
            assert (await store.facts()).damage == ""

    story(test)
