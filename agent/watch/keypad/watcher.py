"""The keypad watcher: is it there, does a key stay down, does one press count twice.

Decides what is told of a keypad: whether it is there, classes of keys and counts. Which keys were
pressed it never learns; `agent.watch.keypad.reader` keeps that to itself. A device on which PINs
are entered is not opened. The watcher runner calls `read`; in between, keys wake nothing but the
reader.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agent.blocking import Blocking
from agent.config.devices import Keypad
from agent.core.health.reading import NotObservable, Outcome, Reading, Unknown
from agent.link.opening import Opening
from agent.watch.drivers.evdev import NATIVE_BYTES
from agent.watch.keypad import node, tested
from agent.watch.keypad.combination import Combination
from agent.watch.keypad.fold import Fold
from agent.watch.keypad.node import Node, NoKeypadError
from agent.watch.keypad.reader import Reader
from agent.watch.keypad.told import Told

OPEN_DEADLINE_S = 5.0
#: A key suspected to be stuck is believed to be after this much longer. Nobody holds one that long.
CONFIRMED_LATER_S = 20.0
#: While the keypad is away it is looked for this often, so that its return shows within 2 s...
LOOK_EVERY_S = 1.0
#: ...for this long; afterwards `period_s` must do.
LOOK_FOR_S = 600.0
#: After bytes no kernel sends, the device is left alone for this long.
NONSENSE_REST_S = 60.0
#: The result of the guided test lies on flash and changes once a year.
TESTED_EVERY_S = 60.0


class Source(Protocol):
    """Where the keypad comes from: `Device`, or a stand-in in tests."""

    def there(self) -> bool:
        """Whether it is there; quick, and opens nothing."""
        ...

    def open(self) -> Node | None:
        """Open it; None while it is not there. May block. Raises NoKeypadError."""
        ...


class Device:
    """The keypad the configuration names."""

    def __init__(self, config: Keypad) -> None:
        self._config = config

    def there(self) -> bool:
        try:
            return node.locate(self._config) is not None
        except NoKeypadError:
            return True

    def open(self) -> Node | None:
        place = node.locate(self._config)
        return None if place is None else node.open_node(self._config, place)


class KeypadWatcher:
    """One keypad, read through a descriptor kept open between reads."""

    component = "keypad"
    deadline_s = 2 * OPEN_DEADLINE_S + 1.0

    def __init__(
        self,
        config: Keypad,
        state_dir: Path,
        blocking: Blocking,
        *,
        source: Source | None = None,
        now_s: Callable[[], float] = time.monotonic,
        event_bytes: int = NATIVE_BYTES,
    ) -> None:
        self.period_s = config.period_s
        self._config = config
        self._blocking = blocking
        self._now_s = now_s
        self._event_bytes = event_bytes
        self._fold = Fold(config.stuck_after_s, config.stuck_after_s + CONFIRMED_LATER_S)
        self._told = Told()
        self._tests = _Tests(config, state_dir, blocking, now_s)
        self._moved: Callable[[], None] = lambda: None
        self._reader: Reader | None = None
        self._rests_until_s = 0.0
        self._absence = _Absence(config, source or Device(config), now_s)

    def combined(self, names: Sequence[str], hold_s: float, pressed: Callable[[], object]) -> None:
        """`pressed` is called when these keys were held together for so long."""
        self._moved = Combination(names, hold_s, self._fold.down, pressed).moved

    def heed(self, changed: Callable[[], None]) -> None:
        """`changed` is called when a read would tell something new at once."""
        self._absence.changed = changed

    async def read(self) -> Outcome:
        """What may be told of the keypad now, or why nothing can be."""
        test = await self._tests.last()
        if self._reader is None:
            nothing = await self._open()
            if nothing is not None:
                return nothing
        now_s = self._now_s()
        return Reading(
            values=self._told.values(self._fold.summary(now_s), test, now_s),
            evidence=self._evidence(),
        )

    async def close(self) -> None:
        """Let go of the device and stop looking for it."""
        self._absence.over()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    async def _open(self) -> Outcome | None:
        """Open it; None when that worked, else what to say."""
        if self._now_s() < self._rests_until_s:
            return self._nonsense()
        if self._absence.hidden():
            return self._away()
        opening = Opening(self._absence.source.open, _let_go)
        try:
            found = await self._blocking.call("keypad.open", opening.run, OPEN_DEADLINE_S)
        except TimeoutError:
            opening.abandon()
            return Unknown(
                "opening the keypad hangs in its driver: unplug and replug it, or restart the "
                "terminal",
                evidence=self._evidence(),
            )
        except NoKeypadError as nothing:
            return self._refused(nothing)
        except BaseException:
            opening.abandon()
            raise
        return self._away() if found is None or not self._begin(found) else None

    def _begin(self, found: Node) -> bool:
        """Read from now on; False if it went away meanwhile."""
        reader = Reader(
            found,
            self._fold,
            now_s=self._now_s,
            hidden=self._absence.hidden,
            ended=self._ended,
            event_bytes=self._event_bytes,
            moved=self._moved,
        )
        try:
            reader.start()
        except OSError:
            found.close()
            return False
        self._absence.over()
        self._reader = reader
        return True

    def _ended(self, why: str) -> None:
        self._reader = None
        if why == "nonsense":
            self._rests_until_s = self._now_s() + NONSENSE_REST_S
        else:
            self._absence.begins()
        if self._absence.changed is not None:
            self._absence.changed()

    def _away(self) -> Outcome:
        """Not there, or hidden; looked for from now on."""
        self._absence.begins()
        if self._absence.hidden():
            return Reading(values={"present": True, "paused": True}, evidence=self._evidence())
        return Reading(values={"present": False}, evidence=self._evidence())

    def _nonsense(self) -> Outcome:
        evidence = self._evidence() | {"finding": "nonsense"}
        reason = "what arrives is not input events of this machine: check [keypad] device"
        return Unknown(reason, "device.interface_mismatch", evidence)

    def _refused(self, nothing: NoKeypadError) -> Outcome:
        match nothing.finding:
            case "gone":
                return self._away()
            case "pin_pad":
                return NotObservable(
                    f"{nothing.reason}: a PIN pad is never read, only whether it is there"
                )
            case "permission":
                self._absence.begins()  # udev sets the group a moment after the device appears
        return Unknown(
            nothing.reason, nothing.code, self._evidence() | {"finding": nothing.finding}
        )

    def _evidence(self) -> dict[str, str]:
        if self._config.device:
            return {"device": self._config.device}
        return {"device": f"name={self._config.name}"}


class _Tests:
    """The result of the last guided test, looked up now and then."""

    def __init__(
        self, config: Keypad, state_dir: Path, blocking: Blocking, now_s: Callable[[], float]
    ) -> None:
        self._device = config.device or config.name
        self._state_dir = state_dir
        self._blocking = blocking
        self._now_s = now_s
        self._last: tested.GuidedTest | None = None
        self._due_s = 0.0

    async def last(self) -> tested.GuidedTest | None:
        """The last test of this keypad, at most a minute old news."""
        if self._now_s() >= self._due_s:
            self._due_s = self._now_s() + TESTED_EVERY_S
            with suppress(TimeoutError):  # a hanging storage is the system watcher's to tell
                self._last = await self._blocking.call(
                    "keypad.tested",
                    lambda: tested.read(self._state_dir, self._device),
                    OPEN_DEADLINE_S,
                )
        return self._last


class _Absence:
    """Whether the keypad may be read at all, and looking for it while it is away."""

    def __init__(self, config: Keypad, source: Source, now_s: Callable[[], float]) -> None:
        self.source = source
        self.changed: Callable[[], None] | None = None
        self._pause_file = Path(config.pause_file) if config.pause_file else None
        self._config = config
        self._now_s = now_s
        self._since_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def hidden(self) -> bool:
        """Whether the payment app says that a PIN is being entered."""
        return node.hidden(self._config)

    def begins(self) -> None:
        """It is away: look for it, if anybody wants to hear of its return."""
        if self._since_s is None:
            self._since_s = self._now_s()
        if self._timer is None and self.changed is not None:
            self._look_later()

    def over(self) -> None:
        """It is back, or nobody looks any more."""
        self._since_s = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        if self._since_s is not None and self._now_s() - self._since_s < LOOK_FOR_S:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self.hidden() and self.source.there() and self.changed is not None:
            self.changed()
        self._look_later()  # until a read opened it


def _let_go(found: Node | None) -> None:
    if found is not None:
        found.close()
