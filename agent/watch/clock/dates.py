"""Times as strangers write them: the header Date, and a broker's number. Never raises."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from agent.core.moment import to_ms

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: IMF-fixdate and the two older forms every reader must take (RFC 9110, 5.6.7).
_FIXED = re.compile(
    r"[A-Z][a-z]{2}, (\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:GMT|UTC|[+-]0000)"
)
_RFC850 = re.compile(r"[A-Z][a-z]+, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT")
_ASCTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})")
#: What a number means: seconds up to here (the year 5138), milliseconds beyond.
_SECONDS = 100_000_000_000


def http_date_ms(said: str) -> int | None:
    """UTC in milliseconds; None for what is no date."""
    text = said.strip()[:64]
    if not text.isascii():
        return None
    if found := _FIXED.fullmatch(text):
        day, month, year, hour, minute, second = found.groups()
    elif found := _ASCTIME.fullmatch(text):
        month, day, hour, minute, second, year = found.groups()
    elif found := _RFC850.fullmatch(text):
        day, month, year, hour, minute, second = found.groups()
        year = f"20{year}"  # nobody who sends this form is older
    else:
        return None
    try:
        at = datetime(
            int(year), _MONTHS.index(month.lower()) + 1, int(day),
            int(hour), int(minute), min(int(second), 59), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
    return to_ms(at)


def number_ms(said: str) -> int | None:
    """UTC in milliseconds of a number of seconds or milliseconds since 1970."""
    text = said.strip()[:32]
    if not re.fullmatch(r"\d{9,14}(\.\d{1,9})?", text, re.ASCII):
        return None
    value = float(text)
    return round(value if value >= _SECONDS else value * 1000)
