"""posagent-actions as a process: seven verbs, one peer, its own record; everything else refused."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.actions_service.audit import Audit, AuditError, broken_at
from agent.hooks.actions import act
from agent.wire.hooks import ActionDone, ActionFailed, ActionRefused
from tests.process.daemon import wait_until
from tests.process.test_roles import NOBODY, as_user

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "firmware_hooks/examples/shell/actions.d"
DONE = """echo '{"contract":1,"outcome":"done"}'"""
Answer = ActionDone | ActionRefused | ActionFailed


class Running:
    """The service with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.directory = home / "actions.d"
        self.directory.mkdir(0o755)
        self.audit = home / "audit"
        self.socket = home / "sock"
        self.log = home / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, name: str, body: str, mode: int = 0o755) -> None:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        path.chmod(mode)

    def start(self, *more: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "agent.actions_service", "--peer", str(os.geteuid()),
                    "--directory", str(self.directory), "--audit", str(self.audit),
                    "--socket", str(self.socket), *more,
                ],
                cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip

        def listens() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket(socket.AF_UNIX) as tried:
                return tried.connect_ex(str(self.socket)) == 0

        wait_until(listens, "the socket")

    def act(self, name: str, deadline_s: float = 20.0, **fields: object) -> Answer:
        return asyncio.run(act(name, deadline_s=deadline_s, socket=self.socket, **fields))

    def raw(self, request: bytes) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(str(self.socket))
            sock.sendall(request)
            with sock.makefile("rb") as answer:
                line = answer.readline()
        return json.loads(line) if line else {}

    def recorded(self) -> list[dict[str, Any]]:
        """What was asked, without the looks for the socket."""
        lines = [json.loads(line) for line in self.audit.read_text("utf-8").splitlines()]
        return [line for line in lines if line.get("reason") != "no complete request came"]

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def service() -> Iterator[Running]:
    home = Path(tempfile.mkdtemp(prefix="pa-", dir="/tmp"))
    home.chmod(0o755)
    running = Running(home)
    try:
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.process.kill()
            running.process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def test_an_action_is_done_recorded_and_answered(service: Running) -> None:
    """Begun and ended stand in the record, in a chain, with who asked; the file is root's alone."""
    service.write("app.restart", f"cat > {service.home}/request; {DONE}")
    service.start()
    assert stat.S_IMODE(service.socket.stat().st_mode) == 0o660
    assert service.act("app.restart", app="com.example.pay") == ActionDone(contract=1)
    request = json.loads((service.home / "request").read_text())
    assert (request["hook"], request["app"]) == ("app.restart", "com.example.pay")
    begun, ended = service.recorded()
    assert (begun["what"], begun["hook"], begun["uid"]) == ("begun", "app.restart", os.geteuid())
    assert begun["app"] == "com.example.pay"
    assert (ended["what"], ended["outcome"]) == ("ended", "done")
    assert stat.S_IMODE(service.audit.stat().st_mode) == 0o600
    assert broken_at(service.audit.read_bytes()) is None
    assert service.stop() == 0
    assert not service.socket.exists()


def test_everything_that_is_no_action_is_refused(service: Running) -> None:
    """No other hook, no path, no unknown key, no garbage is ever run; all of it is recorded."""
    for name in ("probe.printer", "identity", "shell", "app.restart", "print"):
        service.write(name, f"touch {service.home}/ran; {DONE}")
    service.start()
    head = {"contract": 1, "agent_version": "1", "deadline_ms": 1000}
    for body in (
        {**head, "hook": "probe.printer", "component": "printer"},
        {**head, "hook": "identity"},
        {**head, "hook": "shell", "command": "id"},
        {**head, "hook": "../../bin/sh"},
        {**head, "hook": "app.restart"},
        {**head, "hook": "app.restart", "app": "a; reboot"},
        {**head, "hook": "app.restart", "app": "x", "also": 1},
        {**head, "hook": "print", "lines": []},
        {**head, "contract": 2, "hook": "app.restart", "app": "x"},
        {"hook": 7},
    ):
        answer = service.raw(json.dumps(body).encode() + b"\n")
        assert answer["outcome"] == "refused", body
    for garbage in (b"\n", b"GET / HTTP/1.1\r\n", b"[" * 70_000, b"\xff\n"):
        assert service.raw(garbage).get("outcome", "refused") == "refused"
    assert not (service.home / "ran").exists()
    refused = service.recorded()
    assert {line["what"] for line in refused} == {"refused"}
    assert len(refused) >= 12
    assert broken_at(service.audit.read_bytes()) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: another user was NOT tried")
