"""`make bench`: what posagent costs on this machine, against floors and peers in the same run.

    python -m tests.bench [--quick] [--json] [--only start,accept,…]

The full run takes some ten minutes, `--quick` two with shorter windows. It always ends with
0 when it could measure: docs/targets.md says what the figures should be, people judge them.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.bench import (
    accept,
    crowd,
    detect,
    drain,
    flash,
    fleet_bytes,
    fleet_latency,
    idle,
    million,
    network,
    peers,
    start,
)
from tests.bench.rig import Sims
from tests.bench.table import Figure, as_json, as_text, machine

PARTS = ("start", "accept", "crowd", "peers", "drain", "flash", "detect", "idle", "network")
#: Only when asked for: they take minutes, one of them gigabytes.
RARE = ("million", "explain", "fleet-bytes", "fleet-latency")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short windows, about 90 s")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run, by comma")
    parser.add_argument("--count", type=int, default=0, help="payments to drain")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if unknown := set(wanted) - {*PARTS, *RARE}:
        parser.error(
            f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS + RARE)}"
        )
    where, began = machine(), time.monotonic()
    figures: list[Figure] = []
    notes: list[str] = []
    with Sims() as sims:
        for part in [each for each in PARTS + RARE if each in wanted]:
            print(f"measuring: {part} …", file=sys.stderr, flush=True)
            found, said = _measure(part, sims, quick=args.quick, count=args.count)
            figures += found
            notes += said
    notes.append(f"took {time.monotonic() - began:.0f} s{' (quick)' if args.quick else ''}")
    shown = as_json if args.json else as_text
    print(shown(figures, where, notes))
    return 0


def _measure(part: str, sims: Sims, *, quick: bool, count: int) -> tuple[list[Figure], list[str]]:
    match part:
        case "start":
            return start.measure(sims, rounds=3 if quick else 9), []
        case "accept":
            return accept.measure(sims, turns=8 if quick else 40, slow_turns=2 if quick else 8)
        case "crowd":
            rounds, each = (2, 1024) if quick else (7, 4096)
            return crowd.measure(sims, rounds=rounds, count=each)
        case "peers":
            return peers.measure(turns=4 if quick else 20)
        case "drain":
            rounds = 1 if quick else 3
            return drain.measure(sims, count=count or (1000 if quick else 3000), rounds=rounds), []
        case "million":
            return million.measure(sims, count=count or million.COUNT)
        case "explain":
            return million.explained(sims, count=count or million.COUNT)
        case "flash":
            return flash.figures(quick=quick)
        case "fleet-bytes":
            return fleet_bytes.measure()
        case "fleet-latency":
            alarms, crossings = (8, 4) if quick else (60, 30)
            return fleet_latency.measure(sims, alarms=alarms, crossings=crossings)
        case "detect":
            polled, pushed = (4, 8) if quick else (24, 60)
            return detect.measure(sims, polled=polled, pushed=pushed)
        case "network":
            return network.measure(
                settle_s=7.0 if quick else 20.0, window_s=30.0 if quick else 300.0
            )
        case _:
            return idle.measure(
                sims, settle_s=7.0 if quick else 25.0, window_s=25.0 if quick else 120.0
            )


if __name__ == "__main__":
    sys.exit(main())
