"""What this merchant's own payments of late say about a new one: habits, patterns, open ones.

A few counts and a short memory, moved with every commit and never scanned for: how large payments
of a kind usually are, at which hours there are any, which ended how, which are still open. It says
something only where it has seen enough, and then how many payments that rests on. What it finds is
for a person to look at, never an accusation. Fed by the store, asked by its examiner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import field

from agent.core.moment import to_ms
from agent.core.money.limits import TAKES_NEW, Finding, Ground, Level, Limit
from agent.core.money.transaction import Kind, Transaction
from agent.record import dataclass

#: Payments remembered one by one; the counts go further back.
REMEMBERED = 512
OPEN_MOST = 1_024
#: A habit this old counts half: shops change.
HALVED_AT = 4_096
_HOURS = 24
_BACK = frozenset({Kind.REFUND, Kind.QR_REFUND, Kind.VOID, Kind.QR_CANCEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """From which figures on a pattern is worth a look; 0 switches a rule off."""

    again_window_s: int = 0  #: how far back an open payment may be the same one
    least: int = 0  #: payments a habit must rest on
    rare_permille: int = 5  #: seen less often than this is not usual
    declines: int = 0  #: so many declined …
    declines_s: int = 600  #: … within this, before another is tried
    refunds: int = 0
    refunds_s: int = 3_600
    splits: int = 0  #: so many of one card that together pass the limit of one
    splits_s: int = 3_600
    fast_ms: int = 0  #: entered and confirmed faster than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One payment as far as it is remembered."""

    key: str
    terminal_id: str
    kind: Kind
    currency: str | None
    amount_minor: int | None
    card: str | None
    occurred_ms: int
    in_doubt: bool = False
    final: bool = False
    declined: bool = False


def past_of(t: Transaction, *, in_doubt: bool, final: bool, declined: bool) -> Past:
    """What is remembered of it."""
    return Past(
        key=t.key, terminal_id=t.terminal_id, kind=t.kind, currency=t.currency,
        amount_minor=t.amount_minor, card=t.card.masked if t.card else None,
        occurred_ms=to_ms(t.occurred_at), in_doubt=in_doubt, final=final, declined=declined,
    )  # fmt: skip


