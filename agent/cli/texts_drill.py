"""What `posagent drill` and `posagent stats` say. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "component.drill": ("outage drill", "应急演练"),
    "help.drill": (
        "exercise an outage with marked records that reach no host, or show earlier drills",
        "用带标记的记录演练断网断电（不会发送给任何主机），或查看以往演练",
    ),
    "help.drill.number": ("show the drill of this number", "显示该编号的演练报告"),
    "help.drill.records": ("marked records, 1 to 200 (20)", "演练记录数，1 至 200（默认 20）"),
    "help.drill.restart": (
        "also end the agent itself hard and start it anew; only while nobody pays",
        "同时强制重启监测程序；仅在无人付款时进行",
    ),
    "help.drill.last": ("show the last one instead of making one", "显示上次报告，不重新演练"),
    "help.drill.list": ("list those that are kept", "列出已保存的报告"),
    "error.drill_number": ("{number!r} is not the number of a drill", "{number!r} 不是演练编号"),
    "error.drill_daemon": (
        "the daemon is not running, and only it drills; --last shows the last drill",
        "监测程序未运行，无法演练；可用 --last 查看上次报告",
    ),
    "error.drill_gone": (
        "the daemon has not come back; see its log, then posagent drill --last",
        "监测程序没有恢复运行；请查看日志，之后用 posagent drill --last 查看结果",
    ),
    "drill.begins": (
        "Drill {number}: {count} marked records, none of which can reach a host",
        "应急演练 {number}：{count} 笔带标记的记录，均不会发送给任何主机",
    ),
    "drill.headline": ("Drill {number}, {at}", "应急演练 {number}，{at}"),
    "drill.none": ("No drill is kept yet.", "尚无演练报告。"),
    "drill.running": ("under way", "进行中"),
    "drill.number": ("NO.", "编号"),
    "drill.began": ("BEGAN", "开始时间"),
    "drill.by": ("BY", "发起"),
    "drill.records": ("RECORDS", "记录数"),
    "drill.result": ("RESULT", "结果"),
    "drill_result.passed": ("passed", "通过"),
    "drill_result.failed": ("FAILED", "未通过"),
    "drill_result.broken_off": ("broken off", "中断"),
    "drill_verdict.pass": ("pass", "通过"),
    "drill_verdict.fail": ("FAIL", "未通过"),
    "drill_verdict.skipped": ("skipped", "未做"),
    "help.stats": (
        "how long payments took to be confirmed, and what goes with being late",
        "交易从收款到确认用了多久，以及哪些情况与延迟相关",
    ),
    "help.stats.since": ("captured since, e.g. 2026-11-01", "起始时间，例如 2026-11-01"),
    "help.stats.until": ("captured before", "截止时间（不含）"),
    "help.stats.by": (
        "one factor: network, channel, signal, hour, weekday, app_version, printer or amount",
        "只看一个因素：network、channel、signal、hour、weekday、app_version、printer 或 amount",
    ),
    "help.stats.late_after": (
        "seconds after which a payment is late; else [stats] late_after_s",
        "超过多少秒算延迟；默认取 [stats] late_after_s",
    ),
    "error.stats_time": (
        "{time!r} is no time; e.g. 2026-11-01 or 2026-11-01T08:00",
        "{time!r} 不是时间；例如 2026-11-01 或 2026-11-01T08:00",
    ),
    "error.stats_seconds": ("{text!r} is no number of seconds", "{text!r} 不是秒数"),
    "stats.headline": (
        "{payments} payments: {confirmed} confirmed, {waiting} waiting, {ended} ended otherwise",
        "共 {payments} 笔：已确认 {confirmed}，待确认 {waiting}，其他结束 {ended}",
    ),
    "stats.none": ("No payment in this time.", "该时段内没有交易。"),
    "stats.read": (
        (
            "Only {part} of the journal was read, evenly over all of it: there was no time for "
            "more. Every count is of that part; --since shortens it."
        ),
        "记录太多，只均匀读取了 {part}；以下数量均为该部分的数量。可用 --since 缩短时段。",
    ),
    "stats.clock": (
        "{count} left out: a clock was set meanwhile, nobody can say how long they took",
        "{count} 笔不计时：期间改过时钟，无法得知用时",
    ),
    "stats.times": (
        "Capture to confirmation: half in {p50}, 90 % in {p90}, 99 % in {p99}, all in {longest}",
        "从收款到确认：一半在 {p50} 内，90% 在 {p90} 内，99% 在 {p99} 内，最长 {longest}",
    ),
    "stats.late": (
        "Late (after {after}): {count} of {of}, {rate} (between {low} and {high})",
        "延迟（超过 {after}）：{of} 笔中 {count} 笔，{rate}（区间 {low} 至 {high}）",
    ),
    "stats.late_none": ("None could be judged yet.", "尚无可判断的交易。"),
    "stats.causes": (
        "What was the matter with late ones (the newest {count})",
        "延迟交易当时的问题（最近 {count} 笔）",
    ),
    "stats.factors": (
        "What goes with being late (no claim about causes; {count} comparisons, corrected for)",
        "与延迟相关的情况（不代表原因；共比较 {count} 组，已作修正）",
    ),
    "stats.too_few": ("too few to say", "样本太少，无法判断"),
    "stats.same": ("no difference beyond chance", "无超出偶然的差异"),
    "stats.more": ("goes with being late", "与延迟相关"),
    "stats.less": ("goes with being on time", "与准时相关"),
    "stats.of": ("{count} of {of} late", "{of} 笔中 {count} 笔延迟"),
}
