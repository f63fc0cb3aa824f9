"""What a connection costs on the wire, as the kernel counts it."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from agent.link import meter
from agent.link.meter import Meter, wire_bytes

#: IP and TCP headers with timestamps, IPv4.
HEADER = 52


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return near, far


def exchanged(near: socket.socket, far: socket.socket, size: int) -> None:
    near.sendall(b"x" * size)
    left = size
    while left:
        left -= len(far.recv(left))
    far.sendall(b"ok")
    assert near.recv(2) == b"ok"


def test_payload_and_headers_of_both_directions() -> None:
    """A kilobyte and its answer: the bytes, and a header for each segment there can have been."""
    near, far = pair()
    with closing(near), closing(far):
        before = wire_bytes(near)
        assert before is not None
        assert 2 * HEADER <= before <= 3 * HEADER + 16  # SYN, SYN-ACK, ACK
        exchanged(near, far, 1_000)
        after = wire_bytes(near)
        assert after is not None
        assert 1_002 + 2 * HEADER <= after - before <= 1_002 + 4 * HEADER


def test_the_sum_over_connections_never_shrinks() -> None:
    """Open ones as they stand, ended ones with their end; the same socket counts once."""
    gauge, totals = Meter(), [0]
    for _ in range(3):
        near, far = pair()
        gauge.watch(near)
        gauge.watch(near)
        exchanged(near, far, 500)
        totals.append(gauge.total_bytes())
        gauge.ended(near)
        gauge.ended(near)
        near.close()
        far.close()
        totals.append(gauge.total_bytes())
    assert totals == sorted(totals)
    assert 3 * 500 < totals[-1] < 3 * (500 + 16 * HEADER)
    assert gauge.counted


def test_a_socket_closed_behind_its_back_counts_as_last_seen() -> None:
    """Whoever closes first: nothing raises, nothing is counted twice."""
    gauge = Meter()
    near, far = pair()
    gauge.watch(near)
    exchanged(near, far, 500)
    seen = gauge.total_bytes()
    near.close()
    far.close()
    assert gauge.total_bytes() == seen
    gauge.ended(near)
    assert gauge.total_bytes() == seen
    with pytest.raises(OSError, match="descriptor"):
        wire_bytes(near)


def test_where_the_kernel_does_not_tell_the_meter_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older kernel answers less, another system has no such question, a pipe is no TCP."""
    near, far = pair()
    with closing(near), closing(far):
        monkeypatch.setattr(meter, "_WHOLE", 10_000)
        assert wire_bytes(near) is None
        gauge = Meter()
        gauge.watch(near)
        assert gauge.total_bytes() == 0
        assert not gauge.counted
        monkeypatch.undo()
        monkeypatch.delattr(socket, "TCP_INFO")
        assert wire_bytes(near) is None
    left, right = socket.socketpair()
    with closing(left), closing(right):
        assert wire_bytes(left) is None


def test_ipv6_has_larger_headers() -> None:
    """Twenty bytes more a segment; an address mapped from IPv4 travels as IPv4."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        sizes = []
        for host in ("127.0.0.1", "::1"):
            try:
                near = socket.create_connection((host, port))
            except OSError:
                pytest.skip("no IPv6 here")
            far, _ = server.accept()
            with closing(near), closing(far):
                sizes.append(wire_bytes(far))
        mapped, real = sizes
    assert mapped is not None
    assert real is not None
    assert real - mapped in {40, 60}
