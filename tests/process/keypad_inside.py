"""`posagent run` with a window: on SIGUSR1 it searches its own objects for a key sequence.

    python -m tests.process.keypad_inside run --config FILE

What to look for is read from $KEYPAD_NEEDLES only then, so that the process does not hold it
before; the answer goes to the same path with `.found`. $KEYPAD_LEAK makes the watcher keep or tell
what it must not: the controls of the search.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

log = logging.getLogger("agent.watch.keypad")


def look(_number: int, _frame: FrameType | None) -> None:
    from tests.watch.keypad.canary import Canary, in_objects

    needles = Path(os.environ["KEYPAD_NEEDLES"])
    text = json.loads(needles.read_text("utf-8"))
    canary = Canary(codes=tuple(text["codes"]), at_us=tuple(text["at_us"]))
    gc.unfreeze()  # what was frozen at the start is looked at as well
    gc.collect()
    del text
    found = in_objects(canary)
    fresh = needles.with_suffix(".fresh")
    fresh.write_text(json.dumps({"found": found, "objects": len(gc.get_objects())}), "utf-8")
    fresh.replace(needles.with_suffix(".found"))


def leak(how: str) -> None:
    """Make the watcher do what it must not."""
    from agent.watch.keypad import reader
    from agent.watch.keypad.fold import Fold
    from agent.watch.keypad.told import Told

    heard, values = Fold.heard, Told.values
    kept: list[int] = []

    def keeping(fold: Any, key: Any, now_s: float) -> None:
        if key.value == 1:
            kept.append(key.code)
            if how == "told":
                log.debug("event=key code=%s", key.code - 0x200)
                log.debug("event=keys at_ms=%s", int(key.at_ms))
                fold.pressed_ms = [*getattr(fold, "pressed_ms", []), key.at_ms]
        heard(fold, key, now_s)

    def telling(told: Any, *args: Any) -> dict[str, Any]:
        found = values(told, *args)
        digits = "".join(str(code - 0x200) for code in kept)
        return {**found, "last": digits} if how == "told" else found

    Fold.heard = keeping  # type: ignore[method-assign]
    Told.values = telling  # type: ignore[method-assign]
    if how == "unwiped":
        Fold.heard = heard  # type: ignore[method-assign]
        reader.wipe = lambda _buffer: None  # type: ignore[attr-defined]


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, look)
    if how := os.environ.get("KEYPAD_LEAK"):
        leak(how)
    from agent.__main__ import main

    main()
