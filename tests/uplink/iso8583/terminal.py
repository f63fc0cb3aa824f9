"""A terminal with the real store, the real uploader and the simulated acquirer, for tests."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.config import Iso8583Uplink as Config
from agent.core.money.journal import Record, State
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Payload, Posting, Submission
from agent.link.dial import Dialer
from agent.link.fault import cause_of
from agent.sim.acquirer import LAYOUT, Acquirer, AcquirerOptions
from agent.sim.terminal import CONTENT_TYPE, PaymentApp
from agent.store import Store
from agent.store.prepared import Prepared
from agent.supervise import DaemonThreads
from agent.uplink import Ports, Uploader, build
from tests.core.money.payments import transaction


class Terminal:
    """A terminal with a real store and a real uploader."""

    def __init__(self, store: Store, uploader: Uploader, acquirer: Acquirer) -> None:
        self.store = store
        self.uploader = uploader
        self.acquirer = acquirer
        self.prepared = Prepared(store, SystemClock())
        self.app = PaymentApp()
        self._changed = asyncio.Condition()
        store.on_change(lambda _: self._poke())
        self._pokes: set[asyncio.Task[None]] = set()

    def _poke(self) -> None:
        async def tell() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.get_running_loop().create_task(tell())
        self._pokes.add(task)
        task.add_done_callback(self._pokes.discard)

    async def take(self, body: Mapping[str, Any], **changes: Any) -> Record:
        """Hand over what the app built."""

        def raw(given: Mapping[str, str]) -> bytes:
            return base64.b64decode(given["base64"])

        now = SystemClock().now().at
        limit_s = changes.pop("limit_s", None)
        if limit_s is not None:
            changes["send_before"] = now + timedelta(seconds=limit_s)
        query = changes.pop("query", None)
        reversals = {r: raw(p) for r, p in body.get("reversal_payloads", {}).items()}
        reversals = changes.pop("reversals", reversals)
        submission = Submission(
            transaction=transaction(
                body["key"],
                **{
                    "kind": Kind(body["kind"]),
                    "posting": Posting(body["posting"]),
                    "stan": body["stan"],
                    "amount_minor": body.get("amount_minor"),
                    "currency": body.get("currency"),
                    "refers_to": body.get("refers_to"),
                    "covers": tuple(body.get("covers", ())),
                    "reversal_key": body.get("reversal_key"),
                    "occurred_at": now,
                    **changes,
                },
            ),
            payload=Payload(content_type=CONTENT_TYPE, body=raw(body["payload"])),
            query_payload=query,
            reversal_payloads=reversals,
        )
        return (await self.store.append(submission)).record

    async def until(self, key: str, wanted: Callable[[Record], bool]) -> Record:
        """The record once it is as wanted."""
        async with asyncio.timeout(15):
            while True:
                record = await self.store.record(key)
                if record is not None and wanted(record):
                    return record
                async with self._changed:
                    try:
                        async with asyncio.timeout(0.2):
                            await self._changed.wait()
                    except TimeoutError:
                        continue

    async def settles(self, key: str, *states: State) -> Record:
        return await self.until(key, lambda record: record.state in states)


@asynccontextmanager
async def terminal(path: Path, options: AcquirerOptions | None = None, **keys: Any) -> Any:
    acquirer = Acquirer(options)
    await acquirer.start()
    values: dict[str, Any] = {
        "name": "host", "host": "127.0.0.1", "port": acquirer.port, "tls": False,
        "tpdu": LAYOUT.tpdu.hex(), "header": LAYOUT.header.hex(), "answer_timeout_s": 0.3,
        "backoff_base_s": 0.05, "backoff_cap_s": 0.2, "host_in_flight_s": 1, "pause_s": 0.2,
    }  # fmt: skip
    config = Config(**{**values, **keys})
    clock = SystemClock()
    store = Store(path, clock, {"host": Order(config.order)})
    await store.start()
    prepared = Prepared(store, clock)
    ports = Ports(
        journal=store, clock=clock, draw=random.Random(1).random, reverse=prepared.reverse
    )
    threads = DaemonThreads()
    uploader = build(
        [config], ports, dial=lambda _: Dialer(threads), cause_of=cause_of, prepared=prepared
    )
    store.on_change(uploader.changed)
    stop = asyncio.Event()
    running = asyncio.create_task(uploader.run(stop))
    try:
        yield Terminal(store, uploader, acquirer)
    finally:
        stop.set()
        await running
        store.stop()
        await acquirer.close()
