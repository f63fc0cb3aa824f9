"""Why a list was refused, in the terms of the file, in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.core.why.text import Language, Text

_AT = Text("第{line}行[，{column}列]：", "line {line}[, column {column}]: ")
_COLUMN = Text("{column}列：", "column {column}: ")

REASONS: Mapping[str, Text] = {
    "empty": Text("文件是空的", "the file is empty"),
    "no_lines": Text("只有标题行，没有交易", "there is a heading and no line below it"),
    "encoding": Text(
        "字符编码读不出来；试过（出错行）：{told}",
        "its characters cannot be read; tried (failing line): {told}",
    ),
    "heading": Text(
        "前30行里没有认得的标题行[；认得的列：{told}]",
        "no heading that is known within the first 30 lines[; columns that are: {told}]",
    ),
    "column_missing": Text(
        "配置里指定的列“{told}”在标题行里没有",
        "the column {told} of the configuration is not in the heading",
    ),
    "nothing_to_go_by_at_all": Text(
        "标题行里没有可用来核对的列（订单号、参考号、流水号、日期都没有）[；认得：{told}]",
        "the heading has no column to go by: no order number, RRN, trace number or date"
        "[; taken are: {told}]",
    ),
    "no_amount": Text(
        "标题行里没有金额列[；认得：{told}]", "the heading has no amount[; taken are: {told}]"
    ),
    "no_amount_nor_name": Text(
        "标题行里没有金额列，也没有可用来核对的列[；认得：{told}]",
        "the heading has neither an amount nor a column to go by[; taken are: {told}]",
    ),
    "after_totals": Text(
        "合计行之后还有交易", "there are payments below the totals: is it several lists in one?"
    ),
    "nothing_to_go_by": Text("这一行没有可用来核对的内容", "nothing in this line to go by"),
    "width": Text(
        "列数与标题行不同（{told}），可能被截断",
        "not as many columns as the heading ({told}); it may be cut off",
    ),
    "quotes": Text("引号不成对，可能被截断", "a quotation mark is not closed or out of place"),
    "amount": Text("不是金额", "not an amount"),
    "amount_minor": Text("应为整数分，却有小数", "an amount in minor units has no decimals"),
    "amount_decimals": Text("小数位比该币种多", "more decimals than the currency has"),
    "currency": Text("不认得的币种", "not a currency"),
    "date": Text("不是日期", "not a date"),
    "time": Text("不是时间", "not a time"),
    "kind": Text(
        "不认得的交易类型；可在kinds里指定", "an unknown type of transaction; name it in kinds"
    ),
    "status": Text("不认得的状态；可在statuses里指定", "an unknown status; name it in statuses"),
    "not_ours": Text("是别的商户或终端的清单", "the list is of another merchant or terminal"),
    "json": Text("JSON不完整或有误", "not whole or not valid JSON"),
    "not_object": Text("不是JSON对象", "not a JSON object"),
    "not_text": Text("应为文字或数字", "neither text nor number, or too long"),
    "doubled": Text("同一字段出现两次", "the same field twice"),
    "footer_missing": Text(
        "没有以“{told}”开头的合计行，文件可能不完整",
        "no line of totals that begins with {told}: the file may be cut off",
    ),
    "footer_short": Text("合计行被截断", "the line of totals is cut off"),
    "footer_count": Text(
        "合计笔数与读到的{told}笔不同", "the number of lines told is not the {told} there are"
    ),
    "footer_sum": Text("合计金额与逐笔之和不同", "the sum told is not that of the lines"),
    "too_many": Text("超过{told}行", "more than {told} lines"),
    "broken_off": Text("读入中断，请重新导入", "reading was broken off: send it again"),
    "no_days": Text(
        "没有日期，也没有给出结算日期（--settled-on）",
        "no line has a day, and none was given (--settled-on)",
    ),
    "too_many_days": Text("跨了{told}天，日期列可能不对", "it spans {told} days: a wrong column?"),
}

_ZONE = Text(
    "清单的时间大多比本机{way}{hours}小时：像是另一个时区（配置utc_offset可更正）",
    "most times of the list are {hours} h {way} of this terminal's: they look like another time "
    "zone (utc_offset in the configuration corrects it)",
)
_WAYS: Mapping[Language, tuple[str, str]] = {"zh": ("早", "晚"), "en": ("behind", "ahead")}


def zone_note(hours: int, lang: Language) -> str:
    """That the list's times are so many hours away; "" where they are not."""
    if not hours:
        return ""
    return _ZONE.render(lang, {"hours": abs(hours), "way": _WAYS[lang][hours > 0]})


def refusal(plain: Mapping[str, Any], lang: Language) -> str:
    """The sentence, with its place in front."""
    line, column = plain.get("line") or 0, str(plain.get("column") or "")
    args = {
        "line": line or None,
        "column": column or None,
        "told": str(plain.get("told") or "") or None,
    }
    known = REASONS.get(str(plain.get("why")), REASONS["heading"])
    said = known.render(lang, args)
    if line:
        return _AT.render(lang, args) + said
    return (_COLUMN.render(lang, args) + said) if column else said
