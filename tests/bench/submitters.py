"""Many clients of the local API at once, in one process that costs as little as it can.

`python -m tests.bench.submitters SOCKET CLIENTS`. For every line `WHAT N` it reads, that many kept
connections send N requests, each the next one as soon as it has its answer, and the rate is
printed. WHAT is `empty` (an address that does not exist) or `submit`.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from collections.abc import Iterator

from tests.bench.payments import submission

EMPTY = b"GET /v1/nothing-here HTTP/1.1\r\nHost: localhost\r\n\r\n"
STATUS = {"empty": b"404", "submit": b"201"}
PATIENCE_S = 60.0


def _submit(number: int) -> bytes:
    body = submission(f"crowd-{number:010d}", number)
    head = (
        b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    return head % len(body) + body


class _Client:
    """One connection, at most one request under way."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self._held = b""

    def answer(self, status: bytes) -> bool:
        """Whether the answer is whole. Raises RuntimeError for another status."""
        more = self.socket.recv(65_536)
        if not more:
            raise RuntimeError("the agent closed the connection")
        self._held += more
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return False
        at = self._held.lower().find(b"content-length:")
        length = int(self._held[at + 15 : self._held.find(b"\r", at)])
        if len(self._held) < end + 4 + length:
            return False
        if self._held[9:12] != status:
            raise RuntimeError(f"answered {self._held[:400]!r}")
        self._held = b""
        return True


def _rate(clients: list[_Client], requests: list[bytes], status: bytes) -> float:
    todo: Iterator[bytes] = iter(requests)
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        began = time.perf_counter()
        under_way = 0
        for client in clients:
            client.socket.sendall(next(todo))
            under_way += 1
        while under_way:
            for ready, _ in selector.select(PATIENCE_S):
                client = ready.data
                if not client.answer(status):
                    continue
                request = next(todo, None)
                if request is None:
                    under_way -= 1
                else:
                    client.socket.sendall(request)
        return len(requests) / (time.perf_counter() - began)


def main(path: str, count: int) -> None:
    clients = [_Client(path) for _ in range(count)]
    number = 0
    for line in sys.stdin:
        what, many = line.split()
        requests = [EMPTY] * int(many)
        if what == "submit":
            requests = [_submit(number + each) for each in range(int(many))]
            number += int(many)
        print(_rate(clients, requests, STATUS[what]), flush=True)
    for client in clients:
        client.socket.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
