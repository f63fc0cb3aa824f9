"""A settlement list of 100,000 lines with every defect: are all found, how long, how much memory.

    python -m tests.bench.reconcile [--lines N]

The list and the payments come from tests/reconcile_rig, which knows the truth and nothing of the
matcher; the program runs as the daemon runs it, a process of its own between two pipes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from agent.core.why.reconcile.profile import Profile, to_plain
from agent.offload import ChildOffload
from tests.reconcile_rig.generator import World, as_csv, rows_of, world

PIECE = 262_144


async def told(made: World) -> AsyncIterator[bytes]:
    """The dialogue as the daemon leads it, all of it at once: the pipe holds back what is early."""
    yield json.dumps(to_plain(Profile())).encode()
    file = as_csv(made.rows)
    for begin in range(0, len(file), PIECE):
        yield b"F" + base64.b64encode(file[begin : begin + PIECE])
    yield b"E"
    for page in rows_of(made.payments):
        yield json.dumps(page).encode()


async def run(count: int) -> dict[str, object]:
    made = world(count)
    found: Counter[str] = Counter()
    wrong, peak_kb = 0, 0
    began = time.monotonic()
    async for line in ChildOffload().run("reconcile", told(made), 600.0):
        peak_kb = max(peak_kb, child_peak_kb())
        for one in json.loads(line).get("found", ()):
            found[one[0]] += 1
            wrong += bool(one[2]) and made.by_key.get(one[3], one[0]) != one[0]
    took_s = time.monotonic() - began
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "lines": len(made.rows),
        "payments": len(made.payments),
        "classified_as_truth": found == made.truth and not wrong,
        "classes": dict(sorted(found.items())),
        "wall_s": round(took_s, 1),
        "cpu_s": round(child.ru_utime + child.ru_stime, 1),
        "child_peak_mb": round(peak_kb / 1024, 1),
    }


def child_peak_kb() -> int:
    """The most the program ever held; getrusage would count what this process held at the fork."""
    tasks = Path("/proc/self/task")
    children = [one for task in tasks.iterdir() for one in (task / "children").read_text().split()]
    peak = 0
    for child in children:
        for line in Path(f"/proc/{child}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = max(peak, int(line.split()[1]))
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reconcile")
    parser.add_argument("--lines", type=int, default=100_000)
    print(json.dumps(asyncio.run(run(parser.parse_args().lines)), indent=2))


if __name__ == "__main__":
    main()
