"""`make power-cuts`: the power goes n times under load, on a disk that drops what was not flushed.

Ends with 0 when nothing acknowledged was lost or moved twice and every control failed as it must,
with 1 when not, with 2 when the machine could not be run at all.
"""

from __future__ import annotations

import argparse
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.powercut.course import Place, cuts, lying, place
from tests.powercut.proof import proofs
from tests.powercut.report import Run, written
from tests.rig.image import ImageError
from tests.rig.machine import MachineError

#: In this order: the controls first, for without them the rest proves nothing.
PARTS = ("lying", "selftest", "cuts")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.powercut", description=__doc__)
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=PARTS, help="one part; no report without the others")
    parser.add_argument(
        "--parts",
        type=Path,
        metavar="DIR",
        help="keep finished parts there, and take them up again",
    )
    parser.add_argument("--report", type=Path, help="write the figures there")
    parser.add_argument("--keep", action="store_true", help="keep the scratch directory")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if shutil.which("qemu-system-x86_64") is None:
        print("qemu-system-x86_64 is not installed (packaging/ci/rig.sh)", file=sys.stderr)
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="posagent-cuts-"))
    began = time.monotonic()
    run = Run(seed=given.seed)
    try:
        _parts(run, given, scratch)
    except (ImageError, MachineError, OSError, subprocess.SubprocessError) as error:
        console = scratch / "console.log"
        if console.exists():
            print(console.read_text("utf-8", "replace")[-2000:], flush=True)
        print(f"the rig could not be run to its end: {error}", file=sys.stderr)
        return 2
    finally:
        if given.keep:
            _say(f"kept: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    _say(f"{time.monotonic() - began:.0f} s")
    problems = run.problems()
    for problem in problems:
        _say(f"BAD {problem}")
    if given.report and not (run.course and run.lying and run.proofs):
        _say("only some parts: no report is written")
    elif given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(written(run), encoding="utf-8")
    _say(f"{run.summary()}; {'BAD' if problems else 'ok'}; {run.seconds:.0f} s")
    return 1 if problems else 0


def _parts(run: Run, given: argparse.Namespace, scratch: Path) -> None:
    """What is not there yet is played; a part that is finished is kept."""
    wanted = [part for part in PARTS if given.only in (None, part)]
    for part in PARTS:
        if given.parts is not None and (given.parts / part).exists():
            # Written by this command, for the same seed and count, and read by nobody else.
            kept = pickle.loads((given.parts / part).read_bytes())
            if kept[0] == (given.seed, given.cuts):
                _take(run, part, *kept[1:])
                wanted = [each for each in wanted if each != part]
    if not wanted:
        return
    played: dict[str, Callable[[Place], object]] = {
        "lying": lambda where: lying(where, given.seed, _say),
        "selftest": lambda where: proofs(where, given.seed, _say),
        "cuts": lambda where: cuts(where, given.cuts, given.seed, _say),
    }
    with place(scratch, _say) as where:
        for part in wanted:
            _say(f"== {part}, seed {given.seed}")
            began = time.monotonic()
            found = played[part](where)
            seconds = time.monotonic() - began
            _take(run, part, found, seconds)
            if given.parts is not None:
                given.parts.mkdir(parents=True, exist_ok=True)
                kept = ((given.seed, given.cuts), found, seconds)
                (given.parts / part).write_bytes(pickle.dumps(kept))


def _take(run: Run, part: str, found: Any, seconds: float) -> None:
    run.seconds += seconds
    match part:
        case "lying":
            run.lying = found
        case "selftest":
            run.proofs = found
        case _:
            run.course = found


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
