"""A copy of a working journal, and its return: all of it or nothing, and nothing sent twice."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Payload
from agent.errors import CallerError, OperatorError, StoreError
from agent.store import Store, backup
from agent.store import restore as restoring
from agent.store.backup import Backups
from agent.store.part import StorePart
from agent.store.recipient import Recipient, generate, secret_of
from agent.store.restore import Restored, restore
from agent.store.schema import meta
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened


@dataclass(slots=True)
class Bench:
    """Two terminals and a recovery key."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def file(self) -> Path:
        return self.folder / "copy"

    @property
    def secret_file(self) -> Path:
        return self.folder / "recovery.secret"

    def recipient(self) -> str:
        if self.secret_file.exists():
            from nacl.bindings import crypto_scalarmult_base

            return Recipient(crypto_scalarmult_base(secret_of(self.secret_file))).text
        return generate(self.secret_file).text

    def story(self, at: str, tell: Callable[[Store], Awaitable[None]]) -> None:
        """What happens at a terminal while its daemon runs."""

        async def scene() -> None:
            async with opened(self.folder / at, self.clock) as store:
                await tell(store)

        asyncio.run(scene())

    def restore(self, at: str, *, secret: bool = True) -> Restored:
        (self.folder / at).mkdir(exist_ok=True)
        key = secret_of(self.secret_file) if secret else None
        return restore(self.folder / at / "state", self.file, key, self.clock.now())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    (tmp_path / "one").mkdir()
    bench.clock.advance(60)
    return bench


async def copy(
    store: Store, bench: Bench, recipient: str | None = None, *, hand_over: bool = False
) -> None:
    backups = Backups(store, bench.clock, "pos-1")
    to = bench.recipient() if recipient is None else recipient
    begun = await backups.begin(to, hand_over=hand_over)
    with bench.file.open("wb") as out:
        out.write(begun.head)
        number, last = 0, False
        while not last:
            piece = await backups.piece(begun.backup_id, number)
            out.write(piece.data)
            number, last = number + 1, piece.last


async def take(store: Store, bench: Bench, key: str, *events: Event, body: bytes = b"{}") -> Record:
    bench.clock.advance(1)
    one = submission(key, body, occurred_at=bench.clock.now().at)
    record = (await store.append(one)).record
    for event in events:
        record = await store.advance(record.seq, record.version, Change(event=event))
    return record


async def day(store: Store, bench: Bench) -> None:
    """Payments in every state."""
    await take(store, bench, "posted", Event.ATTEMPT, Event.POSTED, body=b"p")
    await take(store, bench, "queued", body=b"q" * 300)
    await take(store, bench, "doubt", Event.ATTEMPT, Event.NO_ANSWER)
    await take(store, bench, "held", Event.HOLD)
    await take(store, bench, "sending", Event.ATTEMPT)


async def settled(store: Store) -> dict[str, Record]:
    """All records, once everything under suspicion has been dealt with."""
    async with asyncio.timeout(10):
        while await store.journal(lambda journal: journal.table.suspicion is not None):
            await asyncio.sleep(0.01)
    return {record.key: record for record in await store.page(limit=500)}


def test_a_copy_opens_on_another_terminal_and_holds_what_is_not_final(bench: Bench) -> None:
    """States, history, payloads are there; everything unsent is held, in doubt and not due."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench)

    async def there(store: Store) -> None:
        records = await settled(store)
        assert set(records) == {"posted", "queued", "doubt", "held", "sending"}
        assert records["posted"].state is State.POSTED
        unsent = [r for r in records.values() if not r.final]
        assert {(r.state, r.in_doubt) for r in unsent} == {(State.HELD, True)}
        assert (await store.payload(records["queued"])).body == b"q" * 300
        steps = await store.steps(records["doubt"].seq)
        assert [s.event for s in steps] == ["submitted", "attempt", "no_answer", "damage"]
        assert "restored from the backup" in steps[-1].note
        due = await store.due("host")
        assert all(r.state is State.HELD for r in due.records)  # asked about, never sent
        again = await store.append(submission("queued", b"q" * 300, **_at(records["queued"])))
        assert not again.created

    bench.story("one", here)
    done = bench.restore("two")
    assert (done.records, done.unsent, done.hand_over, done.aside) == (5, 4, False, None)
    assert done.device_id == "pos-1"
    bench.story("two", there)


def _at(record: Record) -> dict[str, object]:
    return {"occurred_at": record.transaction.occurred_at}


def test_what_was_proved_of_this_terminals_clock_stays_here(bench: Bench) -> None:
    """Another one's witnesses have not spoken: it doubts a clock before the newest payment."""

    async def proved(store: Store) -> None:
        await take(store, bench, "posted", Event.ATTEMPT, Event.POSTED)
        now_ms = bench.clock.wall_ms
        await StorePart(store).clock_proved(now_ms - 86_400_000, now_ms)
        await copy(store, bench)

    async def restored(store: Store) -> None:
        found = await store.journal(lambda journal: meta(journal.table.db, "not_yet_ms"))
        assert found is None
        assert (await store.facts()).last_seen_ms == bench.clock.wall_ms

    bench.story("one", proved)
    bench.restore("two")
    bench.story("two", restored)


