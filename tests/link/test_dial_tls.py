"""Dialing over TLS with real certificates: which defect has which cause."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from agent.http.client import Answered, Client, NotSent, Origin, Unanswered
from agent.link.dial import Dialer, DialError, cause_of
from agent.link.tls import client_context, peer_days_left, peer_expires_at, server_context
from tests.link.ends import NOW, Threads, failing, left, listening, opened, strict_host


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def pem(directory: Path, name: str, *blobs: trustme.Blob) -> str:
    path = directory / name
    path.write_bytes(b"".join(blob.bytes() for blob in blobs))
    return str(path)


def server_with(directory: Path, leaf: trustme.LeafCert, client_ca: str = "") -> ssl.SSLContext:
    chain = pem(directory, "host.pem", leaf.private_key_pem, *leaf.cert_chain_pems)
    return server_context(chain, chain, client_ca)


def test_tls_is_finished_and_the_expiry_readable(authority: trustme.CA, tmp_path: Path) -> None:
    """A trusted host is connected to over TLS 1.2 or later, and its days left are known."""
    expires_at = (NOW + timedelta(days=20)).replace(microsecond=0)
    server = server_with(tmp_path, authority.issue_cert("127.0.0.1", not_after=expires_at))
    client = client_context(pem(tmp_path, "ca.pem", authority.cert_pem))

    async def scene() -> None:
        async with listening(server) as port:
            reader, writer = await opened("127.0.0.1", port, client)
            assert writer.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}
            assert peer_expires_at(writer) == expires_at
            days = peer_days_left(writer, expires_at - timedelta(days=3))
            assert days == pytest.approx(3)
            writer.write(b"hi\n")
            assert await reader.readline() == b"hi\n"
            await left(writer)
        async with listening() as port:
            _, writer = await opened("127.0.0.1", port)
            assert peer_expires_at(writer) is None
            assert peer_days_left(writer, NOW) is None
            await left(writer)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ("expired", "tls.host_certificate_expired", "has expired"),
        ("future", "clock.wrong", "not valid yet"),
        ("name", "tls.untrusted", "for another"),
        ("stranger", "tls.untrusted", "authority that is not trusted"),
        ("plain", "tls.untrusted", "does not speak TLS"),
    ],
)
def test_a_host_that_cannot_be_trusted_is_refused(
    authority: trustme.CA, tmp_path: Path, case: str, code: str, words: str
) -> None:
    """Each defect of the host's certificate has its own cause and sentence."""
    issuer = trustme.CA() if case == "stranger" else authority
    names = ["other.test"] if case == "name" else ["127.0.0.1"]
    dates = {
        "expired": {"not_before": NOW - timedelta(days=9), "not_after": NOW - timedelta(days=2)},
        "future": {"not_before": NOW + timedelta(days=2), "not_after": NOW + timedelta(days=9)},
    }
    leaf = issuer.issue_cert(*names, **dates.get(case, {}))
    server = None if case == "plain" else server_with(tmp_path, leaf)
    client = client_context(pem(tmp_path, "ca.pem", authority.cert_pem))

    async def scene() -> DialError:
        async with listening(server) as port:
            with pytest.raises(DialError) as caught:
                await opened("127.0.0.1", port, client, 5)
            return caught.value

    if case == "plain":
        fault = asyncio.run(_dial_plain_speaker(client))
    else:
        fault = asyncio.run(scene())
    assert (fault.layer, fault.code) == ("tls", code)
    assert words in fault.reason
    assert fault.reason.startswith("127.0.0.1:")


async def _dial_plain_speaker(client: ssl.SSLContext) -> DialError:
    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    with pytest.raises(DialError) as caught:
        await opened("127.0.0.1", server.sockets[0].getsockname()[1], client, 5)
    server.close()
    return caught.value


