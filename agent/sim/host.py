"""The reference host: the receiver contract (docs/contracts/receiver.md), runnable and breakable.

It posts each payment once by terminal and key, answers repeats with the stored result, tells the
status of a key, and can be made to misbehave in every way a real host or the line to it does. The
answers are decided here; what is posted is the ledger's, which fault is in force is the switch's,
bytes and deadlines are the HTTP server's.

Two listeners, both on loopback: the host itself (http or https), and a control port (always http,
never affected by faults) with `/_sim` (GET: state, POST: set a fault) and `/_sim/ledger`.
Used by tests and rigs (`ReferenceHost`, `HostThread`), the demo, and `posagent sim host` (`serve`).
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from wsgiref.handlers import format_date_time

from agent.core.money.transaction import KEY_PATTERN
from agent.errors import OperatorError
from agent.http.message import Hangup, Limits, Request, Response
from agent.http.server import Server
from agent.link.tls import server_context
from agent.sim import ledger as books
from agent.sim.host_answers import (
    Desk,
    Refused,
    error_answer,
    fault_answer,
    in_progress,
    json_answer,
    read_post,
    spoilt,
)
from agent.sim.host_faults import Fault, FaultSwitch, Scope
from agent.sim.host_faults import Kind as FaultKind
from agent.sim.ledger import Ledger

T = TypeVar("T")

PATH = "/v1/transactions"
#: A black hole must outlast every deadline of the agent: the server's own must not cut it.
LIMITS = Limits(max_connections=256, handler_timeout_s=86_400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """How the host is set up; everything else is switched while it runs."""

    address: str = "127.0.0.1"
    port: int = 0  #: 0: any free one
    control_port: int = 0
    ledger_file: Path | None = None
    cert_file: Path | None = None  #: with `key_file`: https
    key_file: Path | None = None
    client_ca_file: Path | None = None  #: demand a client certificate
    key_window_s: float = books.KEY_WINDOW_S
    in_flight_s: int = 60
    ignore_keys: bool = False  #: a broken host that posts every repeat: positive control of rigs
    decline_minor: int | None = None  #: an amount that is always declined, as test hosts have one
    sync: bool = True  #: fsync the ledger; off only where the host is never killed


class ReferenceHost:
    """The simulated host inside the running event loop. `await start()`, … , `await close()`."""

    def __init__(
        self,
        options: HostOptions | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.options = options or HostOptions()
        self.ledger = Ledger(
            self.options.ledger_file,
            key_window_s=self.options.key_window_s,
            now_ms=now_ms,
            sync=self.options.sync,
        )
        self._now_ms = now_ms
        self.port = self.control_port = 0
        self._switch = FaultSwitch()
        self._desk = Desk(
            self.ledger, now_ms,
            ignore_keys=self.options.ignore_keys, decline_minor=self.options.decline_minor,
        )  # fmt: skip
        self._front: Server | None = None
        self._control: Server | None = None
        self._holder: socket.socket | None = None
        self._released = asyncio.Event()

    @property
    def url(self) -> str:
        """What belongs into `[[uplink]] url`."""
        scheme = "http" if self.options.cert_file is None else "https"
        return f"{scheme}://{self.options.address}:{self.port}{PATH}"

    @property
    def control_url(self) -> str:
        return f"http://{self.options.address}:{self.control_port}/_sim"

    async def start(self) -> None:
        """Open both listeners; the ports are known afterwards."""
        try:
            self._control = Server(self._controlled, LIMITS)
            self.control_port = await self._control.start_tcp(
                self.options.address, self.options.control_port
            )
            await self._listen(self.options.port)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        self._released.set()
        for server in (self._front, self._control):
            if server is not None:
                await server.close(0.0)
        self._front = self._control = None
        await self._desk.close()
        if self._holder is not None:
            self._holder.close()
            self._holder = None
        self.ledger.close()

    async def apply(self, fault: Fault) -> None:
        """Switch a fault on (or all off, with `Fault()`); returns when it is in force."""
        self._switch.set(fault)
        await self._switched()

    async def apply_mix(self, probabilities: Mapping[str, float], seed: int = 0) -> None:
        """Let every request draw its own fault: `{"drop_after": 0.2, "error_503": 0.1}`."""
        self._switch.set_mix(probabilities, seed)
        await self._switched()

    def state(self) -> dict[str, Any]:
        """What `GET /_sim` shows."""
        total = books.sums(self.ledger.postings())
        return {
            "url": self.url,
            "fault": asdict(self._switch.fault),
            "mix": dict(self._switch.mix),
            "faults_met": dict(self._switch.met),
            "requests": dict(self._desk.seen),
            "in_progress": len(self._desk.working) + len(self._desk.postponed),
            "posted": total.posted,
            "declined": total.declined,
            "by_currency": dict(total.by_currency),
            "duplicates": list(total.duplicates),
        }

    async def _switched(self) -> None:
        # Whoever a black hole swallowed is let go: the line came back, not the answer.
        self._released.set()
        self._released = asyncio.Event()
        if self._switch.fault.kind is FaultKind.REFUSE:
            await self._refuse()
        elif self._front is None and self._control is not None:
            await self._listen(self.port)

    async def _dated(self, request: Request) -> Response:
        """The answer with the host's time, as every host with a clock sends it."""
        answer = await self._answer(request)
        date = format_date_time(self._now_ms() // 1000)
        return replace(answer, headers={"date": date, **answer.headers})

    async def _listen(self, port: int) -> None:
        tls = None
        if self.options.cert_file is not None:
            if self.options.key_file is None:
                raise OperatorError("sim.no_key", "cert_file needs key_file beside it")
            client_ca = self.options.client_ca_file
            tls = server_context(
                str(self.options.cert_file),
                str(self.options.key_file),
                "" if client_ca is None else str(client_ca),
            )
        front = Server(self._dated, LIMITS)
        self.port = await front.start_tcp(self.options.address, port, tls)
        self._front = front
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    async def _refuse(self) -> None:
        if self._front is None:
            return
        await self._front.close(0.0)
        self._front = None
        # A bound socket that does not listen refuses connections and keeps the port ours.
        self._holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((self.options.address, self.port))

    async def _answer(self, request: Request) -> Response:
        try:
            if request.path == PATH and request.method == "POST":
                return await self._posted(request)
            if request.path.startswith(PATH + "/") and request.method == "GET":
                return await self._asked(request)
            if request.path == PATH and request.method == "GET":
                return json_answer(200, self._declaration())
        except Refused as refused:
            return refused.response
        known = request.path == PATH or request.path.startswith(PATH + "/")
        return error_answer(405 if known else 404, "path.unknown", "POST or GET " + PATH)

    def _declaration(self) -> dict[str, Any]:
        return {
            "contract": 1,
            "key_window_s": round(self.options.key_window_s),
            "in_flight_s": self.options.in_flight_s,
        }

    async def _posted(self, request: Request) -> Response:
        asked, attempt = read_post(request)
        self._desk.seen["post"] += 1
        self._desk.seen["repeat"] += attempt > 1
        fault = self._switch.draw(Scope.POST)
        await self._spoil_before(fault)
        if self._desk.still_postponed(asked.terminal_id, asked.key):
            return in_progress(asked.terminal_id, asked.key)
        response = self._desk.early_answer(asked)
        if response is None and fault.kind is FaultKind.IN_PROGRESS:
            self._desk.postpone(asked, attempt, fault.tries - 1)
            return in_progress(asked.terminal_id, asked.key)
        if response is None:
            # The host finishes its work also when the terminal has hung up meanwhile.
            response = await asyncio.shield(self._desk.start(asked, attempt, fault))
        return await self._spoil_after(response, fault)

    async def _asked(self, request: Request) -> Response:
        key = request.path[len(PATH) + 1 :]
        terminal_id = request.headers.get("terminal-id", "")
        if not re.fullmatch(KEY_PATTERN, key) or not terminal_id:
            raise Refused(
                error_answer(400, "key.invalid", "a status question needs a key and a Terminal-Id")
            )
        self._desk.seen["status"] += 1
        fault = self._switch.draw(Scope.STATUS)
        await self._spoil_before(fault)
        if fault.delay_s and not fault.after:
            await asyncio.sleep(fault.delay_s)
        if self._desk.still_postponed(terminal_id, key):
            body = {"key": key, "terminal_id": terminal_id, "status": "in_progress"}
            return json_answer(200, body)
        return await self._spoil_after(self._desk.status(terminal_id, key), fault)

    async def _spoil_before(self, fault: Fault) -> None:
        if not fault.after:
            await self._disturb(fault)

    async def _spoil_after(self, response: Response, fault: Fault) -> Response:
        if fault.after:
            if fault.delay_s:
                await asyncio.sleep(fault.delay_s)
            await self._disturb(fault)
        return spoilt(response, fault)

    async def _disturb(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.DROP:
                raise Hangup
            case FaultKind.SILENT:
                await self._released.wait()
                raise Hangup
            case FaultKind.STATUS:
                raise Refused(fault_answer(fault, f"{self.url}-moved"))
            case _:
                return

    async def _controlled(self, request: Request) -> Response:
        if "origin" in request.headers:
            return error_answer(403, "origin.refused", "not for web pages")
        match request.method, request.path:
            case "GET", "/_sim":
                return json_answer(200, self.state())
            case "GET", "/_sim/ledger":
                return json_answer(200, [asdict(posting) for posting in self.ledger.postings()])
            case "POST", "/_sim":
                try:
                    await self._apply_json(request.body)
                except OperatorError as error:
                    return error_answer(400, error.code, str(error))
                return json_answer(200, self.state())
            case _:
                return error_answer(404, "path.unknown", "GET or POST /_sim, GET /_sim/ledger")

    async def _apply_json(self, body: bytes) -> None:
        try:
            wanted = json.loads(body)
        except ValueError as error:
            raise OperatorError("sim.fault_invalid", f"not JSON: {error}") from error
        match wanted:
            case {"mix": dict(mix), **rest} if set(rest) <= {"seed"}:
                seed = rest.get("seed", 0)
                if not isinstance(seed, int):
                    raise OperatorError("sim.fault_invalid", "seed must be a whole number")
                await self.apply_mix(mix, seed)
            case {"fault": str(name), **changes}:
                await self.apply(Fault.named(name, **{str(k): v for k, v in changes.items()}))
            case _:
                raise OperatorError(
                    "sim.fault_invalid", 'send {"fault": NAME, …} or {"mix": {NAME: 0.1, …}}'
                )


class HostThread:
    """The host in a thread with a loop of its own, for callers that block or run another loop."""

    def __init__(self, options: HostOptions | None = None) -> None:
        self._options = options or HostOptions()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sim-host", daemon=True)
        self.host: ReferenceHost

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.host = self._call(self._start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._call(self.host.close())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    async def _start(self) -> ReferenceHost:
        host = ReferenceHost(self._options)
        await host.start()
        return host

    def apply(self, fault: Fault) -> None:
        self._call(self.host.apply(fault))

    def apply_mix(self, probabilities: Mapping[str, float], seed: int = 0) -> None:
        self._call(self.host.apply_mix(probabilities, seed))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)


async def serve(
    options: HostOptions, stop: asyncio.Event, say: Callable[[str], None] = print
) -> None:
    """Run the host until `stop` is set; `say` gets one line per address."""
    host = ReferenceHost(options)
    await host.start()
    try:
        say(f"host {host.url}")
        say(f"control {host.control_url}")
        await stop.wait()
    finally:
        await host.close()