def test_a_payment_taken_after_the_copy_starts_in_doubt(bench: Bench) -> None:
    """The restored journal is born anew: what it may have forgotten is asked about first."""
    late: list[Record] = []

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench)
        late.append(await take(store, bench, "late"))

    async def there(store: Store) -> None:
        await settled(store)
        repeated = (await store.append(submission("late", b"{}", **_at(late[0])))).record
        assert (repeated.state, repeated.in_doubt) == (State.WAITING, True)
        fresh = await take(store, bench, "fresh")
        assert (fresh.state, fresh.in_doubt) == (State.QUEUED, False)
        assert fresh.seq > late[0].seq - 1

    bench.story("one", here)
    bench.clock.advance(3_600)
    bench.restore("two")
    bench.story("two", there)


def test_a_hand_over_stops_the_old_terminal_for_good(bench: Bench) -> None:
    """It takes nothing, sends nothing, also after a restart; answers under way are still kept."""

    async def here(store: Store) -> None:
        await day(store, bench)
        sending = await store.record("sending")
        assert sending is not None
        await copy(store, bench, hand_over=True)
        await store.advance(sending.seq, sending.version, Change(event=Event.POSTED))

    async def later(store: Store) -> None:
        assert (await store.due("host")).records == []
        with pytest.raises(CallerError) as refused:
            await take(store, bench, "new")
        assert refused.value.code == "store.handed_over"
        queued = await store.record("queued")
        assert queued is not None
        for event in (Event.ATTEMPT, Event.VOID, Event.LAPSE, Event.HURRY):
            with pytest.raises(CallerError):
                await store.advance(queued.seq, queued.version, Change(event=event))
        known = await store.append(submission("queued", b"q" * 300, **_at(queued)))
        assert not known.created
        assert store.refusal is not None
        assert store.refusal.code == "store.handed_over"

    bench.story("one", here)
    bench.story("one", later)


def test_what_was_handed_over_goes_on_after_it_was_asked_about(bench: Bench) -> None:
    """On the new terminal all of it is in doubt and due; what was held stays held."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench, hand_over=True)

    async def there(store: Store) -> None:
        records = await settled(store)
        states = {key: (r.state, r.in_doubt) for key, r in records.items()}
        assert states["posted"] == (State.POSTED, False)
        for key in ("queued", "doubt", "sending"):
            assert states[key] == (State.WAITING, True), key
        assert "handed over" in records["queued"].note
        assert states["held"][0] is State.HELD
        due = {r.key for r in (await store.due("host")).records}
        assert {"queued", "doubt", "sending"} <= due
        assert not (await take(store, bench, "new")).in_doubt

    bench.story("one", here)
    assert bench.restore("two").hand_over
    bench.story("two", there)


def test_a_hand_over_needs_a_recovery_key(bench: Bench) -> None:
    """Under its own ring nobody else could open it, and nothing is fenced."""

    async def here(store: Store) -> None:
        with pytest.raises(OperatorError) as refused:
            await copy(store, bench, "", hand_over=True)
        assert refused.value.code == "backup.no_key"
        assert (await take(store, bench, "new")).state is State.QUEUED

    bench.story("one", here)


def test_under_its_own_ring_a_copy_opens_on_this_terminal_only(bench: Bench) -> None:
    """Without a recipient no key leaves the terminal."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench, "")

    async def again(store: Store) -> None:
        records = await settled(store)
        assert records["queued"].state is State.HELD
        assert (await store.payload(records["queued"])).body == b"q" * 300

    bench.story("one", here)
    with pytest.raises(OperatorError) as refused:
        bench.restore("two", secret=False)
    assert refused.value.code == "backup.key_needed"
    assert not (bench.folder / "two" / "state" / "journal.db").exists()
    bench.restore("one", secret=False)
    bench.story("one", again)


