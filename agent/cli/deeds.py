"""What a person did to the store while no daemon could write its trail, beside the journal.

The daemon takes it into the trail at its next start (`agent.main.forced`). Called by
`posagent guard` and `posagent provision`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agent.clock import SystemClock
from agent.core.audit import Deed
from agent.core.money.guarding import line_of
from agent.durable import sync_directory


def person() -> str:
    """Who does it; whoever stands behind sudo, if sudo says so."""
    behind = os.environ.get("SUDO_UID", "")
    uid = int(behind) if behind.isdecimal() and os.getuid() == 0 else os.getuid()
    return f"uid:{uid}"


def written(file: Path, deed: Deed) -> None:
    """On disk when this returns, and the daemon's to read. Raises OSError."""
    # A pipe somebody put there is not waited for.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(file, flags, 0o600)
    with os.fdopen(fd, "ab") as out:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode) or seen.st_nlink != 1:
            raise OSError(0, "not a file of its own")
        # On a line of its own, whatever a power cut left of the one before.
        out.write(b"\n" + line_of(deed, SystemClock().now().wall_ms).encode())
        out.flush()
        if os.getuid() == 0:
            owner = file.parent.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)
        os.fsync(fd)
    sync_directory(file.parent)
