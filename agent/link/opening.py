"""An open that may hang in a driver, and that must never leave a descriptor behind.

Decides who closes what was opened too late: the thread that opened it, as soon as it learns that
nobody waits any more. `run` goes through the daemon's `Blocking` port, `abandon` is called on the
event loop. Used by the watchers of printers, scanners and keypads.
"""

from __future__ import annotations

import termios
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Opening(Generic[T]):
    """One attempt. `open_now` may hang; `let_go` closes what it gave."""

    def __init__(self, open_now: Callable[[], T], let_go: Callable[[T], None]) -> None:
        self._open_now = open_now
        self._let_go = let_go
        self._lock = threading.Lock()
        self._abandoned = False
        self._opened: list[T] = []

    def run(self) -> T:
        """Open it, in the thread that may hang."""
        found = self._open_now()
        with self._lock:
            abandoned = self._abandoned
            if not abandoned:
                self._opened.append(found)
        if abandoned:
            self._let_go(found)
        return found

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._abandoned = True
            opened, self._opened = self._opened, []
        for one in opened:
            self._let_go(one)


def number_of(error: BaseException | None) -> int | None:
    """The number behind an error; pyserial and termios each hide it differently."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, termios.error) and error.args:
            return int(error.args[0])
        error = error.__cause__ or error.__context__
    return None
