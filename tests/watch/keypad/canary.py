"""A key sequence set out as a canary, and the search for it: in bytes, and in a process's objects.

The same search is run over what must not hold it and over a watcher made to keep it. It is imported
by a process that must not hold the canary itself: the needles are given to it, never kept here.
"""

from __future__ import annotations

import gc
import struct
import types
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Which keys were pressed, at which times, as an observer of the line would know it."""

    codes: tuple[int, ...]
    at_us: tuple[int, ...]  #: of each press

    @property
    def digits(self) -> str:
        return "".join(str(code - 0x200) for code in self.codes)


def numeric(digits: str, start_us: int) -> Canary:
    """KEY_NUMERIC_0…9: codes that no other number of a small program happens to be."""
    at_us = tuple(start_us + place * 137_911 for place in range(len(digits)))
    return Canary(codes=tuple(0x200 + int(digit) for digit in digits), at_us=at_us)


def forms(canary: Canary) -> dict[str, bytes]:
    """Each way the sequence, one of its keys or one of its times could lie in a file or memory."""
    codes = canary.codes
    found = {
        "digits": canary.digits.encode(),
        "digits in UTF-16": canary.digits.encode("utf-16-le"),
        "digits reversed": canary.digits[::-1].encode(),
        "codes as bytes": b"".join(struct.pack("=H", code) for code in codes),
        "codes as ints": b"".join(struct.pack("=i", code) for code in codes),
        "codes as longs": b"".join(struct.pack("=q", code) for code in codes),
    }
    for name, one in (("decimal", str), ("hexadecimal", "{:x}".format), ("0x", hex)):
        for separator in (",", ", ", " ", "\n", "-"):
            found[f"{name} {separator!r}"] = separator.join(
                one(code) for code in codes[:4]
            ).encode()
    for place, (code, at_us) in enumerate(zip(codes, canary.at_us, strict=True)):
        seconds, micros = divmod(at_us, 1_000_000)
        found[f"event {place} of 24 bytes"] = struct.pack("=QQHH", seconds, micros, 1, code)
        found[f"event {place} of 16 bytes"] = struct.pack("=LLHH", seconds, micros, 1, code)
        found[f"time {place} in us"] = str(at_us).encode()
        found[f"time {place} in ms"] = str(at_us // 1000).encode()
        found[f"time {place} with a dot"] = f"{seconds}.{micros:06}"[:-2].encode()
        found[f"time {place} packed"] = struct.pack("=QQ", seconds, micros)
        found[f"time {place} as a float"] = struct.pack("=d", at_us / 1000)
    return found


def seen(canary: Canary, data: bytes) -> list[str]:
    """The forms in which it is in these bytes."""
    return [name for name, form in forms(canary).items() if form in data]


def in_objects(canary: Canary, roots: Iterable[Any] | None = None, *, own: int = 2) -> list[str]:
    """Where it is in everything reachable from `roots` (None: the whole process).

    A time of a press anywhere, two codes in one container, or the sequence in a text. With `own` 1
    a single code in a container counts, which only a small graph can stand.
    """
    codes, times = set(canary.codes), set(_times(canary))
    mine = {id(canary), id(canary.codes), id(canary.at_us), id(codes), id(times)}
    texts = (canary.digits, canary.digits[::-1])
    patterns = list(forms(canary).values())
    mine |= {id(patterns), id(texts)}
    found: list[str] = []
    for one in _reachable(gc.get_objects() if roots is None else roots, mine):
        match one:
            case bool():
                continue
            case int() | float():
                if one in times:
                    found.append(f"time {one!r}")
            case str():
                if any(text in one for text in texts):
                    found.append(f"text {one[:80]!r}")
            case bytes() | bytearray():
                if any(pattern in one for pattern in patterns):
                    found.append(f"bytes {bytes(one[:40])!r}")
            case dict() if "__spec__" in one and not str(one.get("__name__")).startswith("agent"):
                continue  # constants of a library: sqlite3 numbers its errors like keys
            case list() | tuple() | set() | frozenset() | deque() | dict():
                held = [*one, *one.values()] if isinstance(one, dict) else list(one)
                hits = [each for each in held if type(each) is int and each in codes]
                if len(hits) >= own:
                    found.append(f"{type(one).__name__} with {len(hits)} codes: {one!r:.200}")
    return found


def _times(canary: Canary) -> Iterator[float]:
    for at_us in canary.at_us:
        yield from (at_us, at_us // 1000, at_us / 1000, at_us / 1_000_000)
        yield float(at_us // 1_000_000 * 1000 + at_us % 1_000_000 / 1000)


#: Where a walk does not go on: code is not state. A walk over the whole process has had the
#: dictionaries of modules and classes from the start.
_NOT_INTO = (types.ModuleType, types.CodeType, types.FrameType, type)


def _reachable(roots: Iterable[Any], mine: set[int]) -> Iterator[Any]:
    """Every object once. Static tables of codes are known by identity and passed over."""
    from agent.watch.drivers import evdev
    from agent.watch.keypad import guide

    tables: Sequence[Any] = (
        evdev.DIGITS, evdev.FUNCTIONS, evdev.NAVIGATION, guide.POSITIONS, *guide.POSITIONS.values()
    )  # fmt: skip
    known = {id(one) for one in tables} | mine
    waiting = list(roots)
    known |= {id(waiting), id(known)}
    while waiting:
        one = waiting.pop()
        if id(one) in known or isinstance(one, _NOT_INTO):
            continue
        known.add(id(one))
        yield one
        if isinstance(one, types.FunctionType):  # what it closes over, but not its module
            waiting += [one.__closure__, one.__defaults__, one.__kwdefaults__]
        else:
            waiting += gc.get_referents(one)
