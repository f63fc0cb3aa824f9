"""What is on its way up: rows of the outbox, and the packets a server's scheme made of each.

A row may become several packets, or none; it is told when the last of them is acknowledged. Keeps
what did not fit into the window yet. Knows no connection: `conversation`, its only caller, sends
what `next` gives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from agent.telemetry.adapters import Packet
from agent.telemetry.ports import Waiting


class Sending:
    """The packets of one connection. Forgotten with it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Packet]] = deque()
        self._left: dict[int, int] = {}  # row -> packets not acknowledged
        #: Rows to delete: the server has them, or will never take them. Outlive the connection,
        #: for the store may refuse to delete just when that ends.
        self.told: list[int] = []
        self.spoilt: list[int] = []

    @property
    def empty(self) -> bool:
        """Whether every packet has been sent."""
        return not self._waiting

    def urgent(self, packets: Sequence[Packet]) -> None:
        """Our own state: before all rows, belongs to none."""
        self._waiting.extendleft((0, packet) for packet in reversed(packets))

    def row(self, seq: int, packets: Sequence[Packet]) -> None:
        """A row. Where nothing has to be sent for it, it counts as told."""
        self._waiting.extend((seq, packet) for packet in packets)
        if packets:
            self._left[seq] = len(packets)
        else:
            self.told.append(seq)

    def next(self) -> tuple[int, Packet] | None:
        """What to send now: its row (0: none) and the packet. `sent` takes it off."""
        return self._waiting[0] if self._waiting else None

    def sent(self) -> None:
        """It is on its way."""
        self._waiting.popleft()

    def acked(self, seq: int) -> None:
        """One packet of this row was acknowledged; with the last one it is told."""
        left = self._left.get(seq, 0) - 1
        if left > 0:
            self._left[seq] = left
        elif self._left.pop(seq, None) is not None:
            self.told.append(seq)

    def refused(self, seq: int) -> None:
        """The server will never take this row: what is left of it is not sent."""
        self._waiting = deque(one for one in self._waiting if one[0] != seq)
        if self._left.pop(seq, None) is not None:
            self.spoilt.append(seq)

    async def settle(self, outbox: Waiting) -> None:
        """Delete what is over. After a StoreError nothing is forgotten: ask again."""
        if self.told:
            await outbox.done(self.told)
            self.told.clear()
        if self.spoilt:
            await outbox.refuse(self.spoilt)
            self.spoilt.clear()

    def hold(self) -> None:
        """Nothing more is sent; what is acknowledged still counts."""
        self._waiting.clear()

    def forget(self) -> None:
        """The connection is gone: everything begins anew."""
        self._waiting.clear()
        self._left.clear()
