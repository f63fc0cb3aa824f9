"""What could not be audited is said to be so, whatever exit code the auditor chose."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("audit", ROOT / "packaging/ci/audit.py")
assert _SPEC is not None
assert _SPEC.loader is not None
audit = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(audit)

GOOD = {"name": "h11", "version": "0.16.0", "vulns": []}
WEAK = {
    "name": "old",
    "version": "1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"], "aliases": [], "description": "x"}],
}
UNKNOWN = {"name": "segno", "skip_reason": "not found"}


def verdict(*parts: dict[str, object]) -> tuple[int, str]:
    """For an answer with these parts."""
    code, lines = audit.verdict(json.dumps({"dependencies": parts, "fixes": []}))
    return code, "\n".join(lines)


def test_a_weakness_fails() -> None:
    """One part with a known weakness is enough, and the mended version is named."""
    code, said = verdict(GOOD, WEAK)
    assert code == 1
    assert "old 1: PYSEC-1 (mended in 2)" in said
    assert "NOT RUN" not in said


def test_nobody_to_ask_is_not_a_pass() -> None:
    """Skipped parts are counted as not run; so is an answer that is none."""
    assert verdict(GOOD) == (0, "1 parts audited, 0 known weaknesses")
    code, said = verdict(UNKNOWN, UNKNOWN)
    assert code == 0
    assert said.startswith("NOT RUN: 2 of 2")
    assert "audited" not in said
    code, said = verdict(GOOD, UNKNOWN)
    assert "NOT RUN: 1 of 2" in said
    assert audit.verdict("")[1][0].startswith("NOT RUN")
