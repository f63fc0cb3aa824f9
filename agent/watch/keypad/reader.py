"""The read loop: bytes of an open keypad in, classes and counts out, nothing else.

The only place where a key's code exists. Each read is decoded, folded and wiped before the loop
goes on; what the fold tells has no key, order or time in it. Runs on the event loop without a
thread, and wakes only when a key moves. Called by `agent.watch.keypad.watcher` and by the guided
test.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from agent.watch.drivers.evdev import NATIVE_BYTES, Decoder, Key, Lost, wipe
from agent.watch.keypad.node import Node

EVENTS_AT_ONCE = 64
#: A key that was let go is remembered for this long, to tell a bounce from a second press.
FORGET_AFTER_S = 0.1


class Fold(Protocol):
    """Who makes something harmless of keys, at once: `agent.watch.keypad.fold`, or the guide."""

    @property
    def must_forget(self) -> bool:
        """Whether something is kept of keys that are up again."""
        ...

    def heard(self, key: Key, now_s: float) -> None: ...

    def lost(self, down: frozenset[int], now_s: float) -> None: ...

    def found(self, down: frozenset[int], now_s: float) -> None: ...

    def forget(self) -> None: ...


class Reader:
    """One open keypad. `ended` is called once with why, when it can no longer be read."""

    def __init__(
        self,
        node: Node,
        fold: Fold,
        *,
        now_s: Callable[[], float],
        hidden: Callable[[], bool],
        ended: Callable[[str], None],
        event_bytes: int = NATIVE_BYTES,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        """`hidden` is asked before every read: while it says so, not a byte is taken in. `moved`
        is called whenever other keys may be down than before."""
        self._node = node
        self._fold = fold
        self._now_s = now_s
        self._hidden = hidden
        self._ended = ended
        self._moved = moved
        self._decoder = Decoder(event_bytes)
        self._buffer = bytearray(EVENTS_AT_ONCE * event_bytes)
        self._forgetting: asyncio.TimerHandle | None = None
        self._open = False

    def start(self) -> None:
        """Take in which keys are down already, and read from now on. Raises OSError."""
        self._fold.found(self._node.down(), self._now_s())
        asyncio.get_running_loop().add_reader(self._node.fd, self._readable)
        self._open = True

    def close(self) -> None:
        """Stop reading and forget every key."""
        if not self._open:
            return
        self._open = False
        asyncio.get_running_loop().remove_reader(self._node.fd)
        self._node.close()
        self._forget()
        self._fold.found(frozenset(), self._now_s())
        self._moved()
        self._decoder.forget()

    def _readable(self) -> None:
        if self._hidden():
            self._end("hidden")
            return
        try:
            size = os.readv(self._node.fd, [self._buffer])
        except BlockingIOError:
            return
        except OSError:  # ENODEV: unplugged; EIO and the like: as good as that
            size = 0
        if not size:
            self._end("gone")
            return
        try:
            sense = self._take(size)
        except OSError:  # asked which keys are down, and gone meanwhile
            self._end("gone")
            return
        finally:
            wipe(self._buffer)
        self._moved()
        if not sense:
            self._end("nonsense")
        elif self._fold.must_forget:
            if self._forgetting is not None:
                self._forgetting.cancel()
            self._forgetting = asyncio.get_running_loop().call_later(FORGET_AFTER_S, self._forget)

    def _take(self, size: int) -> bool:
        """Fold what was read; False if a kernel would not have sent it."""
        for found in self._decoder.feed(memoryview(self._buffer)[:size]):
            match found:
                case Key():
                    self._fold.heard(found, self._now_s())
                case Lost():
                    self._fold.lost(self._node.down(), self._now_s())
                case _:
                    return False
        return True

    def _forget(self) -> None:
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        self._fold.forget()

    def _end(self, why: str) -> None:
        self.close()
        self._ended(why)
