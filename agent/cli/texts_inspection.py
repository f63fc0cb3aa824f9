"""What `posagent inspect` says. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.inspect": (
        "check everything on this terminal now, or show what earlier inspections found",
        "立即对本终端做一次全面自检，或查看以往自检报告",
    ),
    "help.inspect.number": ("show the inspection of this number", "显示该编号的自检报告"),
    "help.inspect.last": ("show the last one instead of making one", "显示上次报告，不重新自检"),
    "help.inspect.list": ("list those that are kept", "列出已保存的报告"),
    "help.inspect.slip": ("for receipt paper", "小票格式"),
    "help.inspect.as_slip": ("as lines for receipt paper", "以小票行格式输出"),
    "help.inspect.columns": (
        "width: 32 for 58 mm, 48 for 80 mm",
        "宽度：58 毫米纸为 32，80 毫米纸为 48",
    ),
    "error.inspect_number": (
        "{number!r} is not the number of an inspection",
        "{number!r} 不是自检编号",
    ),
    "error.inspect_daemon": (
        "the daemon is not running, and only it inspects; --last shows the last inspection",
        "监测程序未运行，无法自检；可用 --last 查看上次报告",
    ),
    "error.inspect_broke": (
        "the inspection ended without a report; see the log of the daemon",
        "自检中断，未生成报告；请查看监测程序日志",
    ),
    "inspect.headline": (
        "Inspection {number}, {at}",
        "自检 {number}，{at}",
    ),
    "inspect.begins": ("Inspecting: {count} checks", "开始自检，共 {count} 项"),
    "inspect.took": ("{seconds} s", "{seconds} 秒"),
    "inspect.follows": ("follows from {code}", "由 {code} 引起"),
    "component.inspection": ("self-inspection", "自检"),
    "inspect.none": ("No inspection is kept yet.", "尚无自检报告。"),
    "inspect.running": ("under way", "进行中"),
    "inspect.number": ("NO.", "编号"),
    "inspect.began": ("BEGAN", "开始时间"),
    "inspect.by": ("BY", "发起"),
    "inspect.result": ("RESULT", "结果"),
    "trigger.asked": ("asked", "人工"),
    "trigger.schedule": ("daily", "定时"),
    "verdict.pass": ("pass", "正常"),
    "verdict.warn": ("warning", "警告"),
    "verdict.fail": ("fail", "故障"),
    "verdict.unknown": ("unknown", "未知"),
    "verdict.not_fitted": ("not fitted", "未配备"),
    "verdict.not_observable": ("not observable", "无法观测"),
}
