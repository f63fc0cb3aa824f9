"""A journal that was put aside gives back what it can prove, held and in doubt, no more."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, State
from agent.errors import OperatorError
from agent.store import Store
from agent.store.salvaged import READ
from agent.store.sealing import KEY_FILE
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_journal import at, post
from tests.store.test_sealing import altering, canary, care, story


async def wrecked(folder: Path, clock: FakeClock, records: int = 4) -> Path:
    """Posted `a`, waiting `b` that was sent once, the others queued; then the file is damaged so
    that the next start puts it aside."""
    async with opened(folder, clock) as store:
        keys = [f"k{number}" for number in range(records)]
        for key in keys:
            await store.append(canary(key, clock))
        first = await store.record("k0")
        assert first is not None
        await post(store, first)
        second = await store.record("k1")
        assert second is not None
        sending = await store.advance(second.seq, 1, Change(event=Event.ATTEMPT))
        await store.advance(
            sending.seq, sending.version, Change(event=Event.NO_ANSWER, cause="host.no_reply")
        )
    return folder


def break_header(folder: Path) -> None:
    """The file is put aside at the next start; every row can still be read after mending it."""
    with (folder / "state" / "journal.db").open("r+b") as file:
        file.seek(68)  # application id
        file.write(b"XXXX")


def put_aside(folder: Path) -> Path:
    (file,) = (folder / "state" / "quarantine").glob("*journal.db")
    return file


async def unsent(store: Store) -> dict[str, tuple[State, bool]]:
    page = await store.page(limit=50)
    return {record.key: (record.state, record.in_doubt) for record in page}


def test_proved_rows_come_back_held_and_in_doubt(tmp_path: Path) -> None:
    """With their payloads, history and attempts; what is final stays final; nothing is due but to
    be asked about; the quarantine counts only what is left."""

    async def test(clock: FakeClock) -> None:
        await wrecked(tmp_path, clock)
        break_header(tmp_path)
        clock.advance(3_600)
        async with opened(tmp_path, clock) as store:
            file = put_aside(tmp_path)
            before = hashlib.sha256(file.read_bytes()).digest()
            haul = await care(store, clock).salvage(file.name, 0, "uid:7")
            assert (haul.after, haul.taken, haul.final, haul.known, haul.unproved) == (
                None, 3, 1, 0, 0,
            )  # fmt: skip
            assert await unsent(store) == {
                "k0": (State.POSTED, False),
                "k1": (State.HELD, True),
                "k2": (State.HELD, True),
                "k3": (State.HELD, True),
            }
            second = await store.record("k1")
            assert second is not None
            assert (second.sent, second.cause) == (1, "queue.quarantined")
            assert "where it was waiting" in second.note
            assert second.first_sent is not None
            steps = [step.event for step in await store.steps(second.seq)]
            assert steps == ["submitted", "attempt", "no_answer", "salvaged"]
            assert all(
                record.state is State.HELD for record in (await store.due("host", 0, 50)).records
            )
            assert (await store.payload(second)).body == canary("k1", clock).payload.body
            backlog = await store.backlog()
            assert backlog.quarantined is not None
            assert (backlog.quarantined.count, backlog.held.count) == (0, 3)
            assert not (await care(store, clock).verify()).found
            assert hashlib.sha256(file.read_bytes()).digest() == before

    story(test)


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    """Keys that are here already, taken back or handed over anew, are left as they are."""

    async def test(clock: FakeClock) -> None:
        await wrecked(tmp_path, clock)
        break_header(tmp_path)
        handed = canary("k2", clock)
        clock.advance(3_600)
        async with opened(tmp_path, clock) as store:
            again = (await store.append(handed)).record
            assert again.in_doubt  # older than this journal
            name = put_aside(tmp_path).name
            first = await care(store, clock).salvage(name, 0, "uid:7")
            assert (first.taken, first.known) == (2, 1)
            stood = await unsent(store)
            second = await care(store, clock).salvage(name, 0, "uid:7")
            assert (second.taken, second.final, second.known) == (0, 0, 4)
            assert await unsent(store) == stood
            assert await store.record("k2") == again

    story(test)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tx SET amount_minor = 9 WHERE seq = 3",
        "UPDATE tx SET state = 4 WHERE seq = 3",
        "UPDATE payload SET body = x'00' WHERE id = 769",
        "DELETE FROM payload WHERE id = 769",
    ],
)
def test_what_is_not_proved_stays_where_it_is(tmp_path: Path, sql: str) -> None:
    """It is not taken back, and unless it passes for final it still counts as put aside."""

    async def test(clock: FakeClock) -> None:
        await wrecked(tmp_path, clock)
        altering(tmp_path, sql)
        break_header(tmp_path)
        async with opened(tmp_path, clock) as store:
            haul = await care(store, clock).salvage(put_aside(tmp_path).name, 0, "uid:7")
            unproved = "state = 4" not in sql
            assert (haul.taken, haul.unproved) == (2, int(unproved))
            assert "k2" not in await unsent(store)
            backlog = await store.backlog()
            assert backlog.quarantined is not None
            assert backlog.quarantined.count == int(unproved)
            amounts = backlog.quarantined.by_currency
            assert bool(amounts) == unproved

    story(test)


def test_a_long_one_is_taken_back_in_portions(tmp_path: Path) -> None:
    """Each answer says where to go on; a payment handed over meanwhile does not wait."""

    async def test(clock: FakeClock) -> None:
        await wrecked(tmp_path, clock, 2 * READ + 5)
        break_header(tmp_path)
        async with opened(tmp_path, clock) as store:
            name = put_aside(tmp_path).name
            looked_after = care(store, clock)
            taken, after, answers = 0, 0, 0
            while after is not None:
                haul = await looked_after.salvage(name, after, "uid:7", 0.0)
                taken, after, answers = taken + haul.taken + haul.final, haul.after, answers + 1
                await store.append(submission(f"meanwhile{answers}", **at(clock)))
            assert (taken, answers) == (2 * READ + 5, 3)
            backlog = await store.backlog()
            assert backlog.quarantined is not None
            assert backlog.quarantined.count == 0

    story(test)


def test_nothing_outside_the_folder_is_opened(tmp_path: Path) -> None:
    """Names lead nowhere else, and a file that proves nothing is refused with a reason."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            folder = tmp_path / "state" / "quarantine"
            folder.mkdir(mode=0o700)
            for name in ("../journal.db", "nothing.db", "."):
                with pytest.raises(OperatorError) as refused:
                    await care(store, clock).salvage(name, 0, "uid:7")
                assert refused.value.code == "salvage.unknown"
            (folder / "1-journal.db").write_bytes(b"no database at all" * 100)
            with pytest.raises(OperatorError) as refused:
                await care(store, clock).salvage("1-journal.db", 0, "uid:7")
            assert refused.value.code == "salvage.unreadable"

    story(test)


def test_without_its_key_a_payload_is_not_proved(tmp_path: Path) -> None:
    """Nobody can say that those are the bytes; put the ring back and do it again."""

    async def test(clock: FakeClock) -> None:
        await wrecked(tmp_path, clock)
        break_header(tmp_path)
        state = tmp_path / "state"
        saved = (state / KEY_FILE).read_bytes()
        for file in state.glob(f"{KEY_FILE}*"):
            file.unlink()
        async with opened(tmp_path, clock) as store:
            name = put_aside(tmp_path).name
            haul = await care(store, clock).salvage(name, 0, "uid:7")
            assert (haul.taken, haul.unproved) == (0, 3)
        (state / f"{KEY_FILE}.copy").write_bytes(saved)
        async with opened(tmp_path, clock) as store:
            haul = await care(store, clock).salvage(name, 0, "uid:7")
            assert (haul.taken, haul.unproved) == (3, 0)

    story(test)
