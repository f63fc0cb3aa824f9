"""What `posagent audit` says. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.audit": (
        "who did what on this terminal, here and from the fleet",
        "谁在本终端上做了什么，包括本地与远程操作",
    ),
    "help.audit.verify": (
        "check that no line was changed, taken out or cut off",
        "核对记录是否被改动、抽除或截断",
    ),
    "help.audit.since": (
        "only lines since then: 30m, 24h, 7d, or a date such as 2026-11-22",
        "仅显示此后的记录：30m、24h、7d 或日期，如 2026-11-22",
    ),
    "help.audit.limit": ("at most so many lines (default 50)", "最多显示的行数（默认 50）"),
    "audit.number": ("no.", "序号"),
    "audit.at": ("when", "时间"),
    "audit.actor": ("who", "操作者"),
    "audit.op": ("what", "操作"),
    "audit.target": ("about", "对象"),
    "audit.outcome": ("outcome", "结果"),
    "audit.colon": (":", "："),
    "outcome.ok": ("ok", "完成"),
    "outcome.accepted": ("accepted", "已接受"),
    "outcome.failed": ("failed", "失败"),
    "outcome.forced": ("forced", "强制"),
    "outcome.rejected": ("rejected", "被拒绝"),
    "outcome.expired": ("expired", "已过期"),
    "audit.none": ("Nothing was done.", "没有操作记录。"),
    "audit.more": ("There are older lines: --limit.", "还有更早的记录：--limit。"),
    "audit.bad_since": (
        "{given} is neither a time span nor a date",
        "{given} 既不是时间段也不是日期",
    ),
    "audit.whole": (
        "The trail is whole: {lines} lines, {first} to {last}.",
        "记录完整：共 {lines} 行，{first} 至 {last}。",
    ),
    "audit.broken": (
        "The trail is not what was written; {lines} lines are left:",
        "记录与写入时不一致；现有 {lines} 行：",
    ),
    "audit.altered": ("line {number} was changed", "第 {number} 行被改动"),
    "audit.missing": ("line {number} is missing", "缺少第 {number} 行"),
    "audit.missing.several": (
        "lines {number} to {until} are missing",
        "缺少第 {number} 至 {until} 行",
    ),
    "audit.cut": ("line {number}, the newest, was cut off", "最新的第 {number} 行被截断"),
    "audit.cut.several": (
        "the newest lines, {number} to {until}, were cut off",
        "最新的第 {number} 至 {until} 行被截断",
    ),
    "audit.added": ("line {number} was not written by the agent", "第 {number} 行并非本程序写入"),
    "audit.seal_start": (
        "the seal on the beginning does not hold: older lines may have been taken out",
        "起始封印无效：较早的记录可能被抽除",
    ),
    "audit.seal_head": (
        "the seal on the end does not hold: newer lines may have been cut off",
        "末尾封印无效：较新的记录可能被截断",
    ),
    "help.alarm": ("take note of an open alarm", "确认告警已知悉"),
    "help.alarm.acknowledge": (
        "your name and the time stand beside it until it ends; it stays visible",
        "在告警旁记下操作者和时间，直到告警结束；告警仍然显示",
    ),
    "help.alarm.note": ("a few words for whoever comes next", "给后来人的几句话"),
    "help.alarm.until": (
        "such as 2h, 3d, 18:00 or 2026-12-01T08:00",
        "如 2h、3d、18:00 或 2026-12-01T08:00",
    ),
    "help.alarm.to": ("who has it in hand from now on", "今后由谁处理"),
    "help.alarm.release": ("nobody has it in hand any more", "撤回确认，告警重新待处理"),
    "alarm.handed": ("{by}, handed over to {to}", "{by} 登记，交给 {to} 处理"),
    "alarm.until": (", until {until}", "，至 {until}"),
    "alarm.note": (": {note}", "：{note}"),
    "alarm.released": ("{title} ({code}): nobody has it in hand", "{title}（{code}）：待处理"),
    "alarm.bad_until": ("--until {given} is no time", "--until {given} 不是有效时间"),
    "alarm.bad_until.hint": (
        "give a span (2h, 3d), a time (18:00) or a date with time (2026-12-01T08:00)",
        "请给出时长（2h、3d）、时刻（18:00）或日期时间（2026-12-01T08:00）",
    ),
    "help.alarm.code": ("as `posagent status` shows it", "`posagent status` 所示的代码"),
    "alarm.noted": ("{title} ({code}): noted by {by}", "{title}（{code}）：已知悉，{by}"),
    "status.spent": ("today {kb} kB", "今日 {kb} kB"),
    "status.spent_about": ("today about {kb} kB", "今日约 {kb} kB"),
    "status.spent_of": ("of {kb} kB", "预算 {kb} kB"),
    "status.thinned": ("thinned {count}", "合并 {count} 条"),
    "status.withheld": ("withheld {count}", "拦下 {count} 项"),
    "status.lost_messages": ("lost {count}", "丢弃 {count} 条"),
    "budget.no_history": ("history waits", "历史数据暂缓"),
    "budget.fewer_readings": ("fewer reports", "减少上报"),
    "budget.alarms_and_money": ("only alarms and money", "只报告警和款项"),
    "status.noted": (" – noted by {by}", " · 已知悉（{by}）"),
}
