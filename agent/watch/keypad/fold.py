"""Key events folded into classes and counts: stuck, bouncing, how many presses.

Decides when a key has been down for too long and when one press arrived as two. It has to know
which key is down while it is down, and for a moment after it was let go; both are wiped, and what
`summary` tells has no key, no order and no time in it. Time is an argument; called by
`agent.watch.keypad.reader` inside the read loop and by nobody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field

from agent.record import dataclass
from agent.watch.drivers.evdev import PRESSED, RELEASED, Key, KeyClass, class_of

#: Let go and down again within this is the contact, not a finger (debouncers use 5 to 47 ms).
BOUNCE_MS = 20.0
#: Bounces are counted over a minute, in steps, so that no single one has a time.
STEP_S = 10.0
STEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All that leaves the read loop."""

    suspected: Mapping[KeyClass, int] = field(default_factory=dict)  #: keys down for too long
    confirmed: Mapping[KeyClass, int] = field(default_factory=dict)  #: those down even longer
    bounces: Mapping[KeyClass, int] = field(default_factory=dict)  #: within the last minute
    presses: Mapping[KeyClass, int] = field(default_factory=dict)  #: since the start
    losses: int = 0  #: how often the kernel lost events


class Fold:
    """The state of one open keypad. `stuck_after_s` and `confirmed_after_s` are how long down."""

    def __init__(self, stuck_after_s: float, confirmed_after_s: float) -> None:
        self._stuck_after_s = stuck_after_s
        self._confirmed_after_s = confirmed_after_s
        self._down: dict[int, float] = {}  # key -> since when, only while it is down
        self._let_go: dict[int, float] = {}  # key -> when, wiped by `forget`
        self._bounces: Counter[tuple[int, KeyClass]] = Counter()
        self._presses: Counter[KeyClass] = Counter()
        self._losses = 0

    @property
    def must_forget(self) -> bool:
        """Whether `forget` should be called soon."""
        return bool(self._let_go)

    def down(self) -> AbstractSet[int]:
        """The keys that are down at this moment; for a look, not for keeping."""
        return self._down.keys()

    def heard(self, key: Key, now_s: float) -> None:
        """One event."""
        self._let_go = {
            code: at_ms
            for code, at_ms in self._let_go.items()
            if 0 <= key.at_ms - at_ms <= BOUNCE_MS
        }
        if key.value == RELEASED:
            if self._down.pop(key.code, None) is not None:
                self._let_go[key.code] = key.at_ms
            return
        if key.value == PRESSED:
            if self._let_go.pop(key.code, None) is not None:
                self._bounces[int(now_s // STEP_S), class_of(key.code)] += 1
            else:
                self._presses[class_of(key.code)] += 1
        self._down.setdefault(key.code, now_s)

    def lost(self, down: frozenset[int], now_s: float) -> None:
        """Events were lost; these keys are down now."""
        self._losses += 1
        self.found(down, now_s)

    def found(self, down: frozenset[int], now_s: float) -> None:
        """These keys and no others are down now, some of them perhaps for longer than we know."""
        self.forget()
        for code in self._down.keys() - down:
            del self._down[code]
        for code in down:
            self._down.setdefault(code, now_s)

    def forget(self) -> None:
        """Wipe what is kept of keys that are up again."""
        self._let_go.clear()

    def summary(self, now_s: float) -> Summary:
        """What may be told."""
        oldest = int(now_s // STEP_S) - STEPS
        for step, kind in [one for one in self._bounces if one[0] <= oldest]:
            del self._bounces[step, kind]
        bounces: Counter[KeyClass] = Counter()
        for (_, kind), count in self._bounces.items():
            bounces[kind] += count
        return Summary(
            suspected=self._down_for(self._stuck_after_s, now_s),
            confirmed=self._down_for(self._confirmed_after_s, now_s),
            bounces=bounces,
            presses=Counter(self._presses),
            losses=self._losses,
        )

    def _down_for(self, seconds: float, now_s: float) -> Counter[KeyClass]:
        return Counter(
            class_of(code) for code, since_s in self._down.items() if now_s - since_s >= seconds
        )
