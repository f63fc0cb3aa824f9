"""One simulated terminal: the agent's own telemetry part around a life made up by chance.

Messages, the rules of what is news, the session with its waits, the window and the transport are
the agent's. Made up are the facts, and the outbox: it is in memory, so that thousands fit here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent import __version__
from agent.clock import Clock
from agent.config.telemetry import Telemetry
from agent.core.fleet.messages import Identity, Priority
from agent.core.money.journal import Backlog
from agent.link.contact import Contact
from agent.link.fault import DialError
from agent.sim.fleet_story import Hosts, Life
from agent.telemetry import Publisher, build
from agent.telemetry.ports import Item


@dataclass(slots=True)
class Tally:
    """What the terminals of one process did, together."""

    tries: int = 0  #: connections begun
    reached: int = 0  #: of these, TCP and TLS came about and a CONNECT was sent
    put: int = 0  #: messages made
    acked: int = 0  #: messages the broker has


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message in memory."""

    seq: int
    kind: str
    priority: int
    retained: bool
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How full it is."""

    rows: int
    body_bytes: int
    lost: int
    thinned: int = 0


@dataclass(slots=True)
class MemoryOutbox:
    """The outbox's promises without its disk: order, supersession, one row per acknowledgement."""

    name: str
    tally: Tally
    rows: dict[int, Row] = field(default_factory=dict)
    acked: list[int] = field(default_factory=list)  #: what the broker has, by number
    _flying: set[int] = field(default_factory=set)
    _replaced: set[int] = field(default_factory=set)
    _seq: int = 0
    _lost: int = 0

    @property
    def stats(self) -> Stats:
        """For the publisher."""
        return Stats(
            rows=len(self.rows),
            body_bytes=sum(len(row.body) for row in self.rows.values()),
            lost=self._lost,
        )

    @property
    def unsent(self) -> int:
        """Rows that are not on their way."""
        return len(self.rows) - len(self._flying)

    @property
    def gathered(self) -> int:
        """History is not packed here: what waited is sent as it is."""
        return 0

    async def identity(self, counters_id: str) -> str:
        """A new run is a new outbox."""
        return f"{self.name}-{counters_id}"

    async def put(self, items: Sequence[Item]) -> list[int]:
        """Keep messages; stale ones go."""
        numbers: list[int] = []
        for item in items:
            if item.supersedes is not None:
                for row in list(self.rows.values()):
                    if row.kind != item.kind or row.priority < item.supersedes:
                        continue
                    if row.seq in self._flying:
                        self._replaced.add(row.seq)
                    else:
                        del self.rows[row.seq]
            self._seq += 1
            self.rows[self._seq] = Row(
                seq=self._seq,
                kind=item.kind,
                priority=item.priority,
                retained=item.retained,
                body=item.body,
            )
            self.tally.put += 1
            numbers.append(self._seq)
        return numbers

    @property
    def most_bytes(self) -> int:
        """The rigs' brokers name no limit."""
        return 0

    def reconnected(self, most_bytes: int = 0) -> None:
        """A connection stands: nothing changes here."""

    async def take(
        self, limit: int, *, readings: int | None = None, history: bool = True, now_ms: int = 0
    ) -> list[Row]:
        """The next ones, by priority, then age; at most `readings` that are no alarm, no money."""
        del history, now_ms
        waiting = [row for row in self.rows.values() if row.seq not in self._flying]
        waiting.sort(key=lambda row: (row.priority, row.seq))
        urgent = [row for row in waiting if row.priority < Priority.READING]
        least = limit if readings is None else readings
        taken = (urgent + waiting[len(urgent) :][:least])[:limit]
        self._flying.update(row.seq for row in taken)
        return taken

    async def lose(self, count: int) -> None:
        """Messages that never came this far."""
        self._lost += count

    async def done(self, seqs: Sequence[int]) -> None:
        """The broker has them."""
        for seq in seqs:
            if self.rows.pop(seq, None) is not None:
                self.acked.append(seq)
                self.tally.acked += 1
        self._flying.difference_update(seqs)

    async def refuse(self, seqs: Sequence[int]) -> None:
        """Nobody will ever take them."""
        for seq in seqs:
            self._lost += self.rows.pop(seq, None) is not None
        self._flying.difference_update(seqs)

    def release(self) -> None:
        """The connection is gone; what was replaced meanwhile is not sent again."""
        self._flying.clear()
        for seq in self._replaced:
            self.rows.pop(seq, None)
        self._replaced.clear()


@dataclass(slots=True)
class Counters:
    """The connect counter, in memory."""

    outbox: str
    tally: Tally
    connects: int = 0

    def outbox_id(self) -> str:
        """What makes this run's numbers its own."""
        return self.outbox

    async def next_connect(self) -> int:
        """The next number of a CONNECT."""
        self.connects += 1
        self.tally.tries += 1
        return self.connects


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the terminals of one process share."""

    settings: Telemetry
    tenant: str
    run: str  #: tells this run's numbers from those of the last one
    clock: Clock
    began_s: float  #: on the loop's clock
    hosts: Hosts
    tally: Tally
    address: tuple[Any, ...]  #: family and address of the broker, resolved once


class Terminal:
    """`every` period it lives on and reports; `run` until the stop."""

    def __init__(self, name: str, around: Surroundings, tls: Callable[[], ssl.SSLContext]) -> None:
        self.name = name
        self.life = Life(name, around.hosts)
        self.period_s = 0.0
        self._around = around
        self._report: list[Callable[[], Awaitable[None]]] = []
        self.outbox = MemoryOutbox(name, around.tally)
        self.counters = Counters(around.run, around.tally)
        self.part: Publisher = build(
            around.settings,
            clock=around.clock,
            timers=self,
            outbox=self.outbox,
            counters=self.counters,
            health=self.life,
            backlog=self._backlog,
            identity=Identity(
                tenant=around.tenant,
                device_id=name,
                agent_version=__version__,
                site=f"site-{sum(name.encode()) % 100:02d}",
                model="simulated",
            ),
            tls=tls,
            blocking_cause=lambda: self.life.cause,
            reach=self._reach,
            told=self._told,
        )
        self.life.live(around.clock.now(), 0.0)  # who has no network begins without

    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        """The scheduler, as the part sees it."""
        del name
        self.period_s = min(self.period_s or period_s, period_s)
        self._report.append(call)

    async def look(self) -> None:
        """Time has passed: live, and report what is news."""
        now_s = asyncio.get_running_loop().time() - self._around.began_s
        if self.life.live(self._around.clock.now(), now_s):
            self.part.moved()
        for call in self._report:
            await call()

    async def _backlog(self) -> Backlog:
        return self.life.backlog()

    async def _reach(
        self, _host: str, _port: int, timeout_s: float
    ) -> tuple[socket.socket, str, str]:
        if self.life.offline:
            raise DialError("tcp", "no network", "network.no_internet")
        family, *address = self._around.address
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.get_running_loop().sock_connect(sock, tuple(address))
        except (OSError, TimeoutError) as error:
            sock.close()
            raise DialError("tcp", str(error) or "timed out") from error
        except BaseException:
            sock.close()
            raise
        return sock, "", ""

    def _told(self, contact: Contact) -> None:
        self._around.tally.reached += contact.held
