"""Who acts in the demo besides the simulators: payment app, bank, browser, the daemon's keeper.

They are what stands around a terminal: the payment app talks to the local API over its unix socket
and repeats with the same key until it hears "recorded"; the bank writes a list; the browser looks
whether the page is there; the keeper starts the real daemon as a process and restarts it when it
dies. Used by `agent.sim.demo` and `agent.sim.demo_story`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import subprocess
import uuid
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from agent.errors import RemoteError
from agent.http.client import Answered, Client, Origin
from agent.link.dial import DialError
from agent.sim.ledger import Posting

CURRENCY = "CNY"
#: Where the bank is.
BANK_TIME = timezone(timedelta(hours=8))
#: Line of its list with a wrong amount, and the posting it leaves out.
WRONG, LEFT_OUT = 2, 4


class UnixDial:
    """Opens connections to the local API."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[StreamReader, StreamWriter]:
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.open_unix_connection(str(self._path))
        except (OSError, TimeoutError) as error:
            raise DialError("local", f"{self._path}: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What the payment app remembers of a payment it handed over."""

    key: str
    amount_minor: int
    posting: str


class PaymentApp:
    """The cash register's side of the local API."""

    def __init__(self, socket_file: Path, on_trouble: Callable[[str], None]) -> None:
        self._client = Client(
            Origin(scheme="http", host="localhost", port=80), UnixDial(socket_file)
        )
        self._on_trouble = on_trouble
        self._stan = 0
        self.paid: list[Paid] = []
        self.unsure: set[str] = set()  #: keys handed over of which nobody said "recorded" yet

    async def close(self) -> None:
        await self._client.close()

    async def pay(self, amount_minor: int, *, wait_s: float | None = None) -> Paid:
        """Hand a payment over; `wait_s`: a request the customer waits for, else an advice.

        Returns when the agent has said "recorded". Repeats with the same key until then.
        """
        paid = Paid(
            key=str(uuid.uuid4()),
            amount_minor=amount_minor,
            posting="advice" if wait_s is None else "request",
        )
        body = json.dumps(self._submission(paid, wait_s)).encode()
        headers = [("content-type", "application/json")]
        self.unsure.add(paid.key)
        for attempt in range(60):
            outcome = await self._client.request(
                "POST", "/v1/transactions", headers, body, answer_timeout_s=10.0
            )
            if isinstance(outcome, Answered) and outcome.status in {200, 201}:
                self.paid.append(paid)
                self.unsure.discard(paid.key)
                return paid
            if isinstance(outcome, Answered) and outcome.status not in {429, 503, 507}:
                reason = f"{outcome.status} {outcome.body[:400].decode(errors='replace')}"
                raise RemoteError("sim.refused", f"the agent refused a payment: {reason}")
            if attempt == 0:
                reason = str(outcome.status) if isinstance(outcome, Answered) else outcome.reason
                self._on_trouble(reason)
            await asyncio.sleep(0.5)
        raise RemoteError("sim.no_api", "the agent did not take a payment for 30 seconds")

    def _submission(self, paid: Paid, wait_s: float | None) -> dict[str, Any]:
        self._stan += 1
        now = datetime.now(UTC)
        payload = {"order": f"D{self._stan:06d}", "amount_minor": paid.amount_minor}
        submission: dict[str, Any] = {
            "key": paid.key,
            "terminal_id": "DEMO0001",
            "merchant_id": "M00000000000DEMO",
            "kind": "sale",
            "posting": paid.posting,
            "occurred_at": now.isoformat(),
            "uplink": "acquirer",
            "amount_minor": paid.amount_minor,
            "currency": CURRENCY,
            "stan": f"{self._stan:06d}",
            "batch": "000001",
            "payload": {"content_type": "application/json", "text": json.dumps(payload)},
        }
        if wait_s is not None:
            submission["send_before"] = (now + timedelta(seconds=wait_s)).isoformat()
        return submission

    async def record(self, key: str) -> dict[str, Any]:
        return await self._get(f"/v1/transactions/{key}")

    async def backlog(self) -> dict[str, Any]:
        return await self._get("/v1/backlog")

    async def verdict(self, question: str) -> dict[str, Any]:
        """What the agent says to one of the questions about many payments."""
        return await self._get(f"/v1/explain/{question}")

    async def reconciled(self) -> dict[str, Any]:
        """The newest list's figures."""
        found: dict[str, Any] = (await self._get("/v1/reconciliations/last"))["reconciliation"]
        return found

    async def answering(self) -> bool:
        """Whether the daemon's API is up."""
        try:
            await self._get("/v1/health", patience_s=0.0)
        except RemoteError:
            return False
        return True

    async def _get(self, target: str, patience_s: float = 15.0) -> dict[str, Any]:
        """Asks again while nobody answers: the daemon may just be coming back from a kill."""
        deadline_s = asyncio.get_running_loop().time() + patience_s
        while True:
            outcome = await self._client.request("GET", target, answer_timeout_s=10.0)
            if isinstance(outcome, Answered):
                break
            if asyncio.get_running_loop().time() >= deadline_s:
                raise RemoteError(
                    "sim.no_api", f"the agent's API does not answer: {outcome.reason}"
                )
            await asyncio.sleep(0.2)
        if outcome.status != 200:
            raise RemoteError("sim.no_api", f"GET {target} was answered {outcome.status}")
        answer: dict[str, Any] = json.loads(outcome.body)
        return answer


def write_bank_list(file: Path, postings: Sequence[Posting]) -> None:
    """What the bank settles of them, as banks here write it, with two mistakes."""
    lines = ["商户订单号,终端号,商户号,交易金额,交易类型,交易时间,清算日期"]
    for number, one in enumerate(postings):
        if number == LEFT_OUT:
            continue
        at = datetime.fromisoformat(one.posted_at).astimezone(BANK_TIME)
        minor = (one.amount_minor or 0) + (100 if number == WRONG else 0)
        lines.append(
            f"{one.key},{one.terminal_id},{one.merchant_id},{minor // 100}.{minor % 100:02d},消费,"
            f"{at:%Y-%m-%d %H:%M:%S},{at:%Y-%m-%d}"
        )
    file.write_bytes("\r\n".join([*lines, ""]).encode("gb18030"))


async def page_answers(address: str) -> bool:
    """Whether a browser that is sent to `host:port` finds a page there."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(10.0):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"GET / HTTP/1.1\r\nHost: {address}\r\n\r\n".encode("ascii"))
                return (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


class Keeper:
    """Keeps the real daemon running, as systemd would on a terminal."""

    #: Deaths within this time of each start, in a row, after which the keeper gives up.
    EARLY_S = 3.0
    GIVE_UP_AFTER = 4
    #: Before the first restart; each early death makes it as much longer.
    REST_S = 1.0

    def __init__(
        self, command: Sequence[str], directory: Path, on_change: Callable[..., None]
    ) -> None:
        self.log_file = directory / "agent.log"
        self._command = command
        self._pid_file = directory / "agent.pid"
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    async def start(self) -> None:
        with self.log_file.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches the demo alone, which then
            # stops the agent in order.
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{self._process.pid}\n", "ascii")

    async def keep(self) -> None:
        """Restart whenever it ends; raises RemoteError when it will not stay up."""
        early = 0
        while True:
            assert self._process is not None
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            code = await self._process.wait()
            early = early + 1 if loop.time() - began_s < self.EARLY_S else 0
            if early >= self.GIVE_UP_AFTER:
                raise RemoteError("sim.agent_down", f"the agent does not stay up (exit {code})")
            rest_s = self.REST_S * (1 + early)
            how = f"signal {-code}" if code < 0 else f"exit {code}"
            self._on_change("agent.died", how=how, seconds=rest_s)
            await asyncio.sleep(rest_s)
            await self.start()
            self._on_change("agent.back", pid=self.pid)

    async def end(self, patience_s: float = 6.0) -> None:
        """SIGTERM, then SIGKILL to its whole group."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            await process.wait()

    def log_tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log_file.read_text("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""
