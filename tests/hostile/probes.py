"""Requests meant to be read in two ways, to be believed from elsewhere, or to be too much.

Each is bytes and the statuses that are an answer to them; 0 is an end without one. Behind most of
them lies a second request that would hand over a payment: whoever reads the first otherwise than
we do would take it. `{here}` becomes the listener's own host and port.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: An end without an answer.
CUT = 0
REFUSED = frozenset({CUT, 400, 401, 403, 404, 405, 408, 413, 415, 421, 422, 431, 501, 503, 505})
#: Read in one way only, and served like any other: nothing came of what lay behind.
OR_SERVED = REFUSED | {200, 204, 304}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One thing to say to a listener."""

    name: str
    data: bytes
    allowed: frozenset[int] = REFUSED
    #: Only the page believes browsers; the unix socket knows its caller from the kernel.
    page_only: bool = False


def smuggled(key: str, here: str) -> bytes:
    """A request that would hand over a payment."""
    body = (
        f'{{"key":"{key}","terminal_id":"T0000001","merchant_id":"M00000000000001","kind":"sale",'
        '"posting":"advice","occurred_at":"2026-01-01T00:00:00+00:00","amount_minor":1,'
        '"currency":"CNY","payload":{"content_type":"text/plain","text":"x"}}'
    )
    return (
        f"POST /v1/transactions HTTP/1.1\r\nHost: {here}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def get(here: str, *lines: str, target: str = "/v1/status", version: str = "1.1") -> bytes:
    """A GET with these headers beside Host."""
    host = [f"Host: {here}"] if here else []
    return "\r\n".join([f"GET {target} HTTP/{version}", *host, *lines, "", ""]).encode("latin-1")


def post(here: str, *lines: str, body: bytes = b"") -> bytes:
    """A POST of a hold, the change of state easiest to ask for."""
    head = ["POST /v1/queue/hold HTTP/1.1", f"Host: {here}", "Content-Type: application/json"]
    return "\r\n".join([*head, *lines, "", ""]).encode("latin-1") + body


def probes(here: str) -> Iterator[Probe]:
    """All of them, for the listener at `here`."""
    port = here.rpartition(":")[2]
    for host in _hosts(port):
        yield Probe(name=f"host {host}", data=get(host), page_only=True)
    for origin in _origins(port):
        yield Probe(
            name=f"origin {origin}",
            data=post(here, f"Origin: {origin}", "Content-Length: 11", body=b'{"key":"a"}'),
            page_only=True,
        )
    for site in ("cross-site", "same-site", "none, cross-site"):
        yield Probe(name=f"site {site}", data=get(here, f"Sec-Fetch-Site: {site}"), page_only=True)
    for index, (name, data) in enumerate(_framing(here)):
        yield Probe(name=name, data=data + smuggled(f"smuggled-{index}", here))
    for name, data in _odd(here):
        yield Probe(name=name, data=data)
    for name, data in _served(here):
        yield Probe(name=name, data=data, allowed=OR_SERVED)


def _hosts(port: str) -> tuple[str, ...]:
    return (
        "", "evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}",
        f"localhost.evil.example:{port}", f"127.1:{port}", f"2130706433:{port}",
        f"0x7f000001:{port}", f"[::ffff:127.0.0.1]:{port}", f"0.0.0.0:{port}", f"127.0.0.2:{port}",
        f"localhost.:{port}", f"user@127.0.0.1:{port}", "127.0.0.1", "127.0.0.1:1",
        f"127.0.0.1:{port}, evil.example", f"127.0.0.1:{port}#evil", f"127.0.0.1:0{port}",
    )  # fmt: skip


def _origins(port: str) -> tuple[str, ...]:
    return (
        "null", "http://evil.example", f"http://evil.example:{port}", "http://127.0.0.1",
        "http://127.0.0.1:1", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port}.evil.example",
        f"http://127.0.0.1:{port}/", f"http://localhost:{port}", "file://", "*",
    )  # fmt: skip


