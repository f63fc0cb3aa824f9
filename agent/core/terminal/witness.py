"""What a terminal's wall clock is worth, judged by those who told the time.

A statement says where UTC stood against *boot time*, never against the wall clock: it stays true
when somebody sets that clock, and shows at once that it was set wrong or right. Intervals are
intersected as NTP does (Marzullo): one witness who contradicts the others is outvoted, two camps of
equal size are a dispute and prove nothing. It knows no sockets and no kernel; `agent.watch.clock`
collects what was said, every answer of a host being worth a look at what it is dated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from agent.core.moment import BUILD_CEILING_MS, BUILD_FLOOR_MS, Proof, at_ms, to_ms
from agent.record import dataclass

#: A crystal's error. A terminal's is 20 to 50 ppm at room temperature; heat and age double that.
DRIFT_PPM = 200
#: An older statement is worth nothing any more: by then it is off by seventeen seconds.
KEEP_MS = 24 * 3_600_000
#: A router that woke up in 1970 or 2016 proves nothing; one that is months behind is a witness.
EARLIEST_MS = BUILD_FLOOR_MS - 366 * 86_400_000
#: Said again after so long counts as said twice.
AGAIN_MS = 1_000
#: Witnesses kept; a terminal has a kernel, a handful of hosts and a portal.
MOST = 16


class Kind(StrEnum):
    """Where a statement comes from."""

    KERNEL = "kernel"  #: disciplined by NTP, says the kernel
    HTTP = "http_date"  #: header Date of a host's answer
    PROBE = "probe_date"  #: the same of an answer fetched to find out
    HOST = "host_fields"  #: fields 12 and 13 of an ISO 8583 answer: no year, local time
    BROKER = "broker"  #: a user property of an MQTT broker


class State(StrEnum):
    """What the witnesses make of the wall clock."""

    UNKNOWN = "unknown"  #: nobody told, or one told once
    DISPUTED = "disputed"  #: they contradict each other
    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """UTC less boot time, as one witness has it."""

    source: str  #: kind and name, `http_date bank`
    kind: Kind
    base_ms: int
    error_ms: int  #: the truth is at most so far away
    heard_boot_ms: int
    count: int = 1  #: how often it was said, not contradicting itself
    years: bool = True  #: False: nobody knows of which year it speaks

    def widened(self, boot_ms: int) -> Statement:
        """The same, as uncertain as it has become since."""
        age_ms = max(0, boot_ms - self.heard_boot_ms)
        return replace(self, error_ms=self.error_ms + age_ms * DRIFT_PPM // 1_000_000)

    def agrees(self, other: Statement) -> bool:
        return abs(self.base_ms - other.base_ms) <= self.error_ms + other.error_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement at one moment."""

    state: State
    offset_ms: int | None = None  #: wall clock less truth
    error_ms: int = 0
    sources: tuple[str, ...] = ()  #: those who agree
    against: tuple[str, ...] = ()  #: those who do not
    #: None: the statements prove nothing, or nothing about the year.
    proof: Proof | None = None
    vouched: bool = False  #: by somebody whose word counts, not by a page anybody may have written


def stated(
    source: str,
    kind: Kind,
    says_ms: int,
    *,
    exact_ms: int,
    sent_boot_ms: int,
    heard_boot_ms: int,
    years: bool = True,
) -> Statement:
    """A statement out of a time that was asked for and heard.

    The host looked at its clock some time in between, and cut off what is finer than `exact_ms`.
    """
    low_ms = says_ms - heard_boot_ms
    high_ms = says_ms + exact_ms - sent_boot_ms
    return Statement(
        source=source,
        kind=kind,
        base_ms=(low_ms + high_ms) // 2,
        error_ms=(high_ms - low_ms + 1) // 2,
        heard_boot_ms=heard_boot_ms,
        years=years,
    )


def nearest_ms(month_day: str, time: str, zone_min: int, near_ms: int) -> int | None:
    """The UTC time nearest to `near_ms` at which it is MMDD and hhmmss in a zone; None: never.

    Fields 12 and 13 have no year: what is nearest to this terminal's own clock is off by whole
    years where that clock is.
    """
    if not (len(month_day) == 4 and len(time) == 6):
        return None
    if not all(text.isascii() and text.isdigit() for text in (month_day, time)):
        return None
    near = at_ms(min(max(near_ms, 0), 4_000_000_000_000))
    found: list[int] = []
    for year in range(near.year - 4, near.year + 5):  # a 29 February comes every four years
        try:
            local = datetime(
                year, int(month_day[:2]), int(month_day[2:]),
                int(time[:2]), int(time[2:4]), int(time[4:]), tzinfo=UTC,
            )  # fmt: skip
        except ValueError:
            continue
        found.append(to_ms(local - timedelta(minutes=zone_min)))
    return min(found, key=lambda one: abs(one - near_ms), default=None)


