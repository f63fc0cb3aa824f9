"""Many writers on one store, in one process and without HTTP: what sharing a sync is worth.

`python -m tests.bench.writers DIRECTORY WRITERS`. For every line `N` it reads, N payments are
appended by that many tasks at once, each waiting for its commit before its next, and the rate is
printed. What they append is ready before the clock starts.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from agent.clock import SystemClock
from agent.core.money.transaction import Submission
from agent.store import Store
from agent.wire.submit import decode_submission
from tests.bench.payments import submission


async def _rate(store: Store, writers: int, ready: list[Submission]) -> float:
    async def write(some: list[Submission]) -> None:
        for each in some:
            await store.append(each)

    began = time.perf_counter()
    await asyncio.gather(*(write(ready[start::writers]) for start in range(writers)))
    return len(ready) / (time.perf_counter() - began)


async def main(directory: Path, writers: int) -> None:
    store = Store(directory, SystemClock())
    await store.start()
    number = 0
    # Nothing else runs on this loop between two lines, so reading them may block it.
    for line in sys.stdin:
        ready = []
        for _ in range(int(line)):
            ready.append(decode_submission(submission(f"many-{number:010d}", number), ("host",)))
            number += 1
        print(await _rate(store, writers, ready), flush=True)
    store.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
