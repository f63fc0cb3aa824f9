"""The report of an outage drill on paper. Pure; rendered and printed by whoever prints slips."""

from __future__ import annotations

from datetime import timedelta

from agent.core.drill.report import Drill
from agent.core.drill.words import result_said, said, title, verdict_word
from agent.core.moment import at_ms
from agent.core.slips.paper import Block, Heading, Pair, Rule, Slip, Text


def slip(report: Drill, lang: str, offset: timedelta) -> Slip:
    """A heading, the result, and every step with its verdict and figures."""
    zh = lang == "zh"
    at = (at_ms(report.started_ms) + offset).strftime("%Y-%m-%d %H:%M:%S")
    blocks: list[Block] = [
        Heading("应急演练报告" if zh else "Outage drill"),
        Rule(),
        Pair("编号" if zh else "Number", str(report.number)),
        Pair("开始" if zh else "Began", at),
        Pair("演练记录" if zh else "Marked records", str(report.records)),
    ]
    if report.ended_ms is not None:
        took_s = max(0, report.ended_ms - report.started_ms) / 1000
        blocks.append(
            Pair("用时" if zh else "Took", f"{took_s:.1f} 秒" if zh else f"{took_s:.1f} s")
        )
    blocks += [Rule(), Text(result_said(report, lang), strong=True), Rule()]
    for done in report.steps:
        blocks.append(Pair(title(done.name, lang), verdict_word(done.verdict, lang), strong=True))
        blocks.append(Text(said(done, lang), indent=2))
    blocks.append(Rule())
    blocks.append(
        Text(
            "演练记录带有标记，不会发送给任何主机，也不计入交易。"
            if zh
            else "Marked records never leave this terminal and count as no payment."
        )
    )
    return Slip(name="drill", blocks=tuple(blocks))