def test_a_stranger_is_refused_by_the_kernels_word(service: Running) -> None:
    """Even where the socket's mode would let it in."""
    service.write("app.restart", f"touch {service.home}/ran; {DONE}")
    service.start()
    with pytest.raises(PermissionError):
        as_user(NOBODY, lambda: service.raw(b"{}\n"))
    service.socket.chmod(0o666)
    request = {"contract": 1, "agent_version": "1", "deadline_ms": 1000, "hook": "app.restart"}
    line = json.dumps({**request, "app": "x"}).encode() + b"\n"
    answer = as_user(NOBODY, lambda: service.raw(line))
    assert answer["outcome"] == "refused"
    assert str(NOBODY) in answer["reason"]
    assert service.recorded()[-1]["uid"] == NOBODY
    assert not (service.home / "ran").exists()


def test_what_a_hook_does_wrong_is_told_apart(service: Running) -> None:
    """Before it ran: refused, nothing changed. After: failed, something may have been."""
    service.write("app.restart", DONE, mode=0o777)
    service.write("update.apply", "exit 4")
    service.write("update.commit", "exec sleep 600")
    service.write("update.rollback", """echo '{"contract":1,"outcome":"fine"}'""")
    service.start()
    refused = service.act("app.restart", app="x")
    assert isinstance(refused, ActionRefused)
    assert "others than its owner can write" in refused.reason
    assert isinstance(service.act("network.select", channel="wifi"), ActionRefused)
    for name, said in (
        ("update.apply", "exit code 4"),
        ("update.commit", "did not end within"),
        ("update.rollback", "contract"),
    ):
        failed = service.act(name, deadline_s=1.0, update="u1")
        assert isinstance(failed, ActionFailed), name
        assert failed.changed
        assert said in failed.reason


def test_one_at_a_time_and_finished_though_nobody_waits(service: Running) -> None:
    """A second request is refused meanwhile; one whose asker hung up, or stop, is finished."""
    service.write(
        "update.apply",
        f"touch {service.home}/began; while ! [ -e {service.home}/go ]; do sleep 0.05; done; "
        f"touch {service.home}/ended; {DONE}",
    )
    service.start()
    request = {"contract": 1, "agent_version": "1", "deadline_ms": 60_000, "hook": "update.apply"}
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(service.socket))
        sock.sendall(json.dumps({**request, "update": "u1"}).encode() + b"\n")
        wait_until((service.home / "began").exists, "the action")
    busy = service.act("update.rollback", update="u1")
    assert isinstance(busy, ActionRefused)
    assert "still under way" in busy.reason
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    (service.home / "go").touch()
    assert service.process.wait(30) == 0
    assert (service.home / "ended").exists()
    assert service.recorded()[-1]["outcome"] == "done"


def test_without_a_record_nothing_is_done(service: Running) -> None:
    """A record that cannot be written means refused; one that cannot be opened, no service."""
    service.write("app.restart", f"touch {service.home}/ran; {DONE}")
    service.start()
    assert service.process is not None
    size = service.audit.stat().st_size
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, size))
    answer = service.act("app.restart", app="x")
    assert isinstance(answer, ActionRefused)
    assert "not recorded" in answer.reason
    assert not (service.home / "ran").exists()
    assert service.audit.stat().st_size == size
    for path in (service.home / "log" / "audit", Path("/dev/full"), service.home):
        with pytest.raises(AuditError):
            Audit(path)


