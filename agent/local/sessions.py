"""Who is signed in to the page: sessions, codes that count once, and patience with wrong ones.

Decides when a session ends (nothing asked for, or its time is over), which code counts, and how
long a stranger has to wait after wrong ones. Everything is in memory and hashed; a restart signs
everybody out. It reads no clock and knows no HTTP. Called by the door of one listener, which has
all of this to itself: nothing made at one listener counts at another.
"""

from __future__ import annotations

import hashlib
import os

from agent.record import dataclass

#: A technician mistypes; whoever goes on after this is slowed down.
FREE_TRIES = 3
LONGEST_S = 300
#: After so much quiet the wrong tries before it are forgotten.
FORGET_MS = 900_000
#: Wrong tries after which a code counts no more: 5 in 100,000,000.
CODE_TRIES = 5
CODE_DIGITS = 8


@dataclass(slots=True, kw_only=True)
class Held:
    """One session."""

    number: int
    since_ms: int
    used_ms: int


class Sessions:
    """The sessions of one listener; all times are of the clock that runs on while it sleeps."""

    def __init__(self, *, idle_s: int, absolute_s: int, most: int) -> None:
        self._idle_ms, self._absolute_ms = idle_s * 1000, absolute_s * 1000
        self._most = most
        self._held: dict[bytes, Held] = {}
        self._count = 0

    def begin(self, now_ms: int) -> tuple[str, Held]:
        """A new session and its secret; the one unused for longest ends when there are too many."""
        self._sweep(now_ms)
        while len(self._held) >= self._most:
            longest = min(self._held, key=lambda hashed: self._held[hashed].used_ms)
            del self._held[longest]
        secret = os.urandom(32).hex()
        self._count += 1
        held = Held(number=self._count, since_ms=now_ms, used_ms=now_ms)
        self._held[_hashed(secret)] = held
        return secret, held

    def find(self, secret: str, now_ms: int) -> Held | None:
        """The session of this secret, which is in use now; None: there is none (any more)."""
        self._sweep(now_ms)
        held = self._held.get(_hashed(secret))
        if held is not None:
            held.used_ms = now_ms
        return held

    def alive(self, held: Held, now_ms: int) -> bool:
        """Whether it still counts; asking is no use of it."""
        self._sweep(now_ms)
        return held in self._held.values()

    def end(self, secret: str) -> None:
        self._held.pop(_hashed(secret), None)

    def end_all(self) -> None:
        self._held.clear()

    def count(self, now_ms: int) -> int:
        self._sweep(now_ms)
        return len(self._held)

    def left_s(self, held: Held, now_ms: int) -> tuple[int, int]:
        """Until it ends whatever is done, and until it ends when nothing is."""
        absolute = max(0, held.since_ms + self._absolute_ms - now_ms) // 1000
        return absolute, min(absolute, max(0, held.used_ms + self._idle_ms - now_ms) // 1000)

    def _sweep(self, now_ms: int) -> None:
        over = [
            hashed
            for hashed, held in self._held.items()
            if now_ms - held.used_ms >= self._idle_ms or now_ms - held.since_ms >= self._absolute_ms
        ]
        for hashed in over:
            del self._held[hashed]


class OneCode:
    """The code of one listener: at most one counts."""

    def __init__(self) -> None:
        self._salt = b""
        self._hashed = b""
        self._until_ms = 0
        self._tries = 0

    def make(self, now_ms: int, for_s: int) -> str:
        """A new code; the one before counts no more."""
        code = f"{int.from_bytes(os.urandom(8)) % 10**CODE_DIGITS:0{CODE_DIGITS}d}"
        # Salted, so that 8 digits cannot be looked up in a table where memory is looked at.
        self._salt = os.urandom(16)
        self._hashed = self._of(code)
        self._until_ms = now_ms + for_s * 1000
        self._tries = CODE_TRIES
        return code

    def counts(self, now_ms: int) -> bool:
        """Whether there is one."""
        return bool(self._hashed) and now_ms < self._until_ms

    @property
    def spent(self) -> bool:
        """It was tried too often."""
        return self._tries <= 0

    def use(self, told: str, now_ms: int) -> bool:
        """Whether it is this one; then it was used, and a wrong one is a try less."""
        if not self.counts(now_ms):
            return False
        same = _same(self._of(told.replace(" ", "").replace("-", "")), self._hashed)
        self._tries -= not same
        if same or self.spent:
            self._hashed = b""
        return same

    def void(self) -> None:
        self._hashed = b""

    def _of(self, code: str) -> bytes:
        return hashlib.blake2b(code.encode(), salt=self._salt, digest_size=32).digest()


class Patience:
    """How long to wait after wrong codes: nothing at first, then twice as long each time."""

    def __init__(self) -> None:
        self._wrong = 0
        self._last_ms = 0
        self._until_ms = 0
        #: Tries turned away while waiting; whoever writes it down takes them.
        self.turned_away = 0

    def wait_s(self, now_ms: int) -> int:
        """Seconds until another try counts; 0: now."""
        if self._wrong and now_ms - self._last_ms >= FORGET_MS:
            self._wrong = 0
        return max(0, -(-(self._until_ms - now_ms) // 1000))

    def wrong(self, now_ms: int) -> int:
        """One more wrong one; seconds to wait from now."""
        self._wrong += 1
        self._last_ms = now_ms
        over = self._wrong - FREE_TRIES
        pause_s = 0 if over < 0 else min(LONGEST_S, 2**over)
        self._until_ms = now_ms + pause_s * 1000
        return pause_s

    def right(self) -> None:
        self._wrong = 0
        self._until_ms = 0


class Token:
    """The secret of `[page] token_file`, of which only the hash is kept."""

    def __init__(self, secret: str = "") -> None:
        self._hashed = _hashed(secret) if secret else b""

    def is_it(self, told: str) -> bool:
        return bool(self._hashed) and _same(_hashed(told), self._hashed)


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _same(one: bytes, other: bytes) -> bool:
    """Compared in a time that says nothing about where they differ."""
    import hmac  # with the page only

    return hmac.compare_digest(one, other)
