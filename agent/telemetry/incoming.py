"""What comes down: one message at a time to the inbox, and only then the broker is told.

Decides when a delivery may be forgotten by the broker: when the inbox has returned, or when it is
nothing of ours. A store that refuses is asked again after a while; the message keeps its place. How
much may wait here is bounded by the connection, which ends where a broker sends more. Built by
`conversation`, which feeds it; believes nothing of what it carries.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.errors import StoreError
from agent.telemetry.adapters import CommandIn, DesiredIn, Scheme, StateAsked
from agent.telemetry.attempt import Delivered
from agent.telemetry.ports import Inbox

if TYPE_CHECKING:
    from agent.telemetry.transport import Connection

log = logging.getLogger(__name__)

#: Between two messages: a broker that floods us gets its acknowledgements, and so our time, slowly.
PACE_S = 0.02
STORE_RETRY_S = 5.0
#: Who asks how we are has everything told again: so often within so long, whoever asks.
ANSWERS, ANSWERS_S = 4, 60.0


class Incoming:
    """The queue in front of the inbox."""

    def __init__(self, scheme: Scheme, inbox: Inbox | None, asked: Callable[[], None]) -> None:
        """`asked`: somebody wants to hear our state again."""
        self._scheme = scheme
        self._inbox = inbox
        self._asked = asked
        self._queue: deque[tuple[Connection, Delivered]] = deque()
        self._news = asyncio.Event()
        self._answered_s: deque[float] = deque(maxlen=ANSWERS)
        self._strange = 0  #: deliveries that are nothing of ours

    def put(self, connection: Connection, delivered: Delivered) -> None:
        """A message arrived over this connection."""
        self._queue.append((connection, delivered))
        self._news.set()

    def forget(self) -> None:
        """The connection is gone: the broker sends again what we did not acknowledge."""
        self._queue.clear()

    async def run(self) -> None:
        """Until cancelled. Anything but a StoreError out of the inbox ends the part."""
        while True:
            self._news.clear()
            if not self._queue:
                await self._news.wait()
                continue
            connection, delivered = self._queue[0]
            try:
                await self._take(delivered)
            except StoreError as error:
                log.warning("event=inbox_store_refused code=%s", error.code)
                await asyncio.sleep(STORE_RETRY_S)
                continue
            # It may have been forgotten meanwhile, with its connection.
            if self._queue and self._queue[0] == (connection, delivered):
                self._queue.popleft()
            connection.taken(delivered)
            await asyncio.sleep(PACE_S)

    async def _take(self, delivered: Delivered) -> None:
        inbox = self._inbox
        match self._scheme.heard(delivered.topic, delivered.payload):
            case CommandIn() as command if inbox is not None:
                retained = delivered.retained and not command.kept
                await inbox.command(command.cmd_id, command.payload, retained=retained)
            case DesiredIn() as desired if inbox is not None:
                await inbox.desired(desired.payload)
            case StateAsked():
                now_s = asyncio.get_running_loop().time()
                told_s = self._answered_s
                if len(told_s) < ANSWERS or now_s - told_s[0] >= ANSWERS_S:
                    told_s.append(now_s)
                    self._asked()
            case _:
                self._strange += 1
                level = logging.INFO if self._strange == 1 else logging.DEBUG
                size = len(delivered.payload)
                log.log(level, "event=delivery_not_ours bytes=%d count=%d", size, self._strange)
