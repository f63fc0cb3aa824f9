"""A settlement list's outcome on paper: counts by class, then what somebody must look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.core.slips.paper import Block, Gap, Heading, Pair, Rule, Slip, Text
from agent.core.why.causes import CATALOGUE
from agent.core.why.reconcile.classes import MEANINGS, Class
from agent.core.why.text import Language, Money, format_money

#: Paper is short: the rest is in the table and in the CSV file.
MOST = 40
_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("对账结果", "RECONCILIATION"),
    "list": ("清单", "list"),
    "days": ("结算日", "settled"),
    "lines": ("行数", "lines"),
    "payments": ("本机笔数", "payments here"),
    "here": ("本机", "here"),
    "listed": ("清单", "listed"),
    "due": ("应到日", "due"),
    "more": ("其余见明细文件", "the rest is in the file of findings"),
    "none": ("没有差异", "no differences"),
    "refused": (
        "这份清单未被接受，什么都没有核对",
        "This list was refused: nothing was compared",
    ),
    "unread": ("这份清单还没有核对完", "This list is not worked through yet"),
}


def slip(of: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], lang: Language) -> Slip:
    """`of` and `findings` as the API tells them; what is matched is only counted."""

    def say(word: str) -> str:
        return _WORDS[word][0 if lang == "zh" else 1]

    days = " - ".join(dict.fromkeys(of["days"]))
    head: list[Block] = [
        Heading(say("title")),
        Pair(f"{say('list')} {of['number']}", str(of["name"])),
    ]
    if of["state"] != "done":
        word = "refused" if of["state"] == "refused" else "unread"
        return Slip("reconciliation", (*head, Rule(), Text(say(word), strong=True), Gap()))
    blocks: list[Block] = [
        *head,
        Pair(say("days"), days),
        Pair(say("lines"), str(of["lines"])),
        Pair(say("payments"), str(of["payments"])),
        Rule(),
        *(Pair(_named(name, lang), str(count)) for name, count in of["counts"].items()),
        Rule(),
    ]
    told = [one for one in findings if one.get("code")]
    for one in told[:MOST]:
        blocks += _finding(one, lang, say("here"), say("listed"), say("due"))
    if not told:
        blocks.append(Text(say("none")))
    elif len(told) > MOST:
        blocks.append(Text(say("more")))
    return Slip("reconciliation", (*blocks, Gap()))


def _finding(
    one: Mapping[str, Any], lang: Language, here: str, listed: str, due: str
) -> list[Block]:
    name = str(one.get("key") or one.get("rrn") or one.get("stan") or "")
    blocks: list[Block] = [Text(_named(str(one["result"]), lang), strong=True)]
    if name:
        blocks.append(Text(name, indent=2))
    for word, amount in ((here, one.get("amount_minor")), (listed, one.get("listed_minor"))):
        if isinstance(amount, int):
            money = Money(amount, str(one.get("currency", "")))
            blocks.append(Pair(f"  {word}", format_money(money)))
    if one.get("due_on"):
        blocks.append(Pair(f"  {due}", str(one["due_on"])))
    cause = CATALOGUE.get(str(one["code"]))
    if cause is not None:
        told = {name: one.get(name) for name in ("rrn", "stan", "batch", "terminal_id")}
        step = cause.step.render(lang, told)
        blocks.append(Text(step, indent=2, first="> "))
    return blocks


def _named(result: str, lang: Language) -> str:
    return MEANINGS[Class(result)].text.render(lang) if result in list(Class) else result
