"""The guided key test: asks for one key after the other and notes which came.

Decides what is asked for and what counts as the key. Of a key that was not asked for it learns the
class and keeps nothing; of the result only classes and counts outlive the test (`tested`). It takes
the place of `agent.watch.keypad.fold` in the read loop while `posagent probe keypad --guided` runs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import field

from agent.config.devices import Keypad
from agent.record import dataclass
from agent.watch.drivers.evdev import PRESSED, Key, KeyClass, class_of
from agent.watch.keypad.node import Node
from agent.watch.keypad.reader import Reader
from agent.watch.keypad.tested import GuidedTest

#: What is asked for when the configuration names nothing.
USUAL = (*"1234567890", "enter", "clear", "cancel")
#: Position -> the codes keypads send for it.
POSITIONS: Mapping[str, frozenset[int]] = {
    **{str(n): frozenset({n + 1, (79, 80, 81, 75, 76, 77, 71, 72, 73)[n - 1], 0x200 + n})
       for n in range(1, 10)},
    "0": frozenset({11, 82, 0x200}),
    "star": frozenset({55, 0x20A}),
    "hash": frozenset({0x20B}),
    "dot": frozenset({52, 83}),
    "enter": frozenset({28, 96, 0x160}),
    "clear": frozenset({14, 111, 0x163}),
    "cancel": frozenset({1, 223}),
    **{f"f{n}": frozenset({58 + n}) for n in range(1, 5)},
    "up": frozenset({103}),
    "down": frozenset({108}),
    "left": frozenset({105}),
    "right": frozenset({106}),
    "menu": frozenset({139}),
}  # fmt: skip
#: The first so many keys unseen and nothing else heard: nobody is there, or it is another device.
SILENT_KEYS = 3


def positions(config: Keypad, keys: frozenset[int]) -> list[str]:
    """What to ask for; of what is usual only what the keypad has (empty `keys`: not known)."""
    if config.keys:
        return list(dict.fromkeys(config.keys))
    return [name for name in USUAL if not keys or POSITIONS[name] & keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one position went. `other` are classes of keys that came instead, once each."""

    position: str
    seen: bool
    other: tuple[KeyClass, ...] = ()


@dataclass(slots=True)
class Findings:
    """What a test found so far, for the screen; `kept` is what may outlive it."""

    steps: list[Step] = field(default_factory=list)
    ended: str = "complete"  #: or silent: nothing came at all; gone: the keypad went away

    @property
    def unseen(self) -> list[str]:
        return [step.position for step in self.steps if not step.seen]

    def kept(self, device: str) -> GuidedTest:
        """Classes and counts."""
        asked = Counter(_class(step.position) for step in self.steps)
        return GuidedTest(device=device, asked=asked, dead=Counter(map(_class, self.unseen)))


class Guide:
    """In the read loop: compares each key with the one asked for, and forgets it."""

    must_forget = False

    def __init__(self) -> None:
        self.came = asyncio.Event()  #: the key that was asked for, or the end
        self.gone = False
        self.heard_any = False
        self._wanted: frozenset[int] = frozenset()
        self._other: dict[KeyClass, None] = {}

    def ask(self, position: str) -> None:
        """Wait for this key from now on."""
        self._wanted = POSITIONS[position]
        self._other.clear()
        if not self.gone:
            self.came.clear()

    @property
    def other(self) -> tuple[KeyClass, ...]:
        """Classes of keys that came instead."""
        return tuple(self._other)

    def heard(self, key: Key, now_s: float) -> None:
        """One event."""
        if key.value != PRESSED or self.came.is_set():
            return
        self.heard_any = True
        if key.code in self._wanted:
            self.came.set()
        else:
            self._other[class_of(key.code)] = None

    def lost(self, down: frozenset[int], now_s: float) -> None:
        """Whoever presses will press again."""

    def found(self, down: frozenset[int], now_s: float) -> None:
        """A key that is down already was not pressed for us."""

    def forget(self) -> None:
        """Nothing is kept of a key."""

    def ended(self, _why: str) -> None:
        """The keypad cannot be read any more."""
        self.gone = True
        self.came.set()


async def walk(
    node: Node,
    asked: list[str],
    *,
    patience_s: float,
    hidden: Callable[[], bool],
    on_ask: Callable[[int, str], None],
    on_step: Callable[[Step], None],
) -> Findings:
    """Ask for each position in turn; every wait ends. Closes `node`. Raises OSError."""
    guide, findings = Guide(), Findings()
    loop = asyncio.get_running_loop()
    reader = Reader(node, guide, now_s=loop.time, hidden=hidden, ended=guide.ended)
    try:
        reader.start()
    except OSError:
        node.close()
        raise
    try:
        for number, position in enumerate(asked, 1):
            guide.ask(position)
            on_ask(number, position)
            try:
                async with asyncio.timeout(patience_s):
                    await guide.came.wait()
            except TimeoutError:
                seen = False
            else:
                seen = not guide.gone
            if guide.gone:
                findings.ended = "gone"
                break
            findings.steps.append(Step(position=position, seen=seen, other=guide.other))
            on_step(findings.steps[-1])
            if number >= SILENT_KEYS and not guide.heard_any:
                findings.ended = "silent"
                break
    finally:
        reader.close()
    return findings


def _class(position: str) -> KeyClass:
    return class_of(next(iter(sorted(POSITIONS[position]))))
