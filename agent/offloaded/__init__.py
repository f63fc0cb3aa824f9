"""Programs that compute for longer than a moment, each run in a process of its own.

A program is a module of this package with one function, `answer(lines) -> lines`, both lines of
bytes without their ends. It reads no file, opens no store and no socket unless its own page of
documentation says so. The daemon never imports one: `agent.offload` runs them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator

Answer = Callable[[Iterable[bytes]], Iterator[bytes]]


def program(name: str) -> Answer:
    """The function of the program `name`. Raises ImportError where there is none."""
    found: Answer = importlib.import_module(f"agent.offloaded.{name}").answer
    return found
