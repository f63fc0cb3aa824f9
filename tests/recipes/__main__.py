"""`python -m tests.recipes`: the layer read by oelint-adv, in an environment made for it.

Ends with 0 when the linter finds neither errors nor warnings and, as a control, does find the
faults put into a copy; with 1 when not; with 2 where it cannot be had.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.recipes.recipes import LAYER

LINTER = "oelint-adv==9.11.2"
RELEASE = "wrynose"
#: Whether a page is up says nothing about the recipe; posagent has no public page of its own.
QUIET = ("oelint.vars.homepageping", "oelint.var.mandatoryvar.HOMEPAGE")


def findings(linter: Path, recipes: list[Path]) -> list[str]:
    """Its errors and warnings."""
    command = [str(linter), "--release", RELEASE, "--quiet", "--hide", "info", "--jobs", "1"]
    for rule in QUIET:
        command += ["--suppress", rule]
    done = subprocess.run(
        [*command, *map(str, recipes)], check=False, capture_output=True, text=True, timeout=300
    )
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if ":error:" in line or ":warning:" in line or "Trace" in line]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="posagent-lint-") as name:
        home = Path(name)
        venv.create(home / "env", with_pip=True)
        had = subprocess.run(
            [str(home / "env/bin/pip"), "install", "--quiet", LINTER], check=False, timeout=300
        )
        if had.returncode:
            print(f"{LINTER} cannot be had here", file=sys.stderr)
            return 2
        linter = home / "env" / "bin" / "oelint-adv"
        recipes = sorted(LAYER.rglob("*.bb"))
        wrong = findings(linter, recipes)
        for line in wrong:
            print(line)
        spoilt = home / "python3-spoilt_1.0.bb"
        text = next(path for path in recipes if "segno" in path.name).read_text("utf-8")
        spoilt.write_text(
            text.replace("LICENSE =", "LICENCE =").replace('SECTION = "', 'SECTION ="')
        )
        control = findings(linter, [spoilt])
    print(f"{len(recipes)} recipes, {LINTER}, {RELEASE}: {len(wrong)} errors and warnings")
    print(f"control: {len(control)} in a copy with two faults")
    return 0 if not wrong and len(control) >= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
