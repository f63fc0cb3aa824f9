"""The daemon's log: one line an event, to standard error, with a second net against card numbers.

The first net is that nobody logs payloads. The second masks anything that looks like one all the
same, because a log line is the one thing that leaves the terminal by so many ways.
"""

from __future__ import annotations

import logging
import os
import sys

from agent.core.money.cards import masked


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def configure(level: str) -> None:
    """Log to standard error; under systemd with its priorities instead of times."""
    handler = logging.StreamHandler(sys.stderr)
    if os.environ.get("JOURNAL_STREAM"):
        for number, prefix in ((10, "<7>"), (20, "<6>"), (30, "<4>"), (40, "<3>"), (50, "<2>")):
            logging.addLevelName(number, prefix)
        handler.setFormatter(_Line("%(levelname)s%(name)s %(message)s"))
    else:
        handler.setFormatter(_Line("%(asctime)s %(levelname)-8s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.raiseExceptions = False
