"""The daemon's log: one line an event, to standard error, with two more nets against card numbers.

The first net is that nobody logs payloads. The second masks anything that looks like one all the
same, because a log line is the one thing that leaves the terminal by so many ways. The third is the
stream itself: tracebacks and what libraries print never pass a formatter.
"""

from __future__ import annotations

import atexit
import io
import logging
import os
import sys
import threading
from collections import deque
from typing import TextIO

from agent.core.money.cards import masked

#: A line without an end is written out in pieces of this many characters.
LONGEST_LINE = 65_536
#: … of which this much is kept back, so that no number is cut in two.
KEPT_BACK = 256


class MaskedStream(io.TextIOBase):
    """A text stream that masks whole lines before it passes them on."""

    def __init__(self, below: TextIO) -> None:
        self.below = below
        self._begun = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            lines, end, begun = (self._begun + text).rpartition("\n")
            if lines or end:
                self.below.write(masked(lines) + end)
            if len(begun) > LONGEST_LINE:
                self.below.write(masked(begun)[:-KEPT_BACK])
                begun = begun[-KEPT_BACK:]
            self._begun = begun
        return len(text)

    def flush(self) -> None:
        """Lines only: what has no end yet may be the first half of a number."""
        self.below.flush()

    def close(self) -> None:
        """Passes on what is left; the stream below stays open, it is the process's."""
        with self._lock:
            begun, self._begun = self._begun, ""
            if not self.below.closed:
                self.below.write(masked(begun))
                self.below.flush()

    def fileno(self) -> int:
        return self.below.fileno()

    def isatty(self) -> bool:
        return self.below.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.below.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.below.errors


#: Lines kept for a support bundle where no journal keeps them.
KEPT_LINES = 400
_RECENT: deque[str] = deque(maxlen=KEPT_LINES)


def recent() -> list[str]:
    """The newest lines of this process, the oldest first, masked as they were written."""
    return list(_RECENT)


class _Kept(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Debug lines would push out what matters.
        if record.levelno > logging.DEBUG:
            _RECENT.append(self.format(record))


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def configure(level: str) -> None:
    """Log to standard error; under systemd with its priorities instead of times."""
    if not isinstance(sys.stderr, MaskedStream):
        stream = MaskedStream(sys.stderr)
        sys.stderr = stream
        atexit.register(stream.close)
    handler = logging.StreamHandler(sys.stderr)
    if os.environ.get("JOURNAL_STREAM"):
        for number, prefix in ((10, "<7>"), (20, "<6>"), (30, "<4>"), (40, "<3>"), (50, "<2>")):
            logging.addLevelName(number, prefix)
        handler.setFormatter(_Line("%(levelname)s%(name)s %(message)s"))
    else:
        handler.setFormatter(_Line("%(asctime)s %(levelname)-8s %(name)s %(message)s"))
    kept = _Kept()
    kept.setFormatter(_Line("%(asctime)s %(levelname)-8s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler, kept]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.raiseExceptions = False
