"""Two ways of writing one value, made one: amounts, numbers, yes and no, sets, modes, addresses.

What cannot be read as its kind is None: nobody knows then, and unknown does not differ. Called by
`compare`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal

from agent.core.configuration.causes import Kind
from agent.core.money.currencies import EXPONENT

#: A value as files, hooks and profiles give it.
Raw = str | int | float | bool | tuple[str, ...]
#: A value as it is compared.
Canonical = str | int | bool | frozenset[str]
Unit = Literal["minor", "major"]

_NUMBER = re.compile(r"([+-]?)(\d{1,30})(?:\.(\d{1,30}))?")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MONEY_SIGNS = re.compile(r"[¥￥$€£元]|RMB", re.IGNORECASE)
_SEPARATORS = re.compile(r"[,;|\s]+")
_SPACE = re.compile(r"\s+")
_YES = frozenset({"true", "yes", "on", "1", "y", "enabled", "是", "开", "启用"})
_NO = frozenset({"false", "no", "off", "0", "n", "disabled", "否", "关", "停用", "禁用"})
_MODES: Mapping[str, str] = {
    word: mode
    for mode, words in {
        "live": "live prod production prd online release 正式 生产 正式环境 生产环境",
        "test": "test testing sit uat sandbox dev staging debug 测试 测试环境 联调",
        "training": "training train demo practice 培训 演示 练习",
    }.items()
    for word in words.split()
}
_NOTHING = frozenset({"", "none", "null", "direct", "off", "无"})


def canonical(
    raw: Raw, kind: Kind, *, currency: str = "", unit: Unit = "minor"
) -> Canonical | None:
    """`raw` as it is compared; None where it cannot be read as its kind."""
    match kind:
        case Kind.BOOLEAN:
            return _boolean(raw)
        case Kind.AMOUNT:
            return _amount(raw, currency, unit)
        case Kind.NUMBER:
            return _number(raw)
        case Kind.SET:
            return frozenset(_members(raw))
        case Kind.MODE:
            word = text_of(raw).casefold()
            return _MODES.get(word, word) or None
        case Kind.HOST:
            return _host(text_of(raw))
        case _:
            return text_of(raw)


def text_of(raw: Raw) -> str:
    """A value in one line, as people would write it."""
    match raw:
        case bool():
            return "true" if raw else "false"
        case float():
            return f"{raw:.15g}"
        case tuple():
            return ", ".join(_clean(one) for one in raw)
        case _:
            return _clean(str(raw))


def same(expected: Raw, found: Raw, kind: Kind, one: Canonical, other: Canonical) -> bool:
    """Whether two canonical values are one."""
    if one == other:
        return True
    # 00012345 exported as a number has lost its zeros.
    number = isinstance(found, int) and not isinstance(found, bool)
    digits = isinstance(expected, str) and isinstance(one, str) and one.isdecimal()
    return kind is Kind.TEXT and number and digits and str(one).lstrip("0") == str(found)


def shown(value: Canonical, kind: Kind, currency: str) -> str:
    """A canonical value for people."""
    match value:
        case bool():
            return "true" if value else "false"
        case frozenset():
            return ", ".join(sorted(value)) or "-"
        case int() if kind is Kind.AMOUNT:
            places = EXPONENT.get(currency, 2)
            sign = "-" if value < 0 else ""
            digits = str(abs(value)).rjust(places + 1, "0")
            whole = f"{digits[:-places]}.{digits[-places:]}" if places else digits
            return f"{sign}{whole} {currency}".strip()
        case _:
            return str(value) or "-"


def _clean(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # full-width digits of Chinese exports
    return _SPACE.sub(" ", text).strip()


def _boolean(raw: Raw) -> bool | None:
    word = text_of(raw).casefold()
    if word in _YES:
        return True
    return False if word in _NO else None


def _amount(raw: Raw, currency: str, unit: Unit) -> int | None:
    """In minor units. A decimal point says major units whatever `unit` says."""
    places = EXPONENT.get(currency)
    if places is None or isinstance(raw, bool):
        return None
    text = text_of(raw)
    if not isinstance(raw, int):
        text = _MONEY_SIGNS.sub("", text).replace(currency, "")
        text = _GROUPED.sub("", text.strip())
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, whole, part = found.groups()
    if part is None and unit == "minor":
        amount = int(whole)
    else:
        part = (part or "").rstrip("0")
        if len(part) > places:
            return None
        amount = int(whole) * 10**places + int(part.ljust(places, "0") or "0")
    return -amount if sign == "-" else amount


def _number(raw: Raw) -> str | None:
    if isinstance(raw, bool):
        return None
    found = _NUMBER.fullmatch(_GROUPED.sub("", text_of(raw)))
    if found is None:
        return None
    sign, whole, part = found.groups()
    whole = whole.lstrip("0") or "0"
    part = (part or "").rstrip("0")
    number = f"{whole}.{part}" if part else whole
    return f"-{number}" if sign == "-" and number != "0" else number


def _members(raw: Raw) -> Iterable[str]:
    if isinstance(raw, tuple):
        return [member for one in raw if (member := text_of(one))]
    return [one for one in _SEPARATORS.split(text_of(raw)) if one]


def _host(text: str) -> str:
    bare = text.casefold().rstrip("/").rstrip(".")
    return "" if bare in _NOTHING else bare
