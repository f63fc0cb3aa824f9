"""The page's listeners over a real local API and real sockets, for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config.page import Page
from agent.core.audit import Deed
from agent.local.listeners import Certificate, Listeners
from agent.local.sessions import Token
from agent.wire.problem import RequestError
from tests.fakes import FakeClock
from tests.local.house import House, serve

TOKEN = "t" * 64
SERVICE = Page(listen="127.0.0.1:0", service_address="127.0.0.1", service_port=0, service_tls=False)


class Trail:
    """Keeps what was written down."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    async def write(self, deed: Deed) -> None:
        self.deeds.append(deed)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass
class Doors:
    """What a test holds."""

    house: House
    page: Listeners
    clock: FakeClock
    trail: Trail
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def address(self, listener: str = "loopback") -> tuple[str, int]:
        found = next(one for one in self.page.shown().listeners if one.listener == listener)
        host, _, port = found.address.removesuffix("/").rpartition("//")[2].rpartition(":")
        return host, int(port)

    async def raw(self, sent: bytes, listener: str = "loopback") -> bytes:
        """Everything that comes back for these bytes, until the other side closes."""
        reader, writer = await asyncio.open_connection(*self.address(listener))
        try:
            writer.write(sent)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()

    async def ask(
        self,
        method: str,
        target: str,
        document: object = None,
        *,
        listener: str = "loopback",
        **headers: str | None,
    ) -> Answer:
        """One request as a browser on the page sends it; a header that is None is left out."""
        host, port = self.address(listener)
        body = b"" if document is None else json.dumps(document).encode()
        sent: dict[str, str | None] = {
            "host": f"{host}:{port}",
            "origin": f"http://{host}:{port}" if method != "GET" else None,
            "sec-fetch-site": "same-origin",
            "cookie": self.cookie or None,
            "content-type": "application/json" if body else None,
            "content-length": str(len(body)) if body or method != "GET" else None,
            "connection": "close",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{name}: {value}" for name, value in sent.items() if value is not None]
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode()
        return parsed(await self.raw(head + body, listener))

    async def sign_in(self, code: str, listener: str = "loopback", **headers: str) -> Answer:
        answer = await self.ask("POST", "/v1/session", {"code": code}, listener=listener, **headers)
        if answer.status == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    async def sign_in_here(self) -> Answer:
        return await self.sign_in(self.page.code("uid:0").code)


def parsed(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return Answer(int(first.split(" ")[1]), {n.lower(): v for n, v in pairs}, body)


async def no_certificate(address: str) -> Certificate:
    raise RequestError("page.no_certificate", f"none for {address}")


def with_doors(
    folder: Path,
    test: Callable[[Doors], Awaitable[None]],
    page: Page | None = None,
    *,
    addresses: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Run `test` against a page served on free ports of this machine."""

    async def inside(house: House) -> None:
        clock, trail = FakeClock(), Trail()
        listeners = Listeners(
            page or Page(listen="127.0.0.1:0"),
            clock=clock,
            trail=trail,
            token=Token(TOKEN),
            certify=no_certificate,
            addresses=lambda: addresses or {},
        )
        listeners.serves(house.api)
        stop = asyncio.Event()
        task = asyncio.create_task(listeners.run(stop))
        try:
            await listeners.listening.wait()
            await test(Doors(house, listeners, clock, trail))
        finally:
            stop.set()
            await task

    serve(folder, inside)
