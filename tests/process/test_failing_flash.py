"""Flash that is full, read-only or dying: nobody is told "recorded" who is not, and it heals.

The shim (tests/rigs/shim.c) makes the flash fail at a chosen moment; the small tmpfs is the same
with a real file system and needs root.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.shim import Shim, needs_shim

pytestmark = pytest.mark.process


@contextlib.contextmanager
def shimmed(url: str = "", text: str = "") -> Iterator[tuple[Daemon, Shim]]:
    """A daemon (not yet started) on flash under the test's thumb."""
    with Daemon() as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        daemon.configure(text, url=url)
        try:
            yield daemon, shim
        finally:
            daemon.kill()
            shim.close()


@needs_shim
def test_a_full_disk_answers_507_and_recovers_when_space_returns() -> None:
    """507 `store.full`, recorded: no; with space again the same key is 201 and is posted once."""
    with HostThread() as host, shimmed(host.host.url) as (daemon, shim):
        daemon.start()
        assert daemon.submit(payment("k-before")).status == 201
        daemon.wait_drained()
        shim.full()
        lost = payment("k-full")
        for _ in range(3):
            answer = daemon.submit(lost)
            assert (answer.status, answer.code) == (507, "store.full")
            assert answer.json["recorded"] == "no"
        assert daemon.get("/v1/transactions/k-full").code == "transaction.unknown"
        assert daemon.unsent() == 0
        assert daemon.running
        shim.well()
        assert daemon.submit(lost).status == 201
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == ["k-before", "k-full"]


@needs_shim
def test_uploads_resume_when_space_returns() -> None:
    """What was queued when the disk filled up is sent afterwards, each payment once."""
    with HostThread() as host, shimmed(host.host.url) as (daemon, shim):
        host.apply(Fault.named("refuse"))
        daemon.start()
        keys = [f"k-{n}" for n in range(10)]
        for key in keys:
            assert daemon.submit(payment(key)).status == 201
        shim.full()
        host.apply(Fault())
        daemon.wait_log("store.full")
        assert daemon.submit(payment("k-late")).status == 507
        shim.well()
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == sorted(keys)


@needs_shim
def test_an_outcome_learned_on_a_full_disk_is_not_lost() -> None:
    """The host answered while nothing could be written: posted once, never asked to post again."""
    with HostThread() as host, shimmed(host.host.url) as (daemon, shim):
        host.apply(Fault.named("delay"))
        daemon.start()
        assert daemon.submit(payment("k-answered")).status == 201
        wait_until(lambda: host.host.state()["requests"].get("post"), "the post at the host")
        shim.full()
        wait_until(host.host.ledger.postings, "the posting")
        daemon.wait_log("event=outcome_waits")
        assert daemon.record("k-answered")["state"] == "sending"
        shim.well()
        wait_until(lambda: daemon.record("k-answered")["state"] == "posted", "posted")
        assert host.host.state()["requests"]["post"] == 1
        assert len(host.host.ledger.postings()) == 1


@needs_shim
def test_a_full_disk_is_an_alarm_and_the_terminal_can_say_why() -> None:
    """`queue.store_full` is open while it lasts, and gone after it."""
    with shimmed() as (daemon, shim):
        daemon.start()
        shim.full()
        assert daemon.submit(payment()).status == 507
        wait_until(lambda: "queue.store_full" in daemon.alarms(), "the alarm")
        assert daemon.get("/v1/explain").status == 200
        shim.well()
        assert daemon.submit(payment()).status == 201
        wait_until(lambda: "queue.store_full" not in daemon.alarms(), "its end", timeout_s=60.0)


@needs_shim
def test_a_store_that_is_read_only_at_start_answers_503_and_heals() -> None:
    """It starts all the same, says why, and takes payments once the flash can be written."""
    with HostThread() as host, shimmed(host.host.url) as (daemon, shim):
        daemon.start()
        assert daemon.submit(payment("k-old")).status == 201
        daemon.wait_drained()
        assert daemon.stop() == 0
        shim.read_only()
        daemon.start()
        answer = daemon.submit(payment("k-refused"))
        assert (answer.status, answer.code) == (503, "store.unavailable")
        assert answer.json["recorded"] == "no"
        assert str(daemon.state_dir) in answer.json["detail"]
        alarm = wait_until(
            lambda: daemon.alarms().get("software.agent_degraded"), "an alarm that says so"
        )
        assert str(daemon.state_dir) in alarm["args"]["reason"]
        assert daemon.running
        shim.well()
        # Asking all the time, as a payment app does, must not keep it from healing.
        wait_until(lambda: daemon.submit(payment("k-refused")).status in (200, 201), "healed store")
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == ["k-old", "k-refused"]


