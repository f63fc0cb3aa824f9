"""The control language simulators share: `SUBJECT WORD` switches, acts or sets a number.

Knows no simulator: each brings its words as tables and what its `status` says. How an order comes
in is `agent.sim.orders`'s.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from agent.sim.orders import taken_at


class Switched(Protocol):
    """Whatever has conditions that are changed by name."""

    def switch(self, **changes: object) -> None: ...


T = TypeVar("T", bound=Switched)
D = TypeVar("D", bound=AbstractAsyncContextManager[Any])


class Language(Generic[T]):
    """The words of one kind of simulator."""

    def __init__(
        self,
        *,
        switches: Mapping[str, Mapping[str, Mapping[str, object]]],
        actions: Mapping[tuple[str, str], Callable[[T], None]],
        status: Callable[[T], Mapping[str, object]],
        numbers: Mapping[str, tuple[str, float, float, type]] | None = None,
        others: Mapping[str, tuple[str, Callable[[T, str], str]]] | None = None,
    ) -> None:
        """`switches`: subject -> word -> the conditions it sets; `numbers`: subject -> what it
        sets, least and most, and its type; `others`: subject -> how help writes it, and what
        answers it."""
        self._switches = switches
        self._actions = actions
        self._status = status
        self._numbers = numbers or {}
        self._others = others or {}

    def obey(self, device: T, command: str) -> str:
        """Carry out one line; the answer starts `ok`, `error` or is JSON."""
        subject, _, word = command.strip().lower().partition(" ")
        word = word.strip()
        if (subject, word) in self._actions:
            self._actions[subject, word](device)
            return "ok"
        if word in self._switches.get(subject, {}):
            device.switch(**self._switches[subject][word])
            return "ok"
        if subject in self._numbers:
            return self._number(device, subject, word)
        if subject in self._others:
            return self._others[subject][1](device, word)
        if (subject, word) == ("status", ""):
            return json.dumps(self._status(device))
        if subject == "help":
            return f"ok {self.words()}"
        return f"error: {command.strip()!r} is not one of: {self.words()}"

    def words(self) -> str:
        """All of it, as `help` lists it."""
        found = {subject: list(switches) for subject, switches in self._switches.items()}
        for subject, word in self._actions:
            found.setdefault(subject, []).append(word)
        listed = [f"{one} {'|'.join(filter(None, some))}".strip() for one, some in found.items()]
        listed += [f"{subject} NUMBER" for subject in self._numbers]
        listed += [written for written, _ in self._others.values()]
        return ", ".join([*listed, "status", "help"])

    def _number(self, device: T, subject: str, word: str) -> str:
        name, least, most, kind = self._numbers[subject]
        try:
            value = kind(word)
        except ValueError:
            value = most + 1
        if not least <= value <= most:
            return f"error: {subject} needs a number between {least:g} and {most:g}"
        device.switch(**{name: value})
        return "ok"


async def serve(
    device: D,
    obey: Callable[[D, str], str],
    control_path: Path,
    stop: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run it, orders given at `control_path` obeyed, until `stop` is set.

    Calls `ready` once it can be talked to. Raises OSError when another simulator already listens
    at `control_path`, before the device's port is taken, or when that is taken.
    """

    async def answer(order: str) -> str:
        return obey(device, order)

    async with taken_at(control_path, answer), device:
        ready()
        await stop.wait()
