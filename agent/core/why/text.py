"""One sentence in two languages, and how times and amounts are written in it.

A template names facts in braces: `{host}`. A clause in square brackets is dropped when one of its
facts is not known: `the host[ {host}] does not answer[, since {since}]` reads well with both, one
or none. Braces and brackets inside a *value* mean nothing: values are put in last, once.

This file does not know which sentences exist (causes, phrases) nor who reads them (render, wire).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Literal

from agent.core.money.currencies import EXPONENT
from agent.record import dataclass

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount as the journal keeps it: an integer in the currency's minor unit."""

    amount_minor: int
    currency: str


#: Longest value put into a sentence: a host's text may be anything.
MAX_VALUE_CHARS = 120

_UTC = timedelta(0)
#: Watchers tell times as text: a reading has no other.
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_CLAUSE = re.compile(r"\[([^\[\]]*)\]")
_NAME = re.compile(r"\{([a-z0-9_]+)\}")
_NEUTRAL: Mapping[Language, str] = {"zh": "（未知）", "en": "(unknown)"}
_YES_NO: Mapping[Language, tuple[str, str]] = {"zh": ("否", "是"), "en": ("no", "yes")}


@dataclass(frozen=True, slots=True)
class Text:
    """A template in Chinese and English."""

    zh: str
    en: str

    def render(self, lang: Language, args: Args | None = None, offset: timedelta = _UTC) -> str:
        """The sentence. Facts that are missing drop their clause, or become a neutral word."""
        facts = args or {}
        template = self.zh if lang == "zh" else self.en

        def clause(match: re.Match[str]) -> str:
            inside = match[1]
            known = all(_known(facts.get(name)) for name in _NAME.findall(inside))
            return inside if known else ""

        def value(match: re.Match[str]) -> str:
            fact = facts.get(match[1])
            if not _known(fact):
                return _NEUTRAL[lang]
            if isinstance(fact, str):
                fact = _WORDS.get((match[1], fact)) or _read(fact, lang)
            return show(fact, lang, offset)

        return _NAME.sub(value, _CLAUSE.sub(clause, template))

    @property
    def names(self) -> frozenset[str]:
        """The facts the template can show."""
        return frozenset(_NAME.findall(self.en))


#: What a template's fact may be. None, "" and () count as not known.
Arg = str | int | float | bool | datetime | Money | tuple[Money, ...] | Text | None
Args = Mapping[str, Arg]

