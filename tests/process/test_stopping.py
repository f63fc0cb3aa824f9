"""Starting, stopping and being watched: one daemon per store, five seconds to go, nothing lost."""

from __future__ import annotations

import os
import threading
import time

import pytest

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.shim import Shim, needs_shim

pytestmark = pytest.mark.process

#: SIGTERM to exit. The promise is 5 s; the rest is what a loaded build machine may add.
STOPPED_S = 5.0 + 3.0


def stopped_in_time(daemon: Daemon) -> int:
    """SIGTERM, and the exit code if it came in time."""
    began = time.monotonic()
    daemon.terminate()
    code = daemon.wait(STOPPED_S + 10)
    assert time.monotonic() - began < STOPPED_S, daemon.log()
    return code


def test_a_second_daemon_on_the_same_store_refuses_and_names_the_first() -> None:
    """Exit 2, the holder's process id in the message, and the first one does not notice."""
    with Daemon() as first, Daemon() as second:
        first.start()
        second.state_dir = first.state_dir
        second.configure()
        second.start(wait=False)
        assert second.wait() == 2
        assert first.process is not None
        assert f"process {first.process.pid}" in second.log()
        assert str(first.state_dir) in second.log()
        assert first.submit(payment()).status == 201
        first.kill()
        second.start()  # the lock ended with the process: no stale file to remove
        assert second.unsent() == 1


def test_a_second_daemon_on_the_same_socket_refuses_and_leaves_it_alone() -> None:
    """Two stores but one run_dir: the first keeps answering on its socket."""
    with Daemon() as first, Daemon() as second:
        first.start()
        second.run_dir = first.run_dir
        second.configure()
        second.start(wait=False)
        assert second.wait() not in (0, None)
        assert str(first.socket) in second.log()
        assert first.submit(payment()).status == 201


def test_the_service_manager_hears_ready_watchdog_and_stopping() -> None:
    """READY=1 only when the API answers, WATCHDOG=1 while all is alive, STOPPING=1 at the end."""
    with Daemon({"WATCHDOG_USEC": "15000000"}) as daemon:
        daemon.start()
        assert daemon.get("/v1/backlog").status == 200
        daemon.wait_notified("WATCHDOG=1")
        assert stopped_in_time(daemon) == 0
        daemon._hear(0.1)
        assert any("STOPPING=1" in message for message in daemon.notified)


@needs_shim
def test_the_watchdog_is_not_fed_while_the_store_hangs() -> None:
    """A sync that never comes back must end in a restart by the service manager, some day.

    Two minutes are allowed (worn flash is slow); here only that hanging is not an error by itself.
    """
    with Daemon({"WATCHDOG_USEC": "15000000"}) as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        daemon.start()
        shim.set("sync_hang", 1)
        with pytest.raises(TimeoutError):
            daemon.submit(payment(), timeout_s=0.5)
        daemon.wait_notified("WATCHDOG=1")
        shim.close()


@pytest.mark.parametrize("fault", ["black_hole", "black_hole_after", "drip"])
def test_sigterm_stops_while_the_host_never_answers(fault: str) -> None:
    """The payment under way starts in doubt next time, is asked about, and is posted once."""
    with HostThread() as host, Daemon() as daemon:
        host.apply(Fault.named(fault))
        daemon.configure(url=host.host.url)
        daemon.start()
        keys = [f"k-{n}" for n in range(6)]
        for key in keys:
            assert daemon.submit(payment(key)).status == 201
        wait_until(lambda: host.host.state()["requests"].get("post", 0) >= 1, "a post")
        assert stopped_in_time(daemon) == 0
        host.apply(Fault())
        daemon.start()
        daemon.wait_drained()
        assert sorted(p.key for p in host.host.ledger.postings()) == keys
        assert host.host.state()["duplicates"] == []


def test_sigterm_writes_down_the_outcome_that_arrives_in_the_last_second() -> None:
    """The host answers just after SIGTERM: the record is posted at the next start, unasked."""
    with HostThread() as host, Daemon() as daemon:
        host.apply(Fault.named("delay", delay_s=0.5))
        daemon.configure(url=host.host.url)
        daemon.start()
        assert daemon.submit(payment("k-last")).status == 201
        wait_until(lambda: host.host.state()["requests"].get("post"), "the post")
        assert stopped_in_time(daemon) == 0
        assert len(host.host.ledger.postings()) == 1
        host.apply(Fault.named("refuse"))
        daemon.start()
        assert daemon.record("k-last")["state"] == "posted"


