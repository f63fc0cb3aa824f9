"""A self-inspection on paper: every check with its verdict, and what to do where one must act."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from agent.core.inspection import words
from agent.core.inspection.report import Check, Report, Verdict
from agent.core.moment import at_ms
from agent.core.slips.paper import Block, Heading, Pair, Rule, Slip, Text
from agent.core.why.causes import CATALOGUE
from agent.core.why.reasons import in_chinese
from agent.core.why.text import Language

_TROUBLE = (Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN)


def slip(report: Report, who: str, lang: Language, offset: timedelta) -> Slip:
    """The whole report; `who` names the terminal, `offset` is its time zone's."""
    blocks: list[Block] = [
        Heading(words.TITLE.render(lang)),
        Pair(who, words.NUMBER.render(lang, {"number": report.number})),
        _when(report, lang, offset),
        Rule(),
    ]
    troubled = False
    for check in report.shown():
        blocks += _check(check, lang, offset)
        troubled = troubled or check.verdict in _TROUBLE
    blocks.append(Rule())
    totals = report.totals
    counted = [
        f"{words.VERDICTS[verdict].render(lang)} {totals[verdict]}"
        for verdict in Verdict
        if totals[verdict]
    ]
    if counted:
        blocks.append(Text("  ".join(counted)))
    if report.ended_ms is None:
        blocks.append(Text(words.RUNNING.render(lang)))
    elif not troubled:
        blocks.append(Text(words.NOTHING_DONE.render(lang)))
    return Slip(name="inspection", blocks=tuple(blocks))


def _when(report: Report, lang: Language, offset: timedelta) -> Block:
    began = (at_ms(report.started_ms) + offset).strftime("%Y-%m-%d %H:%M:%S")
    if report.ended_ms is None:
        return Text(began)
    seconds = f"{max(0, report.ended_ms - report.started_ms) / 1000:.1f}"
    return Pair(began, words.TOOK.render(lang, {"seconds": seconds}))


def _check(check: Check, lang: Language, offset: timedelta) -> Iterator[Block]:
    verdict = words.VERDICTS[check.verdict].render(lang)
    yield Pair(words.title(check.name).render(lang), verdict)
    if check.verdict not in _TROUBLE:
        return
    cause = CATALOGUE.get(check.code)
    if check.reason:
        reason = in_chinese(check.reason) if lang == "zh" else check.reason
        said = [reason] if cause is None else [cause.title.render(lang), reason]
    elif cause is None:
        said = [check.code]
    else:
        said = [cause.reason.render(lang, check.args, offset)]
    for text in said:
        yield Text(text, indent=2, first="  ")
    if check.follows:
        root = CATALOGUE.get(check.follows)
        about = root.title.render(lang) if root else check.follows
        yield Text(words.FOLLOWS.render(lang, {"title": about}), indent=2, first="  ")
    elif cause is not None:
        owner = words.OWNERS[cause.owner].render(lang)
        step = cause.step.render(lang, check.args, offset)
        colon = "：" if lang == "zh" else ": "
        yield Text(f"{owner}{colon}{step}", indent=5, first="  -> ")
