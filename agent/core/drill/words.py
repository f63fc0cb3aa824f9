"""A drill in words, Chinese and English: what each step is and what came of it, with its figures.

Plain for the person at the till: what was tried, what it showed. Figures that are not there drop
out; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.drill.report import Done, Drill, Result, Step, Verdict

Pair = tuple[str, str]  #: Chinese, English

_TITLES: Mapping[Step, Pair] = {
    Step.ACCEPT: ("断网收款", "Taken while cut off"),
    Step.KILL: ("强制断电模拟", "Killed in the middle"),
    Step.RESTART: ("监测程序重启", "Agent restarted"),
    Step.REOPEN: ("重启后核对", "Found again"),
    Step.ALARM: ("断网告警", "Alarm raised"),
    Step.DRAIN: ("恢复后补传", "Sent when back"),
    Step.CLEAR: ("告警解除", "Alarm cleared"),
    Step.REMOVE: ("清除演练数据", "Cleaned up"),
}
_PASSED: Mapping[Step, Pair] = {
    Step.ACCEPT: (
        "{records} 笔演练记录在答复前已写入存储，最慢 {slowest_ms} 毫秒",
        "{records} marked records on disk before each answer, the slowest in {slowest_ms} ms",
    ),
    Step.KILL: (
        "收款中的演练进程被强制结束（SIGKILL），不影响真实交易",
        "the drill's process was killed (SIGKILL) while taking records; no real payment touched",
    ),
    Step.RESTART: (
        "监测程序被强制结束并重新启动，用时 {away_ms} 毫秒，真实流水完好",
        "the agent ended hard and was back after {away_ms} ms, its own journal undamaged",
    ),
    Step.REOPEN: (
        "已答复的 {records} 笔全部找到且未被改动",
        "all {records} confirmed records found, unaltered",
    ),
    Step.ALARM: (
        "{after_ms} 毫秒内发现无应答（{code}，不等平时的 {delay_s} 秒），{raised_at} 列入本机告警",
        "silence noticed after {after_ms} ms ({code}, not waiting {delay_s} s), listed {raised_at}",
    ),
    Step.DRAIN: (
        "{delivered} 笔各送达一次，次序正确",
        "{delivered} delivered, each once and in order",
    ),
    Step.CLEAR: (
        "告警已解除，{cleared_at} 从本机告警列表消失",
        "the alarm ended, off this terminal's list {cleared_at}",
    ),
    Step.REMOVE: ("演练数据已全部清除", "nothing of the drill is left"),
}
_FAILED: Mapping[Step, Pair] = {
    Step.ACCEPT: (
        "只受理了 {accepted}/{records} 笔：{reason}",
        "{accepted} of {records}: {reason}",
    ),
    Step.KILL: ("演练进程未能被结束", "the drill's process could not be killed"),
    Step.RESTART: ("真实流水打开时发现损坏：{damage}", "its own journal is damaged: {damage}"),
    Step.REOPEN: (
        "缺 {missing} 笔，改动 {altered} 笔 {reason}",
        "{missing} missing, {altered} altered {reason}",
    ),
    Step.ALARM: ("没有出现告警 {reason}", "no alarm came {reason}"),
    Step.DRAIN: (
        "送达 {delivered}/{expected}，重复 {twice}，乱序 {out_of_order} {reason}",
        "{delivered} of {expected} delivered, {twice} twice, {out_of_order} out of order {reason}",
    ),
    Step.CLEAR: ("告警没有解除 {reason}", "the alarm did not end {reason}"),
    Step.REMOVE: ("演练数据未能全部清除 {reason}", "not all of it could be removed {reason}"),
}
_SKIPPED: Mapping[str, Pair] = {
    "not_agreed": (
        "未做：没有要求重启监测程序（--restart）；已用独立进程代替",
        "not done: nobody asked for it (--restart); a process of its own was killed instead",
    ),
    "busy": (
        "未做：一直有交易进行中，没有重启监测程序；已用独立进程代替",
        "not done: somebody was paying all the time; a process of its own was killed instead",
    ),
    "earlier": ("未做：前面的步骤未通过", "not done: a step before it failed"),
}
_RESULTS: Mapping[Result, Pair] = {
    Result.NONE: ("演练进行中", "the drill is under way"),
    Result.PASSED: (
        "演练通过：断网、断电时的交易不会丢失，恢复后各补传一次",
        "passed: what is taken while cut off survives and is sent once when the way is back",
    ),
    Result.FAILED: (
        "演练未通过：请勿依赖离线收款，请联系技术员",
        "failed: do not rely on payments taken while cut off; call the technician",
    ),
    Result.BROKEN_OFF: (
        "演练中断：监测程序中途停止，演练数据已清除，请重新演练",
        "broken off: the agent stopped in the middle; its records were removed; drill again",
    ),
}
_INTERRUPTED: Pair = ("（中途曾断电或重启）", " (interrupted by a power cut or restart)")


def title(step: Step, lang: str) -> str:
    """What a step is."""
    return _in(_TITLES[step], lang)


def said(done: Done, lang: str) -> str:
    """What came of it."""
    match done.verdict:
        case Verdict.PASS:
            text = _PASSED[done.name]
        case Verdict.FAIL:
            text = _FAILED[done.name]
        case _:
            text = _SKIPPED.get(str(done.facts.get("why")), _SKIPPED["earlier"])
    return _in(text, lang).format_map(_Facts(done.facts)).strip()


def result_said(drill: Drill, lang: str) -> str:
    """What the drill came to."""
    text = _in(_RESULTS[drill.result], lang)
    return text + _in(_INTERRUPTED, lang) if drill.interrupted and drill.result else text


def verdict_word(verdict: Verdict, lang: str) -> str:
    """One word for a list."""
    words = {
        Verdict.PASS: ("通过", "pass"),
        Verdict.FAIL: ("未通过", "FAIL"),
        Verdict.SKIPPED: ("未做", "skipped"),
    }
    return _in(words[verdict], lang)


class _Facts(dict[str, object]):
    """A figure nobody has is a dash."""

    def __missing__(self, name: str) -> str:
        return "" if name == "reason" else "-"


def _in(pair: Pair, lang: str) -> str:
    return pair[0] if lang == "zh" else pair[1]
