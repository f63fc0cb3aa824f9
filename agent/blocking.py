"""The port for calls that may hang: a driver, a name server, somebody else's file.

`agent.supervise` has the threads behind it and `main` hands it to whoever needs one; a hung call
costs its caller the deadline, and nobody else anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Blocking(Protocol):
    """Runs a call that may hang, off the loop."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        """What `function` gives. Raises what it raises, or TimeoutError."""
        ...
