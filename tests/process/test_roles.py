"""Who may do what on the socket, by the kernel's word; and that readers cannot keep payments out.

Another user is a thread of this process that gave up its rights by itself, so that no program has
to be runnable by that user. Needs root, like any change of user.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from tests.process.daemon import Answer, Daemon, call, payment

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.geteuid() != 0, reason="not root: other users' roles were NOT tried"),
]

T = TypeVar("T")
NOBODY = 65_534
#: x86-64 and arm64 number them differently.
_SETRESGID, _SETRESUID, _SETGROUPS = (
    (119, 117, 116) if os.uname().machine == "x86_64" else (149, 147, 159)
)


def as_user(uid: int, work: Callable[[], T]) -> T:
    """`work` in a thread that is `uid`. The raw system call changes this thread alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    results: list[T] = []
    errors: list[BaseException] = []

    def inside() -> None:
        try:
            for number in ((_SETGROUPS, 0, None), (_SETRESGID, uid, uid, uid)):
                assert libc.syscall(*number) == 0
            assert libc.syscall(_SETRESUID, uid, uid, uid) == 0
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller as it is
            errors.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join(30.0)
    if errors:
        raise errors[0]
    return results[0]


def nobody_asks(daemon: Daemon, method: str, target: str, body: Any = None) -> Answer:
    raw = None if body is None else json.dumps(body).encode()
    return as_user(NOBODY, lambda: call(daemon.socket, method, target, raw))


def test_a_stranger_cannot_even_connect() -> None:
    """Without a role for anybody outside the agent's group the file itself keeps them out."""
    with Daemon() as daemon:
        daemon.start()
        with pytest.raises(PermissionError):
            nobody_asks(daemon, "GET", "/v1/backlog")


def test_a_submitter_submits_and_may_do_nothing_a_technician_does() -> None:
    """submit: hand over and look at payments; 403 `role.missing` for the queue's commands."""
    with Daemon() as daemon:
        daemon.configure(f'[api]\nsubmit = ["{NOBODY}"]')
        daemon.start()
        assert nobody_asks(daemon, "POST", "/v1/transactions", payment("k-1")).status == 201
        assert nobody_asks(daemon, "GET", "/v1/transactions/k-1").status == 200
        for body, target in (({"key": "k-1"}, "/v1/queue/hold"), ({}, "/v1/queue/retry")):
            answer = nobody_asks(daemon, "POST", target, body)
            assert (answer.status, answer.code) == (403, "role.missing")
        assert daemon.record("k-1")["state"] != "held"


def test_a_reader_reads_and_hands_over_nothing() -> None:
    """read: 403 for a payment, and nothing stored."""
    with Daemon() as daemon:
        daemon.configure(f'[api]\nread = ["{NOBODY}"]')
        daemon.start()
        assert nobody_asks(daemon, "GET", "/v1/status").status == 200
        answer = nobody_asks(daemon, "POST", "/v1/transactions", payment("k-1"))
        assert (answer.status, answer.code) == (403, "role.missing")
        assert daemon.unsent() == 0


def test_a_technician_holds_and_releases() -> None:
    """technician: the queue's commands, written down with who did it."""
    with Daemon() as daemon:
        daemon.configure(f'[api]\ntechnician = ["{NOBODY}"]')
        daemon.start()
        assert daemon.submit(payment("k-1")).status == 201
        assert nobody_asks(daemon, "POST", "/v1/queue/hold", {"key": "k-1"}).status == 200
        assert daemon.record("k-1")["state"] == "held"


def test_readers_cannot_take_the_slots_reserved_for_payments() -> None:
    """With every other slot taken a payment still gets in, and one reader more gets a 503."""
    with Daemon() as daemon:
        daemon.configure(
            f'[api]\nread = ["{NOBODY}"]\nmax_connections = 8\nreserved_for_submit = 4'
        )
        daemon.start()

        def sit() -> list[socket.socket]:
            sitting = []
            for _ in range(12):
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(10)
                connection.connect(str(daemon.socket))
                connection.sendall(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
                sitting.append(connection)
            return sitting

        sitting = as_user(NOBODY, sit)
        try:
            heads = [connection.recv(4096).split(b"\r\n")[0] for connection in sitting]
            assert heads.count(b"HTTP/1.1 200 ") + heads.count(b"HTTP/1.1 200 OK") == 4, heads
            assert sum(b" 503" in head for head in heads) == 8, heads
            for n in range(4):
                assert daemon.submit(payment(f"k-{n}")).status == 201
        finally:
            for connection in sitting:
                connection.close()


def test_an_unknown_name_in_the_roles_ends_the_start_with_a_sentence() -> None:
    """[api] submit = a user this terminal does not have: exit 2 naming it."""
    with Daemon() as daemon:
        daemon.configure('[api]\nsubmit = ["no-such-user-here"]')
        daemon.start(wait=False)
        assert daemon.wait() == 2
        assert "no-such-user-here" in daemon.log()
