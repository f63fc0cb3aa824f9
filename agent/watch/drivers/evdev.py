"""Linux input events as bytes: what arrived, which class of key it was, what a bitmap of keys says.

Decides where one event ends and the next begins, in both sizes the kernel has, and when events
were lost. Knows no file, no clock and no keypad; keeps no event. A key's code is handed to the
caller and nowhere else: `agent.watch.keypad` folds it into a class within the same read. Sources of
every number: include/uapi/linux/input.h and input-event-codes.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

EV_SYN: Final = 0
EV_KEY: Final = 1
SYN_REPORT: Final = 0
SYN_DROPPED: Final = 3
RELEASED: Final = 0
PRESSED: Final = 1
REPEATED: Final = 2

EV_MAX: Final = 0x1F
KEY_MAX: Final = 0x2FF
#: Bytes of a bitmap with one bit for each key.
KEY_BYTES: Final = KEY_MAX // 8 + 1
_MICROSECONDS: Final = 1_000_000

#: Size of one event -> its layout. 16 bytes for 32-bit processes, even where time_t has 64 bits.
LAYOUTS: Final = {24: struct.Struct("=QQHHi"), 16: struct.Struct("=LLHHi")}
#: What a kernel gives this process: bits of a word of a bitmap, bytes of an event.
WORD_BITS: Final = 8 * struct.calcsize("P")
NATIVE_BYTES: Final = 24 if WORD_BITS == 64 else 16


class KeyClass(StrEnum):
    """All that is ever told of a key."""

    DIGIT = "digit"
    FUNCTION = "function"
    NAVIGATION = "navigation"
    OTHER = "other"


def _codes(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(code for first, last in ranges for code in range(first, last + 1))


#: 1…0, the number block (without its + - and the dot), KEY_NUMERIC_0…9.
DIGITS: Final = _codes((2, 11), (71, 73), (75, 77), (79, 82), (0x200, 0x209))
#: Escape, backspace, both Enters, F1…F24, delete, cancel, OK, clear, * and #.
FUNCTIONS: Final = _codes(
    (1, 1), (14, 14), (28, 28), (55, 55), (96, 96), (59, 68), (87, 88), (183, 194), (111, 111),
    (223, 223), (0x160, 0x160), (0x163, 0x163), (0x20A, 0x20B),
)  # fmt: skip
#: Tab, home, arrows and pages, menu, back, select.
NAVIGATION: Final = _codes((15, 15), (102, 109), (139, 139), (158, 158), (0x161, 0x161))


def class_of(code: int) -> KeyClass:
    """The class of a key."""
    if code in DIGITS:
        return KeyClass.DIGIT
    if code in FUNCTIONS:
        return KeyClass.FUNCTION
    return KeyClass.NAVIGATION if code in NAVIGATION else KeyClass.OTHER


class Key(NamedTuple):
    """A key went down (1), up (0) or repeats (2). Lives as long as the call it is passed to."""

    code: int
    value: int
    at_ms: float  #: by the clock of whoever made the event: good for differences only


class Lost:
    """Events were lost before this point: which keys are down must be asked anew."""


class Nonsense:
    """Bytes that no kernel sends: another layout, or not input events at all."""


LOST: Final = Lost()
NONSENSE: Final = Nonsense()
Found = Key | Lost | Nonsense


class Decoder:
    """Makes events of bytes, however they are cut. One for each open device."""

    def __init__(self, event_bytes: int = NATIVE_BYTES) -> None:
        self._layout = LAYOUTS[event_bytes]
        self._rest = bytearray()  # the beginning of an event whose end has not arrived
        self._deaf = False  # after SYN_DROPPED, up to and with the next SYN_REPORT

    def feed(self, some: memoryview) -> Iterator[Found]:
        """What these bytes complete. The buffer may be reused as soon as this is exhausted."""
        if self._rest:
            taken = min(len(some), self._layout.size - len(self._rest))
            self._rest += some[:taken]
            some = some[taken:]
            if len(self._rest) < self._layout.size:
                return
            yield from self._events(memoryview(self._rest))
            wipe(self._rest)
            self._rest = bytearray()
        whole = len(some) - len(some) % self._layout.size
        yield from self._events(some[:whole])
        self._rest += some[whole:]

    def forget(self) -> None:
        """Drop a half event: the device was closed."""
        wipe(self._rest)
        self._rest = bytearray()
        self._deaf = False

    def _events(self, some: memoryview) -> Iterator[Found]:
        for seconds, micros, kind, code, value in self._layout.iter_unpack(some):
            if kind > EV_MAX or micros >= _MICROSECONDS:
                yield NONSENSE
            elif kind == EV_SYN and code == SYN_DROPPED:
                self._deaf = True
            elif self._deaf:
                if kind == EV_SYN and code == SYN_REPORT:
                    self._deaf = False
                    yield LOST
            elif kind == EV_KEY:
                if code > KEY_MAX or not RELEASED <= value <= REPEATED:
                    yield NONSENSE
                else:
                    yield Key(code, value, seconds * 1000 + micros / 1000)


def wipe(buffer: bytearray) -> None:
    """Overwrite in place: freed memory keeps what was in it."""
    buffer[:] = bytes(len(buffer))


def keys_of(bitmap: bytes | bytearray) -> frozenset[int]:
    """The keys whose bit is set, as EVIOCGKEY and EVIOCGBIT(EV_KEY) answer."""
    return frozenset(
        byte * 8 + bit for byte, bits in enumerate(bitmap) for bit in range(8) if bits >> bit & 1
    )


def bitmap_of(keys: Iterable[int]) -> bytes:
    """The other way round."""
    bitmap = bytearray(KEY_BYTES)
    for key in keys:
        bitmap[key // 8] |= 1 << key % 8
    return bytes(bitmap)


def keys_of_sysfs(text: str, word_bits: int = WORD_BITS) -> frozenset[int]:
    """The keys in `capabilities/key`: hexadecimal words, the highest first. Raises ValueError."""
    words = [int(word, 16) for word in reversed(text.split())]
    return frozenset(
        place * word_bits + bit
        for place, word in enumerate(words)
        for bit in range(word_bits)
        if word >> bit & 1
    )


def has_digits(keys: Iterable[int]) -> bool:
    """Whether this is a keypad: all ten digits, in one of the three ways keyboards number them."""
    held = frozenset(keys)
    blocks = (_codes((2, 11)), _codes((71, 73), (75, 77), (79, 82)), _codes((0x200, 0x209)))
    return any(block <= held for block in blocks)


# -- ioctl numbers ------------------------------------------------------------------------------


def _ioc(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("E") << 8 | number


EVIOCGKEY: Final = _ioc(2, 0x18, KEY_BYTES)
EVIOCGNAME: Final = _ioc(2, 0x06, 256)
EVIOCGBIT_KEY: Final = _ioc(2, 0x20 + EV_KEY, KEY_BYTES)
EVIOCSCLOCKID: Final = _ioc(1, 0xA0, 4)
