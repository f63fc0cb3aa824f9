"""The simulated acquirer's book: what was posted, taken back, uploaded and settled.

One line of one synced file per effect, written before anybody hears of it. It knows a payment by
terminal, merchant, batch and STAN, as such hosts do, and it decides field 39: a repeat of a request
is 94, a repeat of an advice gets its first answer again, a reversal of what it never had is 25 and
keeps the late original out. It knows messages, no bytes and no connections.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.core.money.iso8583 import Message, answer_mti
from agent.errors import OperatorError

#: terminal, merchant, batch, STAN
Identity = tuple[str, str, str, str]

#: UnionPay field 60: type 2, batch 6, network code 3.
KEYS_62 = "A1" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: an effect on somebody's money, or a reversal, upload or settlement."""

    seq: int
    what: str  #: posted, reversed, uploaded, settled
    mti: str
    terminal_id: str
    merchant_id: str
    batch: str
    stan: str
    amount_minor: int
    code: str
    rrn: str
    at_ms: int

    @property
    def identity(self) -> Identity:
        return self.terminal_id, self.merchant_id, self.batch, self.stan


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What somebody comparing two sides wants to see of a book."""

    posted: int
    reversed: int
    uploaded: int
    settled: int
    net_minor: int
    duplicates: tuple[str, ...]  #: `terminal/batch/stan` of what was posted more than once


class Book:
    """Entries in memory and, with a path, in an append-only file of JSON lines."""

    def __init__(
        self, path: Path | None, now_ms: Callable[[], int], *,
        sync: bool = True, ignore_duplicates: bool = False,
    ) -> None:  # fmt: skip
        self._now_ms = now_ms
        self._sync = sync
        self._ignore_duplicates = ignore_duplicates
        self._entries: list[Entry] = []
        self._posted: dict[Identity, Entry] = {}
        self._reversed: set[Identity] = set()
        self._fd: int | None = None
        if path is not None:
            for entry in read_book(path):
                self._index(entry)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def entries(self) -> list[Entry]:
        """A copy, oldest first."""
        return list(self._entries)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def answer(self, asked: Message, code: str = "00", *, post: bool = True) -> Message:
        """Do what the message asks (unless `post` is False) and answer it; `code` is what a new
        payment is answered."""
        match asked.mti[1]:
            case "1" | "2":
                said = self._payment(asked, code, post)
            case "4":
                said = self._reversal(asked, post)
            case "3":
                said = self._noted(asked, "uploaded", post)
            case "5":
                said = self._noted(asked, "settled", post)
            case _:
                said = "00", ""
        return _answer(asked, said[0], said[1] or f"{len(self._entries):012d}")

    def _payment(self, asked: Message, code: str, post: bool) -> tuple[str, str]:
        identity = identity_of(asked)
        known = self._posted.get(identity)
        if not self._ignore_duplicates:
            if identity in self._reversed:
                return "94", ""
            if known is not None:
                advice = asked.mti[2] == "2" or asked.mti[3] == "1"
                return (known.code, known.rrn) if advice else ("94", known.rrn)
        if asked.get("61") and self._original(asked) is None:
            return "25", ""
        if not post or code not in ("00", "10", "11"):
            return code, ""
        entry = self._append("posted", asked, code)
        return code, entry.rrn

    def _original(self, asked: Message) -> Entry | None:
        """UnionPay field 61: batch and STAN of the payment a void or completion is about."""
        terminal, merchant, _, _ = identity_of(asked)
        reference = asked.get("61")
        return self._posted.get((terminal, merchant, reference[:6], reference[6:12]))

    def _reversal(self, asked: Message, post: bool) -> tuple[str, str]:
        identity = identity_of(asked)
        known = self._posted.get(identity)
        if identity in self._reversed:
            return ("00" if known else "25"), ""
        if not post:
            return "00", ""
        entry = self._append("reversed", asked, "00" if known else "25")
        return entry.code, entry.rrn

    def _noted(self, asked: Message, what: str, post: bool) -> tuple[str, str]:
        return "00", self._append(what, asked, "00").rrn if post else ""

    def _append(self, what: str, asked: Message, code: str) -> Entry:
        terminal, merchant, batch, stan = identity_of(asked)
        amount = asked.get("4")
        seq = len(self._entries) + 1
        entry = Entry(
            seq=seq, what=what, mti=asked.mti, terminal_id=terminal, merchant_id=merchant,
            batch=batch, stan=stan, amount_minor=int(amount) if amount.isdecimal() else 0,
            code=code, rrn=f"{seq:012d}", at_ms=self._now_ms(),
        )  # fmt: skip
        if self._fd is not None:
            os.write(self._fd, json.dumps(asdict(entry), separators=(",", ":")).encode() + b"\n")
            if self._sync:
                os.fsync(self._fd)
        self._index(entry)
        return entry

    def _index(self, entry: Entry) -> None:
        self._entries.append(entry)
        if entry.what == "posted":
            self._posted.setdefault(entry.identity, entry)
        elif entry.what == "reversed":
            self._reversed.add(entry.identity)


def identity_of(message: Message) -> Identity:
    """Whose payment a message is about; the batch stands in field 60."""
    return message.get("41"), message.get("42"), message.get("60")[2:8], message.get("11")


def _answer(asked: Message, code: str, rrn: str) -> Message:
    kept = ("3", "4", "11", "41", "42", "49", "60")
    fields = {number: asked.fields[number] for number in kept if number in asked.fields}
    fields |= {"12": "120000", "13": "1101", "37": rrn, "39": code}
    if asked.mti[1] == "8" and asked.get("60")[8:11] == "003":
        fields["62"] = KEYS_62
    return Message(answer_mti(asked.mti), fields)


def read_book(path: Path) -> list[Entry]:
    """Every whole line of a book's file, also of a running or a killed acquirer."""
    if not path.exists():
        return []
    raw = path.read_bytes()
    found: list[Entry] = []
    for number, line in enumerate(raw[: raw.rfind(b"\n") + 1].splitlines(), 1):
        try:
            fields: dict[str, Any] = json.loads(line)
            found.append(Entry(**fields))
        except (ValueError, TypeError) as error:
            raise OperatorError(
                "sim.ledger_damaged", f"line {number} of the book {path} is none: {error}"
            ) from error
    return found


def sums(entries: Iterable[Entry]) -> Sums:
    """Counts, the money that moved, and what moved twice."""
    every = list(entries)
    counts: Mapping[str, int] = Counter(entry.what for entry in every)
    posted = [entry for entry in every if entry.what == "posted"]
    taken_back = {e.identity for e in every if e.what == "reversed" and e.code == "00"}
    times = Counter(f"{e.terminal_id}/{e.batch}/{e.stan}" for e in posted)
    return Sums(
        posted=len(posted),
        reversed=len(taken_back),
        uploaded=counts.get("uploaded", 0),
        settled=counts.get("settled", 0),
        net_minor=sum(e.amount_minor for e in posted if e.identity not in taken_back),
        duplicates=tuple(sorted(name for name, count in times.items() if count > 1)),
    )
