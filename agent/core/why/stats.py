"""How long payments took from capture to confirmation, and what goes with being late.

Takes one payment after the other and keeps only counts, so a hundred thousand cost no more memory
than a hundred. Payments that still wait count as late once they have waited that long; else the
worst would be missing. It never says why: a factor goes with lateness, or too little is known
(`stats_compare`). Called by `agent.offloaded.stats`; what a row holds is decided by `row_of`, which
the daemon calls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta, timezone, tzinfo
from enum import StrEnum

from agent.core.moment import at_ms
from agent.core.money.currencies import EXPONENT
from agent.core.money.journal import FINAL, State
from agent.core.why.around import UNKNOWN, Around
from agent.core.why.stats_compare import Share, Verdict, chance, share, verdicts
from agent.record import dataclass

#: Upper ends of the bars people are shown, in seconds; the last has none.
BARS_S = (1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0)
#: Percentiles come from buckets each this much wider than the last: right to 5 %.
STEP = 1.05
FINEST_MS = 10.0
#: Two clocks that disagree by more about one stretch of time: one of them was set.
CLOCK_MS = 60_000
#: Longer than anything is kept.
LONGEST_MS = 400 * 86_400_000
#: Values of one factor; what comes later is counted as OTHER (versions of an app, names).
VALUES = 24
OTHER = "other"
MINUTE = timedelta(minutes=1)


class Factor(StrEnum):
    """What may go with lateness."""

    NETWORK = "network"
    CHANNEL = "channel"
    SIGNAL = "signal"
    HOUR = "hour"
    WEEKDAY = "weekday"
    APP_VERSION = "app_version"
    PRINTER = "printer"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Row:
    """What statistics need of one payment."""

    captured_ms: int
    took_ms: int  #: to its confirmation, or so far
    standing: str  #: `confirmed`, `waiting`, `ended`, or `clock`: it cannot be said
    amount: str  #: band
    app_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The payments with one value of a factor."""

    value: str
    share: Share
    days: int
    verdict: Verdict
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Factored:
    """One factor and its groups."""

    factor: Factor
    groups: tuple[Group, ...]

    @property
    def verdict(self) -> str:
        found = {group.verdict for group in self.groups}
        if found & {Verdict.MORE, Verdict.LESS}:
            return "goes_with"
        return "same" if Verdict.SAME in found else "too_few"


@dataclass(slots=True)
class Timed:
    """The columns of one payment that statistics are made of."""

    seq: int
    state: State
    cause: str
    captured_ms: int
    changed_ms: int
    stored_ms: int
    stored_boot_ms: int
    stored_boot_no: int
    sent_ms: int | None  #: the last time it was sent
    sent_boot_ms: int | None
    sent_boot_no: int | None
    amount_minor: int | None
    currency: str | None
    app_version: str  #: name and version; empty: not told


def row_of(one: Timed, now_ms: int) -> Row:
    """What statistics need of this payment."""
    standing, took_ms = "ended", 0
    if one.state is State.POSTED:
        standing, took_ms = "confirmed", one.changed_ms - one.captured_ms
    elif one.state not in FINAL:
        standing, took_ms = "waiting", now_ms - one.captured_ms
    if standing != "ended" and (not 0 <= took_ms <= LONGEST_MS or _set_meanwhile(one)):
        standing, took_ms = "clock", 0
    version = one.app_version.strip()[:48] or UNKNOWN
    band = band_of(one.amount_minor, one.currency)
    return Row(one.captured_ms, took_ms, standing, band, version)


def _set_meanwhile(one: Timed) -> bool:
    """Whether wall clock and boot clock disagree about the time between storing and sending."""
    if one.sent_ms is None or one.sent_boot_ms is None or one.sent_boot_no != one.stored_boot_no:
        return False
    wall_ms, boot_ms = one.sent_ms - one.stored_ms, one.sent_boot_ms - one.stored_boot_ms
    return abs(wall_ms - boot_ms) > CLOCK_MS


def band_of(amount_minor: int | None, currency: str | None) -> str:
    """Its amount by the power of ten of the currency's own unit: `10-100 CNY`."""
    if amount_minor is None or currency is None or amount_minor < 0:
        return UNKNOWN
    unit = 10 ** EXPONENT.get(currency, 2)
    for low, high in ((0, 10), (10, 100), (100, 1_000), (1_000, 10_000)):
        if amount_minor < high * unit:
            return f"{low}-{high} {currency}"
    return f"10000+ {currency}"


def late(row: Row, late_after_ms: float) -> bool | None:
    """Whether it came too late, or has not come by then; None: it is not known or not yet."""
    if row.standing == "confirmed":
        return row.took_ms > late_after_ms
    return True if row.standing == "waiting" and row.took_ms > late_after_ms else None


