"""A journal that is not what was written: put aside untouched, replaced at once, never believed.

Damage is done to the closed files of a killed or stopped daemon, as flash does it.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until

pytestmark = pytest.mark.process

#: The issue says 5 s; a loaded build machine gets three times as long.
ACCEPTING_S = 15.0
#: Alarms at the first reading instead of after their usual patience.
AT_ONCE = """
[health."software.data_error"]
visible_after_s = 0
[health."queue.quarantined"]
visible_after_s = 0
"""


@pytest.fixture
def host() -> Iterator[HostThread]:
    with HostThread() as host:
        yield host


def filled(daemon: Daemon, host: HostThread, count: int = 40) -> list[str]:
    """Unsent payments in the journal, the host out of reach; ends by kill -9."""
    host.apply(Fault.named("refuse"))
    daemon.configure(AT_ONCE, url=host.host.url)
    daemon.start()
    keys = [f"k-{n:03d}" for n in range(count)]
    for key in keys:
        assert daemon.submit(payment(key)).status == 201
    daemon.kill()
    return keys


def folded(daemon: Daemon) -> None:
    """Move the write-ahead log into the database, as an idle daemon does."""
    db = sqlite3.connect(daemon.state_dir / "journal.db")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def digests(*files: Path) -> set[str]:
    return {hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.exists()}


def put_aside(daemon: Daemon) -> list[Path]:
    folder = daemon.state_dir / "quarantine"
    return sorted(folder.iterdir()) if folder.exists() else []


def restarted(daemon: Daemon) -> None:
    """Start on the damaged files; a new payment must be accepted soon."""
    began = time.monotonic()
    daemon.start()
    assert daemon.submit(payment("k-new")).status == 201
    assert time.monotonic() - began < ACCEPTING_S


def garbage_header(file: Path) -> None:
    with file.open("r+b") as journal:
        journal.write(b"\xa5" * 100)


def flipped_in_the_middle(file: Path) -> None:
    """Every fourth page loses its head: tables and indexes break somewhere."""
    pages = file.stat().st_size // 1024
    with file.open("r+b") as journal:
        for page in range(4, pages, 4):
            journal.seek(page * 1024)
            journal.write(b"\xff" * 64)


def cut_short(file: Path) -> None:
    with file.open("r+b") as journal:
        journal.truncate(file.stat().st_size // 2 // 1024 * 1024)


def zeroed(file: Path) -> None:
    size = file.stat().st_size
    file.write_bytes(b"\0" * size)


@pytest.mark.parametrize(
    "damage", [garbage_header, flipped_in_the_middle, cut_short, zeroed], ids=lambda f: f.__name__
)
def test_a_damaged_journal_is_put_aside_untouched_and_replaced(
    damage: Callable[[Path], None], host: HostThread
) -> None:
    """Bytes equal in quarantine, a new journal accepting, alarms open, nothing sent by itself."""
    with Daemon() as daemon:
        keys = filled(daemon, host)
        folded(daemon)
        journal = daemon.state_dir / "journal.db"
        damage(journal)
        before = digests(journal)
        host.apply(Fault())
        restarted(daemon)
        assert before <= digests(*put_aside(daemon)), "put aside, but not as it was found"
        damage_told = daemon.get("/v1/status").json["store"]["damage"]
        assert "damaged" in damage_told
        # The key of a payment that was in the old journal starts in doubt, not as new.
        answer = daemon.submit(payment(keys[0], occurred_at="2026-01-01T00:00:00Z"))
        assert answer.status == 201
        assert answer.json["in_doubt"] is True
        assert not [p for p in host.host.ledger.postings() if p.key in keys[1:]]


def test_what_was_in_the_damaged_journal_is_counted_as_unsent(host: HostThread) -> None:
    """With a readable part the backlog shows how much lies in quarantine."""
    with Daemon() as daemon:
        keys = filled(daemon, host)
        folded(daemon)
        journal = daemon.state_dir / "journal.db"
        # An index that contradicts its table: damage that leaves every row readable.
        db = sqlite3.connect(journal)
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name='tx_unsent'").fetchone()
        db.close()
        with journal.open("r+b") as file:
            file.seek((root[0] - 1) * 1024)
            file.write(b"\xff" * 1024)
        host.apply(Fault())
        restarted(daemon)
        aside = wait_until(
            lambda: (
                (daemon.backlog()["quarantined"] or {}).get("count") == len(keys)
                and daemon.backlog()["quarantined"]
            ),
            "the count of what was put aside",
        )
        assert aside["by_currency"] == {"CNY": 1250 * len(keys)}
        wait_until(
            lambda: daemon.alarms().keys() >= {"software.data_error", "queue.quarantined"},
            "both alarms",
        )
        assert daemon.alarms()["software.data_error"]["severity"] == "critical"
        # Another start still knows.
        daemon.stop()
        daemon.start()
        assert daemon.backlog()["quarantined"]["count"] == len(keys)


def test_an_unreadable_journal_counts_as_unknown_not_as_none(host: HostThread) -> None:
    """Nobody can say how much was in it: `quarantined` is null, and the alarm is open."""
    with Daemon() as daemon:
        filled(daemon, host)
        folded(daemon)
        zeroed(daemon.state_dir / "journal.db")
        restarted(daemon)
        assert daemon.backlog()["quarantined"] is None


def frames(wal: Path) -> list[int]:
    """Offsets of the frames of a write-ahead log."""
    raw = wal.read_bytes()
    page_bytes = struct.unpack_from(">I", raw, 8)[0]
    return list(range(32, len(raw) - 24 - page_bytes + 1, 24 + page_bytes))


def test_a_log_broken_in_its_middle_holds_everything_in_doubt(host: HostThread) -> None:
    """Committed frames behind a bad one: acknowledged money is gone, so nothing unsent is believed.

    The log as it was found is kept, because what it lost can only be read from there.
    """
    with Daemon() as daemon:
        keys = filled(daemon, host)
        wal = daemon.state_dir / "journal.db-wal"
        found = frames(wal)
        with wal.open("r+b") as file:
            file.seek(found[len(found) // 2] + 24 + 100)
            file.write(b"\xff\x00\xff\x00")
        before = digests(wal)
        host.apply(Fault())
        restarted(daemon)
        assert before <= digests(*put_aside(daemon)), "the broken log was not kept as it was found"
        wait_until(
            lambda: daemon.alarms().keys() >= {"software.data_error", "queue.quarantined"},
            "both alarms",
        )
        assert daemon.backlog()["quarantined"] is None, "nobody can say how much was lost"
        listed = daemon.get("/v1/transactions?limit=500").json["items"]
        old = [item for item in listed if item["key"] in keys]
        assert old
        assert {item["state"] for item in old} == {"held"}
        # Asked about, never posted: the host knows none of them and gets none.
        wait_until(lambda: host.host.state()["requests"].get("status", 0) > 0, "a status query")
        assert not [p for p in host.host.ledger.postings() if p.key in keys]


def test_a_torn_last_frame_is_an_ordinary_power_cut(host: HostThread) -> None:
    """What was never acknowledged may be missing: no alarm, nothing held, everything sent."""
    with Daemon() as daemon:
        keys = filled(daemon, host)
        wal = daemon.state_dir / "journal.db-wal"
        with wal.open("ab") as file:
            file.write(b"\x00\x00\x00\x05" + b"\xee" * 300)
        host.apply(Fault())
        daemon.start()
        assert daemon.get("/v1/status").json["store"]["damage"] == ""
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == keys


def altered(daemon: Daemon, key: str) -> None:
    """Somebody with access to the file changes an amount."""
    folded(daemon)
    db = sqlite3.connect(daemon.state_dir / "journal.db")
    changed = db.execute("UPDATE tx SET amount_minor = 999999 WHERE key = ?", (key,)).rowcount
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert changed == 1


def test_an_altered_row_is_put_aside_and_nothing_unsent_is_believed(host: HostThread) -> None:
    """The row keeps its bytes in quarantine, counts as unsent; the rest is held and in doubt."""
    with Daemon() as daemon:
        keys = filled(daemon, host)
        altered(daemon, keys[7])
        host.apply(Fault())
        restarted(daemon)
        wait_until(
            lambda: daemon.alarms().keys() >= {"software.data_error", "queue.quarantined"},
            "both alarms",
        )
        backlog = daemon.backlog()
        assert backlog["quarantined"]["count"] == 1
        listed = daemon.get("/v1/transactions?limit=500").json["items"]
        others = [item for item in listed if item["key"] in keys]
        assert len(others) == len(keys) - 1
        assert {item["state"] for item in others} == {"held"}
        assert not [p for p in host.host.ledger.postings() if p.key in keys]
        answer = daemon.submit(payment(keys[7]))
        assert answer.json["state"] == "held"
        assert answer.json["in_doubt"] is True


def test_an_altered_row_is_found_also_after_a_clean_stop(host: HostThread) -> None:
    """A clean start trusts the file, but no row that is touched: nothing altered is ever sent."""
    with Daemon() as daemon:
        host.apply(Fault.named("refuse"))
        daemon.configure(AT_ONCE, url=host.host.url)
        daemon.start()
        for n in range(5):
            assert daemon.submit(payment(f"k-{n}")).status == 201
        assert daemon.stop() == 0
        altered(daemon, "k-2")
        host.apply(Fault())
        daemon.start()
        wait_until(
            lambda: (daemon.backlog()["quarantined"] or {}).get("count") == 1, "the row put aside"
        )
        assert "k-2" not in {p.key for p in host.host.ledger.postings()}


def test_after_damage_a_restart_keeps_the_doubt_and_only_asks(host: HostThread) -> None:
    """held + in_doubt survive restarts; what the host knows is settled by its answer, the rest
    is asked about and never posted."""
    with Daemon() as daemon:
        keys = filled(daemon, host, 6)
        wal = daemon.state_dir / "journal.db-wal"
        found = frames(wal)
        with wal.open("r+b") as file:
            file.seek(found[len(found) * 4 // 5] + 24 + 100)
            file.write(b"\xff\x00\xff\x00")
        daemon.start()
        known = [item["key"] for item in daemon.get("/v1/transactions").json["items"]]
        assert known, "nothing is left to look at"
        for _ in range(2):
            daemon.kill()
            daemon.start()
            for key in known:
                record = daemon.record(key)
                assert (record["state"], record["in_doubt"]) == ("held", True)
        host.apply(Fault())
        wait_until(
            lambda: host.host.state()["requests"].get("status", 0) >= len(known),
            "a status query for each",
        )
        assert host.host.state()["requests"].get("post", 0) == 0
        assert set(known) <= set(keys)


def test_a_lost_key_file_is_damage_not_a_new_beginning(host: HostThread) -> None:
    """Without the key no row can be believed: nothing is sent by itself."""
    with Daemon() as daemon:
        keys = filled(daemon, host, 5)
        (daemon.state_dir / "row.key").unlink()
        host.apply(Fault())
        restarted(daemon)
        assert daemon.get("/v1/status").json["store"]["damage"] != ""
        listed = daemon.get("/v1/transactions?limit=500").json["items"]
        assert not [item for item in listed if item["key"] in keys and item["state"] != "held"]
        assert not [p for p in host.host.ledger.postings() if p.key in keys]


def test_a_damaged_state_database_costs_no_money(host: HostThread) -> None:
    """state.db may be lost: it is rebuilt, and the journal does not notice."""
    with Daemon() as daemon:
        keys = filled(daemon, host, 5)
        (daemon.state_dir / "state.db").write_bytes(b"\xa5" * 5_000)
        (daemon.state_dir / "state.db-wal").unlink(missing_ok=True)
        host.apply(Fault())
        restarted(daemon)
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == sorted([*keys, "k-new"])


def test_a_kill_between_putting_aside_and_taking_over_forgets_nothing(host: HostThread) -> None:
    """The damaged journal was renamed and the power went: the next start still counts it."""
    with Daemon() as daemon:
        filled(daemon, host)
        folder = daemon.state_dir / "quarantine"
        folder.mkdir(mode=0o700)
        for name in ("journal.db", "journal.db-wal"):
            (daemon.state_dir / name).rename(folder / f"1795000000000-abc123-{name}")
        restarted(daemon)
        assert daemon.get("/v1/status").json["store"]["damage"] != ""
        wait_until(lambda: (daemon.backlog()["quarantined"] or {}).get("count") == 40, "the count")


def test_a_kill_between_renaming_journal_and_log_loses_neither(host: HostThread) -> None:
    """Only the database had been renamed: its log is found and kept, not overwritten."""
    with Daemon() as daemon:
        filled(daemon, host)
        folder = daemon.state_dir / "quarantine"
        folder.mkdir(mode=0o700)
        before = digests(daemon.state_dir / "journal.db-wal")
        (daemon.state_dir / "journal.db").rename(folder / "1795000000000-abc123-journal.db")
        restarted(daemon)
        assert before <= digests(*put_aside(daemon))
