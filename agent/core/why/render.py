"""A verdict as lines of plain text, in Chinese or English. Pure.

The order of what is said is the order in which it is needed at the counter: what happened, may I
take it again, what to do, then the evidence. Widths, colours and paging belong to the caller.
"""

from __future__ import annotations

from datetime import timedelta

from agent.core.why import phrases
from agent.core.why.causes import CATALOGUE, Owner
from agent.core.why.text import Arg, Language, Text
from agent.core.why.verdict import Finding, Retry, Stages, Verdict

OWNERS = {
    Owner.MERCHANT: Text("商户", "merchant"),
    Owner.CASHIER: Text("收银员", "cashier"),
    Owner.TECHNICIAN: Text("技术人员", "technician"),
    Owner.VENDOR: Text("设备厂商", "device vendor"),
    Owner.ACQUIRER: Text("收单机构", "acquirer"),
    Owner.BANK: Text("银行", "bank"),
    Owner.PLATFORM: Text("支付平台", "payment platform"),
    Owner.AGENT: Text("本机自动处理", "nobody, it heals itself"),
}

_STAGES = Text(
    "已证实：{proven}[；还缺：{missing}]", "Proven: {proven}[; first missing: {missing}]"
)
_FINDINGS = Text("原因：", "Causes:")
_NOTHING = Text("没有发现问题", "Nothing wrong was found")
_FINDING = Text(
    "{number}. {title}（{code}）[，自{since}起]", "{number}. {title} ({code})[, since {since}]"
)
_OWNER = Text("处理人：", "Who acts: ")
_STEP = Text("下一步：", "Next step: ")
_REASON = Text("原因：", "Why: ")
_EVIDENCE = Text("依据：", "Evidence: ")
_FOLLOWS = Text("由此引起：{title}（{code}）", "Follows from it: {title} ({code})")
_OMITTED = Text("另有{count}项未列出", "{count} more are not listed")
_UNKNOWNS = Text("未知：", "Not known:")
_PAYMENTS = Text("涉及的交易：", "Payments:")
_BEYOND = Text("   另有{count}笔未列出", "   {count} more are not listed")
_SUGGESTIONS = Text(
    "本机看得到的都正常；看不到的可以这样核实：",
    "All that can be seen from here is well. What cannot be seen may be asked:",
)
_COLON = Text("\N{FULLWIDTH COLON}", ": ")
_AT = Text("时间：{at}", "As of {at}")
_NO_OFFSET = timedelta(0)


def render(verdict: Verdict, lang: Language, offset: timedelta = _NO_OFFSET) -> list[str]:
    """The whole verdict. `offset` is the reader's distance from UTC."""
    lines = [verdict.headline.render(lang, offset)]
    if verdict.stages is not None:
        lines.append(_stages(verdict.stages, lang))
    if verdict.key is not None or verdict.advice.retry is not Retry.NOT_APPLICABLE:
        lines.append(verdict.advice.line.render(lang, offset))
    if verdict.findings:
        lines += ["", _FINDINGS.render(lang)]
        for number, finding in enumerate(verdict.findings, start=1):
            lines += render_finding(finding, lang, offset, number=number)
    elif verdict.key is None or verdict.stages is not None:
        lines += ["", _NOTHING.render(lang)]
    if verdict.omitted:
        lines.append(_OMITTED.render(lang, {"count": verdict.omitted}))
    if verdict.payments:
        lines += ["", _PAYMENTS.render(lang)]
        lines += [f"   - {one.line.render(lang, offset)}" for one in verdict.payments]
        if beyond := verdict.payments_total - len(verdict.payments):
            lines.append(_BEYOND.render(lang, {"count": beyond}))
    if verdict.suggestions:
        lines += ["", _SUGGESTIONS.render(lang)]
        lines += [f"   - {_suggestion(one, lang, offset)}" for one in verdict.suggestions]
    if verdict.unknowns:
        lines += ["", _UNKNOWNS.render(lang)]
        lines += [f"   - {line.render(lang, offset)}" for line in verdict.unknowns]
    if verdict.facts:
        lines.append("")
        lines += [line.render(lang, offset) for line in verdict.facts]
    lines += ["", _AT.render(lang, {"at": verdict.at}, offset)]
    return lines


def render_finding(
    finding: Finding, lang: Language, offset: timedelta = _NO_OFFSET, *, number: int = 1
) -> list[str]:
    """One finding: title, next step, owner, reason, evidence, consequences."""
    # Said once: in the reason where that names it, else beside the title.
    since = None if "since" in finding.cause.reason.names else finding.since_at
    heading: dict[str, Arg] = {
        "number": number,
        "title": finding.cause.title,
        "code": finding.code,
        "since": since,
    }
    body = [
        _STEP.render(lang) + finding.step.render(lang, offset),
        _OWNER.render(lang) + OWNERS[finding.owner].render(lang),
        _REASON.render(lang) + finding.reason.render(lang, offset),
        *(_EVIDENCE.render(lang) + one.render(lang, offset) for one in finding.evidence),
        *(
            _FOLLOWS.render(lang, {"title": CATALOGUE[code].title, "code": code})
            for code in finding.consequences
        ),
    ]
    return [_FINDING.render(lang, heading, offset), *(f"   {line}" for line in body)]


def _suggestion(one: Finding, lang: Language, offset: timedelta) -> str:
    return OWNERS[one.owner].render(lang) + _COLON.render(lang) + one.step.render(lang, offset)


def _stages(stages: Stages, lang: Language) -> str:
    missing = phrases.STAGES[stages.missing] if stages.missing else None
    return _STAGES.render(lang, {"proven": phrases.STAGES[stages.proven], "missing": missing})
