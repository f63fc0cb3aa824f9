"""`make crash`, `crash-hour`, `crash-long`: all rigs, each with its positive control, and a report.

Ends with 1 when a rig found something or a control did not, with 0 when all is well. Where no file
system can be mounted or nothing compiled, what was not tried is counted and said.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.crash import full, kills
from tests.crash.disk import unusable
from tests.crash.report import Row, written
from tests.crash.rigs import GLANCE, HOUR, LONG, SHORT, WORKERS, Rigs


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.crash", description=__doc__)
    parser.add_argument(
        "rigs", nargs="*", help="replay sampled faults full flips clocks kills; all if none"
    )
    parser.add_argument("--long", action="store_const", const=LONG, dest="size", default=SHORT)
    parser.add_argument("--hour", action="store_const", const=HOUR, dest="size")
    parser.add_argument("--glance", action="store_const", const=GLANCE, dest="size")
    parser.add_argument("--strict", action="store_true", help="what was NOT RUN is a failure too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay-s", type=float, help="seconds for the crash replay")
    parser.add_argument("--report", type=Path, help="write the figures there")
    given = parser.parse_args()
    absent = {rig: unusable() for rig in ("replay", "sampled", "faults")}
    absent["full"] = full.unusable()
    absent["kills"] = "" if kills.COMPILER else "no C compiler"
    began, skipped = time.monotonic(), 0
    context = multiprocessing.get_context("spawn")
    # A process per piece of work: controls take protections away, which must not outlive them.
    with ProcessPoolExecutor(WORKERS, mp_context=context, max_tasks_per_child=1) as pool:
        size = replace(given.size, replay_s=given.replay_s or given.size.replay_s)
        rigs = Rigs(size, given.seed, pool)
        for name in given.rigs or (
            "replay",
            "sampled",
            "faults",
            "full",
            "flips",
            "clocks",
            "kills",
        ):
            if why := absent.get(name):
                skipped += 1
                rigs.rows.append(Row(rig=name, well=None, figures=f"NOT RUN: {why}"))
                print(f"NOT RUN {name}: {why}", flush=True)
                continue
            try:
                getattr(rigs, name)()
            except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
                rigs.rows.append(Row(rig=name, well=False, figures=f"ended early: {error!r}"))
                print(f"BAD {name} ended early: {error!r}", flush=True)
    bad = [row.rig for row in rigs.rows if row.well is False]
    print(f"{len(rigs.rows)} rows, {len(bad)} bad, {skipped} NOT RUN", flush=True)
    if given.report:
        form = {id(SHORT): "short", id(HOUR): "hour", id(LONG): "long", id(GLANCE): "glance"}[
            id(given.size)
        ]
        if given.replay_s:
            form += f" (with {given.replay_s:.0f} s of crash replay)"
        text = written(rigs.rows, size=form, seed=given.seed, seconds=time.monotonic() - began)
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(text, encoding="utf-8")
    return 1 if bad or (skipped and given.strict) else 0


if __name__ == "__main__":
    sys.exit(main())