class Witnesses:
    """Everybody's last word."""

    def __init__(self, limit_ms: int) -> None:
        """`limit_ms`: a wall clock is wrong from here on."""
        self._limit_ms = limit_ms
        self._said: dict[str, Statement] = {}

    def hear(self, told: Statement) -> None:
        """Take in a statement; who contradicts what he said himself begins anew.

        Who names a time far outside of what this software can live to see has no clock himself.
        """
        before = self._said.pop(told.source, None)
        utc_ms = told.base_ms + told.heard_boot_ms
        if told.years and not EARLIEST_MS <= utc_ms <= BUILD_CEILING_MS:
            return
        if before is not None:
            then = before.widened(told.heard_boot_ms)
            again = told.heard_boot_ms - before.heard_boot_ms >= AGAIN_MS
            if then.agrees(told):
                best = told if told.error_ms <= then.error_ms else before
                told = replace(best, count=before.count + again)
                if not again:  # its time of being heard decides what counts as again
                    told = replace(told, heard_boot_ms=before.heard_boot_ms)
        self._said[told.source] = told
        while len(self._said) > MOST:
            del self._said[min(self._said, key=lambda name: self._said[name].heard_boot_ms)]

    def forget(self, source: str) -> None:
        """Its word does not count any more."""
        self._said.pop(source, None)

    def judge(self, wall_ms: int, boot_ms: int) -> Verdict:
        """What the wall clock is worth now."""
        for name, one in list(self._said.items()):
            if boot_ms - one.heard_boot_ms > KEEP_MS:
                del self._said[name]
        live = [one.widened(boot_ms) for one in self._said.values()]
        dated = [one for one in live if one.years]
        camp = _largest(dated)
        if camp:
            middle_ms = _middle(camp)[0]
            camp += [one for one in live if not one.years and _agrees_in(one, middle_ms, boot_ms)]
        else:
            camp = _largest(live)
        names = {one.source for one in camp}
        against = tuple(sorted(one.source for one in live if one.source not in names))
        sources = tuple(sorted(names))
        if camp and len(against) >= len(camp):
            return Verdict(state=State.DISPUTED, sources=sources, against=against)
        if not camp or (len(camp) == 1 and camp[0].count < 2):
            return Verdict(state=State.UNKNOWN, sources=sources, against=against)
        base_ms, error_ms = _middle([one for one in camp if one.years] or camp)
        offset_ms = wall_ms - boot_ms - base_ms
        within_ms = self._limit_ms + error_ms
        wrong = abs(offset_ms) > within_ms
        # Without a year, agreement is no proof: the wall clock itself said which year it is. Nor
        # is the word of a page anybody on the way could have written, said as often as it may be.
        proof = Proof(base_ms=base_ms, within_ms=within_ms, dated=bool(dated))
        vouched = any(one.kind is not Kind.PROBE for one in camp)
        return Verdict(
            state=State.WRONG if wrong else State.RIGHT,
            offset_ms=offset_ms,
            error_ms=error_ms,
            sources=sources,
            against=against,
            proof=proof if vouched and (dated or wrong) else None,
            vouched=vouched,
        )


def _largest(said: Iterable[Statement]) -> list[Statement]:
    """The largest camp that has a time in common; of equal ones the more exact."""
    every = list(said)
    best: list[Statement] = []
    for edge in every:
        at = edge.base_ms - edge.error_ms  # intervals that meet, meet where one of them begins
        camp = [one for one in every if abs(one.base_ms - at) <= one.error_ms]
        if (len(camp), -_width(camp)) > (len(best), -_width(best)):
            best = camp
    return best


def _width(camp: list[Statement]) -> int:
    return min((one.error_ms for one in camp), default=0)


def _middle(camp: list[Statement]) -> tuple[int, int]:
    """The middle of what they have in common, and half its width."""
    low_ms = max(one.base_ms - one.error_ms for one in camp)
    high_ms = min(one.base_ms + one.error_ms for one in camp)
    return (low_ms + high_ms) // 2, (high_ms - low_ms + 1) // 2


def _agrees_in(one: Statement, base_ms: int, boot_ms: int) -> bool:
    """Whether a statement without a year agrees in some year."""
    there = at_ms(one.base_ms + boot_ms)
    truth = at_ms(base_ms + boot_ms)
    for year in (truth.year - 1, truth.year, truth.year + 1):
        try:
            moved = there.replace(year=year)
        except ValueError:  # 29 February, or a year no calendar has
            moved = there
        if abs(to_ms(moved) - to_ms(truth)) <= one.error_ms + 1_000:
            return True
    return False
