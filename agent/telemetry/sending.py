"""What is on its way up: rows of the outbox, and the packets a server's scheme made of each.

A row may become several packets, or none; it is told when the last of them is acknowledged. Keeps
what did not fit into the window yet. Knows neither connection nor store: `conversation`, its only
caller, sends what `packet` gives and deletes what `acked` names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from agent.telemetry.adapters import Packet


class Sending:
    """The packets of one connection. Forgotten with it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Packet]] = deque()
        self._left: dict[int, int] = {}  # row -> packets not acknowledged

    @property
    def empty(self) -> bool:
        """Whether every packet has been sent."""
        return not self._waiting

    def urgent(self, packets: Sequence[Packet]) -> None:
        """Our own state: before all rows, belongs to none."""
        self._waiting.extendleft((0, packet) for packet in reversed(packets))

    def row(self, seq: int, packets: Sequence[Packet]) -> bool:
        """A row; False: nothing has to be sent for it, it counts as told."""
        self._waiting.extend((seq, packet) for packet in packets)
        if packets:
            self._left[seq] = len(packets)
        return bool(packets)

    def next(self) -> tuple[int, Packet] | None:
        """What to send now: its row (0: none) and the packet. `sent` takes it off."""
        return self._waiting[0] if self._waiting else None

    def sent(self) -> None:
        """It is on its way."""
        self._waiting.popleft()

    def acked(self, seq: int) -> bool:
        """One packet of this row was acknowledged; whether it was the last."""
        left = self._left.get(seq, 0) - 1
        if left > 0:
            self._left[seq] = left
            return False
        return self._left.pop(seq, None) is not None

    def refused(self, seq: int) -> bool:
        """The server will never take this row: what is left of it is not sent. Once per row."""
        self._waiting = deque(one for one in self._waiting if one[0] != seq)
        return self._left.pop(seq, None) is not None

    def hold(self) -> None:
        """Nothing more is sent; what is acknowledged still counts."""
        self._waiting.clear()

    def forget(self) -> None:
        """The connection is gone: everything begins anew."""
        self._waiting.clear()
        self._left.clear()
