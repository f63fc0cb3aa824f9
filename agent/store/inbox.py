"""Work on its way from the loop to the writer's thread.

A lone piece goes at once: a payment app waits for it. While others are under way, further pieces
wait for the end of the loop's turn and go together: handed over one by one, the thread would wake
for the first and sync it alone. Everything here but `get` and `get_nowait` is the loop's.
"""

from __future__ import annotations

import asyncio
import queue
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """First in, first out; None is the end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._gathered: list[T] = []
        self._under_way = 0

    def put(self, item: T) -> None:
        """Hand over, at once or with the others of this turn."""
        self._under_way += 1
        if self._under_way == 1:
            self._queue.put(item)
            return
        self._gathered.append(item)
        if len(self._gathered) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def answered(self, count: int) -> None:
        """So many are no longer under way."""
        self._under_way = max(0, self._under_way - count)

    def end(self) -> None:
        """Nothing comes after this."""
        self._flush()
        self._queue.put(None)

    def get(self, timeout_s: float | None) -> T | None:
        """The next piece; raises queue.Empty when none comes in time."""
        return self._queue.get(timeout=timeout_s)

    def get_nowait(self) -> T | None:
        """The next piece if there is one; raises queue.Empty."""
        return self._queue.get_nowait()

    def _flush(self) -> None:
        for item in self._gathered:
            self._queue.put(item)
        self._gathered.clear()
