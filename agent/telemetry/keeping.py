"""Messages into the outbox: which topic, which priority, nothing in them that may not leave.

The one door from the recorder's parts to the outbox; `telemetry.gate` looks at every message here.
A store that refuses is said once by the store itself; here it only means "try again later".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from agent.clock import Clock
from agent.core.fleet import messages
from agent.core.fleet.messages import Message, Priority
from agent.errors import StoreError
from agent.record import dataclass
from agent.telemetry.gate import Gate
from agent.telemetry.ports import Outbox
from agent.wire import mqtt

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is handed to the outbox."""

    kind: str
    priority: int
    retained: bool
    at_ms: int
    body: bytes
    supersedes: int | None


class Keeping:
    """`wake` is called whenever something new waits to be sent."""

    def __init__(self, outbox: Outbox, clock: Clock, wake: Callable[[], None]) -> None:
        self.outbox = outbox
        self.put_ms: int | None = None  #: boot time of the last one; None: none since the start
        self._clock = clock
        self.gate = Gate()
        self.wake = wake

    async def put(self, *given: Message, priority: Priority | None = None) -> bool:
        """Keep these in one transaction; False while the store refuses."""
        made = (_item(each, priority) for each in given)
        items = [item for each in made if (item := self._gated(each))]
        if not items:
            return True
        try:
            await self.outbox.put(items)
        except StoreError as error:
            log.debug("event=outbox_refused code=%s kind=%s", error.code, items[0].kind)
            return False
        self.put_ms = self._clock.now().boot_ms
        self.wake()
        return True

    def _gated(self, item: Kept) -> Kept | None:
        """The item as it may leave; None: not at all."""
        body = self.gate.passed(item.kind, item.body)
        if body is None or body is item.body:
            return item if body else None
        return replace(item, body=body)


def _item(message: Message, priority: Priority | None) -> Kept:
    rule = messages.RULES[mqtt.kind_of(message)]
    return Kept(
        kind=mqtt.tail_of(message),
        priority=rule.priority if priority is None else priority,
        retained=rule.retained,
        at_ms=message.ts or 0,
        body=mqtt.encode(message),
        supersedes=rule.supersedes,
    )
