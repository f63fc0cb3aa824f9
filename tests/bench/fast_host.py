"""A host that costs as little as possible: TLS, keep-alive, the receiver contract's answer.

Not the reference host (`agent.sim.host`), which keeps a ledger and injects faults: here the sender
is measured, so the receiver only reads heads by hand and answers. In a process of its own:
`python -m tests.bench.fast_host CERT KEY` prints `{"port": …}`, and obeys standard input:
`hold W` keeps answers back and prints `{"held": W}` when W posts wait for theirs; `go N` gives
them, and prints `{"first_s": …, "last_s": …}` (monotonic clock) from then to the N-th answer.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time

_STATUS = {True: b"HTTP/1.1 200 OK", False: b"HTTP/1.1 201 Created"}


class _Count:
    """Answers kept back and answers counted."""

    def __init__(self) -> None:
        self._hold = 0
        self._held: list[tuple[asyncio.Transport, bytes]] = []
        self._wanted = 0
        self._first_s = 0.0

    def obey(self, line: str) -> None:
        word, _, number = line.partition(" ")
        if word == "hold":
            self._hold = int(number)
            return
        self._hold, self._wanted, self._first_s = 0, int(number), time.monotonic()
        held, self._held = self._held, []
        for transport, answer in held:
            self.answer(transport, answer)

    def answer(self, transport: asyncio.Transport, answer: bytes) -> None:
        if self._hold:
            self._held.append((transport, answer))
            if len(self._held) == self._hold:
                _say({"held": self._hold})
            return
        transport.write(answer)
        self._wanted -= 1
        if self._wanted == 0:
            _say({"first_s": self._first_s, "last_s": time.monotonic()})


class _Peer(asyncio.Protocol):
    def __init__(self, count: _Count) -> None:
        self._count = count
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            fields: dict[bytes, bytes] = {}
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                fields[name.strip().lower()] = value.strip()
            whole = end + 4 + int(fields.get(b"content-length", b"0"))
            if len(self._data) < whole:
                return
            self._data = self._data[whole:]
            self._answer(fields)

    def _answer(self, fields: dict[bytes, bytes]) -> None:
        amount, _, currency = fields.get(b"transaction-amount", b"0 CNY").partition(b" ")
        key = fields.get(b"idempotency-key", b"")
        body = (
            b'{"key":"%s","terminal_id":"%s","status":"posted","amount_minor":%s,"currency":"%s",'
            b'"reference":"R%s","response_code":"00","rrn":"000000000001",'
            b'"posted_at":"2026-01-01T00:00:00Z"}'
        ) % (key, fields.get(b"terminal-id", b""), amount, currency, key[-8:])
        repeat = fields.get(b"attempt", b"1") != b"1"
        answer = b"%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            _STATUS[repeat],
            len(body),
            body,
        )
        self._count.answer(self._transport, answer)


def _say(document: dict[str, float]) -> None:
    print(json.dumps(document), flush=True)


async def _serve(cert_file: str, key_file: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert_file, key_file)
    loop = asyncio.get_running_loop()
    count = _Count()
    server = await loop.create_server(lambda: _Peer(count), "127.0.0.1", 0, ssl=tls)
    _say({"port": server.sockets[0].getsockname()[1]})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        count.obey(line.decode().strip())
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
