"""What people did to the store while no daemon ran, taken into the trail at the next start.

The file goes only after its lines are committed: a power cut in between repeats a line, and loses
none. Called once by `agent.main.house`.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path

from agent.core.money.guarding import FORCED_FILE, MOST_LINE_BYTES, deed_of
from agent.durable import sync_directory
from agent.errors import StoreError
from agent.store.audit import Store, add

log = logging.getLogger(__name__)

MOST_LINES = 1_000


async def taken_in(store: Store, state_dir: Path) -> int:
    """How many lines went into the trail."""
    file = state_dir / FORCED_FILE
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as opened:
            content = opened.read(MOST_LINES * MOST_LINE_BYTES)
    except FileNotFoundError:
        return 0
    except OSError as error:
        log.error("event=forced_unread path=%s reason=%r", file, error.strerror)
        return 0
    taken = 0
    try:
        for line in content.decode("utf-8", "replace").splitlines():
            told = deed_of(line)
            if told is not None:
                at_ms, deed = told
                await store.journal(partial(add, deed=deed, at_ms=at_ms, keep_ms=0))
                taken += 1
        file.unlink()
        sync_directory(state_dir)
    except StoreError as error:
        log.error("event=forced_not_recorded code=%s", error.code)
    except OSError as error:
        log.error("event=forced_not_cleared path=%s reason=%r", file, error.strerror)
    if taken:
        log.warning("event=done_while_away lines=%d", taken)
    return taken
