"""Two or three keys held together for some seconds: somebody at the terminal asks for a slip.

Decides whether exactly these keys are down and stay so; all it ever tells is that it happened. It
keeps no key: it looks at what the fold holds for the moment a key is down. Digits cannot be part of
it. Called by `agent.watch.keypad.watcher` whenever a key moved; one timer runs while the keys are
held and none otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from agent.watch.keypad.guide import POSITIONS


class Combination:
    """See the module docstring. `down` tells the keys that are down now."""

    def __init__(
        self,
        names: Sequence[str],
        hold_s: float,
        down: Callable[[], AbstractSet[int]],
        pressed: Callable[[], object],
    ) -> None:
        self._groups = [POSITIONS[name] for name in names]
        self._hold_s = hold_s
        self._down = down
        self._pressed = pressed
        self._timer: asyncio.TimerHandle | None = None

    def moved(self) -> None:
        """A key went down or up, or all of them are forgotten."""
        held = self._held()
        if held and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._hold_s, self._over)
        elif not held and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        # The handle stays: only once these keys were let go can they count again.
        if self._held():
            self._pressed()

    def _held(self) -> bool:
        down = self._down()
        return len(down) == len(self._groups) and all(
            not group.isdisjoint(down) for group in self._groups
        )