@needs_shim
def test_sigterm_loses_no_outcome_while_syncs_are_slow() -> None:
    """Every 201 said before or during the stop is in the journal after it."""
    with Daemon() as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        daemon.start()
        shim.set("sync_delay_us", 100_000)
        acknowledged: list[str] = []

        def submit(number: int) -> None:
            for n in range(100):
                key = f"k-{number}-{n}"
                try:
                    answer = daemon.submit(payment(key))
                except OSError:
                    return
                if answer.status != 201:
                    return
                acknowledged.append(key)

        threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(acknowledged) > 20, "payments under way")
        assert stopped_in_time(daemon) == 0
        for thread in threads:
            thread.join(30)
        shim.well()
        daemon.start()
        for key in acknowledged:
            assert daemon.get(f"/v1/transactions/{key}").status == 200, key
        shim.close()


@needs_shim
def test_sigterm_stops_while_the_store_hangs_in_a_sync() -> None:
    """The flash does not come back: the process ends all the same, in time."""
    with Daemon() as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        daemon.start()
        shim.set("sync_hang", 1)
        with pytest.raises(TimeoutError):
            daemon.submit(payment("k-hang"), timeout_s=0.5)
        wait_until(lambda: shim.get("hanging"), "the sync to hang")
        stopped_in_time(daemon)
        shim.close()
        daemon.start()
        assert daemon.submit(payment("k-hang")).status in (200, 201, 422)


@needs_shim
def test_sigterm_stops_while_opening_the_printer_hangs() -> None:
    """A driver that never returns from open costs a thread and nothing else."""
    with Daemon() as daemon:
        device = daemon.home / "printer"
        device.touch()
        shim = Shim(daemon.home, daemon.state_dir, hang=device)
        daemon.environment.update(shim.environment)
        shim.set("open_hang", 1)
        daemon.configure(f'[printer]\ndevice = "{device}"\nperiod_s = 1.0')
        daemon.start()
        wait_until(lambda: shim.get("hanging"), "the open to hang")
        assert daemon.submit(payment()).status == 201
        assert stopped_in_time(daemon) == 0
        shim.close()


def test_sigterm_stops_with_a_fifo_for_a_printer() -> None:
    """A device that is no serial port: unknown with a reason, and no hindrance at the end."""
    with Daemon() as daemon:
        device = daemon.home / "printer"
        os.mkfifo(device)
        daemon.configure(f'[printer]\ndevice = "{device}"\nperiod_s = 1.0')
        daemon.start()
        found = wait_until(
            lambda: (c := daemon.components().get("printer")) and c["reason"] and c, "a reason"
        )
        assert found["outcome"] == "unknown"
        assert daemon.submit(payment()).status == 201
        assert stopped_in_time(daemon) == 0


def test_sigterm_stops_while_clients_sit_on_their_connections() -> None:
    """Half a request, an event stream and an idle connection do not delay the end."""
    import socket as sockets

    with Daemon() as daemon:
        daemon.start()
        held = []
        for sent in (
            b"",
            b"POST /v1/transactions HTTP/1.1\r\nhost: localhost\r\n",
            b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ):
            connection = sockets.socket(sockets.AF_UNIX)
            connection.settimeout(10)
            connection.connect(str(daemon.socket))
            connection.sendall(sent)
            held.append(connection)
        assert held[2].recv(100)
        try:
            assert stopped_in_time(daemon) == 0
        finally:
            for connection in held:
                connection.close()


def test_a_stopped_daemon_leaves_no_socket_and_a_clean_journal() -> None:
    """The next start is clean: no doubt, no structure check, an empty write-ahead log."""
    with Daemon() as daemon:
        daemon.start()
        assert daemon.submit(payment()).status == 201
        assert daemon.stop() == 0
        assert not daemon.socket.exists()
        wal = daemon.state_dir / "journal.db-wal"
        assert not wal.exists() or wal.stat().st_size == 0
        daemon.start()
        store = daemon.get("/v1/status").json["store"]
        assert (store["clean_start"], store["damage"]) == (True, "")


def test_a_socket_left_by_a_killed_daemon_is_no_hindrance() -> None:
    """kill -9 leaves the socket file; the next start replaces it."""
    with Daemon() as daemon:
        daemon.start()
        daemon.kill()
        assert daemon.socket.exists()
        daemon.start()
        assert daemon.submit(payment()).status == 201