def test_the_example_takes_no_word_for_granted(service: Running) -> None:
    """The worked example restarts its own app and refuses any other."""
    shutil.copy(EXAMPLE / "app.restart", service.directory / "app.restart")
    (service.directory / ".device").mkdir()
    tool = service.directory / ".device/x1ctl"
    tool.write_text(f'#!/bin/sh\necho "$@" > {service.home}/did\n')
    tool.chmod(0o755)
    service.start()
    assert isinstance(service.act("app.restart", app="com.other"), ActionRefused)
    assert not (service.home / "did").exists()
    assert isinstance(service.act("app.restart", app="com.example.pay"), ActionDone)
    assert (service.home / "did").read_text() == "restart com.example.pay\n"
    tool.write_text("#!/bin/sh\nexit 1\n")
    assert isinstance(service.act("app.restart", app="com.example.pay"), ActionFailed)


def test_no_service_is_no_change(tmp_path: Path) -> None:
    """The agent's side never raises: nobody there is refused, nobody answering is failed."""
    absent = asyncio.run(act("print", deadline_s=1, socket=tmp_path / "s", lines=("x",)))
    assert isinstance(absent, ActionRefused)
    with pytest.raises(ValueError, match="not an action"):
        asyncio.run(act("identity", deadline_s=1))

    home = Path(tempfile.mkdtemp(prefix="pa-", dir="/tmp"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(home / "s"))
        listening.listen(1)

        def hang_up() -> None:
            accepted, _ = listening.accept()
            accepted.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        mute = asyncio.run(act("print", deadline_s=1, socket=home / "s", lines=("x",)))
        thread.join(10)
    shutil.rmtree(home)
    assert isinstance(mute, ActionFailed)
    assert mute.changed


def test_systemd_starts_it_and_it_ends_when_idle(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a socket handed over it serves on that, and is gone when nobody asks any more."""
    service.write("app.restart", DONE)
    start = (
        "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
        "from agent.actions_service import service; service.IDLE_S = 1.0;"
        "from agent.actions_service.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(service.socket))
        listening.listen(8)
        monkeypatch.setenv("LISTEN_FDS", "1")

        def hand_over() -> None:
            os.dup2(listening.fileno(), 3, inheritable=True)

        service.process = subprocess.Popen(
            [sys.executable, "-c", start, "--peer", str(os.geteuid()),
             "--directory", str(service.directory), "--audit", str(service.audit)],
            cwd=ROOT, preexec_fn=hand_over, close_fds=False,  # noqa: PLW1509 - no thread runs here
        )  # fmt: skip
        assert isinstance(service.act("app.restart", app="x"), ActionDone)
        assert service.process.wait(60) == 0
    assert service.socket.exists()


def test_the_record_is_a_chain_over_restarts_and_files(tmp_path: Path) -> None:
    """A line changed or taken out shows; a new file carries the chain on."""
    path = tmp_path / "audit"

    def again(work: Callable[[Audit], None], max_bytes: int = 10_000) -> None:
        audit = Audit(path, max_bytes)
        work(audit)
        audit.close()

    again(lambda audit: audit.write("begun", hook="print"))
    again(lambda audit: audit.write("ended", hook="print"))
    with path.open("ab") as file:
        file.write(b'{"cut')
    again(lambda audit: audit.write("begun", hook="print"))
    text = path.read_bytes()
    assert broken_at(text) == 3  # the line cut short, and nothing behind it
    whole = text.replace(b'{"cut\n', b"")
    assert broken_at(whole) == 3
    two = b"".join(text.splitlines(keepends=True)[:2])
    assert broken_at(two, "0" * 64) is None
    assert broken_at(two.replace(b"print", b"Print", 1)) == 2

    def many(audit: Audit) -> None:
        for number in range(40):
            audit.write("begun", hook="print", number=number)

    path.unlink()
    again(many, 2_000)
    turned = path.with_name("audit.1").read_bytes() + path.read_bytes()
    assert broken_at(turned) is None
    assert json.loads(turned.splitlines()[-1])["number"] == 39
