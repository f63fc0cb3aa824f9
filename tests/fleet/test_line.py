"""An operator's connection: who it believes, how it comes back, what it says when it cannot."""

from __future__ import annotations

import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.cli.app import main
from agent.errors import OperatorError, RemoteError
from agent.fleet.line import WINDOW, Access, Line
from agent.sim.broker import Broker, ServerTls
from agent.sim.certificates import available, make_certificates
from tests.fleet.contract import PATIENCE_S, Terminal
from tests.process.fleet import BrokerThread, LoopThread


def until(line: Line, reached: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    with line.changed:
        assert line.changed.wait_for(reached, PATIENCE_S), what


@pytest.mark.parametrize(
    "url", ["mqtt://fleet.example", "http://x", "mqtts://", "mqtts://a:b", "x", "mqtts://h/p"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """In clear only to this machine: nobody sends a password over the street."""
    with pytest.raises(OperatorError):
        Access(broker=url).address()


def test_it_comes_back_after_the_broker_did() -> None:
    """A killed broker that comes back is subscribed to again."""
    with BrokerThread() as broker:
        line = Line(Access(broker=broker.url), ["pos/1/+/+/state"])
        line.start()
        try:
            line.until_online(PATIENCE_S)
            broker.kill()
            until(line, lambda: not line.online, "the loss")
            broker.start()
            line.until_online(PATIENCE_S)
            with Terminal(broker.port, "L-1"):
                until(line, lambda: bool(line.inbox), "a message on the new connection")
        finally:
            line.close()


def test_the_window_is_kept() -> None:
    """No more than the smallest brokers take stands unacknowledged; all arrive."""
    with BrokerThread() as broker:
        line = Line(Access(broker=broker.url), ["x/+"], qos=1)
        line.start()
        try:
            line.until_online(PATIENCE_S)
            sent = 0
            until_s = time.monotonic() + PATIENCE_S
            while sent < 50 and time.monotonic() < until_s:
                if line.publish(f"x/{sent}", b"text", expiry_s=60) is not None:
                    sent += 1
                else:
                    line.wait(0.05)
                assert len(line._sent) <= WINDOW
            until(line, lambda: len(line.inbox) == 50, "all of them")
        finally:
            line.close()


@pytest.mark.skipif(not available(), reason="no trustme here")
def test_tls_with_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate of its own opens the broker; without one, and to a stranger, it stays shut."""
    made = make_certificates(tmp_path / "tls")
    tls = ServerTls(
        cert_file=str(made.host_cert_file),
        key_file=str(made.host_key_file),
        client_ca_file=str(made.ca_file),
    )
    with BrokerThread(tls=tls) as broker:
        ca = ("--ca", str(made.ca_file))
        own = ("--cert", str(made.terminal_cert_file), "--key", str(made.terminal_key_file))
        watch = ["fleet", "watch", "--broker", broker.url, "--once", "--wait", "0.2"]
        assert main([*watch, *ca, *own]) == 0
        stranger = Line(Access(broker=broker.url, ca_file=str(made.terminal_cert_file)))
        stranger.start()
        with pytest.raises(RemoteError, match="certificate"):
            stranger.until_online(1.0)
        stranger.close()


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    """The right one opens; a wrong one is said at once, not tried for ever."""
    word, users = tmp_path / "word", tmp_path / "users"
    word.write_text("right\n")
    tool = ["mosquitto_passwd", "-b", "-c", str(users), "ops", "right"]
    try:
        subprocess.run(tool, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mosquitto_passwd here")
    users.chmod(stat.S_IRUSR)
    loop = LoopThread()
    with loop:
        broker = Broker(kind="mosquitto", extra=("allow_anonymous false", f"password_file {users}"))
        loop.run(broker.start())
        try:
            watch = ["fleet", "watch", "--broker", broker.url, "--once", "--wait", "0.2"]
            given = ["--username", "ops", "--password-file", str(word)]
            assert main([*watch, *given]) == 0
            word.write_text("wrong")
            assert main([*watch, *given]) == 3
            assert main(watch) == 3
        finally:
            loop.run(broker.stop())


def test_a_connection_that_ends_at_this_moment_is_no_error() -> None:
    """paho's sockets may be closed by the thread while we publish or say goodbye: "not now"."""

    class Ending:
        def publish(self, *_given: object, **_options: object) -> object:
            raise OSError(9, "Bad file descriptor")

        disconnect = publish

    line: Any = Line(Access(broker="mqtt://127.0.0.1:1"))
    line._client, line.status = Ending(), "online"
    assert line.publish("a/b", b"") is None
    line._thread = SimpleNamespace(join=lambda _timeout_s: None)
    line.close()
