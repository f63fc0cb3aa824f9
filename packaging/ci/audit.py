"""Known weaknesses in what terminals carry: pip-audit over the lock, and an honest word when not.

    python packaging/ci/audit.py PYTHON_WITH_PIP_AUDIT [LOCK]

Ends with 1 when a pinned part has a known weakness, and with 0 otherwise. A part that nobody could
be asked about was not audited: it is counted and the line begins with NOT RUN, whatever pip-audit
itself thinks of it (it ends with 0 then).
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCK = ROOT / "packaging" / "locked" / "terminal.txt"
PATIENCE_S = 120


def verdict(answer: str) -> tuple[int, list[str]]:
    """(exit code, lines) for what pip-audit answered in JSON; anything else is no answer."""
    try:
        parts = json.loads(answer)["dependencies"]
        weak = [(part, one) for part in parts for one in part.get("vulns", ())]
        skipped = [part for part in parts if "skip_reason" in part]
    except (ValueError, KeyError, TypeError):
        return 0, ["NOT RUN: the audit gave no answer; no part was compared with known weaknesses"]
    lines = [
        f"{part['name']} {part['version']}: {one['id']}"
        f" (mended in {', '.join(one.get('fix_versions', ())) or 'no version yet'})"
        for part, one in weak
    ]
    asked = len(parts) - len(skipped)
    if skipped or not parts:
        lines.append(
            f"NOT RUN: {len(skipped)} of {len(parts)} parts could not be compared with known"
            " weaknesses: the service that lists them was not reached or does not know them"
        )
    if asked:
        lines.append(f"{asked} parts audited, {len(weak)} known weaknesses")
    return (1 if weak else 0), lines


def main(words: list[str]) -> int:
    """The command."""
    lock = words[1] if len(words) > 1 else str(LOCK)
    command = [words[0], "-m", "pip_audit", "--requirement", lock, "--require-hashes"]
    command += ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        answer = done.stdout
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    code, lines = verdict(answer)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
