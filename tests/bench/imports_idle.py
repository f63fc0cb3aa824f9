"""The floor of the daemon's memory: a process that imports the same modules and idles.

`python -m tests.bench.imports_idle` reads module names from standard input, one a line, imports
what it can, says `ready` and waits in an asyncio loop until it is killed.
"""

from __future__ import annotations

import asyncio
import importlib
import sys

from agent.telemetry.loading import transport_class


async def _idle(loaded: int, missing: int) -> None:
    print(f"ready {loaded} {missing}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    loaded = missing = 0
    transport_class()  # paho the way the daemon loads it, without what it does not use
    for line in sys.stdin:
        try:
            importlib.import_module(line.strip())
            loaded += 1
        except ImportError:
            missing += 1
    asyncio.run(_idle(loaded, missing))


if __name__ == "__main__":
    main()