def _framing(here: str) -> Iterator[tuple[str, bytes]]:
    """Where does the body end? Every one of these has more than one answer somewhere."""
    empty = b"0\r\n\r\n"
    yield "CL.TE", post(here, "Content-Length: 5", "Transfer-Encoding: chunked", body=empty)
    yield "TE.CL", post(here, "Transfer-Encoding: chunked", "Content-Length: 5", body=empty)
    yield "two lengths", post(here, "Content-Length: 0", "Content-Length: 200")
    yield "length list", post(here, "Content-Length: 0, 200")
    yield "length signed", post(here, "Content-Length: +0")
    yield "length negative", post(here, "Content-Length: -1")
    yield "length hexadecimal", post(here, "Content-Length: 0x0")
    yield (
        "length of arabic digits",
        post(here).replace(b"\r\n\r\n", "\r\nContent-Length: ٠\r\n\r\n".encode()),
    )
    yield "length with an underscore", post(here, "Content-Length: 1_0")
    for coding in (
        "xchunked", "chunked, identity", "identity, chunked", "chunked, chunked", "\x0bchunked",
        "gzip, chunked", "chunked;q=1", '"chunked"', "CHUNKED\x00",
    ):  # fmt: skip
        yield f"coding {coding!r}", post(here, f"Transfer-Encoding: {coding}", body=empty)
    yield (
        "two codings",
        post(here, "Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=empty),
    )
    chunked = "Transfer-Encoding: chunked"
    for name, body in (
        ("chunk size negative", b"-1\r\n\r\n"),
        ("chunk size beyond 64 bits", b"fffffffffffffffff\r\n"),
        ("chunk size with 0x", b"0x0\r\n\r\n"),
        ("chunk size with a plus", b"+0\r\n\r\n"),
        ("chunk without its end", b"1\r\nab\r\n0\r\n\r\n"),
        ("chunk ended by a bare CR", b"0\r\r"),
    ):
        yield name, post(here, chunked, body=body)
    yield "space before the colon", post(here, "Content-Length : 5", body=empty)
    yield "folded length", post(here, "Content-Length:", " 5", body=empty)
    yield "folded header", post(here, "X-Pad: a", "\tTransfer-Encoding: chunked", body=empty)
    yield "NUL in a header", post(here, "X-Pad: a\x00b", "Content-Length: 0")
    yield "bare CR in a header", post(here, "X-Pad: a\rContent-Length: 0")
    yield "header without a colon", post(here, "Content-Length 0")
    yield "empty header name", post(here, ": 0")
    yield "header name in Chinese", post(here).replace(b"Host", "主机".encode())


def _odd(here: str) -> Iterator[tuple[str, bytes]]:
    """What no client of ours says."""
    yield "absolute target", get(here, target=f"http://{here}/v1/status")
    yield "absolute target elsewhere", get(here, target="http://evil.example/v1/status")
    yield "target without a slash", get(here, target="v1/status")
    yield "two slashes", get(here, target="//evil.example/v1/status")
    yield "way up", get(here, target="/../../../../etc/passwd")
    yield "way up, escaped", get(here, target="/%2e%2e/%2e%2e/etc/passwd")
    yield "NUL in the target", get(here, target="/v1/status\x00")
    yield "NUL escaped", get(here, target="/v1/status%00")
    yield "line break escaped", get(here, target="/v1/status%0d%0aX:1")
    yield "broken escape", get(here, target="/v1/%zz")
    yield "CONNECT", f"CONNECT evil.example:443 HTTP/1.1\r\nHost: {here}\r\n\r\n".encode()
    yield "TRACE", f"TRACE /v1/status HTTP/1.1\r\nHost: {here}\r\n\r\n".encode()
    yield "asterisk", f"OPTIONS * HTTP/1.1\r\nHost: {here}\r\n\r\n".encode()
    yield (
        "preflight",
        (
            f"OPTIONS /v1/transactions HTTP/1.1\r\nHost: {here}\r\nOrigin: http://evil.example\r\n"
            "Access-Control-Request-Method: POST\r\n\r\n"
        ).encode(),
    )
    yield "HTTP/0.9", b"GET /v1/status\r\n"
    yield "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "HTTP/9.9", get(here, version="9.9")
    yield "TLS where none is", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)
    yield "UTF-16", get(here).decode("latin-1").encode("utf-16")
    yield "two hosts", get(here, "Host: evil.example")
    yield "head of 1 MiB", get(here, "X-Pad: " + "p" * 1_048_576)
    yield "10,000 headers", get(here, *(f"X-{n}: 1" for n in range(10_000)))
    yield "line without an end", b"GET /" + b"a" * 200_000
    yield "stated length of 1 EiB", post(here, f"Content-Length: {2**60}")
    yield "body of 4 MiB", post(here, f"Content-Length: {4 << 20}", body=b"x" * (4 << 20))
    yield (
        "chunks of 4 MiB",
        post(here, "Transfer-Encoding: chunked", body=b"10000\r\n" + b"x" * 65_536 + b"\r\n" * 64),
    )
    yield (
        "form",
        (
            f"POST /v1/transactions HTTP/1.1\r\nHost: {here}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b"
        ).encode(),
    )
    yield "state changed by GET", get(here, target="/v1/queue/hold?key=k")


def _served(here: str) -> Iterator[tuple[str, bytes]]:
    """Unusual and unambiguous."""
    yield "1,000 in one write", get(here, target="/v1/nothing") * 1_000
    yield "upgrade", get(here, "Connection: Upgrade", "Upgrade: websocket")
    yield "upgrade to HTTP/2", get(here, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
    yield "body on a GET", get(here, "Content-Length: 3") + b"abc"