@needs_shim
def test_a_store_that_cannot_be_created_at_the_first_start_answers_503_and_heals() -> None:
    """The same on a terminal that never had a store."""
    with shimmed() as (daemon, shim):
        shim.read_only()
        daemon.start()
        answer = daemon.submit(payment("k-first"))
        assert (answer.status, answer.code) == (503, "store.unavailable")
        shim.well()
        wait_until(lambda: daemon.submit(payment("k-first")).status in (200, 201), "healed store")


@needs_shim
@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_io_error_on_fsync_is_fail_stop_and_posts_exactly_once(at: int) -> None:
    """503 `store.unknown`, exit 74, and after the restart the same key is posted exactly once."""
    with HostThread() as host, shimmed(host.host.url) as (daemon, shim):
        daemon.start()
        body = payment("k-io")
        shim.set("sync_fail_at", at)
        answer = None
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = daemon.submit(body)
        if at == 1:
            assert answer is not None, "the app must be told, not left hanging"
        if answer is not None and answer.status != 201:
            assert (answer.status, answer.code) == (503, "store.unknown")
            assert answer.json["recorded"] == "unknown"
        assert daemon.wait() == 74, daemon.log()
        assert "event=store_failed" in daemon.log()
        shim.well()
        daemon.start()
        assert daemon.submit(body).status in (200, 201)
        daemon.wait_drained()
        assert [p.key for p in host.host.ledger.postings()] == ["k-io"]


@needs_shim
def test_a_write_error_is_fail_stop_too() -> None:
    """EIO from write: nobody knows what is on the flash, so the process ends and reopens it."""
    with shimmed() as (daemon, shim):
        daemon.start()
        assert daemon.submit(payment("k-kept")).status == 201
        shim.set("write_errno", 5)
        answer = daemon.submit(payment("k-lost"))
        assert answer.status == 503
        assert daemon.wait() == 74
        shim.well()
        daemon.start()
        assert daemon.record("k-kept")["state"] in ("queued", "waiting")
        assert daemon.submit(payment("k-lost")).status in (200, 201)


@needs_shim
def test_a_hanging_sync_holds_the_answer_back_and_loses_nothing() -> None:
    """No 201 before the sync came back; everything that asked meanwhile is answered after it."""
    with shimmed() as (daemon, shim):
        daemon.start()
        shim.set("sync_hang", 1)
        with pytest.raises(TimeoutError):
            daemon.submit(payment("k-slow"), timeout_s=1.0)
        wait_until(lambda: shim.get("hanging"), "the sync to hang")
        shim.set("sync_hang", 0)
        assert daemon.submit(payment("k-slow")).status in (200, 201, 422)
        assert daemon.unsent() == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    place = tmp_path / "flash"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "posagent-test", place],
            check=False,
            capture_output=True,
        ).returncode
    )
    if not mounted:
        pytest.skip("cannot mount a tmpfs: a really full disk was NOT tried")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_really_full_disk_answers_507_and_recovers(small_disk: Path) -> None:
    """ENOSPC from a real file system, found by submitting until it is full."""
    with HostThread() as host, Daemon() as daemon:
        host.apply(Fault.named("refuse"))
        daemon.state_dir = small_disk / "state"
        daemon.configure(url=host.host.url)
        daemon.start()
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * (512 * 1024))
        acknowledged, refused = [], 0
        for n in range(400):
            body = payment(f"k-{n}", payload={"content_type": "text/plain", "text": "x" * 4_000})
            answer = daemon.submit(body)
            if answer.status == 507:
                refused += 1
                assert (answer.code, answer.json["recorded"]) == ("store.full", "no")
                if refused == 5:
                    break
            else:
                assert answer.status == 201, answer.body
                acknowledged.append(f"k-{n}")
        assert refused == 5, "the disk never became full"
        assert daemon.unsent() == len(acknowledged)
        filler.unlink()
        assert daemon.submit(payment("k-after")).status == 201
        host.apply(Fault())
        daemon.wait_drained()
        posted = sorted(p.key for p in host.host.ledger.postings())
        assert posted == sorted([*acknowledged, "k-after"])
        assert daemon.stop() == 0


def test_a_really_read_only_file_system_answers_503_and_heals(small_disk: Path) -> None:
    """EROFS from a real file system, as worn flash shows it."""
    with Daemon() as daemon:
        daemon.state_dir = small_disk / "state"
        daemon.configure()
        daemon.start()
        assert daemon.submit(payment("k-old")).status == 201
        assert daemon.stop() == 0
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        daemon.start()
        answer = daemon.submit(payment("k-new"))
        assert (answer.status, answer.code) == (503, "store.unavailable")
        assert "read-only" in answer.json["detail"]
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        wait_until(lambda: daemon.submit(payment("k-new")).status in (200, 201), "healed store")
        assert daemon.unsent() == 2
