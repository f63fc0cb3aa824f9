"""`make rig`: the real daemon in a virtual machine with kernel USB devices; a table and a report.

Makes the image where there is none, builds the wheel, boots, collects what the guest reports and
judges it. Ends with 0 when every check held and every control failed as it must, with 1 when not,
with 2 when the machine could not be run at all. Whatever happens, the emulator is gone afterwards.
`python -m tests.rig packages` is the second course: the Debian package (tests/rig/packages.py).
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.rig.image import CACHE_VARIABLE, ImageError, built, made_payload
from tests.rig.machine import Machine, MachineError
from tests.rig.report import Run, table, written

#: The longest pause between two results: a control in which nothing may happen, or a slow boot.
SILENCE_S = 300.0
WHOLE_S = 2400.0
CONSOLE_BYTES = 3000


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.rig", description=__doc__)
    parser.add_argument("--report", type=Path, help="write the figures there")
    parser.add_argument("--only", default="", help="scenes whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep console and results, say where")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = Path(tempfile.mkdtemp(prefix="posagent-rig-"))
    run = Run(only=given.only)
    began = time.monotonic()
    try:
        image = built(_say)
        payload = made_payload(scratch, given.only)
        _say(f"booting (Python {image.python} in the guest, software emulation)")
        with Machine(image, payload, scratch) as machine:
            try:
                for result in machine.said(SILENCE_S, WHOLE_S):
                    run.heard(result)
                    _show(result)
            except MachineError as error:
                run.ended_early = str(error)
            if not run.finished:
                console = machine.console.read_bytes()[-CONSOLE_BYTES:]
                print(console.decode("utf-8", "replace"), flush=True)
    except (ImageError, MachineError, OSError, subprocess.SubprocessError) as error:
        print(f"the rig could not be run: {error}", file=sys.stderr)
        print(f"(the image is kept in the directory {CACHE_VARIABLE} names)", file=sys.stderr)
        return 2
    finally:
        if given.keep:
            _say(f"kept: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    run.seconds = time.monotonic() - began
    print(table(run), flush=True)
    if given.report and given.only:
        _say("only some scenes: no report is written")
    elif given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(written(run), encoding="utf-8")
    return 1 if run.problems() else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _show(result: dict[str, Any]) -> None:
    """Progress, a line each; the table comes at the end."""
    match result["kind"]:
        case "row":
            word = "ok " if result["well"] else "BAD"
            control = "" if result["watched"] else "control, not watched: "
            _say(
                f"{word} {control}{result['name']}: seen {_after(result['seen_s'])}, "
                f"MQTT {_after(result['told_s'])}"
            )
        case "module":
            if result["complaint"]:
                _say(f"module {result['name']}: {result['complaint']}")
        case "note" | "log" | "broken" | "unsettled":
            _say(f"{result['kind']}: {result.get('text', '')}{result.get('log', '')}")
        case "weather":
            word = "ok " if result["well"] else "BAD"
            _say(f"{word} {result['name']}: {result['took_s']} s, shown {result['shown']}")
        case "daemon":
            _say(f"daemon ready after {result['ready_s']} s, watching {result['scenes']}")
        case _:
            pass


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {seconds:.1f} s"


if __name__ == "__main__":
    if sys.argv[1:2] == ["packages"]:
        from tests.rig.packages import main as packages

        sys.exit(packages(sys.argv[2:]))
    sys.exit(main())
