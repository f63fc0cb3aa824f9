"""`make causes`: every cause of the catalogue provoked through the real daemon.

Each scene is a few daemons that stand one fault after another; a few scenes run at a time. Prints
the table, writes it with `--report`, and ends with 1 when a cause that is not advice only was not
provoked.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.causes.bench import Bench
from tests.causes.report import missing, written
from tests.causes.scenes import SCENES

#: Scenes at a time: a daemon spends most of a scene waiting for its own timers.
AT_A_TIME = 3
#: Nothing a scene does takes longer.
LONGEST_S = 400.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.causes", description=__doc__)
    parser.add_argument("--only", default="", help="scenes whose name contains this")
    parser.add_argument("--report", type=Path, help="write the table there")
    parser.add_argument("--scene", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.scene:
        return _one(given.scene, given.into)
    began = time.monotonic()
    bench, names = Bench(), [name for name in SCENES if given.only in name]
    _all(bench, names)
    document = written(bench, time.monotonic() - began)
    print(document, flush=True)
    if given.report and given.only:
        print("not all of it: no report is written")
    elif given.report:
        given.report.write_text(document, "utf-8")
    return 1 if bench.failures or missing(bench) else 0


def _one(name: str, into: Path) -> int:
    """A scene in a process of its own: what it leaves behind ends with it."""
    bench = Bench()
    try:
        SCENES[name](bench)
    except Exception as error:  # noqa: BLE001  (a scene that broke is told beside those that did not)
        bench.failures.append(f"scene {name} broke: {type(error).__name__}: {str(error)[:300]}")
    bench.written(into)
    return 0


def _all(bench: Bench, names: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="pc-") as folder:
        waiting, running = list(names), {}
        while waiting or running:
            while waiting and len(running) < AT_A_TIME:
                name = waiting.pop(0)
                into = Path(folder) / name
                words = ["-m", "tests.causes", "--scene", name, "--into", str(into)]
                running[name] = (subprocess.Popen([sys.executable, *words]), time.monotonic(), into)
            for name, (process, since, into) in list(running.items()):
                late = time.monotonic() - since > LONGEST_S
                if process.poll() is None and not late:
                    continue
                if late:
                    process.kill()
                    process.wait()
                del running[name]
                if into.exists():
                    bench.read(into)
                else:
                    bench.failures.append(f"scene {name} did not end")
                print(f"scene {name}: {time.monotonic() - since:.0f} s", file=sys.stderr)
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
