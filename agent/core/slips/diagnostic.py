"""The diagnostic slip: the verdict in short, how the terminal is, and a code to scan.

The same findings in the same order as `posagent why`; what is under them (evidence, reasons) is
there, this is one hand's length of paper. Called by `agent.actions.slip_kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from agent.core.money.journal import Backlog
from agent.core.slips import compact
from agent.core.slips.compact import Compact
from agent.core.slips.paper import Block, Heading, Pair, Qr, Rule, Slip, Text
from agent.core.why.render import OWNERS
from agent.core.why.text import Language, Money, format_at, format_money
from agent.core.why.text import Text as Words
from agent.core.why.verdict import Finding, Verdict
from agent.record import dataclass

_COMPONENT = Words("{component}", "{component}")
#: A channel's state in a word that fits beside its name.
CHANNELS: Mapping[str, Words] = {
    "ok": Words("正常", "ok"),
    "backing_off": Words("等待重试", "waiting to retry"),
    "paused": Words("暂停", "paused"),
    "disabled": Words("已停用", "switched off"),
    "shadow": Words("只记录不上送", "records only"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """What the slip tells of it beside the verdict."""

    device_id: str
    version: str
    backlog: Backlog | None  #: None: could not be read
    alive: bool = True  #: whether the daemon runs
    alarms: int = 0
    unknown: Sequence[str] = ()  #: components nothing is known of
    channels: Sequence[tuple[str, str]] = ()  #: name and state
    installed: Sequence[tuple[str, str]] = ()  #: what and its version


def slip(verdict: Verdict, terminal: Terminal, lang: Language, offset: timedelta) -> Slip:
    """In the order in which it is needed at the counter."""
    zh = lang == "zh"
    blocks: list[Block] = [
        Heading("终端诊断" if zh else "Terminal diagnosis"),
        Pair(terminal.device_id, format_at(verdict.at, offset)),
        Rule(),
    ]
    if verdict.key is not None:
        blocks.append(Pair("交易" if zh else "Payment", verdict.key))
    blocks.append(Text(verdict.headline.render(lang, offset), strong=True))
    if verdict.key is not None:
        blocks.append(Text(verdict.advice.line.render(lang, offset), strong=True))
    for number, finding in enumerate(verdict.findings, start=1):
        blocks += _finding(finding, number, lang, offset)
    if verdict.omitted:
        blocks.append(
            Text(f"另有{verdict.omitted}项未列出" if zh else f"{verdict.omitted} more not listed")
        )
    if not verdict.findings:
        blocks.append(Text("没有发现问题" if zh else "Nothing wrong was found"))
    blocks += [Rule(), *_money(terminal.backlog, lang), *_health(terminal, lang)]
    blocks += [
        Rule(),
        Qr(code_of(verdict, terminal).encode(), "技术人员扫码" if zh else "For the technician"),
    ]
    return Slip(name="diagnostic", blocks=tuple(blocks))


def code_of(verdict: Verdict, terminal: Terminal) -> str:
    """What the QR code says."""
    backlog = terminal.backlog
    return compact.encode(
        Compact(
            device=terminal.device_id,
            at=verdict.at,
            version=terminal.version,
            key=verdict.key or "",
            retry="" if verdict.key is None else verdict.advice.retry,
            findings=tuple((one.code, one.since_at) for one in verdict.findings),
            omitted=verdict.omitted,
            unsent=None if backlog is None else backlog.total.count,
            amounts={} if backlog is None else backlog.total.by_currency,
            in_doubt=0 if backlog is None else backlog.in_doubt.count,
            held=0 if backlog is None else backlog.held.count,
            unknown=tuple(terminal.unknown),
        )
    )


def _finding(
    finding: Finding, number: int, lang: Language, offset: timedelta
) -> list[Block]:  # fmt: skip
    title, colon = finding.title.render(lang, offset), "：" if lang == "zh" else ": "
    step = OWNERS[finding.owner].render(lang) + colon + finding.step.render(lang, offset)
    blocks: list[Block] = [Text(title, indent=3, first=f"{number}. ", strong=True)]
    if finding.since_at is not None:
        since = format_at(finding.since_at, offset)
        blocks.append(Text(f"自{since}起" if lang == "zh" else f"since {since}", 3, "   "))
    return [*blocks, Text(step, indent=6, first="   -> "), Text(finding.code, 3, "   ")]


def _money(backlog: Backlog | None, lang: Language) -> list[Block]:
    zh = lang == "zh"
    if backlog is None:
        return [Text("交易数据无法读取" if zh else "The records cannot be read", strong=True)]
    blocks: list[Block] = [Pair("未上送" if zh else "Not sent", str(backlog.total.count))]
    for currency, minor in sorted(backlog.total.by_currency.items()):
        blocks.append(Pair("", format_money(Money(minor, currency))))
    if backlog.in_doubt.count:
        blocks.append(Pair("结果未知" if zh else "In doubt", str(backlog.in_doubt.count)))
    if backlog.held.count:
        blocks.append(Pair("待人工处理" if zh else "Held", str(backlog.held.count)))
    return blocks


def _health(terminal: Terminal, lang: Language) -> list[Block]:
    zh = lang == "zh"
    blocks: list[Block] = []
    if not terminal.alive:
        blocks.append(
            Text("监测程序未运行，以下是它停止前所知" if zh else "The agent is not running; this "
                 "is what it knew last", strong=True)
        )  # fmt: skip
    blocks.append(Pair("告警" if zh else "Alarms", str(terminal.alarms)))
    if terminal.unknown:
        spoken = (_COMPONENT.render(lang, {"component": one}) for one in terminal.unknown)
        names = ("、" if zh else ", ").join(spoken)
        blocks.append(Text((f"未知：{names}") if zh else f"Not known: {names}"))
    for name, state in terminal.channels:
        known = CHANNELS.get(state)
        spoken_state = state if known is None else known.render(lang)
        blocks.append(Pair(f"通道{name}" if zh else f"Uplink {name}", spoken_state))
    blocks.append(Pair("posagent", terminal.version))
    blocks += [Pair(name, version) for name, version in terminal.installed]
    return blocks