def test_a_silent_tls_host_meets_the_deadline(authority: trustme.CA, tmp_path: Path) -> None:
    """TCP is accepted, TLS never answered: given up in time, blamed on the host."""
    client = client_context(pem(tmp_path, "ca.pem", authority.cert_pem))
    fault = failing("127.0.0.1", client=client, timeout_s=0.2, silent=True)
    assert (fault.layer, fault.code) == ("tls", "network.host_unreachable")
    assert "did not finish TLS in time" in fault.reason


def test_a_host_that_closes_during_tls_is_unreachable(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """An end in the middle of the handshake says nothing about trust."""
    client = client_context(pem(tmp_path, "ca.pem", authority.cert_pem))

    async def scene() -> None:
        async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.transport.abort()

        server = await asyncio.start_server(slam, "127.0.0.1", 0)
        with pytest.raises(DialError) as caught:
            await opened("127.0.0.1", server.sockets[0].getsockname()[1], client, 5)
        server.close()
        assert (caught.value.layer, caught.value.code) == ("tls", "network.host_unreachable")

    asyncio.run(scene())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("none", "config.credential_expired"),
        ("stranger", "config.credential_expired"),
        ("expired", "tls.client_certificate_expired"),
    ],
)
def test_a_refused_client_certificate_has_its_cause(
    authority: trustme.CA, tmp_path: Path, version: ssl.TLSVersion, case: str, code: str
) -> None:
    """Under TLS 1.2 the dial fails; under 1.3 the alert comes later: the cause is the same."""
    ca_file = pem(tmp_path, "ca.pem", authority.cert_pem)
    server = server_with(tmp_path, authority.issue_cert("127.0.0.1"), ca_file)
    server.maximum_version = version
    cert_file = ""
    if case != "none":
        issuer = trustme.CA() if case == "stranger" else authority
        leaf = issuer.issue_cert(
            "terminal.test",
            not_before=NOW - timedelta(days=9),
            not_after=NOW + timedelta(days=-2 if case == "expired" else 9),
        )
        cert_file = pem(tmp_path, "me.pem", leaf.private_key_pem, *leaf.cert_chain_pems)
    client = client_context(ca_file, cert_file)

    async def scene(port: int) -> Answered | NotSent | Unanswered:
        http = Client(
            Origin(scheme="https", host="127.0.0.1", port=port),
            Dialer(Threads()),
            tls=client,
            cause_of=cause_of,
        )
        outcome = await http.request("GET", "/", answer_timeout_s=5)
        await http.close()
        return outcome

    with strict_host(server) as port:
        outcome = asyncio.run(scene(port))
    if version is ssl.TLSVersion.TLSv1_2:
        assert isinstance(outcome, NotSent)
        assert outcome.layer == "tls"
    assert not isinstance(outcome, Answered)
    if (version, case) == (ssl.TLSVersion.TLSv1_2, "none"):
        code = "tls.untrusted"  # the old version has no word for "required"
    assert outcome.code == code, outcome


def test_a_client_certificate_that_fits_is_accepted(authority: trustme.CA, tmp_path: Path) -> None:
    """Mutual TLS with certificates of one authority works in both directions."""
    ca_file = pem(tmp_path, "ca.pem", authority.cert_pem)
    server = server_with(tmp_path, authority.issue_cert("localhost"), ca_file)
    me = authority.issue_cert("terminal.test")
    client = client_context(
        ca_file,
        pem(tmp_path, "me.pem", *me.cert_chain_pems),
        pem(tmp_path, "me.key", me.private_key_pem),
    )

    async def scene() -> None:
        async with listening(server) as port:
            reader, writer = await opened("localhost", port, client)
            writer.write(b"hi\n")
            assert await reader.readline() == b"hi\n"
            await left(writer)

    asyncio.run(scene())


def test_cancelling_a_dial_leaves_no_socket(authority: trustme.CA, tmp_path: Path) -> None:
    """Given up in the middle of TLS: the socket is released (pytest fails on a leak)."""
    client = client_context(pem(tmp_path, "ca.pem", authority.cert_pem))

    async def scene() -> None:
        async with listening(silent=True) as port:
            task = asyncio.create_task(opened("127.0.0.1", port, client))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scene())
