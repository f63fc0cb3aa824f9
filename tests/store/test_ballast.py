"""A full disk and a flood: answers to payments under way still find room, new payments do not."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.config import Storage
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import CustomerSaw, Kind, Posting
from agent.errors import StoreError
from agent.store import Store, ballast
from agent.store.ballast import PIECE_BYTES, Ballast
from tests.core.money.payments import submission
from tests.fakes import FakeClock

RESERVE_KB = 256


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "posagent-test", place],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("cannot mount a tmpfs: a really full disk was NOT tried")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@asynccontextmanager
async def kept(directory: Path, **settings: int) -> AsyncIterator[Store]:
    """A store as the daemon opens it, once its reserve is made."""
    storage = Storage(reserve_kb=RESERVE_KB, **settings)
    store = Store(directory / "state", FakeClock(), storage=storage)
    await store.start()
    try:
        await until(lambda: _reserve(directory) == RESERVE_KB << 10)
        yield store
    finally:
        assert store.stop()


def _reserve(directory: Path) -> int:
    file = directory / "state" / "reserve"
    return file.stat().st_size if file.exists() else 0


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def request(key: str, **changes: Any) -> Any:
    """A payment the customer still waits for."""
    return submission(key, posting=Posting.REQUEST, **changes)


async def code_of(store: Store, one: Any) -> str:
    """What a hand-over is answered: "" for recorded."""
    try:
        await store.append(one)
    except StoreError as error:
        return error.code
    return ""


async def moved(store: Store, record: Record, *events: Event) -> Record:
    for event in events:
        record = await store.advance(record.seq, record.version, Change(event=event))
    return record


async def fill(place: Path, store: Store) -> None:
    """Until a payment finds no room."""
    with (place / "junk").open("wb", buffering=0) as junk:
        for size in (65_536, 4_096):
            try:
                while True:
                    junk.write(b"x" * size)
            except OSError:
                continue
    for number in range(3_000):
        if await code_of(store, request(f"fill-{number}", body=b"x" * 4_000)) == "store.full":
            return
    raise AssertionError("never full")


def test_answers_are_written_on_a_full_disk_and_new_requests_refused(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reserve is given up for them: what was under way is posted, a request is 507, a known
    key is answered, an approved payment is taken; with space again all is as before."""
    monkeypatch.setattr(ballast, "AGAIN_S", 0.05)

    async def story() -> None:
        async with kept(small) as store:
            under_way = [
                await moved(store, (await store.append(request(f"k-{n}"))).record, Event.ATTEMPT)
                for n in range(20)
            ]
            await fill(small, store)
            assert _reserve(small) == 0
            assert store.refusal is not None
            assert store.refusal.code == "store.full"
            for record in under_way:
                posted = await moved(store, record, Event.POSTED)
                assert posted.state is State.POSTED
            assert await code_of(store, request("new")) == "store.full"
            assert not (await store.append(request("k-0"))).created
            approved = request("approved", customer_saw=CustomerSaw.APPROVED)
            assert await code_of(store, approved) == ""
            assert await code_of(store, submission("advice")) == ""
            assert await code_of(store, request("back", kind=Kind.REVERSAL, refers_to="k-0")) == ""
            (small / "junk").unlink()
            await until(lambda: store.refusal is None)
            assert _reserve(small) == RESERVE_KB << 10
            assert await code_of(store, request("new")) == ""

    asyncio.run(story())


def test_without_any_room_an_approved_payment_is_refused_too(small: Path) -> None:
    """Money rule 3 ends where the storage does: the other half of the reserve is for answers."""

    async def story() -> None:
        async with kept(small) as store:
            record = (await store.append(request("before"))).record
            await fill(small, store)
            refused = 0
            for number in range(2_000):
                one = submission(f"approved-{number}", b"x" * 4_000)
                refused += await code_of(store, one) == "store.full"
                if refused > 3:
                    break
            assert refused
            assert (await moved(store, record, Event.ATTEMPT, Event.POSTED)).state is State.POSTED

    asyncio.run(story())


def test_the_reserve_is_made_of_real_blocks_in_small_pieces(tmp_path: Path) -> None:
    """Sparse or half made it would free nothing; one piece at a time nobody waits for it."""
    made = Ballast(tmp_path / "reserve", 4 * PIECE_BYTES)
    now_s = 100.0
    for number in range(1, 5):
        assert not made.whole
        assert made.wait_s(now_s) == 0
        made.step(now_s)
        assert (tmp_path / "reserve").stat().st_size == number * PIECE_BYTES
        now_s += 1
    assert made.whole
    assert made.wait_s(now_s) is None
    assert not made.gone
    found = (tmp_path / "reserve").stat()
    assert found.st_blocks * 512 >= 4 * PIECE_BYTES
    assert found.st_mode & 0o077 == 0
    again = Ballast(tmp_path / "reserve", 4 * PIECE_BYTES)
    assert again.whole
    assert again.give_up()
    assert again.gone
    assert not (tmp_path / "reserve").exists()
    assert not again.give_up()


def test_a_reserve_cut_off_by_the_power_is_finished_by_the_next_start(tmp_path: Path) -> None:
    """What is there is used; the rest is made."""
    first = Ballast(tmp_path / "reserve", 2 * PIECE_BYTES)
    first.step(0.0)
    second = Ballast(tmp_path / "reserve", 2 * PIECE_BYTES)
    assert not second.whole
    assert not second.gone
    second.step(0.0)
    assert second.whole


def test_where_no_reserve_fits_it_counts_as_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start on a nearly full disk says so instead of taking the last blocks."""
    monkeypatch.setattr(ballast, "MARGIN", 1 << 50)
    made = Ballast(tmp_path / "reserve", PIECE_BYTES)
    assert made.gone
    made.step(0.0)
    assert made.gone
    assert not (tmp_path / "reserve").exists()


def test_a_cap_refuses_requests_and_takes_what_has_happened(tmp_path: Path) -> None:
    """At the cap of unsent payments: `store.capped` for a request, an advice is taken, a known key
    is answered; one payment sent, one more is taken."""

    async def story() -> None:
        async with kept(tmp_path, max_unsent=100) as store:
            records = [(await store.append(request(f"k-{n}"))).record for n in range(100)]
            assert await code_of(store, request("over")) == "store.capped"
            assert store.refusal is not None
            assert store.refusal.code == "store.capped"
            assert await code_of(store, submission("advice")) == ""
            assert not (await store.append(request("k-1"))).created
            for record in records[:2]:
                await moved(store, record, Event.ATTEMPT, Event.POSTED)
            assert await code_of(store, request("over")) == ""
            assert store.refusal is None

    asyncio.run(story())


def test_the_size_of_the_journal_is_capped(tmp_path: Path) -> None:
    """Large payloads reach the cap of bytes long before that of records, and not much beyond it."""

    async def story() -> None:
        async with kept(tmp_path, max_mb=16) as store:
            for number in range(200):
                body = bytes([number % 256]) * 200_000
                if await code_of(store, request(f"k-{number}", body=body)) == "store.capped":
                    break
            pages = await store.journal(
                lambda journal: journal.table.db.execute("PRAGMA page_count").fetchone()[0]
            )
            assert 15 << 20 <= pages * 1024 <= 18 << 20
            assert await code_of(store, submission("advice", b"x" * 200_000)) == ""

    asyncio.run(story())
