"""The updates of this terminal on disk: one small file, whole or not at all.

Not a table of state.db, which may be lost and is not synced with every row: an update that forgot
where it stood could be applied twice. Knows nothing of what the phases mean. Called by
`agent.watch.software.updates` and by the offline reader; blocking.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from agent.core.software.guard import SENTENCES, Hold
from agent.core.software.update import Phase, Update
from agent.durable import replaced
from agent.watch.software.ledger_file import FILE

log = logging.getLogger(__name__)

#: Ids of updates are remembered this long: none of them is ever begun again.
KEEP = 500


def load(state_dir: Path, *, look_only: bool = False) -> list[Update]:
    """The updates, the oldest first; a file that is none is put aside, unless one only looks."""
    path = state_dir / FILE
    try:
        given = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        if look_only:
            return []
        raise OSError(f"{path}: {error.strerror}") from error
    try:
        rows = json.loads(given)
        return [_update(row) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.error("event=updates_unreadable path=%s reason=%r", path, str(error))
        if not look_only:
            path.replace(path.with_name(FILE + ".bad"))
        return []


def save(state_dir: Path, updates: Sequence[Update]) -> None:
    """On disk when this returns. Raises OSError."""
    rows = [asdict(one) for one in updates[-KEEP:]]
    replaced(state_dir / FILE, json.dumps(rows, ensure_ascii=False).encode())


def _update(row: Mapping[str, object]) -> Update:
    known = {one.name for one in fields(Update)}
    told = {name: value for name, value in row.items() if name in known}
    if wrong := [name for name, value in told.items() if not _fits(name, value)]:
        raise ValueError(", ".join(wrong))
    told["phase"] = Phase(str(row["phase"]))
    told["held"] = tuple(
        Hold(word=one["word"], found=str(one["found"]))
        for one in row.get("held", ())  # type: ignore[attr-defined]
        if one["word"] in SENTENCES
    )
    return Update(**told)  # type: ignore[arg-type]


def _fits(name: str, value: object) -> bool:
    if name == "held":
        return isinstance(value, list)
    if name == "any_time":
        return isinstance(value, bool)
    numbers = name.endswith(("_ms", "_bytes")) or name in ("tries", "busy", "starts")
    return isinstance(value, int if numbers else str)
