"""The client on the unix socket keeps its deadline and says precisely what went wrong."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.cli.client import (
    MAX_ANSWER_BYTES,
    Daemon,
    DaemonDownError,
    DaemonSilentError,
    RefusedError,
    RoleError,
)

Answer = Callable[[socket.socket, bytes], None]


@contextmanager
def listening(path: Path, answer: Answer) -> Iterator[list[bytes]]:
    """A server that reads one request a connection and lets `answer` do the rest."""
    asked: list[bytes] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(8)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                asked.append(connection.recv(65_536))
                try:
                    answer(connection, asked[-1])
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def replying(raw: bytes) -> Answer:
    return lambda connection, _: connection.sendall(raw)


def document(status: int, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def test_question_and_order(tmp_path: Path) -> None:
    """GET carries its query, POST its JSON body; both come back decoded."""
    with listening(tmp_path / "s", replying(document(200, {"a": "打"}))) as asked:
        daemon = Daemon(tmp_path / "s")
        assert daemon.get("/v1/x", {"limit": "5"}) == {"a": "打"}
        assert daemon.post("/v1/y", {"key": "k"}) == {"a": "打"}
    assert asked[0].startswith(b"GET /v1/x?limit=5 HTTP/1.1\r\nHost: localhost\r\n")
    assert b"Connection: close" in asked[0]
    assert asked[1].endswith(b'\r\n\r\n{"key": "k"}')


def test_chunked_answers_are_read(tmp_path: Path) -> None:
    """An answer without a length is read too."""
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    with listening(tmp_path / "s", replying(raw)):
        assert Daemon(tmp_path / "s").get("/") == {}


@pytest.mark.parametrize("kind", ["absent", "stale", "no_directory"])
def test_nobody_listens(tmp_path: Path, kind: str) -> None:
    """No socket, a dead socket or no directory all mean: the daemon is down."""
    path = tmp_path / "s"
    if kind == "stale":
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(path))
    if kind == "no_directory":
        path = tmp_path / "none" / "s"
    with pytest.raises(DaemonDownError):
        Daemon(path).get("/")


def test_a_silent_daemon_costs_no_more_than_the_deadline(tmp_path: Path) -> None:
    """A daemon that dribbles one byte at a time is given up on at the deadline."""
    stop = threading.Event()

    def dribble(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.02):
            connection.sendall(b" ")

    with listening(tmp_path / "s", dribble):
        began = time.monotonic()
        with pytest.raises(DaemonSilentError, match="did not answer within"):
            Daemon(tmp_path / "s", deadline_s=0.3).get("/")
        assert time.monotonic() - began < 5
        stop.set()


def test_a_full_backlog_is_knocked_at_again(tmp_path: Path) -> None:
    """EAGAIN of a full unix socket is tried again until the deadline, then told."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(str(path))
            with pytest.raises(DaemonSilentError):
                Daemon(path, deadline_s=0.3).get("/")
        finally:
            for one in waiting:
                one.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnot",
    ],
)
def test_answers_nobody_can_read(tmp_path: Path, raw: bytes) -> None:
    """No HTTP, a broken-off answer or no JSON is a daemon that does not answer."""
    with listening(tmp_path / "s", replying(raw)), pytest.raises(DaemonSilentError):
        Daemon(tmp_path / "s").get("/")


def test_an_endless_answer_is_cut(tmp_path: Path) -> None:
    """An answer larger than any honest one is not read into memory."""

    def flood(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(MAX_ANSWER_BYTES // 65_536 + 2):
            connection.sendall(b" " * 65_536)

    with listening(tmp_path / "s", flood), pytest.raises(DaemonSilentError, match="above"):
        Daemon(tmp_path / "s").get("/")


def test_problem_documents_become_errors(tmp_path: Path) -> None:
    """A problem keeps its code, sentence and hint; 403 is about our role."""
    problem = {"code": "record.final", "title": "T", "detail": "it is final", "hint": "do X"}
    with listening(tmp_path / "s", replying(document(409, problem))):
        with pytest.raises(RefusedError) as caught:
            Daemon(tmp_path / "s").post("/v1/queue/hold")
        error = caught.value
    assert (error.status, error.code, error.what, error.hint) == (
        409,
        "record.final",
        "it is final",
        "do X",
    )
    with (
        listening(tmp_path / "t", replying(document(403, {"code": "role.missing"}))),
        pytest.raises(RoleError),
    ):
        Daemon(tmp_path / "t").get("/")
    with (
        listening(tmp_path / "u", replying(document(500, ["?"]))),
        pytest.raises(RefusedError, match="answered 500"),
    ):
        Daemon(tmp_path / "u").get("/")


@contextmanager
def anybody() -> Iterator[None]:
    """Without root's rights for a moment; nobody's if we are root, our own otherwise."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_no_right_to_the_socket() -> None:
    """A socket we may not use is a matter of rights, not of a dead daemon."""
    # Not tmp_path: nobody else may enter pytest's folders, and that would be another refusal.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with listening(folder / "s", replying(document(200, {}))):
            (folder / "s").chmod(0)
            with anybody(), pytest.raises(RoleError):
                Daemon(folder / "s").get("/")
