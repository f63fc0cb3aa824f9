"""What is told of a keypad: from classes and counts to the values of a reading.

Decides the names, and how often a value may move: a count of presses told every few seconds would
tell when somebody types, and how long what they typed is. Called by `agent.watch.keypad.watcher`.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.health.reading import Value
from agent.core.health.standard_keypad import BOUNCES
from agent.watch.drivers.evdev import KeyClass
from agent.watch.keypad.fold import Summary
from agent.watch.keypad.tested import GuidedTest

#: Counts of presses move in steps of this.
COUNTS_EVERY_S = 900.0


class Told:
    """Remembers what it told of presses, until that may move again."""

    def __init__(self) -> None:
        self._presses: Mapping[KeyClass, int] = {}
        self._due_s = float("-inf")

    def values(self, summary: Summary, test: GuidedTest | None, now_s: float) -> dict[str, Value]:
        """The values of a reading of a keypad that is there."""
        if now_s >= self._due_s:
            self._due_s = now_s + COUNTS_EVERY_S
            self._presses = summary.presses
        bounces = sum(summary.bounces.values())
        values: dict[str, Value] = {
            "present": True,
            "stuck": _stuck(summary),
            "bounces_last_minute": bounces,
            "losses": summary.losses,
            **{f"{kind}_presses": self._presses.get(kind, 0) for kind in KeyClass},
        }
        dead: Mapping[KeyClass, int] = {}
        if test is not None:
            dead = test.dead
            values["tested_keys"] = sum(test.asked.values())
            values["dead_keys"] = sum(dead.values())
        bouncing = summary.bounces if bounces >= BOUNCES else {}
        # The texts of all causes share these two names: said only where they can mean one thing.
        classes = {*summary.suspected, *bouncing, *(kind for kind, count in dead.items() if count)}
        if len(classes) == 1:
            values["key_class"] = str(*classes)
        counts = [count for count in (sum(bouncing.values()), sum(dead.values())) if count]
        if len(counts) == 1:
            values["count"] = counts[0]
        return values


def _stuck(summary: Summary) -> str:
    if summary.confirmed:
        return "confirmed"
    return "suspected" if summary.suspected else "no"
