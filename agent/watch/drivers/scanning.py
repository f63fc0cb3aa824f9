"""What all scanner drivers share: questions, what came back, and codes that are only ever counted.

Decides how a stretch of bytes that is no reply is counted: as good reads, as reads that failed, or
as bytes no scanner sends. A scanned code can be a payment code, so nothing here gives one back or
keeps one: only numbers leave. Refuses to know ports and time. The drivers of each maker build on
it; `agent.watch.scanner` is who asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Protocol

from agent.record import dataclass

#: What some scanners send for a try without a code, where that is switched on.
NO_READ = b"NR"
#: What ends a code: CR, LF, TAB, or ETX where codes are framed.
ENDS = frozenset(b"\r\n\t\x03")
#: Control bytes that codes or their frames may hold: SOH, STX, EOT, ENQ, ACK, NAK, FS, GS, RS, US.
_IN_CODES = frozenset(b"\x01\x02\x04\x05\x06\x15\x1c\x1d\x1e\x1f")
FIELD_MAX_CHARS = 64


class Verdict(StrEnum):
    """What has come back since one question was sent."""

    WAITING = "waiting"  #: nothing that answers it yet
    ANSWERED = "answered"
    REFUSED = "refused"  #: a reply all the same: it is there, and does not know the question
    OTHER = "other"  #: the reply to another question: whose is whose cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a scanner says of itself; "" and None: it did not say."""

    model: str = ""
    firmware: str = ""
    serial: str = ""
    battery_percent: int | None = None
    failed: tuple[str, ...] = ()  #: parts whose own test failed
    tested: bool = False  #: it told what its own tests found

    def with_more(self, more: About) -> About:
        """Both together; what was said later counts."""
        battery = self.battery_percent if more.battery_percent is None else more.battery_percent
        return About(
            model=more.model or self.model,
            firmware=more.firmware or self.firmware,
            serial=more.serial or self.serial,
            battery_percent=battery,
            failed=(*self.failed, *more.failed),
            tested=self.tested or more.tested,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Codes that came by, as numbers."""

    reads: int = 0
    no_reads: int = 0
    strange_bytes: int = 0  #: bytes that belong to no code in any character set we know


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What everything received since one question amounts to."""

    verdict: Verdict
    about: About = field(default_factory=About)
    counts: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Bytes to send and how to know their reply."""

    name: str
    sent: bytes
    judge: Callable[[bytes], Judgement]
    again: bytes = b""  #: sent once more, as this, where nothing came: it may have slept
    always: bool = False  #: sent even when an earlier question failed: it leaves a mode


class Counter(Protocol):
    """Counts codes in a stream and keeps none of it."""

    def feed(self, received: bytes) -> Counts:
        """What these bytes ended."""
        ...

    def quiet(self) -> Counts:
        """The line has been still: what has no end mark is over, too."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family of scanners is asked. `name` is that of the configuration."""

    name: str
    questions: tuple[Question, ...]
    counter: Callable[[], Counter]


class TextCounter:
    """Counts codes that end in CR, LF, TAB or ETX. Keeps a length and how far it reads `NR`."""

    def __init__(self) -> None:
        self._length = 0
        self._matching = True

    def feed(self, received: bytes) -> Counts:
        """What these bytes ended."""
        reads = no_reads = 0
        for byte in received:
            if byte in ENDS:
                ended = self.quiet()
                reads += ended.reads
                no_reads += ended.no_reads
            elif byte != 0x02:  # STX before a framed code is no part of it
                at = self._length
                self._matching &= at < len(NO_READ) and byte == NO_READ[at]
                self._length += 1
        return Counts(reads=reads, no_reads=no_reads)

    def quiet(self) -> Counts:
        """The run so far is a code, too: not every scanner sends an end mark."""
        length, failed = self._length, self._matching and self._length == len(NO_READ)
        self._length, self._matching = 0, True
        if not length:
            return Counts()
        return Counts(no_reads=1) if failed else Counts(reads=1)


def counted(text: bytes) -> Counts:
    """Codes and strange bytes in a stretch that is no reply."""
    strange = strange_bytes(text)
    if strange:
        return Counts(strange_bytes=strange)
    counter = TextCounter()
    ended, last = counter.feed(text), counter.quiet()
    return Counts(reads=ended.reads + last.reads, no_reads=ended.no_reads + last.no_reads)


def counted_before(mark: bytes, received: bytes) -> Counts:
    """As `counted`, up to where a reply begins that is still coming in: it is no code."""
    begins = received.find(mark)
    return counted(received if begins < 0 else received[:begins])


def strange_bytes(text: bytes) -> int:
    """How many bytes no code holds: odd controls, or bytes that are neither UTF-8 nor GB18030."""
    odd = sum(byte < 0x20 and byte not in ENDS and byte not in _IN_CODES for byte in text)
    odd += text.count(0x7F)
    if odd:
        return odd
    high = sum(byte >= 0x80 for byte in text)
    return high if high and not (_reads_as(text, "utf-8") or _reads_as(text, "gb18030")) else 0


def _reads_as(text: bytes, charset: str) -> bool:
    try:
        words = text.decode(charset)
    except UnicodeDecodeError:
        return False
    # Noise at a wrong speed often passes for rare characters: only those in common use count.
    return all(one < "\x80" or "\u4e00" <= one <= "\u9fff" or _common(one) for one in words)


def _common(one: str) -> bool:
    return "\u00a1" <= one <= "\u024f" or "\u3000" <= one <= "\u303f" or "\uff00" <= one <= "\uffef"


def around(received: bytes, start: int, end: int) -> Counts:
    """Codes before and after the reply that stands in `received[start:end]`."""
    before, after = counted(received[:start]), counted(received[end:])
    return Counts(
        reads=before.reads + after.reads,
        no_reads=before.no_reads + after.no_reads,
        strange_bytes=before.strange_bytes + after.strange_bytes,
    )


#: What the labels of identity texts stand for, lower case; the first that fits names the field.
LABELS: tuple[tuple[str, str], ...] = (
    ("product name", "model"),
    ("product model", "model"),
    ("model", "model"),
    ("software revision", "firmware"),
    ("firmware", "firmware"),
    ("decoder", "firmware"),
    ("serial n", "serial"),
    ("esn", "serial"),
    ("battery", "battery"),
)
_PERCENT = re.compile(r"\b(\d{1,3})\s*%?")


def about_text(pairs: Mapping[str, str]) -> About:
    """The identity in `label: value` pairs, whichever words a maker uses for it."""
    found: dict[str, str] = {}
    for label, value in pairs.items():
        wanted = next((to for word, to in LABELS if label.lower().startswith(word)), "")
        clean = plain(value.encode("utf-8"))
        if wanted and clean:
            found.setdefault(wanted, clean)
    level = _PERCENT.match(found.get("battery", ""))
    percent = int(level[1]) if level else None
    return About(
        model=found.get("model", ""),
        firmware=found.get("firmware", ""),
        serial=found.get("serial", ""),
        battery_percent=percent if percent is not None and percent <= 100 else None,
    )


def plain(raw: bytes) -> str:
    """A field as it may be shown: printable, trimmed, of bounded length."""
    text = raw.decode("utf-8", "replace")
    return "".join(one if one.isprintable() else " " for one in text).strip()[:FIELD_MAX_CHARS]
