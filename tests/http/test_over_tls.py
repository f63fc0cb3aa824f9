"""Our client against our server over mutual TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from agent.http.client import Answered, Client, Origin, Unanswered
from agent.http.message import Hangup, Limits, Request, Response
from agent.http.server import Server
from agent.link.dial import Dialer
from agent.link.tls import client_context, server_context
from tests.http.hosts import LONG_S, NoBlocking
from tests.http.wires import until


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server's and client's."""
    directory: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    files = []
    for name in ("127.0.0.1", "terminal.test"):
        file = directory / f"{name}.pem"
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(file))
        files.append(str(file))
    return (
        server_context(files[0], "", str(ca_file)),
        client_context(str(ca_file), files[1]),
    )


def test_requests_large_bodies_and_hangups_work_over_tls(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """Kept connection, megabytes both ways, a stream, a cut in the middle, and a quick end."""
    server_tls, client_tls = contexts

    async def handler(request: Request) -> Response:
        if request.path == "/cut":

            async def half() -> AsyncIterator[bytes]:
                yield b"half"
                raise Hangup

            return Response(status=200, headers={"content-length": "8"}, body=half())
        return Response(status=200, body=request.body[::-1])

    async def scene() -> None:
        server = Server(handler, Limits(body_bytes=5_000_000))
        port = await server.start_tcp("127.0.0.1", 0, server_tls)
        client = Client(
            Origin(scheme="https", host="127.0.0.1", port=port),
            Dialer(NoBlocking()),  # type: ignore[arg-type]
            tls=client_tls,
            max_answer_bytes=5_000_000,
        )
        for size in (0, 10, 3_000_000, 10):
            body = (b"0123456789" * (size // 10 + 1))[:size]
            outcome = await client.request("POST", "/", body=body, answer_timeout_s=LONG_S)
            assert isinstance(outcome, Answered)
            assert outcome.body == body[::-1]
        assert (server.connections, client.idle_connections) == (1, 1)
        cut = await client.request("GET", "/cut", answer_timeout_s=LONG_S)
        assert isinstance(cut, Unanswered)
        assert cut.sent_bytes > 0
        await client.request("GET", "/", answer_timeout_s=LONG_S)
        began = asyncio.get_running_loop().time()
        await client.close()
        await until(lambda: server.connections == 0)
        await server.close(5)
        assert asyncio.get_running_loop().time() - began < 3

    asyncio.run(scene())
