"""The simulated acquirer: an ISO 8583 host on TCP or TLS, runnable and breakable.

It signs on, posts sales, voids and advices once by terminal, batch and STAN, reverses, takes batch
uploads and settlements, and can be made to misbehave as a host or the line to it does. What is
posted is the book's (`acquirer_book`), which fault is in force the switch's (`acquirer_faults`).

Two listeners on loopback: the host, and a control port (http, never affected by faults) with
`/_sim` (GET: state, POST: set a fault) and `/_sim/ledger`. Used by tests and rigs (`Acquirer`,
`AcquirerThread`) and `posagent sim acquirer` (`serve`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from agent.core.money.iso8583 import Message
from agent.errors import OperatorError
from agent.http.message import Limits, Request, Response
from agent.http.server import Server
from agent.link.tls import server_context
from agent.sim.acquirer_book import Book, sums
from agent.sim.acquirer_faults import Fault, FaultSwitch, Kind, Scope
from agent.sim.host_answers import error_answer, json_answer
from agent.uplink.iso8583.codec import BrokenMessageError, Codec
from agent.uplink.iso8583.frame import Deframer, FrameError, Layout

T = TypeVar("T")

#: What the shipped tests and the demo use; a UnionPay terminal's usual envelope.
LAYOUT = Layout(tpdu=bytes.fromhex("6000030000"), header=bytes.fromhex("603100311003"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquirerOptions:
    """How the host is set up; everything else is switched while it runs."""

    address: str = "127.0.0.1"
    port: int = 0  #: 0: any free one
    control_port: int = 0
    book_file: Path | None = None
    cert_file: Path | None = None  #: with `key_file`: TLS
    key_file: Path | None = None
    client_ca_file: Path | None = None
    layout: Layout = LAYOUT  #: as the terminal has it; answers go out the other way round
    codec: Codec = field(default_factory=Codec)
    ignore_duplicates: bool = False  #: a broken host that posts repeats: positive control of rigs
    sync: bool = True


class _HangupError(Exception):
    """Close this connection."""


class Acquirer:
    """The simulated host inside the running event loop. `await start()`, … , `await close()`."""

    def __init__(
        self,
        options: AcquirerOptions | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.options = options or AcquirerOptions()
        self.book = Book(
            self.options.book_file,
            now_ms,
            sync=self.options.sync,
            ignore_duplicates=self.options.ignore_duplicates,
        )
        self.seen: Counter[str] = Counter()
        self.port = self.control_port = 0
        self._switch = FaultSwitch()
        self._front: asyncio.Server | None = None
        self._control: Server | None = None
        self._writers: set[StreamWriter] = set()
        self._holder: socket.socket | None = None

    @property
    def control_url(self) -> str:
        return f"http://{self.options.address}:{self.control_port}/_sim"

    def profile(self, **changes: object) -> str:
        """The TOML of an [[uplink]] that speaks to this host."""
        layout = self.options.layout
        keys: dict[str, object] = {
            "name": "acquirer",
            "type": "iso8583",
            "host": self.options.address,
            "port": self.port,
            "tls": self.options.cert_file is not None,
            "tpdu": layout.tpdu.hex(),
            "header": layout.header.hex(),
            **changes,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        return "\n".join(["[[uplink]]", *lines]) + "\n"

    async def start(self) -> None:
        """Open both listeners; the ports are known afterwards."""
        try:
            self._control = Server(self._controlled, Limits(max_connections=64))
            self.control_port = await self._control.start_tcp(
                self.options.address, self.options.control_port
            )
            await self._listen(self.options.port)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        await self._shut()
        if self._control is not None:
            await self._control.close(0.0)
            self._control = None
        if self._holder is not None:
            self._holder.close()
            self._holder = None
        self.book.close()

    async def hang_up(self) -> None:
        """Close every connection, as a restarted concentrator does."""
        for writer in set(self._writers):
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def apply(self, fault: Fault) -> None:
        """Switch a fault on (or all off, with `Fault()`); returns when it is in force."""
        self._switch.set(fault)
        if fault.kind is Kind.REFUSE:
            await self._refuse()
        elif self._front is None and self._control is not None:
            await self._listen(self.port)

    async def apply_mix(self, probabilities: Mapping[str, float], seed: int = 0) -> None:
        """Let every message draw its own fault."""
        self._switch.set_mix(probabilities, seed)
        if self._front is None and self._control is not None:
            await self._listen(self.port)

    def state(self) -> dict[str, Any]:
        """What `GET /_sim` shows."""
        return {
            "address": f"{self.options.address}:{self.port}",
            "fault": asdict(self._switch.fault),
            "mix": dict(self._switch.mix),
            "faults_met": dict(self._switch.met),
            "messages": dict(self.seen),
            "connections": len(self._writers),
            **asdict(sums(self.book.entries())),
        }

    # -- the host ----------------------------------------------------------------------------

    async def _listen(self, port: int) -> None:
        options = self.options
        tls = None
        if options.cert_file is not None:
            if options.key_file is None:
                raise OperatorError("sim.no_key", "cert_file needs key_file beside it")
            client_ca = "" if options.client_ca_file is None else str(options.client_ca_file)
            tls = server_context(str(options.cert_file), str(options.key_file), client_ca)
        if self._holder is not None:
            self._holder.close()
            self._holder = None
        self._front = await asyncio.start_server(self._served, options.address, port, ssl=tls)
        self.port = int(self._front.sockets[0].getsockname()[1])

    async def _shut(self) -> None:
        if self._front is not None:
            self._front.close()
            await self.hang_up()
            await self._front.wait_closed()
            self._front = None

    async def _refuse(self) -> None:
        await self._shut()
        # A bound socket that does not listen refuses connections and keeps the port ours.
        self._holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((self.options.address, self.port))

    async def _served(self, reader: StreamReader, writer: StreamWriter) -> None:
        deframer = Deframer(self.options.layout.length)
        self._writers.add(writer)
        self.seen["connection"] += 1
        spoken = False
        try:
            while chunk := await reader.read(4096):
                # Who only looks whether anybody answers here, as a watcher does, says nothing.
                self.seen["line"] += not spoken
                spoken = True
                for body in deframer.feed(chunk):
                    await self._answer(body, writer)
        except (_HangupError, FrameError, BrokenMessageError):
            self.seen["hangup"] += 1
        except OSError:
            self.seen["broken"] += 1
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, body: bytes, writer: StreamWriter) -> None:
        layout, codec = self.options.layout, self.options.codec
        start = len(layout.tpdu) + len(layout.header)
        tpdu = body[: len(layout.tpdu)]
        asked = codec.decode(body[start:])
        self.seen[asked.mti] += 1
        fault = self._switch.draw(_scope(asked))
        if fault.kind is Kind.DROP and not fault.after:
            raise _HangupError
        if fault.kind is Kind.SILENT and not fault.after:
            return
        if fault.kind is Kind.CODE:
            said = self.book.answer(asked, post=fault.after)
            said = _with(said, {"39": fault.code})
        else:
            said = self.book.answer(asked)
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.kind is Kind.DROP:
            raise _HangupError
        if fault.kind is Kind.SILENT:
            return
        swapped = tpdu[:1] + tpdu[3:5] + tpdu[1:3]
        if fault.kind is Kind.TPDU:
            swapped = bytes(reversed(tpdu))
        header = body[len(layout.tpdu) : start]
        message = codec.encode(_spoilt(said, fault))
        if fault.kind is Kind.GARBAGE:
            message = b"\x02\x10" + b"\xff" * 40
        await _send(writer, layout.framed(swapped + header + message), fault)

    # -- the control port --------------------------------------------------------------------

    async def _controlled(self, request: Request) -> Response:
        if "origin" in request.headers:
            return error_answer(403, "origin.refused", "not for web pages")
        match request.method, request.path:
            case "GET", "/_sim":
                return json_answer(200, self.state())
            case "GET", "/_sim/ledger":
                return json_answer(200, [asdict(entry) for entry in self.book.entries()])
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
                await self.apply_mix(mix, seed if isinstance(seed, int) else 0)
            case {"fault": str(name), **changes}:
                await self.apply(Fault.named(name, **{str(k): v for k, v in changes.items()}))
            case _:
                raise OperatorError("sim.fault_invalid", 'send {"fault": NAME, …} or {"mix": …}')


def _scope(asked: Message) -> Scope:
    if asked.mti[1] in "12":
        return Scope.PAYMENT
    return Scope.REVERSAL if asked.mti[1] == "4" else Scope.OTHER


def _with(message: Message, changes: Mapping[str, str]) -> Message:
    return replace(message, fields={**message.fields, **changes})


def _spoilt(said: Message, fault: Fault) -> Message:
    match fault.kind:
        case Kind.FIELD if fault.field in said.fields:
            value = said.fields[fault.field]
            return _with(said, {fault.field: value[:-1] + ("1" if value[-1] != "1" else "2")})
        case Kind.NO_CODE:
            return replace(said, fields={k: v for k, v in said.fields.items() if k != "39"})
        case Kind.MTI:
            return replace(said, mti="0110" if said.mti != "0110" else "0210")
        case _:
            return said


async def _send(writer: StreamWriter, frame: bytes, fault: Fault) -> None:
    match fault.kind:
        case Kind.SPLIT:
            for byte in frame:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0)
            return
        case Kind.LENGTH:
            frame = b"\xff\xff" + frame[2:]
        case Kind.TRUNCATED:
            frame = frame[: len(frame) // 2]
        case Kind.TWICE:
            frame += frame
        case Kind.STILL_THERE:
            frame = b"\x00\x00" * 3 + frame
        case _:
            pass
    writer.write(frame)
    await writer.drain()
    if fault.kind is Kind.TRUNCATED:
        raise _HangupError


class AcquirerThread:
    """The acquirer in a thread with a loop of its own, for callers that block."""

    def __init__(self, options: AcquirerOptions | None = None) -> None:
        self._options = options or AcquirerOptions()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="sim-acquirer", daemon=True
        )
        self.acquirer: Acquirer

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.acquirer = self.call(self._start())
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
        self.call(self.acquirer.close())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    async def _start(self) -> Acquirer:
        acquirer = Acquirer(self._options)
        await acquirer.start()
        return acquirer

    def apply(self, fault: Fault) -> None:
        self.call(self.acquirer.apply(fault))

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the acquirer's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)


async def serve(
    options: AcquirerOptions, stop: asyncio.Event, say: Callable[[str], None] = print
) -> None:
    """Run the acquirer until `stop` is set; `say` gets one line per address and the profile."""
    acquirer = Acquirer(options)
    await acquirer.start()
    try:
        say(f"acquirer {options.address}:{acquirer.port}")
        say(f"control {acquirer.control_url}")
        say(acquirer.profile())
        await stop.wait()
    finally:
        await acquirer.close()
