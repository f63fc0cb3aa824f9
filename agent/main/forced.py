"""What people did to the store while no daemon ran, taken into the trail at the next start.

All lines are one commit, and the file goes only after it: a power cut in between repeats them, a
store that refuses does not, and none is lost. Called once by `agent.main.house`.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path

from agent.core.audit import Deed
from agent.core.money.guarding import FORCED_FILE, MOST_LINE_BYTES, deed_of
from agent.durable import sync_directory
from agent.errors import StoreError
from agent.store.audit import Store, add
from agent.store.journal import Journal

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
    lines = content.decode("utf-8", "replace").splitlines()
    told = [one for line in lines if (one := deed_of(line)) is not None]
    taken = 0
    try:
        taken = await store.journal(partial(_all, told))
        file.unlink()
        sync_directory(state_dir)
    except StoreError as error:
        log.error("event=forced_not_recorded code=%s", error.code)
    except OSError as error:
        log.error("event=forced_not_cleared path=%s reason=%r", file, error.strerror)
    if taken:
        log.warning("event=done_while_away lines=%d", taken)
    return taken


def _all(told: list[tuple[int, Deed]], journal: Journal) -> int:
    for at_ms, deed in told:
        add(journal, deed=deed, at_ms=at_ms, keep_ms=0)
    return len(told)
