"""The event stream: what changes, told to whoever listens, as server-sent events.

It decides how much one listener may fall behind (a bounded queue, then it is dropped and told so
if it still reads) and that silence is broken by a comment, so that both ends notice a dead peer.
Nothing is kept for listeners to come: they read the present state after they connect.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from agent.core.fleet.inventory import ItemChange
from agent.core.health.tracker import Change
from agent.core.money.journal import Record
from agent.wire.api import Message, encode
from agent.wire.drill import drill_event
from agent.wire.events import HealthEvent, health_event
from agent.wire.inspection import inspection_event
from agent.wire.inventory import change_out
from agent.wire.software import changes_out
from agent.wire.views import BacklogOut, transaction_out

if TYPE_CHECKING:
    from agent.core.drill.report import Drill
    from agent.core.inspection.report import Report
    from agent.core.software.standing import VersionChanged

#: Proxies and phones drop silent connections after 30 s at the earliest.
HEARTBEAT_S = 15.0
#: Events one listener may fall behind. A burst of a drain is 100 a second.
BEHIND = 256
LISTENERS = 16

HELLO = b": connected\nretry: 2000\n\n"
HEARTBEAT = b": alive\n\n"
DROPPED = b": dropped: too slow, connect again and read the present state\n\n"


class _Listener:
    """One open stream."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.wake = asyncio.Event()
        self.late = False

    def tell(self, chunk: bytes) -> None:
        if len(self.waiting) >= BEHIND:
            self.late = True
            self.waiting.clear()
        elif not self.late:
            self.waiting.append(chunk)
        self.wake.set()


class Hub:
    """Tells every listener."""

    def __init__(self, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._heartbeat_s = heartbeat_s
        self._listeners: set[_Listener] = set()
        #: Set while the backlog may differ from what listeners were last told.
        self.stale = asyncio.Event()

    @property
    def full(self) -> bool:
        return len(self._listeners) >= LISTENERS

    @property
    def heard(self) -> bool:
        """Whether anybody listens; nothing is encoded for nobody."""
        return bool(self._listeners)

    def record(self, record: Record) -> None:
        """A payment changed."""
        if self.heard:
            self._tell("transaction", transaction_out(record))
            self.stale.set()

    def health(self, changes: Sequence[Change]) -> None:
        """Conditions changed."""
        if self.heard:
            for change in changes:
                event: HealthEvent = health_event(change)
                self._tell("health", event)

    def devices(self, changes: Sequence[ItemChange]) -> None:
        """Devices came, went or were exchanged."""
        if self.heard:
            for change in changes:
                self._tell("device", change_out(change))

    def software(self, changes: Sequence[VersionChanged]) -> None:
        """Installed versions changed."""
        if self.heard:
            for change in changes_out(changes):
                self._tell("software", change)

    def inspection(self, report: Report) -> None:
        """A check of a self-inspection ended, or all of it."""
        if self.heard:
            self._tell("inspection", inspection_event(report))

    def drill(self, drill: Drill) -> None:
        """A step of an outage drill ended, or all of it."""
        if self.heard:
            self._tell("drill", drill_event(drill))

    def backlog(self, backlog: BacklogOut) -> None:
        """The unsent money, after it changed."""
        self._tell("backlog", backlog)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The chunks of one response, until the listener is gone or too slow."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            yield HELLO
            while True:
                yield await self._next(listener)
                if listener.late:
                    yield DROPPED
                    return
        finally:
            self._listeners.discard(listener)

    async def _next(self, listener: _Listener) -> bytes:
        if not listener.waiting and not listener.late:
            listener.wake.clear()
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await listener.wake.wait()
            except TimeoutError:
                return HEARTBEAT
        chunks = b"".join(listener.waiting)
        listener.waiting.clear()
        return chunks

    def _tell(self, name: str, document: Message) -> None:
        chunk = b"event: %s\ndata: %s\n\n" % (name.encode(), encode(document))
        for listener in self._listeners:
            listener.tell(chunk)
