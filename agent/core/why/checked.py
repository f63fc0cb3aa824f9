"""What the check before a payment says to people: one sentence and one step per finding.

The sentence belongs to the finding's code, title, owner and step to its cause in the catalogue.
It decides nothing: `core.money.limits` did. Called by wire for the answers of the local API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent.core.money.limits import Finding, Level, Use
from agent.core.why.text import Arg, Args, Line, Money, Text, format_money

if TYPE_CHECKING:
    from agent.core.why.causes.cause import Cause

_NEAR: Mapping[str, Text] = {
    "limit.single": Text(
        "金额{found}接近单笔限额{limit}", "{found} is close to {limit}, the limit of one payment"
    ),
    "limit.total": Text(
        "连同这笔，未上送总额为{found}，限额{limit}",
        "With this payment {found} are unsent; the limit is {limit}",
    ),
    "limit.count": Text(
        "连同这笔，未上送{found}笔，限额{limit}笔",
        "With this one {found} payments are unsent; the limit is {limit}",
    ),
    "limit.age": Text(
        "最早一笔已有{found}未上送，限额{limit}",
        "The oldest unsent payment is {found} old; the limit is {limit}",
    ),
}
_OVER: Mapping[str, Text] = {
    **_NEAR,
    "limit.single": Text(
        "金额{found}超过单笔限额{limit}", "{found} is more than {limit}, the limit of one payment"
    ),
    "amount.large": Text(
        "金额{found}达到需核对的{limit}", "{found} reaches {limit}, from which amounts are checked"
    ),
    "amount.mistyped": Text(
        "金额{found}，同一张卡{twin_at}付的是{twin_amount}，可能多输或少输了0",
        "{found}, but the same card paid {twin_amount} at {twin_at}: a zero too many or too few?",
    ),
    "duplicate.suspected": Text(
        "与{twin_at}的{twin_amount}很像[，STAN {twin_stan}]（{twin}）",
        "Looks like {twin_amount} of {twin_at}[, STAN {twin_stan}] ({twin})",
    ),
    "amount.unusual": Text(
        "金额{found}比以往大得多（按{based_on}笔统计），可能是{meant}[：{pattern}]",
        "{found} is far more than usual (of {based_on} payments); was {meant} meant[: {pattern}]?",
    ),
    "payment.unfinished": Text(
        "{twin_at}的{twin_amount}还没有结果（{twin}），不要重收",
        "{twin_amount} of {twin_at} is still open ({twin}): do not take it again",
    ),
    "refund.too_large": Text(
        "退款{found}超过原交易{limit}", "{found} is more than the {limit} that was paid"
    ),
    "void.settled": Text(
        "原交易的批次已结算，不能撤销，应做退款",
        "The batch of the original is closed: refund it instead",
    ),
    "type.no_preauth": Text(
        "预授权完成没有对应的预授权", "A completion without a preauthorisation"
    ),
    "type.wrong_original": Text(
        "{found}不适用于原交易类型{original}", "{found} does not fit the original, a {original}"
    ),
    "entry.too_fast": Text("从录入到确认只用了{ms}毫秒", "Entry to confirmation took only {ms} ms"),
    "fraud.declines": Text(
        "{minutes}分钟内已有{count}笔被拒", "{count} payments declined within {minutes} min"
    ),
    "fraud.refunds": Text(
        "{minutes}分钟内第{count}笔退款或撤销", "Refund or void number {count} within {minutes} min"
    ),
    "fraud.split": Text(
        "同一张卡{minutes}分钟内第{count}笔，合计超过单笔限额",
        "Payment {count} of one card within {minutes} min; together above the limit of one",
    ),
    "fraud.hours": Text(
        "这个时段以往没有交易（按{based_on}笔统计）",
        "No payments were ever taken at this hour (of {based_on})",
    ),
    "date.future": Text(
        "交易时间{found}晚于终端时间{now}", "Its time {found} is ahead of this terminal's {now}"
    ),
    "date.past": Text(
        "交易时间{found}远早于终端时间{now}", "Its time {found} is far behind this terminal's {now}"
    ),
    "date.unchecked": Text(
        "终端时钟显示{now}，不可信，未核对交易时间",
        "This terminal's clock says {now} and cannot be trusted; the time was not checked",
    ),
    "terminal.mismatch": Text(
        "终端号{found}不是下发的[（{expected}）]", "TID {found} is not an issued one[ ({expected})]"
    ),
    "merchant.mismatch": Text(
        "商户号{found}不是下发的[（{expected}）]", "MID {found} is not an issued one[ ({expected})]"
    ),
    "currency.not_taken": Text(
        "本终端不收{found}[，只收{expected}]", "{found} is not taken here[, only {expected}]"
    ),
    "store.full": Text("存储已满，这笔记不下", "The store is full: this payment could not be kept"),
    "kind.not_taken": Text(
        "本终端不做{found}[，只做{expected}]", "{found} is not done here[, only {expected}]"
    ),
}
CODES = frozenset(_OVER)
#: What the cause's own step and title show, from the facts of a finding.
_FIELDS: Mapping[str, str] = {
    "currency.not_taken": "currency",
    "kind.not_taken": "kind",
    "date.future": "occurred_at",
    "date.past": "occurred_at",
}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def cause_of(finding: Finding) -> Cause:
    """The entry of the catalogue it belongs to."""
    # Loaded when somebody asks: a watcher that only needs figures comes here too.
    from agent.core.why.causes import CATALOGUE

    return CATALOGUE[finding.cause]


def sentence(finding: Finding) -> Line:
    """What was found."""
    table = _NEAR if finding.level is Level.WARN and finding.code in _NEAR else _OVER
    return Line(table[finding.code], _args(finding))


def step(finding: Finding) -> Line:
    """What to do next."""
    known = _args(finding)
    args: dict[str, Arg] = {
        "field": _FIELDS.get(finding.code),
        "amount": known.get("found") if finding.cause == "operator.wrong_amount" else None,
        "twin": known.get("twin"),
    }
    if finding.code == "merchant.mismatch":
        args["merchant_id"] = known["found"]
    elif finding.code == "terminal.mismatch":
        args["terminal_id"] = known["found"]
    return Line(cause_of(finding).step, args)


def _args(finding: Finding) -> Args:
    given = finding.args
    args: dict[str, Arg] = dict(given)
    currency = given.get("currency")
    if isinstance(currency, str):
        for name, value in given.items():
            if isinstance(value, int):
                args[name] = figure(finding.code, currency, value)
    if "twin_minor" in args:
        args["twin_amount"] = args["twin_minor"]
    return args


def figure(code: str, currency: str, value: int) -> Arg:
    """A figure of a limit as people read it: an amount, a number or a duration."""
    match code:
        case "limit.count":
            return value
        case "limit.age":
            return duration(value)
        case _:
            return Money(value, currency)


def duration(seconds: int) -> Text:
    """`90 min`, `36 h`, `9 d`: in the largest unit that keeps it above one and a half."""
    for size, zh, en in ((_DAY, "天", "d"), (_HOUR, "小时", "h"), (_MINUTE, "分钟", "min")):
        if seconds * 2 >= size * 3:
            return Text(f"{seconds // size}{zh}", f"{seconds // size} {en}")
    return Text(f"{seconds}秒", f"{seconds} s")


def plain(use: Use) -> tuple[str, str]:
    """(limit, found) of a limit without any language, for a condition's values."""
    return _plain(use, use.limit), _plain(use, use.found)


def _plain(use: Use, value: int) -> str:
    shown = figure(use.code, use.currency, value)
    match shown:
        case Money():
            return format_money(shown)
        case Text():
            return shown.en
        case _:
            return str(shown)
