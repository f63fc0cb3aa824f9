"""What stands in one field of a list: amounts, times, days, cards, words. Strict.

Each function gives a value or raises ListError with the sentence that fits; the reader adds line
and column. A value itself is never repeated: a shifted column may put a card number anywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from agent.core.money import cards
from agent.core.money.currencies import EXPONENT
from agent.core.money.transaction import MAX_AMOUNT_MINOR
from agent.core.why.reconcile.profile import ListError

_AMOUNT = re.compile(
    r"([+-]?)[¥￥$]?([+-]?)(\d{1,3}(?:,\d{3})+|\d{1,16})(?:\.(\d{1,8}))?元?", re.ASCII
)
_DAY = re.compile(r"(\d{4})(?:-|/|\.|年|)(\d\d?)(?:-|/|\.|月|)(\d\d?)日?", re.ASCII)
_CLOCK = re.compile(r"(\d\d?):?(\d\d)(?::?(\d\d)(?:\.\d{1,6})?)?", re.ASCII)
_ZONE = re.compile(r"(?:Z|([+-])(\d\d):?(\d\d))$", re.ASCII)
_NAME = re.compile(r"[\s()（）\[\]【】_:：/-]+")
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
#: Numbers people call CNY by, in lists of Chinese acquirers.
_CURRENCIES = {"156": "CNY", "RMB": "CNY", "人民币": "CNY", "¥": "CNY"}
_AROUND = " \t\r\n\u3000\ufeff"
#: Spreadsheets and platforms put these before numbers that are to stay as they are.
_MARKED = frozenset("`'=")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The first two digits of every issuer's numbers.
_BEGINNINGS = frozenset(
    str(pair)
    for low, high, _ in cards.ISSUERS
    for pair in range(int(low[:2].ljust(2, "0")), int(high[:2].ljust(2, "9")) + 1)
)


def folded(heading: str) -> str:
    """A heading without what differs between two banks that mean the same."""
    return _NAME.sub("", heading).lower()


def cleaned(text: str) -> str:
    """A field without what spreadsheets and payment platforms put around it."""
    text = text.strip(_AROUND)
    if text[:1] not in _MARKED or not text:
        return text
    if text.startswith('="') and text.endswith('"'):
        return text[2:-1]
    return text[1:].strip(_AROUND) if text[0] != "=" else text


def currency(text: str, default: str) -> str:
    """ISO 4217 letters."""
    if not text:
        return default
    found = _CURRENCIES.get(text, text.upper())
    if not _CODE.fullmatch(found) or found not in EXPONENT:
        raise ListError("currency")
    return found


def minor(text: str, unit: str, code: str, *, rounded: bool = False) -> int:
    """An amount in the currency's smallest unit, with its sign. Fees may be told more finely."""
    match = _AMOUNT.fullmatch(text)
    if match is None or (match[1] and match[2]):
        raise ListError("amount")
    whole, decimals = match[3].replace(",", ""), match[4] or ""
    if unit == "minor":
        if decimals:
            raise ListError("amount_minor")
        value = int(whole)
    else:
        places = EXPONENT[code]
        finer = decimals[places:]
        if finer.strip("0") and not rounded:
            raise ListError("amount_decimals")
        value = int(whole + decimals[:places].ljust(places, "0")) + (finer[:1] >= "5")
    if value > MAX_AMOUNT_MINOR:
        raise ListError("amount")
    return -value if "-" in (match[1], match[2]) else value


@lru_cache(maxsize=512)
def day(text: str, formats: tuple[str, ...] = ()) -> int:
    """The ordinal of a day."""
    for one in formats:
        try:
            return datetime.strptime(text, one).toordinal()  # noqa: DTZ007 - a day
        except ValueError:
            continue
    match = None if formats else _DAY.fullmatch(text)
    if match is None:
        raise ListError("date")
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).toordinal()
    except ValueError:
        raise ListError("date") from None


def seconds(text: str) -> int:
    """Seconds since midnight."""
    match = _CLOCK.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        raise ListError("time")
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)


def moment(text: str, formats: tuple[str, ...], offset_minutes: int) -> tuple[int, bool]:
    """Milliseconds since 1970 UTC, and whether a time of day was told."""
    if formats:
        return _by_format(text, formats, offset_minutes)
    zone = _ZONE.search(text) if ":" in text else None
    if zone is not None:
        text = text[: zone.start()]
        hours, minutes = int(zone[2] or 0), int(zone[3] or 0)
        offset_minutes = (hours * 60 + minutes) * (-1 if zone[1] == "-" else 1)
    text = text.replace("T", " ").strip()
    first, _, rest = text.partition(" ")
    if not rest and first.isdigit() and len(first) == 14:
        first, rest = first[:8], first[8:]
    at = day(first)
    return at_ms(at, seconds(rest.strip()) if rest else 0, offset_minutes), bool(rest)


def at_ms(at_day: int, second: int, offset_minutes: int) -> int:
    """A local day and time as milliseconds since 1970 UTC."""
    return ((at_day - 719_163) * 86_400 + second - offset_minutes * 60) * 1000


def harmless(text: str) -> str:
    """The text, with a card number that stands in a wrong place masked."""
    # Most order numbers begin with the year, and no card does.
    if text.isascii() and text.isdigit() and text[:2] not in _BEGINNINGS:
        return text
    return _masked(text)


@lru_cache(maxsize=512)
def _masked(text: str) -> str:
    return cards.masked(text) if cards.find(text) else text


def tail(text: str) -> str:
    """The last four digits of a card; nothing else of it goes any further."""
    digits = text[-4:]
    return digits if len(digits) == 4 and digits.isascii() and digits.isdigit() else ""


def _by_format(text: str, formats: tuple[str, ...], offset_minutes: int) -> tuple[int, bool]:
    for one in formats:
        try:
            told = datetime.strptime(text, one)  # noqa: DTZ007 - made aware below
            aware = told.tzinfo is not None
            utc = told if aware else told.replace(tzinfo=UTC) - timedelta(minutes=offset_minutes)
        except (ValueError, OverflowError):
            continue
        return (utc - _EPOCH) // timedelta(milliseconds=1), any(
            mark in one for mark in ("%H", "%I", "%X", "%c", "%T")
        )
    raise ListError("time")
