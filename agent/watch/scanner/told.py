"""What others say of the scanner: vendor firmware, a hook, or the payment app that owns the port.

Decides which of it is taken: known names with the right types and bounds, counts as differences.
Anything else is dropped unread, so that no code can come in this way; runs of digits in free text
are struck out for the same reason. What was said counts for a limited time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading, Unknown, Value
from agent.watch.scanner.tally import Tally

FLAGS = ("connected", "sensor_fault", "battery_charging", "battery_low")
NAMES = ("make", "model", "firmware", "serial")
#: Who says so, how sure it is, and what a person can do about a hook.
REPORT = ("source", "confidence", "hook", "do")
#: A vendor's native status, as a number or a word. No code that is worth something is so short.
RAW_MAX_CHARS = 12
#: Shorter than any code that is worth something, longer than any error number.
_DIGITS = re.compile(r"\d{6,}")
_TEXT_MAX_CHARS = 200
_COUNT_MAX = 1_000_000


class Told:
    """The last word of whoever reports on the scanner."""

    def __init__(self, tally: Tally, max_age_s: float, now_ms: int) -> None:
        self._tally = tally
        self._max_age_ms = round(max_age_s * 1000)
        self._since_ms = now_ms
        self._at_ms: int | None = None
        self._outcome: Outcome = NotObservable("nothing has reported on the scanner yet")
        self._totals: dict[str, int] = {}
        self._heard = 0  #: a mark of the last report, not the report: it may hold anything

    def feed(self, outcome: Outcome, now_ms: int) -> None:
        """Take in what was reported."""
        self._at_ms = now_ms
        before, self._heard = self._heard, hash(repr(outcome))
        match outcome:
            case Reading(values=values, evidence=evidence):
                # The same word told twice is no newer than it was.
                self._count(values, now_ms, repeated=before == self._heard)
                self._outcome = Reading(_values(values), _evidence({**evidence, **values}))
            case Unknown(reason=reason, code=code, evidence=evidence):
                self._outcome = Unknown(cleaned(reason), code, _about_the_report(evidence))
            case NotFitted():
                self._outcome = outcome
            case NotObservable(why=why):
                self._outcome = NotObservable(cleaned(why))

    def outcome(self, now_ms: int) -> Outcome:
        """The last word while it counts; Unknown once it is too old."""
        heard_ms = self._since_ms if self._at_ms is None else self._at_ms
        silent_s = (now_ms - heard_ms) / 1000
        if now_ms - heard_ms > self._max_age_ms:
            return Unknown(
                f"nothing has reported on the scanner for {silent_s:.0f} s: check its hook or the "
                "firmware's service",
                "scanner.not_answering",
                {"finding": "no_report"},
            )
        return self._outcome

    def reading(self, now_ms: int) -> Reading | None:
        """The last reading, while it counts; None where there is none."""
        if self._at_ms is None:
            return None
        outcome = self.outcome(now_ms)
        return outcome if isinstance(outcome, Reading) else None

    def trouble(self, now_ms: int) -> Unknown | None:
        """The last report, while it counts, if it says that the scanner is unknown."""
        fresh = self._at_ms is not None and now_ms - self._at_ms <= self._max_age_ms
        return self._outcome if fresh and isinstance(self._outcome, Unknown) else None

    def _count(self, values: Mapping[str, Value], now_ms: int, *, repeated: bool) -> None:
        grown = {name: self._grown(name, values.get(name)) for name in ("reads", "no_reads")}
        if _whole(values.get("no_reads")) is not None:
            self._tally.tells_no_reads()
        self._tally.count(grown["reads"], grown["no_reads"], now_ms)
        age_s = None if repeated else values.get("good_read_age_s")
        if isinstance(age_s, int | float) and not isinstance(age_s, bool) and 0 <= age_s < 1e8:
            self._tally.last_read(age_s, now_ms)

    def _grown(self, name: str, value: Value) -> int:
        """By how much a running total grew. The first one says nothing about now."""
        total = _whole(value)
        if total is None:
            return 0
        before = self._totals.get(name)
        self._totals[name] = total
        if before is None:
            return 0
        return min(total - before if total >= before else total, _COUNT_MAX)


def cleaned(text: str) -> str:
    """Free text without anything that could be a code."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return _DIGITS.sub("…", plain)[:_TEXT_MAX_CHARS]


def _whole(value: Value) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(value) if whole and value is not None else None


def _values(values: Mapping[str, Value]) -> dict[str, Value]:
    kept: dict[str, Value] = {
        name: values[name] for name in FLAGS if isinstance(values.get(name), bool)
    }
    percent = values.get("battery_percent")
    if isinstance(percent, int | float) and not isinstance(percent, bool) and 0 <= percent <= 100:
        kept["battery_percent"] = round(percent)
    return kept


def _about_the_report(evidence: Mapping[str, str]) -> dict[str, str]:
    kept = {name: cleaned(evidence[name]) for name in REPORT if name in evidence}
    raw = evidence.get("raw", "")
    if raw and len(raw) <= RAW_MAX_CHARS:
        kept["raw"] = cleaned(raw)
    return kept


def _evidence(told: Mapping[str, Value]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name in NAMES:
        word = told.get(name)
        if isinstance(word, str) and word:
            kept[name] = "".join(one if one.isprintable() else " " for one in word)[:64]
    kept |= _about_the_report({name: str(word) for name, word in told.items()})
    error = told.get("error")
    if isinstance(error, str) and error:
        kept["error"] = cleaned(error)
    return kept
