"""The newest payments on paper, so that nobody takes one twice: two lines each, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agent.core.money.journal import Record
from agent.core.slips import words
from agent.core.slips.paper import Block, Heading, Pair, Rule, Slip, Text
from agent.core.why.text import Language, format_at

#: More is a list for a screen.
MOST = 30


def slip(
    records: Sequence[Record], who: str, now: datetime, lang: Language, offset: timedelta
) -> Slip:
    """`records`: the newest, in any order."""
    zh = lang == "zh"
    newest = sorted(records, key=lambda one: one.seq, reverse=True)[:MOST]
    blocks: list[Block] = [
        Heading("最近交易" if zh else "Recent payments"),
        Pair(who, format_at(now, offset)),
        Rule(),
    ]
    for record in newest:
        t = record.transaction
        at = format_at(t.occurred_at, offset)[5:16]
        blocks.append(Pair(f"{at} {words.kind_word(t.kind, lang)}", words.amount(record)))
        about = [t.stan or t.key[-8:], words.masked(t)[-4:] if t.card else ""]
        told = " ".join(part for part in about if part)
        # Not posted is what somebody looks for on this slip.
        strong = words.doubtful(record) or not record.final
        blocks.append(Pair(f"  {told}", words.state_word(record, lang), strong))
    if not newest:
        blocks.append(Text("没有交易" if zh else "No payments"))
    blocks += [
        Rule(),
        Text(
            "“结果未知”的交易请勿重复收款。"
            if zh
            else "Do not take a payment again whose outcome is unknown."
        ),
    ]
    return Slip(name="recent", blocks=tuple(blocks))
