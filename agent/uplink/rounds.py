"""One round of work after another: when it is woken, or when the last round said to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def rounds(
    work: Callable[[], Awaitable[float]], wake: asyncio.Event, stop: asyncio.Event
) -> None:
    """Until `stop`: do the work, which tells the seconds until it is due again."""
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            wake.clear()
            wait_s = await work()
            woken = asyncio.create_task(wake.wait())
            await asyncio.wait(
                (stopped, woken), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
            )
            woken.cancel()
    finally:
        stopped.cancel()
