"""Readings that waited, as bytes: several folded into one, or put together as history.

Decides what is left of messages `health` that were not sent in time; refuses to know how long they
waited and where they are kept. Plugged into `store.outbox`, which calls it on its writer thread: a
few dozen small messages at a time, nothing here raises on what it cannot read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agent.wire.mqtt import MAX_BYTES, MAX_HIST_BYTES

#: `seq` and `outbox_id` come on top when it is sent.
STAMP_BYTES = 64
#: What is no reading in a message `health`.
_FIXED = ("ts", "clock_suspect", "full", "alarms", "acknowledged")


class Readings:
    """Messages `health`."""

    def fold(self, bodies: Sequence[bytes]) -> bytes | None:
        """The last of them, with the values of all; a later value wins.

        None where that would say something untrue or could not be sent.
        """
        told = [_read(body) for body in bodies]
        if not all(told) or len({"clock_suspect" in one for one in told}) != 1:
            return None
        values: dict[str, Any] = {}
        fixed: dict[str, Any] = {"full": False}
        for one in told:
            if one.get("full"):
                values = {}
                fixed.pop("alarms", None)
                fixed.pop("acknowledged", None)
            values |= _values(one)
            kept = {name: one[name] for name in _FIXED if name in one}
            fixed |= kept | {"full": fixed["full"] or bool(one.get("full"))}
        folded = msgspec.json.encode(values | fixed)
        return folded if len(folded) <= MAX_BYTES else None

    def gather(
        self, bodies: Sequence[bytes], now_ms: int, most_bytes: int = 0
    ) -> tuple[int, Sequence[bytes]]:
        """As many as fit in one message `hist`; a single too large one becomes several."""
        largest = min(most_bytes or MAX_HIST_BYTES, MAX_HIST_BYTES)
        first = _read(bodies[0])
        suspect = "clock_suspect" in first
        entries: list[bytes] = []
        size_bytes = len(_history([], now_ms, suspect=suspect)) + STAMP_BYTES
        used = 0
        for body in bodies:
            told = _read(body)
            if not told or ("clock_suspect" in told) is not suspect:
                break
            entry = _entry(told["ts"], _values(told))
            size_bytes += len(entry) + 1
            if size_bytes > largest:
                break
            entries.append(entry)
            used += 1
        if entries:
            return used, [_history(entries, now_ms, suspect=suspect)]
        room = largest - STAMP_BYTES - 100
        parts = _halves(first["ts"], _values(first), room) if first else []
        return 1, [_history([part], now_ms, suspect=suspect) for part in parts]


def _read(body: bytes) -> dict[str, Any]:
    """A message; empty: it is none."""
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told.get("ts"), int) else {}


def _values(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in _FIXED}


def _entry(ts: int, values: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"ts": ts, "values": values})


def _halves(ts: int, values: dict[str, Any], most_bytes: int) -> list[bytes]:
    """One reading as entries none of which is too large; a value too large for any is left out."""
    entry = _entry(ts, values)
    if len(entry) <= most_bytes:
        return [entry]
    names = sorted(values)
    if len(names) < 2:
        return []
    middle = len(names) // 2
    return [
        part
        for half in (names[:middle], names[middle:])
        for part in _halves(ts, {name: values[name] for name in half}, most_bytes)
    ]


def _history(entries: Sequence[bytes], now_ms: int, *, suspect: bool) -> bytes:
    flag = b'"clock_suspect":true,' if suspect else b""
    return b'{"ts":%d,%s"entries":[%s]}' % (now_ms, flag, b",".join(entries))