@dataclass(slots=True)
class _Habit:
    """How large payments of one kind and currency are: counts by powers of two."""

    sizes: list[int] = field(default_factory=lambda: [0] * 64)
    count: int = 0

    def add(self, amount_minor: int) -> None:
        self.sizes[amount_minor.bit_length()] += 1
        self.count += 1
        if self.count >= HALVED_AT:
            self.sizes = [size // 2 for size in self.sizes]
            self.count = sum(self.sizes)

    def rare(self, amount_minor: int, permille: int) -> bool:
        """Whether so large a payment, or a larger one, is seldom seen."""
        return sum(self.sizes[amount_minor.bit_length() :]) * 1000 <= self.count * permille

    def usual(self, amount_minor: int) -> bool:
        """Whether payments of about this size are at least one in ten."""
        size = amount_minor.bit_length()
        return sum(self.sizes[max(0, size - 1) : size + 2]) * 10 >= self.count


class Lately:
    """The memory of one terminal."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._habits: dict[tuple[str | None, Kind], _Habit] = {}
        self._hours = [0] * _HOURS
        self._past: deque[Past] = deque(maxlen=REMEMBERED)
        self._declined: dict[str, int] = {}  # when it occurred
        self._open: dict[str, Past] = {}

    def moved(self, one: Past, *, new: bool) -> None:
        """A payment was handed over, or moved on."""
        if new:
            self._past.append(one)
            self._count(one)
        # Kept apart: few are declined, and every payment asks how many.
        if one.declined and any(old.key == one.key for old in self._past):
            self._declined[one.key] = one.occurred_ms
            if len(self._declined) > REMEMBERED:
                del self._declined[next(iter(self._declined))]
        if one.final:
            self._open.pop(one.key, None)
        else:
            self._open[one.key] = one
            if len(self._open) > OPEN_MOST:
                del self._open[next(iter(self._open))]

    def _count(self, one: Past) -> None:
        if one.amount_minor is None or one.kind not in TAKES_NEW:
            return
        self._habits.setdefault((one.currency, one.kind), _Habit()).add(one.amount_minor)
        self._hours[_hour(one.occurred_ms)] += 1

    def unfinished(self, t: Transaction, now_ms: int) -> Past | None:
        """An open payment that this one may be again: the newest.

        Of the same card whatever its state; where either card is not known, only one whose
        outcome is open, since a queue of unsent fares all look the same.
        """
        card = t.card.masked if t.card else None
        for one in reversed(self._open.values()):
            like = (one.terminal_id, one.kind, one.currency, one.amount_minor)
            if like != (t.terminal_id, t.kind, t.currency, t.amount_minor) or one.key == t.key:
                continue
            if abs(now_ms - one.occurred_ms) > self.watch.again_window_s * 1000:
                continue
            known = card is not None and one.card is not None
            if (known and card == one.card) or (not known and one.in_doubt):
                return one
        return None

    def findings(self, t: Transaction, limits: tuple[Limit, ...], now_ms: int) -> list[Finding]:
        """All that is worth a look in a payment that takes or gives money."""
        if t.kind not in TAKES_NEW or t.amount_minor is None:
            return []
        found = [*self._mistyped(t, t.amount_minor), *self._series(t, now_ms)]
        found += [*self._split(t, t.amount_minor, limits, now_ms), *self._hour(t)]
        return found

    def _mistyped(self, t: Transaction, amount_minor: int) -> Iterator[Finding]:
        habit = self._habits.get((t.currency, t.kind))
        if habit is None or not self.watch.least or habit.count < self.watch.least:
            return
        if not habit.rare(amount_minor, self.watch.rare_permille):
            return
        for pattern, meant in _meant(amount_minor):
            if habit.usual(meant):
                yield Finding(
                    code="amount.unusual", cause="operator.wrong_amount", level=Level.CONFIRM,
                    ground=Ground.AMOUNT, where="amount_minor",
                    args={
                        "currency": t.currency or "", "found": amount_minor, "meant": meant,
                        "pattern": pattern, "based_on": str(habit.count),
                    },
                )  # fmt: skip
                return

    def _series(self, t: Transaction, now_ms: int) -> Iterator[Finding]:
        watch = self.watch
        if watch.declines and t.kind not in _BACK:
            declined = _lying(self._declined.values(), now_ms, watch.declines_s)
            if declined >= watch.declines:
                yield _suspicious("fraud.declines", declined, watch.declines_s)
        if watch.refunds and t.kind in _BACK:
            times = (one.occurred_ms for one in self._past if one.kind in _BACK)
            back = _lying(times, now_ms, watch.refunds_s) + 1
            if back >= watch.refunds:
                yield _suspicious("fraud.refunds", back, watch.refunds_s)

    def _split(
        self, t: Transaction, amount_minor: int, limits: tuple[Limit, ...], now_ms: int
    ) -> Iterator[Finding]:
        watch, card = self.watch, t.card.masked if t.card else None
        bounds = [
            bound
            for limit in limits
            if limit.currency == t.currency
            for bound in (limit.confirm_minor, limit.single_minor)
            if bound is not None
        ]
        if not watch.splits or card is None or not bounds or amount_minor >= min(bounds):
            return
        same = [
            one.amount_minor or 0
            for one in self._past
            if one.card == card and one.kind is t.kind and one.currency == t.currency
            and one.key != t.key and now_ms - one.occurred_ms <= watch.splits_s * 1000
        ]  # fmt: skip
        if len(same) + 1 >= watch.splits and sum(same) + amount_minor >= min(bounds):
            yield _suspicious("fraud.split", len(same) + 1, watch.splits_s)

    def _hour(self, t: Transaction) -> Iterator[Finding]:
        seen, hour = sum(self._hours), _hour(to_ms(t.occurred_at))
        near = sum(self._hours[(hour + by) % _HOURS] for by in (-1, 0, 1))
        # Ten times what a habit of sizes needs: a day has many hours.
        if self.watch.least and seen >= self.watch.least * 10 and not near:
            yield Finding(
                code="fraud.hours", cause="fraud.suspicious", level=Level.WARN,
                ground=Ground.SUSPICION, where="occurred_at",
                args={"found": t.occurred_at, "based_on": str(seen)},
            )  # fmt: skip


def _lying(times: Iterable[int], now_ms: int, span_s: int) -> int:
    """How many of them lie within so long before now."""
    return sum(1 for at_ms in times if now_ms - at_ms <= span_s * 1000)


def entered(entry_ms: int, watch: Watch) -> list[Finding]:
    """What speaks against a payment that was entered and confirmed within so many milliseconds."""
    if entry_ms >= watch.fast_ms:
        return []
    return [
        Finding(
            code="entry.too_fast", cause="operator.too_fast", level=Level.CONFIRM,
            ground=Ground.AMOUNT, where="entry_ms", args={"ms": str(entry_ms)},
        )
    ]  # fmt: skip


def _meant(amount_minor: int) -> Iterator[tuple[str, int]]:
    """What may have been meant: a zero, two, or a digit that came twice taken out."""
    for pattern, by in (("x10", 10), ("x100", 100)):
        if amount_minor % by == 0 and amount_minor > by:
            yield pattern, amount_minor // by
    digits = str(amount_minor)
    for at in range(1, len(digits)):
        if digits[at] == digits[at - 1] != "0":
            yield "repeated_digit", int(digits[:at] + digits[at + 1 :])


def _suspicious(code: str, count: int, within_s: int) -> Finding:
    return Finding(
        code=code, cause="fraud.suspicious", level=Level.CONFIRM, ground=Ground.SUSPICION,
        args={"count": str(count), "minutes": str(within_s // 60)},
    )  # fmt: skip


def _hour(at: int) -> int:
    return at // 3_600_000 % _HOURS