#: Watchers' words that a reader should see in his own language: (fact, word) -> words.
_WORDS: Mapping[tuple[str, str], Text] = {
    ("component", "agent"): Text("posagent", "posagent"),
    ("component", "android"): Text("Android系统监测", "Android"),
    ("component", "channels"): Text("联网方式", "ways out"),
    ("component", "clock"): Text("时钟监测", "clock"),
    ("component", "configuration"): Text("参数核对", "settings"),
    ("component", "connectivity"): Text("网络监测", "connectivity"),
    ("component", "fleet"): Text("远程管理连接", "line to the fleet"),
    ("component", "inspection"): Text("自检", "self-inspection"),
    ("component", "keypad"): Text("键盘", "keypad"),
    ("component", "link"): Text("网络质量监测", "link quality"),
    ("component", "payment_app"): Text("收款应用", "payment app"),
    ("component", "printer"): Text("打印机", "printer"),
    ("component", "queue"): Text("交易队列", "queue"),
    ("component", "scanner"): Text("扫码枪", "scanner"),
    ("component", "settlement"): Text("清算核对", "reconciliation"),
    ("component", "signal"): Text("信号监测", "signal"),
    ("component", "software"): Text("软件监测", "software"),
    ("component", "system"): Text("系统监测", "system"),
    ("component", "uplink"): Text("上送通道", "uplink"),
    ("key_class", "digit"): Text("数字键", "digit"),
    ("key_class", "function"): Text("功能键", "function key"),
    ("key_class", "navigation"): Text("方向键", "navigation key"),
    ("key_class", "other"): Text("其他键", "other key"),
    ("band", "excellent"): Text("极好", "excellent"),
    ("band", "good"): Text("良好", "good"),
    ("band", "fair"): Text("一般", "fair"),
    ("band", "weak"): Text("弱", "weak"),
    ("sim_state", "ready"): Text("SIM卡可用", "the SIM works"),
    ("sim_state", "absent"): Text("没有SIM卡", "no SIM card"),
    ("sim_state", "pin_required"): Text("要求输入PIN码", "it asks for its PIN"),
    ("sim_state", "puk_required"): Text("已锁，要求PUK码", "blocked, it asks for its PUK"),
    ("sim_state", "locked"): Text("被锁定在别的网络或设备", "locked to another network or device"),
    ("sim_state", "failed"): Text("SIM卡不应答", "the SIM does not answer"),
    ("sim_state", "not_ready"): Text("SIM卡尚未就绪", "the SIM is not ready yet"),
    ("registration", "home"): Text("已注册", "registered"),
    ("registration", "roaming"): Text("漫游中", "roaming"),
    ("registration", "searching"): Text("一直在找网", "still searching"),
    ("registration", "denied"): Text("被网络拒绝", "refused by the network"),
    ("registration", "idle"): Text("未注册", "not registered"),
    ("registration", "emergency_only"): Text("仅限紧急呼叫", "emergency calls only"),
    ("registration", "off"): Text("射频已关闭", "the radio is switched off"),
    ("expected", "live"): Text("正式（live）", "live"),
    ("expected", "test"): Text("测试（test）", "test"),
    ("expected", "training"): Text("培训（training）", "training"),
    ("found", "live"): Text("正式（live）", "live"),
    ("found", "test"): Text("测试（test）", "test"),
    ("found", "training"): Text("培训（training）", "training"),
    ("offline_reason", "cover"): Text("纸仓盖打开", "cover open"),
    ("offline_reason", "paper"): Text("缺纸", "paper end"),
    ("offline_reason", "error"): Text("打印机报错", "printer error"),
    ("offline_reason", "feed"): Text("进纸键被按住", "FEED pressed"),
    ("offline_reason", "switch"): Text("被切换为离线", "switched off-line"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A template with its facts: a sentence that can still be said in either language."""

    text: Text
    args: Args = field(default_factory=dict)

    def render(self, lang: Language, offset: timedelta = _UTC) -> str:
        return self.text.render(lang, self.args, offset)


def verbatim(words: str) -> Line:
    """A line that reads the same in both languages: a device's or a host's own words."""
    return Line(Text("{words}", "{words}"), {"words": words})


def show(value: Arg, lang: Language, offset: timedelta = _UTC) -> str:
    """A fact as people write it, on one line, without control characters, of bounded length."""
    match value:
        case bool():
            return _YES_NO[lang][value]
        case datetime():
            return format_at(value, offset)
        case Money():
            return format_money(value)
        case Text():
            return value.render(lang)
        case tuple():
            return ("、" if lang == "zh" else ", ").join(format_money(money) for money in value)
        case float():
            return f"{value:.6g}"
        case _:
            return _plain(str(value))


def format_money(money: Money) -> str:
    """`CNY 12.50`, `JPY 1250`, `KWD -0.005`: major units with the currency's own places.

    `12.50` where nobody told the currency: a settlement list need not.
    """
    places = EXPONENT.get(money.currency, 2)
    sign = "-" if money.amount_minor < 0 else ""
    digits = str(abs(money.amount_minor)).rjust(places + 1, "0")
    whole = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"{money.currency} {sign}{whole}".lstrip()


def format_at(at: datetime, offset: timedelta = _UTC) -> str:
    """`2026-11-21 14:05:09` at the given distance from UTC. Impossible results stay in UTC."""
    moment = at.astimezone(UTC)
    try:
        moment += offset
    except OverflowError:
        return f"{moment:%Y-%m-%d %H:%M:%S}Z"
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _read(fact: str, lang: Language) -> Arg:
    """A watcher's own text as what it is: a time, a reason that has a Chinese side, or words."""
    if _STAMP.fullmatch(fact):
        try:
            return datetime.fromisoformat(fact)
        except ValueError:
            return fact
    if lang != "zh":
        return fact
    from agent.core.why.reasons import in_chinese  # a table; only for who reads Chinese

    return in_chinese(fact)


def _known(value: Arg) -> bool:
    return value is not None and value not in ("", ())


def _plain(words: str) -> str:
    # Escape sequences in a host's answer must not reach a technician's terminal.
    clean = "".join(c if c.isprintable() else " " for c in words[: MAX_VALUE_CHARS + 1])
    return clean if len(clean) <= MAX_VALUE_CHARS else clean[: MAX_VALUE_CHARS - 1] + "…"
