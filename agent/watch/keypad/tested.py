"""What the last guided test found, kept as classes and counts beside the journal.

`posagent probe keypad --guided` writes it, the watcher reads it: keys that no longer work are seen
by nobody else. Neither which keys they are nor when they were pressed is in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from agent.record import dataclass
from agent.watch.drivers.evdev import KeyClass

FILE = "keypad-test.json"
FILE_MAX_BYTES = 4_096
_KEYS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedTest:
    """One guided test, seen to its end."""

    device: str  #: as configured: the test of another keypad says nothing about this one
    asked: Mapping[KeyClass, int] = field(default_factory=dict)
    dead: Mapping[KeyClass, int] = field(default_factory=dict)


def keep(state_dir: Path, test: GuidedTest) -> None:
    """Replace what was kept of the test before. Raises OSError."""
    text = json.dumps({"device": test.device, "asked": test.asked, "dead": test.dead})
    file = state_dir / FILE
    fresh = file.with_name(f".{FILE}.{os.getpid()}")
    # The directory belongs to the agent: nothing of its making may lead root somewhere else.
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as writing:
            owner = state_dir.stat()
            if os.geteuid() == 0:
                os.fchown(fd, owner.st_uid, owner.st_gid)
            writing.write(text + "\n")
        fresh.replace(file)
    except BaseException:
        with suppress(FileNotFoundError):
            fresh.unlink()
        raise


def read(state_dir: Path, device: str) -> GuidedTest | None:
    """The last test of this device; None without one, or where the file is not what we wrote."""
    try:
        with (state_dir / FILE).open("rb") as file:
            kept: Any = json.loads(file.read(FILE_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(kept, dict) or kept.get("device") != device:
        return None
    asked, dead = _counts(kept.get("asked")), _counts(kept.get("dead"))
    return (
        None if asked is None or dead is None else GuidedTest(device=device, asked=asked, dead=dead)
    )


def _counts(found: object) -> dict[KeyClass, int] | None:
    if not isinstance(found, dict):
        return None
    counts: dict[KeyClass, int] = {}
    for name, count in found.items():
        if name not in set(KeyClass) or type(count) is not int or not 0 <= count <= _KEYS_MAX:
            return None
        counts[KeyClass(name)] = count
    return counts
