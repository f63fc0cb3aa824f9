"""The trail of who did what: lines chained by their hashes, so that none can be changed unseen.

Each line carries the hash of the one before. The two ends are sealed with the terminal's key by
whoever keeps them: the head, so that the newest lines cannot be cut off, and the start, so that old
ones can be forgotten and what is left still proves itself. Decides what a line may say (never more
than who, what, about which payment or cause, and how it ended) and what is wrong with a chain.
Called by `store.audit`; reads no clock and keeps nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator

from agent.core.money import cards
from agent.record import dataclass

#: What stands before the first line.
NOTHING = bytes(16)
MAX_CHARS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is to be written down."""

    actor: str  #: `uid:1000`, `fleet:ops-1`, `agent`
    op: str
    target: str = ""  #: a payment's key, a cause, a component; never what was in it
    outcome: str = "ok"  #: ok, or the code of what went wrong
    count: int = 1  #: so often; floods are counted and not written one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as it is kept."""

    n: int
    at_ms: int
    deed: Deed
    before: bytes  #: hash of the line before
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One end of the chain: the number and the hash of a line."""

    n: int = 0
    hash: bytes = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is not as it was written. `what`: altered, missing, cut, added, seal."""

    what: str
    n: int
    until: int = 0  #: missing: the last of those that are gone


def clean(text: str) -> str:
    """A text as a line may hold it: short, and on one line."""
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_CHARS])


def hashed(n: int, at_ms: int, deed: Deed, before: bytes) -> bytes:
    """The hash of a line; anybody can compute it."""
    plain = [n, at_ms, deed.actor, deed.op, deed.target, deed.outcome, deed.count, before.hex()]
    text = json.dumps(plain, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"pos/audit").digest()


def written(deed: Deed, at_ms: int, head: Mark) -> Line:
    """The next line behind `head`."""
    deed = Deed(
        actor=clean(deed.actor),
        op=clean(deed.op),
        target="" if cards.contains(deed.target) else clean(deed.target),
        outcome=clean(deed.outcome),
        count=deed.count,
    )
    n = head.n + 1
    return Line(
        n=n, at_ms=at_ms, deed=deed, before=head.hash, hash=hashed(n, at_ms, deed, head.hash)
    )


def examined(lines: Iterable[Line], start: Mark | None, head: Mark | None) -> Iterator[Fault]:
    """What is wrong with the whole trail; `None`: the seal on that end is missing or broken.

    `lines` by number. An altered line is named itself, and so is the gap where some are missing.
    """
    if start is None:
        yield Fault(what="seal", n=0)
    if head is None:
        yield Fault(what="seal", n=1)
    last = start
    for line in lines:
        if hashed(line.n, line.at_ms, line.deed, line.before) != line.hash:
            yield Fault(what="altered", n=line.n)
        elif last is not None and line.n == last.n + 1 and line.before != last.hash:
            # It proves itself but not its neighbour: one of the two was written anew.
            yield Fault(what="altered", n=last.n or line.n)
        if last is not None and line.n > last.n + 1:
            yield Fault(what="missing", n=last.n + 1, until=line.n - 1)
        if head is not None and line.n > head.n:
            yield Fault(what="added", n=line.n)
        last = Mark(n=line.n, hash=line.hash)
    if head is None or last is None or last.n > head.n:
        return
    if last.n < head.n:
        yield Fault(what="cut", n=last.n + 1, until=head.n)
    elif last.hash != head.hash:
        yield Fault(what="altered", n=head.n)
