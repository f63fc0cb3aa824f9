"""The voucher of one payment (电子凭证), always as a reprint: the original is the payment app's.

Says what is proven and nothing else: with the outcome unknown it says so in the largest letters.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.core.money.journal import Record
from agent.core.slips import words
from agent.core.slips.paper import Block, Heading, Pair, Rule, Slip, Text
from agent.core.why.text import Language, format_at

_NAMES = {
    "merchant": ("商户号", "Merchant"),
    "terminal": ("终端号", "Terminal"),
    "kind": ("交易类型", "Payment"),
    "amount": ("金额", "Amount"),
    "asked": ("请求金额", "Asked for"),
    "at": ("交易时间", "Time"),
    "card": ("卡号", "Card"),
    "stan": ("流水号", "STAN"),
    "batch": ("批次号", "Batch"),
    "rrn": ("参考号", "RRN"),
    "code": ("应答码", "Response code"),
    "reference": ("主机单号", "Host reference"),
    "key": ("交易键", "Key"),
    "printed": ("打印时间", "Printed"),
}


def slip(record: Record, now: datetime, lang: Language, offset: timedelta) -> Slip:
    """One payment as the journal has it now."""
    zh, t, result = lang == "zh", record.transaction, record.result
    asked = ""
    if words.amount_minor(record) != t.amount_minor and t.amount_minor is not None:
        asked = words.amount(_asked(record))
    facts = {
        "merchant": t.merchant_id,
        "terminal": t.terminal_id,
        "kind": words.kind_word(t.kind, lang),
        "card": words.masked(t),
        "at": format_at(t.occurred_at, offset),
        "stan": t.stan or "",
        "batch": t.batch or "",
        "rrn": (result.rrn if result else None) or t.rrn or "",
        "code": (result.response_code if result else None) or "",
        "reference": (result.reference if result else None) or "",
        "key": t.key,
        "asked": asked,
    }
    blocks: list[Block] = [
        Heading("交易凭证" if zh else "Payment voucher"),
        Heading("*** 重打印 ***" if zh else "*** REPRINT ***"),
        Rule(),
    ]
    blocks += [_pair(name, value, lang) for name, value in facts.items() if value]
    if words.amount(record):
        blocks.append(_pair("amount", words.amount(record), lang, strong=True))
    blocks += [
        Rule(),
        Text(words.state_said(record, lang), strong=True),
        Rule(),
        _pair("printed", format_at(now, offset), lang),
    ]
    return Slip(name="voucher", blocks=tuple(blocks))


def _pair(name: str, value: str, lang: Language, *, strong: bool = False) -> Pair:
    return Pair(_NAMES[name][0 if lang == "zh" else 1], value, strong)


def _asked(record: Record) -> Record:
    from dataclasses import replace

    plain = replace(record.transaction, posted_amount_minor=None)
    return replace(record, transaction=plain, result=None)
