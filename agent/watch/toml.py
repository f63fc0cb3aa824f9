"""TOML that others write, read in bounded time.

The parser takes the square of a dotted key's parts: 200 kB of `a.a.a.a…` hold a processor for
minutes, and with it the whole agent. Called wherever a file is read that is not our own
configuration.
"""

from __future__ import annotations

import tomllib
from typing import Any

#: In one line; settings and versions have a handful.
MOST_DOTS = 64


def loads(text: str) -> dict[str, Any]:
    """As tomllib's. Raises ValueError, TOMLDecodeError among them, and RecursionError."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > MOST_DOTS:
            raise ValueError(f"line {number}: more than {MOST_DOTS} dots")
    return tomllib.loads(text)
