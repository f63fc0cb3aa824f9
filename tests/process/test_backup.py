"""Backup and restore with the real daemon, the real command line and a host that keeps a ledger."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until

pytestmark = pytest.mark.process


def ran(daemon: Daemon, *arguments: str, code: int = 0) -> Any:
    """What the command line answers a program."""
    done = subprocess.run(
        daemon.command(*arguments, "--config", str(daemon.config_file), "--json"),
        env=daemon._environment(),
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, (done.returncode, done.stderr.decode())
    return json.loads(done.stdout) if done.stdout else done.stderr.decode()


def postings(host: HostThread) -> list[str]:
    return sorted(posting.key for posting in host.host.ledger.postings())


def test_a_restored_terminal_posts_nothing_again(tmp_path: Path) -> None:
    """Copied while unsent, posted afterwards, then restored: held, asked about, posted once."""
    file, secret = tmp_path / "copy", tmp_path / "secret"
    with HostThread() as host, Daemon() as daemon:
        daemon.configure(url=host.host.url)
        daemon.start()
        public = ran(daemon, "backup", "--keygen", str(secret))["recipient"]
        assert daemon.submit(payment("k-done")).status == 201
        daemon.wait_drained()
        host.apply(Fault.named("busy"))
        for number in range(5):
            assert daemon.submit(payment(f"k-{number}")).status == 201
        done = ran(daemon, "backup", str(file), "--recipient", public)
        assert done["records"] == 6
        host.apply(Fault.named("none"))
        daemon.wait_drained()
        assert len(postings(host)) == 6
        ran(daemon, "restore", str(file), "--key", str(secret), code=5)
        daemon.stop()
        back = ran(daemon, "restore", str(file), "--key", str(secret))
        assert (back["records"], back["unsent"], back["hand_over"]) == (6, 5, False)
        daemon.start()
        # The host still remembers them: asking is all that is needed.
        daemon.wait_drained()
        assert daemon.submit(payment("k-new")).status == 201
        daemon.wait_drained()
        assert len(postings(host)) == 7
        assert len(set(postings(host))) == 7


def test_a_hand_over_moves_the_money_and_stops_the_old_terminal(tmp_path: Path) -> None:
    """The old terminal answers 409 and stays quiet; the new one asks, sends, and each is once."""
    file, secret = tmp_path / "copy", tmp_path / "secret"
    with HostThread() as host, Daemon() as old, Daemon() as new:
        for daemon in (old, new):
            daemon.configure(url=host.host.url)
        host.apply(Fault.named("busy"))
        old.start()
        public = ran(old, "backup", "--keygen", str(secret))["recipient"]
        for number in range(5):
            assert old.submit(payment(f"k-{number}")).status == 201
        ran(old, "backup", str(file), "--recipient", public, "--handover")
        host.apply(Fault.named("none"))
        refused = old.submit(payment("k-late"))
        assert (refused.status, refused.code) == (409, "store.handed_over")
        assert refused.json["recorded"] == "no"
        assert ran(new, "restore", str(file), "--key", str(secret))["hand_over"]
        new.start()
        new.wait_drained()
        assert postings(host) == [f"k-{number}" for number in range(5)]
        assert old.unsent() == 5  # as they stood
        old.stop()
        old.start()
        assert old.submit(payment("k-late")).code == "store.handed_over"
        assert len(postings(host)) == 5


def test_a_dead_daemons_store_is_copied_too(tmp_path: Path) -> None:
    """Without a daemon the command line reads the store it left; a file is never overwritten."""
    file, secret = tmp_path / "copy", tmp_path / "secret"
    with Daemon() as daemon:
        daemon.configure()
        daemon.start()
        assert daemon.submit(payment("k-1")).status == 201
        daemon.kill()
        public = ran(daemon, "backup", "--keygen", str(secret))["recipient"]
        assert ran(daemon, "backup", str(file), "--recipient", public)["records"] == 1
        assert "there already" in ran(daemon, "backup", str(file), code=2)
        assert "--handover" not in ran(
            daemon, "backup", str(tmp_path / "two"), "--recipient", public, "--handover", code=3
        )
        assert not (tmp_path / "two").exists()
        assert not list(tmp_path.glob("*.part"))
        assert ran(daemon, "restore", str(file), "--key", str(secret))["unsent"] == 1
        daemon.start()
        wait_until(lambda: daemon.record("k-1")["state"] == "held", "held")