@dataclass(slots=True, kw_only=True)
class Counting:
    """All that is kept of the payments taken in so far."""

    late_after_ms: float
    factors: tuple[Factor, ...] = tuple(Factor)
    zone: tzinfo = timezone.utc  # noqa: UP017 - a default that needs no import of its own
    standings: dict[str, int] = field(default_factory=dict)
    buckets: dict[int, int] = field(default_factory=dict)
    bars: list[int] = field(default_factory=lambda: [0] * (len(BARS_S) + 1))
    longest_ms: int = 0
    judged: int = 0
    late: int = 0
    days: dict[int, tuple[int, int]] = field(default_factory=dict)
    groups: dict[tuple[Factor, str], dict[int, tuple[int, int]]] = field(default_factory=dict)

    def take(self, row: Row, around: Around) -> None:
        """One more payment."""
        self.standings[row.standing] = self.standings.get(row.standing, 0) + 1
        if row.standing == "confirmed":
            self._timed(row.took_ms)
        was_late = late(row, self.late_after_ms)
        if was_late is None:
            return
        self.judged += 1
        self.late += was_late
        here = at_ms(row.captured_ms).astimezone(self.zone)
        day = here.toordinal()
        _count(self.days, day, was_late)
        for factor in self.factors:
            value = _value(factor, row, around, here.hour, here.weekday())
            _count(self._group(factor, value), day, was_late)

    def _timed(self, took_ms: int) -> None:
        place = max(0, math.ceil(math.log(max(took_ms, 1) / FINEST_MS, STEP)))
        self.buckets[place] = self.buckets.get(place, 0) + 1
        bar = next((n for n, s in enumerate(BARS_S) if took_ms < s * 1000), len(BARS_S))
        self.bars[bar] += 1
        self.longest_ms = max(self.longest_ms, took_ms)

    def _group(self, factor: Factor, value: str) -> dict[int, tuple[int, int]]:
        key = (factor, value)
        if key not in self.groups:
            if sum(1 for one, _ in self.groups if one is factor) >= VALUES:
                key = (factor, OTHER)
            return self.groups.setdefault(key, {})
        return self.groups[key]

    def percentile_s(self, percent: float) -> float:
        """So many seconds were enough for this share of the confirmed; 0.0: there are none."""
        wanted = math.ceil(sum(self.buckets.values()) * percent / 100)
        seen = 0
        for place in sorted(self.buckets):
            seen += self.buckets[place]
            if seen >= wanted:
                return min(FINEST_MS * STEP**place, self.longest_ms) / 1000
        return 0.0

    def lateness(self) -> Share:
        """Late ones of all that could be judged."""
        return share(self.late, self.judged)

    def factored(self) -> list[Factored]:
        """Every factor's groups, each compared with all other payments."""
        keys = sorted(self.groups)
        chances = [chance(self.groups[key], self.days) for key in keys]
        overall = self.late / self.judged if self.judged else 0.0
        sums = [_sum(self.groups[key]) for key in keys]
        found = verdicts(chances, [bad / n > overall for n, bad in sums])
        told: dict[Factor, list[Group]] = {factor: [] for factor in self.factors}
        for (factor, value), (n, bad), (verdict, p) in zip(keys, sums, found, strict=True):
            days = len(self.groups[factor, value])
            told[factor].append(
                Group(value=value, share=share(bad, n), days=days, verdict=verdict, p=p)
            )
        return [
            Factored(factor=factor, groups=tuple(sorted(groups, key=_place)))
            for factor, groups in told.items()
        ]


def _value(factor: Factor, row: Row, around: Around, hour: int, weekday: int) -> str:
    match factor:
        case Factor.NETWORK:
            return around.network
        case Factor.CHANNEL:
            return around.channel
        case Factor.SIGNAL:
            return around.signal
        case Factor.PRINTER:
            return around.printer
        case Factor.HOUR:
            return f"{hour // 3 * 3:02d}-{hour // 3 * 3 + 3:02d}"
        case Factor.WEEKDAY:
            return str(weekday + 1)
        case Factor.APP_VERSION:
            return row.app_version
        case _:
            return row.amount


def _count(days: dict[int, tuple[int, int]], day: int, was_late: bool) -> None:
    n, bad = days.get(day, (0, 0))
    days[day] = (n + 1, bad + was_late)


def _sum(days: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    return sum(n for n, _ in days.values()), sum(bad for _, bad in days.values())


def _place(group: Group) -> tuple[bool, int, str]:
    """By value; numbers by size, what has no value last."""
    number = group.value.split("-")[0].split("+")[0]
    return (
        group.value in (UNKNOWN, OTHER),
        int(number) if number.isascii() and number.isdecimal() else -1,
        group.value,
    )


# -- why the late ones were late ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cause the journal noted for one payment, and how long it lasted."""

    code: str
    from_ms: int
    until_ms: int


#: Conditions that keep payments from being confirmed, by the beginning of their codes; an empty
#: paper roll that stood meanwhile is no trouble of this kind.
DELAYING = ("network.", "tls.", "clock.", "host.", "platform.", "issuer.", "config.", "queue.")
#: What the health history calls the beginning and the end of a condition.
_BEGAN, _ENDED = "began", "ended"


def causes_of(
    waits: Sequence[tuple[int, int]],
    troubles: Sequence[Sequence[Trouble]],
    standing: Sequence[Trouble] = (),
) -> dict[str, int]:
    """How many late payments had which trouble, "" where nothing is on record.

    `waits`: from when until when each waited; `troubles`: its own, from the journal; `standing`:
    the terminal's, from the health history. One that only stood behind others has none of its own:
    behind a dead host hardly any payment is tried.
    """
    counted: dict[str, int] = {}
    for (began_ms, ended_ms), own in zip(waits, troubles, strict=True):
        known = [
            (min(t.until_ms, ended_ms) - max(t.from_ms, began_ms), t.code)
            for t in own or standing
            if t.from_ms <= ended_ms and t.until_ms >= began_ms
        ]
        code = max(known)[1] if known else ""
        counted[code] = counted.get(code, 0) + 1
    return counted


def stood(lines: Sequence[tuple[str, str, int]], until_ms: int) -> list[Trouble]:
    """The troubles of the terminal out of its health history: code, what and when, oldest first.

    One whose beginning is not in the history counts from the first line; one without end stands.
    """
    found: list[Trouble] = []
    began: dict[str, int] = {}
    first_ms = lines[0][2] if lines else 0
    for code, what, at in lines:
        if not code.startswith(DELAYING):
            continue
        if what == _BEGAN:
            began.setdefault(code, at)
        elif what == _ENDED:
            found.append(Trouble(code, began.pop(code, first_ms), at))
    return found + [Trouble(code, at, max(at, until_ms)) for code, at in began.items()]
