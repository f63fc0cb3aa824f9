"""What is carried from round to round: what was proven, what was told, what was spent.

Others' connections count as proof like our own, so that a terminal that is busy is hardly ever
tested. Everything runs on boot time. Called by the watcher only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime

from agent.link.contact import Contact
from agent.record import dataclass

DAY_MS = 86_400_000
#: How long a connection that held speaks for the layers below it.
FRESH_MS = 300_000
DROPS_WINDOW_MS = 3_600_000
ADDRESSES_KEPT = 4


@dataclass(frozen=True, slots=True)
class Proof:
    """The last connection to one host that held, or that failed."""

    at_ms: int
    held: bool
    tls: bool
    connect_ms: int | None = None
    expires_at: datetime | None = None


class Told:
    """What others told of their connections, by interface, host and port."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, int], Proof] = {}

    def take(self, contact: Contact, now_ms: int) -> None:
        """One attempt of somebody's has ended."""
        held = contact.layer in ("", "answer")  # an answer that failed came over what held
        proof = Proof(now_ms, held, held and contact.tls, contact.connect_ms, contact.expires_at)
        self._last[contact.interface, contact.host, contact.port] = proof
        if len(self._last) > 64:
            del self._last[next(iter(self._last))]

    def proof(self, interfaces: Iterable[str], host: str, port: int, since_ms: int) -> Proof | None:
        """The newest that held since then, unless a newer one failed."""
        found = [self._last.get((name, host, port)) for name in interfaces]
        known = [one for one in found if one is not None and one.at_ms >= since_ms]
        newest = max(known, key=lambda one: one.at_ms, default=None)
        return newest if newest is not None and newest.held else None

    def held_since(self, interfaces: Iterable[str], since_ms: int) -> bool:
        """Whether anybody beyond this machine was reached since then."""
        wanted = set(interfaces)
        return any(
            proof.held and proof.at_ms >= since_ms and name in wanted and not _here(host)
            for (name, host, _), proof in self._last.items()
        )

    def forget(self) -> None:
        """The way out has changed: what held on the old one proves nothing."""
        self._last.clear()


def _here(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "localhost")


class Budget:
    """Bytes spent on tests, by the day of boot time."""

    def __init__(self, per_day: int) -> None:
        self.per_day = per_day
        self._began_ms: int | None = None
        self._spent = 0

    def charge(self, cost: int, now_ms: int) -> None:
        """These were spent."""
        self.spent(now_ms)
        self._spent += cost

    def spent(self, now_ms: int) -> int:
        """Since the day began."""
        if self._began_ms is None or now_ms - self._began_ms >= DAY_MS:
            self._began_ms = now_ms
            self._spent = 0
        return self._spent

    def left(self, now_ms: int) -> int:
        """What may still be spent; 0 when nothing."""
        return max(0, self.per_day - self.spent(now_ms))

    def pace_ms(self, cost: int, share: float) -> int | None:
        """How often a test of this cost fits into that share of a day; None: never."""
        allowed = self.per_day * share
        return None if cost > allowed or not cost else round(DAY_MS * cost / allowed)


class Drops:
    """Links lost within the last hour. Every loss is two changes: down and up."""

    def __init__(self) -> None:
        self._changes: deque[tuple[int, str, int]] = deque(maxlen=500)

    def count(self, interface: str, changes: int, now_ms: int) -> int:
        """Take in the kernel's counter, and count."""
        past = self._changes
        if past and (past[-1][1] != interface or past[-1][2] > changes):
            past.clear()  # another interface, or its driver was reloaded
        if not past or past[-1][2] != changes:
            past.append((now_ms, interface, changes))
        # The last count from before the window is what the window is measured against.
        while len(past) > 1 and now_ms - past[1][0] > DROPS_WINDOW_MS:
            past.popleft()
        return (changes - past[0][2] + 1) // 2


class Addresses:
    """What the names were when their hosts last answered, for when no name server does."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}

    def keep(self, name: str, address: str) -> None:
        """A host of this name answered there."""
        if name and address:
            others = (one for one in self._known.get(name, ()) if one != address)
            self._known[name] = (address, *others)[:ADDRESSES_KEPT]

    def of(self, name: str) -> tuple[str, ...]:
        """The newest first."""
        return self._known.get(name, ())
