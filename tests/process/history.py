"""What the outside world knows: what was handed over and what the daemon acknowledged.

Kept outside the daemon and compared with the host's ledger by `verdict`; both directions matter,
and so does that each key was posted once.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.sim.ledger import Posting


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The comparison of both books."""

    attempted: int
    acknowledged: int
    posted: int
    lost: frozenset[str]  #: acknowledged to the app, not in the ledger
    invented: frozenset[str]  #: in the ledger, never handed over
    duplicates: frozenset[str]  #: in the ledger more than once
    altered: frozenset[str]  #: in the ledger with another amount


@dataclass(slots=True)
class History:
    """Attempts and acknowledgements, from many threads."""

    attempted: dict[str, int] = field(default_factory=dict)  #: key -> amount
    acknowledged: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self, key: str, amount_minor: int) -> None:
        with self._lock:
            self.attempted[key] = amount_minor

    def acknowledge(self, key: str) -> None:
        with self._lock:
            self.acknowledged.add(key)

    def verdict(self, postings: Iterable[Posting]) -> Verdict:
        """Compare with the ledger."""
        found = [posting for posting in postings if posting.status == "posted"]
        times = Counter(posting.key for posting in found)
        return Verdict(
            attempted=len(self.attempted),
            acknowledged=len(self.acknowledged),
            posted=len(found),
            lost=frozenset(self.acknowledged - times.keys()),
            invented=frozenset(times.keys() - self.attempted.keys()),
            duplicates=frozenset(key for key, count in times.items() if count > 1),
            altered=frozenset(
                p.key for p in found if self.attempted.get(p.key) not in (None, p.amount_minor)
            ),
        )
