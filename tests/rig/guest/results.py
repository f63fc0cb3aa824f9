"""What the guest tells the outside: one JSON object a line, out of its second serial port."""

from __future__ import annotations

import json
import time
from pathlib import Path

PORT = Path("/dev/ttyS1")


class RigError(Exception):
    """The rig itself could not do something; never a finding about the daemon."""


def say(kind: str, **fields: object) -> None:
    """One result. Slow as a serial line is: not for bulk."""
    line = json.dumps({"kind": kind, "at_s": round(time.monotonic(), 2), **fields})
    with PORT.open("w", encoding="ascii") as port:
        port.write(line + "\n")
