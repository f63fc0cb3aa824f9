"""The daemon as Android's init starts it, and a payment app written in Java at its socket."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.sim.host import HostThread
from tests.android.java import compiled, java, missing
from tests.process.daemon import Daemon, payment, wait_until

pytestmark = pytest.mark.process

#: As init does: the socket made and named in the environment, under a number the child keeps.
INIT = """
import os, socket, sys
made = socket.socket(socket.AF_UNIX)
made.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
made.listen(8)
os.set_inheritable(made.fileno(), True)
os.environ["ANDROID_SOCKET_posagent"] = str(made.fileno())
os.execvp(sys.argv[2], sys.argv[2:])
"""
CHECKS = """
[check]
on_duplicate = "refuse"
"""


class AsAService(Daemon):
    """Its socket is made before it is started, elsewhere than in run_dir."""

    @property
    def made(self) -> Path:
        return self.home / "made"

    def command(self, *arguments: str) -> list[str]:
        usual = super().command(*arguments)
        if arguments[0] != "run":
            return usual
        return [sys.executable, "-c", INIT, str(self.made), *usual]


@pytest.fixture
def service() -> Iterator[AsAService]:
    with AsAService() as daemon:
        yield daemon


def test_the_socket_init_made_is_served_across_a_restart_from_inside(service: AsAService) -> None:
    """Its name and mode stay, run_dir/api.sock leads to it, and a daemon that replaces itself
    finds it again: who connects meanwhile waits and is answered."""
    service.configure(agent="watchdog_s = 300")
    service.start()
    assert service.get("/v1/health").status == 200
    assert service.socket.readlink() == service.made
    assert stat.S_IMODE(service.made.stat().st_mode) == 0o666
    service.notified.clear()
    assert service.post("/v1/drills", {"records": 10, "restart": True}).status == 200
    service.wait_log("event=drill_restarts_agent")
    service.wait_notified("READY=1")
    assert service.submit(payment()).status == 201
    assert service.stop() == 0
    assert not service.socket.is_symlink()
    assert service.made.exists(), "init removes what init made"


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if absent := missing("javac", "java"):
        pytest.skip(f"{absent} is not installed (sh packaging/ci/android.sh)")
    return compiled(tmp_path_factory.mktemp("classes"))


def test_the_java_client_hands_over_asks_and_acknowledges(
    service: AsAService, classes: Path
) -> None:
    """201, 200, a full queue, 409, 400, status, explain and ack, over init's socket."""
    with HostThread() as host:
        service.configure(CHECKS, url=host.host.url)
        service.start()
        with java(classes, str(service.made)) as client:
            card = {"masked": "622202******0123"}
            first = payment("java-1", posting="request", card=card)
            assert client.ask("submit " + json.dumps(first)).startswith("RECORDED 201 ")
            assert client.ask("submit " + json.dumps(first)).startswith("RECORDED 200 ")
            client.ask("fails 3")
            assert client.ask("submit " + json.dumps(payment("java-2", amount_minor=7))).startswith(
                "RECORDED 201"
            )
            wait_until(lambda: client.ask("status java-1") == "posted", "java-1 is posted")
            assert "headline" in client.ask("explain java-1")
            assert client.ask("ack java-1") == "RECORDED 200 posted"
            wrong = payment("java-3", posting="request", card=card)
            assert client.ask("submit " + json.dumps(wrong)) == (
                "ASK_CASHIER 409 duplicate.suspected"
            )
            assert client.ask("submit " + json.dumps(payment("bad key"))) == "REFUSED 400 key.bad"
            assert client.ask("ack nowhere") == "REFUSED 404 transaction.unknown"
        assert {posting.key for posting in host.host.ledger.postings()} == {"java-1", "java-2"}


def test_the_java_client_shows_its_token_on_loopback(classes: Path) -> None:
    """An app without a uid known beforehand: the token's role is what it may do; a wrong one is
    refused, and a journal that is full says so."""
    with Daemon() as daemon:
        token = daemon.home / "token"
        daemon.configure(
            f'[store]\nmax_unsent = 100\n[page]\nlisten = "127.0.0.1:0"\ntoken_file = "{token}"\n'
            'token_roles = ["submit", "read"]\n'
        )
        daemon.start()
        (stands,) = daemon.get("/v1/page").json["listeners"]
        port = stands["address"].rstrip("/").rpartition(":")[2]
        with java(classes, port, str(token)) as client:
            assert client.ask("submit " + json.dumps(payment("java-9"))).startswith("RECORDED 201")
            assert client.ask("status java-9") == "queued"
            for number in range(100):
                assert daemon.submit(payment(f"more-{number}")).status == 201
            full = payment("java-11", posting="request")
            assert client.ask("submit " + json.dumps(full)) == "FULL 507 store.capped"
        wrong = daemon.home / "wrong"
        wrong.write_text("x" * 40)
        with java(classes, port, str(wrong)) as client:
            answer = client.ask("submit " + json.dumps(payment("java-10")))
            assert answer.startswith("REFUSED 401"), answer