def test_the_journal_that_was_there_is_put_aside_and_counts(bench: Bench) -> None:
    """Nothing is overwritten: the old file lies in quarantine, and is listed."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench)
        await take(store, bench, "after")

    async def again(store: Store) -> None:
        await settled(store)
        listed = await store.quarantined()
        assert [(Path(one.path), one.records) for one in listed] == [(done.aside, None)]
        assert (await store.facts()).damage

    bench.story("one", here)
    before = (bench.folder / "one" / "state" / "journal.db").read_bytes()
    done = bench.restore("one")
    assert done.aside is not None
    assert done.aside.read_bytes() == before
    bench.story("one", again)


def test_keys_of_a_journal_put_aside_lie_beside_it(bench: Bench) -> None:
    """Another terminal's journal comes with its own keys; those that were here are kept."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench)

    async def there(store: Store) -> None:
        await take(store, bench, "theirs")

    bench.story("one", here)
    bench.story("two", there)
    key = (bench.folder / "two" / "state" / "row.key").read_bytes()
    done = bench.restore("two")
    assert done.aside is not None
    beside = done.aside.with_name(f"{done.aside.name}.row.key")
    assert beside.read_bytes() == key
    assert (bench.folder / "two" / "state" / "row.key").stat().st_mode & 0o077 == 0


def test_a_wrong_key_changes_nothing(bench: Bench) -> None:
    """Another recovery key, or none, is told from damage and leaves the journal alone."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench)

    bench.story("one", here)
    state = bench.folder / "one" / "state"
    before = _content(state)
    with pytest.raises(OperatorError) as needed:
        bench.restore("one", secret=False)
    assert needed.value.code == "backup.key_needed"
    bench.secret_file.unlink()
    bench.recipient()
    with pytest.raises(OperatorError) as wrong:
        bench.restore("one")
    assert wrong.value.code == "backup.wrong_key"
    assert _content(state) == before


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "lock"
    }


def test_every_damage_of_the_file_is_found_and_changes_nothing(bench: Bench) -> None:
    """Bytes flipped anywhere, pieces swapped, dropped, repeated, the end cut off or added to."""

    async def here(store: Store) -> None:
        await day(store, bench)
        for number in range(120):
            await take(store, bench, f"k-{number}")
        await copy(store, bench)

    bench.story("one", here)
    (bench.folder / "two").mkdir()
    state = bench.folder / "two" / "state"
    whole = bench.file.read_bytes()
    start = whole.index(b"\n", len(backup.MAGIC)) + 1
    frames = list(_frames(whole, start))
    assert len(frames) > 4
    spoilt = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(0, start, 7)]
    spoilt += [
        whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
        for at in range(start, len(whole), len(whole) // 40)
    ]
    spoilt += [whole[:start] + b"".join(order) for order in (
        frames[1:], frames[:-1], [*frames, frames[-1]], [frames[1], frames[0], *frames[2:]],
        [*frames[:2], *frames[3:]], [*frames[:2], frames[1], *frames[2:]],
    )]  # fmt: skip
    spoilt += [whole[:-1], whole + b"\0", whole[: start + 2], whole[:start], b"", b"posagent"]
    for number, damaged in enumerate(spoilt):
        bench.file.write_bytes(damaged)
        with pytest.raises(OperatorError) as refused:
            bench.restore("two")
        assert refused.value.code in {"backup.damaged", "backup.wrong_key", "store.newer_schema"}, (
            number
        )
        left = {file.name for file in state.iterdir()}
        assert left <= {"lock"}, number
    bench.file.write_bytes(whole)
    assert bench.restore("two").records == 125


def _frames(whole: bytes, start: int):  # type: ignore[no-untyped-def]
    while start < len(whole):
        length = backup.Length.unpack_from(whole, start)[0] + backup.Length.size
        yield whole[start : start + length]
        start += length


def test_a_restore_cut_off_anywhere_is_finished_by_the_next_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of its renames was the last: the daemon opens the restored journal, the old one
    lies aside, and no journal is ever beside keys that are not its own."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench)

    async def there(store: Store) -> None:
        records = await settled(store)
        assert len(records) == 5
        assert len(await store.quarantined()) == 1

    async def as_before(store: Store) -> None:
        assert set(await settled(store)) == {"old"}

    async def old(store: Store) -> None:
        await take(store, bench, "old")

    bench.story("one", here)
    state, cuts = bench.folder / "two" / "state", 0
    for steps in range(1, 30):
        shutil.rmtree(bench.folder / "two", ignore_errors=True)
        bench.story("two", old)
        with monkeypatch.context() as patched:
            cut = Cut(steps)
            for name in ("rename", "replace", "unlink"):
                patched.setattr(Path, name, cut.of(getattr(Path, name)))
            try:
                bench.restore("two")
                break
            except KeyboardInterrupt:
                ready = (state / restoring.READY).exists()
        bench.story("two", there if ready else as_before)
        cuts += ready
    assert cuts >= 6


class Cut:
    """The power goes at the n-th step from here."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def of(self, real: Callable[..., object]) -> Callable[..., object]:
        """One kind of step, counted."""

        def step(path: Path, *values: object, **named: object) -> object:
            self._left -= 1
            if self._left <= 0:
                raise KeyboardInterrupt
            return real(path, *values, **named)

        return step


