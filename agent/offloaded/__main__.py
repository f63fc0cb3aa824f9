"""`python -m agent.offloaded NAME`: one program between its pipes, at the lowest priority."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agent.offloaded import program

NICENESS = 15
#: If memory runs out, this goes before the agent and before the payment app.
OOM_SCORE = "700"


def _humble() -> None:
    with suppress(OSError):  # a sandbox may forbid even that
        os.nice(NICENESS)
    # A crash must not write what it was told to a disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # not everywhere writable, and only a courtesy
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)


def _lines() -> Iterator[bytes]:
    for line in sys.stdin.buffer:
        yield line.rstrip(b"\n")


def main() -> int:
    """Run the program named; 0 when it came to its end."""
    if len(sys.argv) != 2 or not sys.argv[1].isidentifier():
        print("usage: python -m agent.offloaded NAME", file=sys.stderr)
        return 2
    _humble()
    out = sys.stdout.buffer
    try:
        for line in program(sys.argv[1])(_lines()):
            out.write(line + b"\n")
            out.flush()
    except BrokenPipeError:
        # Whoever asked has gone; nothing may be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
