"""A really full disk under the real daemon: what the host has posted is still written down."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of four megabytes."""
    place = tmp_path / "flash"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "posagent-test", place],
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


def asked(key: str) -> dict[str, object]:
    """A payment the customer still waits for, with a payload of some size."""
    text = {"content_type": "text/plain", "text": "x" * 4_000}
    return payment(key, posting="request", payload=text)


def test_uploads_are_confirmed_from_the_reserve(disk: Path) -> None:
    """With no block left everything queued is posted and known to be; new requests are 507 until
    there is space, and the alarm says so."""
    with HostThread() as host, Daemon() as daemon:
        host.apply(Fault.named("refuse"))
        daemon.state_dir = disk / "state"
        daemon.configure(url=host.host.url)
        daemon.start()
        reserve = disk / "state" / "reserve"
        wait_until(lambda: reserve.exists() and reserve.stat().st_size == 1 << 20, "the reserve")
        taken = [f"k-{number}" for number in range(20)]
        for key in taken:
            assert daemon.submit(asked(key)).status == 201
        with (disk / "junk").open("wb", buffering=0) as junk:
            for size in (65_536, 4_096):
                while _wrote(junk.fileno(), size):
                    pass
        number = 0
        while (answer := daemon.submit(asked(f"more-{number}"))).status == 201:
            taken.append(f"more-{number}")
            number += 1
        assert (answer.status, answer.code) == (507, "store.full")
        assert not reserve.exists()
        wait_until(lambda: "queue.store_full" in daemon.alarms(), "the alarm")
        host.apply(Fault())
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == sorted(taken)
        assert daemon.submit(asked(taken[0])).code in {"", "key.mismatch"}  # known, not 507
        assert daemon.submit(asked("new")).code == "store.full"
        assert daemon.submit(payment("approved", customer_saw="approved")).status == 201
        (disk / "junk").unlink()
        wait_until(lambda: daemon.submit(asked("new")).status in {200, 201, 422}, "space")
        assert daemon.stop() == 0


def _wrote(fd: int, size: int) -> bool:
    try:
        return os.write(fd, b"x" * size) > 0
    except OSError:
        return False