def test_a_restore_waits_for_no_daemon(bench: Bench) -> None:
    """While one runs it is refused with who holds the store."""

    async def here(store: Store) -> None:
        await day(store, bench)
        await copy(store, bench)
        with pytest.raises(StoreError) as busy:
            bench.restore("one")
        assert busy.value.code == "store.busy"
        assert "daemon" in busy.value.what

    bench.story("one", here)


def test_payments_go_on_while_a_copy_is_made(bench: Bench) -> None:
    """What comes meanwhile is in it or not, what moves is there as it was or is; all is whole."""
    moved: list[str] = []

    async def here(store: Store) -> None:
        first = [await take(store, bench, f"k-{n}", body=b"x" * 2_000) for n in range(200)]
        copying = asyncio.create_task(copy(store, bench))
        number = 0
        while not copying.done():
            if number < 150:
                record = first[-1 - number]
                sent = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
                await store.advance(sent.seq, sent.version, Change(event=Event.POSTED))
                moved.append(record.key)
            await take(store, bench, f"meanwhile-{number}")
            number += 1
        await copying

    async def there(store: Store) -> None:
        records = await settled(store)
        assert {f"k-{n}" for n in range(200)} <= set(records)
        for record in records.values():
            assert record.state in {State.HELD, State.POSTED}
            assert isinstance(await store.payload(record), Payload)
            assert await store.steps(record.seq)

    bench.story("one", here)
    assert moved
    bench.restore("two")
    bench.story("two", there)


def test_a_mistyped_recovery_key_is_refused(bench: Bench) -> None:
    """A backup sealed to nobody is worse than none."""
    good = bench.recipient()
    assert Recipient.of(f" {good.upper()}\n").text == good
    for at in (8, 40, len(good) - 1):
        wrong = good[:at] + ("0" if good[at] != "0" else "1") + good[at + 1 :]
        with pytest.raises(OperatorError) as refused:
            Recipient.of(wrong)
        assert refused.value.code == "backup.bad_recipient"
    assert bench.secret_file.stat().st_mode & 0o077 == 0
    with pytest.raises(OperatorError):
        generate(bench.secret_file)  # never over another one


def test_a_backup_that_is_not_under_way_is_told(bench: Bench) -> None:
    """A piece of another backup, or out of turn, is refused; the last one may be asked again."""

    async def here(store: Store) -> None:
        await day(store, bench)
        backups = Backups(store, bench.clock)
        begun = await backups.begin("", hand_over=False)
        first = await backups.piece(begun.backup_id, 0)
        assert (await backups.piece(begun.backup_id, 0)).data == first.data
        for backup_id, number in ((begun.backup_id, 2), ("0" * 16, 1)):
            with pytest.raises(CallerError) as refused:
                await backups.piece(backup_id, number)
            assert refused.value.code == "backup.unknown"

    bench.story("one", here)
