"""A till for the uplink's tests: records, payloads and an uplink over real sockets."""

from __future__ import annotations

import asyncio
import base64
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.config import Iso8583Uplink as Config
from agent.core.money.delivery import Reply
from agent.core.money.journal import Record
from agent.core.money.transaction import Kind, Payload, Posting
from agent.link.fault import DialError
from agent.sim.acquirer import LAYOUT, Acquirer, AcquirerOptions
from agent.sim.terminal import CONTENT_TYPE, PaymentApp
from agent.uplink import iso8583
from agent.uplink.iso8583.uplink import Iso8583Uplink
from tests.core.money.payments import record


@dataclass(slots=True)
class Dial:
    """Plain connections to one port, counted."""

    opened: int = 0
    writers: list[StreamWriter] = field(default_factory=list)

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[StreamReader, StreamWriter]:
        self.opened += 1
        try:
            async with asyncio.timeout(timeout_s):
                streams = await asyncio.open_connection(host, port, ssl=tls)
        except OSError as error:
            raise DialError("tcp", f"{host}:{port} refused", "network.host_unreachable") from error
        self.writers.append(streams[1])
        return streams


@dataclass(slots=True)
class Queries:
    """The messages that ask, by key."""

    payloads: dict[str, bytes] = field(default_factory=dict)

    async def query_payload(self, it: Record) -> bytes | None:
        return self.payloads.get(it.key)


@dataclass(slots=True)
class Till:
    """One uplink to one acquirer."""

    acquirer: Acquirer
    uplink: Iso8583Uplink
    dial: Dial
    queries: Queries
    app: PaymentApp
    late: list[tuple[str, Reply]] = field(default_factory=list)
    committed: int = 0

    async def sending(self) -> None:
        self.committed += 1

    async def post(
        self, it: Record, payload: Payload, attempt: int = 1,
        hook: Callable[[], Awaitable[None]] | None = None,
    ) -> Reply:  # fmt: skip
        async with asyncio.timeout(20):
            return await self.uplink.post(it, payload, attempt, hook or self.sending)

    def advice(self, key: str = "k1", amount: int = 1250) -> tuple[Record, Payload]:
        return self.taken(self.app.advice(key, amount))

    def sale(self, key: str = "k1", amount: int = 1250) -> tuple[Record, Payload]:
        return self.taken(self.app.sale(key, amount))

    def taken(self, body: dict[str, Any], **changes: Any) -> tuple[Record, Payload]:
        """A hand-over as the journal would give it back."""
        of = {
            "kind": Kind(body["kind"]),
            "posting": Posting(body["posting"]),
            "terminal_id": body["terminal_id"],
            "merchant_id": body["merchant_id"],
            "stan": body["stan"],
            "amount_minor": body.get("amount_minor"),
            "currency": body.get("currency"),
        }
        raw = base64.b64decode(body["payload"]["base64"])
        return record(body["key"], of=of, **changes), Payload(content_type=CONTENT_TYPE, body=raw)


def config(acquirer: Acquirer, **changes: Any) -> Config:
    """A profile for it, impatient."""
    keys: dict[str, Any] = {
        "name": "host",
        "host": "127.0.0.1",
        "port": acquirer.port,
        "tls": False,
        "tpdu": LAYOUT.tpdu.hex(),
        "header": LAYOUT.header.hex(),
        "answer_timeout_s": 0.4,
        "connect_timeout_s": 2.0,
    }
    return Config(**{**keys, **changes})


@asynccontextmanager
async def till(options: AcquirerOptions | None = None, **changes: Any) -> Any:
    """An acquirer and an uplink to it, both closed afterwards."""
    acquirer = Acquirer(options)
    await acquirer.start()
    dial, queries = Dial(), Queries()
    uplink = iso8583.build(config(acquirer, **changes), dial, queries)
    made = Till(acquirer, uplink, dial, queries, PaymentApp())

    async def late(key: str, reply: Reply) -> None:
        made.late.append((key, reply))

    uplink.on_late = late
    try:
        yield made
    finally:
        await uplink.close()
        await acquirer.close()


async def until(condition: Callable[[], object], what: str) -> None:
    """Waits for a condition of another task."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what
