"""`make confusion`: faults of every layer against the real daemon, and what it calls them.

Builds the lab, injects one fault after another, prints the confusion table; beside it the scenes
with two channels. The faults are shared out to three labs, each with a daemon that takes its share
in turn. Ends with 0 when every requirement is met, 1 when one is missed, 2 when no lab can be built
on this machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.network import two_channels
from tests.network.faults import FAULTS
from tests.network.netns import LabError, missing
from tests.network.report import Run, table, written
from tests.network.shares import channels, ended_orderly, rebuilt, share_of

LABS = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.network", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one of each kind, within a minute")
    parser.add_argument("--only", default="", help="faults whose chapter or name contains this")
    parser.add_argument("--long", action="store_true", help="ten minutes of a flapping main line")
    parser.add_argument("--report", type=Path, help="write the figures there")
    given = parser.parse_args()
    # In a group of our own, so that what ends us ends our processes, and these clear away.
    os.setpgrp()
    signal.signal(signal.SIGTERM, _ended)
    if reason := missing():
        print(f"the lab cannot be built here: {reason}", file=sys.stderr)
        return 2
    run, began = Run(quick=given.quick, partial=bool(given.only)), time.monotonic()
    try:
        _run(run, given)
    except LabError as error:
        print(f"the lab broke: {error}", file=sys.stderr)
        return 2
    run.seconds = time.monotonic() - began
    print(table(run), flush=True)
    if given.report and (given.quick or given.only):
        print("not all of it: no report is written")
    elif given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(written(run), encoding="utf-8")
    return 1 if run.problems() else 0


def _run(run: Run, given: argparse.Namespace) -> None:
    chosen = [
        one
        for one in FAULTS
        if given.only in f"{one.chapter}: {one.name}" and (one.quick or not given.quick)
    ]
    run.absent = [(one.name, why) for one in chosen if (why := one.unavailable())]
    names = [one.name for one in chosen if not one.unavailable()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(LABS + 1, mp_context=context, initializer=ended_orderly) as pool:
        shares = [
            pool.submit(share_of, names[number::LABS], control=number == 0)
            for number in range(LABS)
        ]
        scenes = None
        if not given.quick and not given.only:
            if reason := two_channels.unavailable():
                run.absent.append(("two channels", reason))
            else:
                scenes = pool.submit(channels, long=given.long)
        for share in [future.result() for future in shares]:
            run.trials += [rebuilt(each) for each in share.trials]
            run.control = rebuilt(share.control) if share.control else run.control
            run.payments += share.payments
            run.twice += share.twice
            run.missing += share.missing
        if scenes is not None:
            found = scenes.result()
            run.channels, run.channel_problems = found.lines, found.problems
    order = [one.name for one in FAULTS]
    run.trials.sort(key=lambda one: order.index(one.fault.name))


def _ended(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
