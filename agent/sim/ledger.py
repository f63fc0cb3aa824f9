"""The reference host's ledger: what was posted, under which key, with which answer.

Decides one thing: whether a post is new, a repeat of the same payment or another payment under a
used key. A posting, the fingerprint of what was asked and the answer given are one line of one
file, synced before anybody hears of it: the three cannot come apart, which is the first promise
of the receiver contract (docs/contracts/receiver.md). It knows nothing of HTTP and of faults.

Called by the reference host; the file is read from outside by rigs, tests and the demo
(`read_ledger`), also while the host is running or dead.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.errors import OperatorError

#: What the receiver contract asks for at least: 180 days.
KEY_WINDOW_S = 180 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One post as it arrived: everything that makes it this payment and no other."""

    terminal_id: str
    key: str
    merchant_id: str
    kind: str
    posting: str
    amount_minor: int | None
    currency: str | None
    content_type: str
    body: bytes

    def fingerprint(self) -> str:
        """SHA-256 over every field; a backend that stores card data must use a keyed hash."""
        digest = hashlib.sha256()
        fields = (
            self.terminal_id,
            self.key,
            self.merchant_id,
            self.kind,
            self.posting,
            "" if self.amount_minor is None else str(self.amount_minor),
            self.currency or "",
            self.content_type,
        )
        # Length-prefixed: no two different lists of fields run together into the same bytes.
        for part in (*(field.encode() for field in fields), self.body):
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One line of the ledger: the effect, the proof of what was asked, the answer."""

    seq: int
    terminal_id: str
    key: str
    merchant_id: str
    kind: str
    posting: str
    amount_minor: int | None
    currency: str | None
    fingerprint: str
    status: str  #: "posted" or "declined"
    reference: str
    response_code: str
    rrn: str
    posted_at: str  #: RFC 3339, UTC
    posted_wall_ms: int
    attempt: int  #: what the `Attempt` header said: 2 and more were repeats
    posted_amount_minor: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What somebody comparing two sides wants to see of a ledger."""

    posted: int
    declined: int
    by_currency: Mapping[str, int]
    duplicates: tuple[str, ...]  #: `terminal/key` of every payment posted more than once


class Ledger:
    """Postings in memory and, with a path, in an append-only file of JSON lines.

    `find` honours the window: a key older than that is forgotten, as it is at a real host, and a
    repeat of it posts again. That is why the agent stops resending at 80 % of the window.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        key_window_s: float = KEY_WINDOW_S,
        now_ms: Callable[[], int],
        sync: bool = True,
    ) -> None:
        self._key_window_ms = round(key_window_s * 1000)
        self._now_ms = now_ms
        self._sync = sync
        self._postings: list[Posting] = []
        self._newest: dict[tuple[str, str], Posting] = {}
        self._fd: int | None = None
        if path is not None:
            self._open(path)

    def _open(self, path: Path) -> None:
        postings, whole_bytes = _parse(path) if path.exists() else ([], 0)
        for posting in postings:
            self._index(posting)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # A torn last line was never answered: the answer leaves only after the sync.
        os.ftruncate(self._fd, whole_bytes)
        if self._sync:
            os.fsync(self._fd)
            directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def _index(self, posting: Posting) -> None:
        self._postings.append(posting)
        self._newest[posting.terminal_id, posting.key] = posting

    @property
    def next_seq(self) -> int:
        return len(self._postings) + 1

    def find(self, terminal_id: str, key: str) -> Posting | None:
        """The posting under this key, unless the window has passed."""
        posting = self._newest.get((terminal_id, key))
        if posting is None or self._now_ms() - posting.posted_wall_ms > self._key_window_ms:
            return None
        return posting

    def append(self, posting: Posting) -> None:
        """Post. When this returns, the line is on disk."""
        if self._fd is not None:
            line = json.dumps(asdict(posting), ensure_ascii=False, separators=(",", ":"))
            _write_all(self._fd, line.encode() + b"\n")
            if self._sync:
                os.fsync(self._fd)
        self._index(posting)

    def postings(self) -> list[Posting]:
        """A copy of every posting, oldest first."""
        return list(self._postings)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read_ledger(path: Path) -> list[Posting]:
    """Every whole line of a ledger file, also of a running or a killed host."""
    return _parse(path)[0] if path.exists() else []


def sums(postings: Iterable[Posting]) -> Sums:
    """Counts, amounts and duplicates. Declined payments move no money and cannot be doubled."""
    every = list(postings)
    posted = [posting for posting in every if posting.status == "posted"]
    times = Counter(f"{posting.terminal_id}/{posting.key}" for posting in posted)
    by_currency: Counter[str] = Counter()
    for posting in posted:
        if posting.amount_minor is not None and posting.currency is not None:
            booked = posting.posted_amount_minor
            by_currency[posting.currency] += posting.amount_minor if booked is None else booked
    return Sums(
        posted=len(posted),
        declined=sum(1 for posting in every if posting.status == "declined"),
        by_currency=dict(by_currency),
        duplicates=tuple(sorted(name for name, count in times.items() if count > 1)),
    )


def _parse(path: Path) -> tuple[list[Posting], int]:
    """The postings and the number of bytes that belong to whole lines."""
    raw = path.read_bytes()
    whole_bytes = raw.rfind(b"\n") + 1
    postings: list[Posting] = []
    for number, line in enumerate(raw[:whole_bytes].splitlines(), 1):
        try:
            fields: dict[str, Any] = json.loads(line)
            postings.append(Posting(**fields))
        except (ValueError, TypeError) as error:
            raise OperatorError(
                "sim.ledger_damaged",
                f"line {number} of the ledger {path} is not a posting: {error}",
                "move the file away to start with an empty ledger",
            ) from error
    return postings, whole_bytes


def _write_all(fd: int, line: bytes) -> None:
    view = memoryview(line)
    while view:
        view = view[os.write(fd, view) :]
