"""What `posagent journal` says. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.journal": (
        "the journal's schema, and bringing it back for an older version",
        "账本的格式版本，以及为旧版本降级",
    ),
    "help.journal.show": (
        "which schema it is of, who wrote it, what this version knows",
        "账本的格式版本、由哪个版本写成、本版本支持到哪一版",
    ),
    "help.journal.step_down": (
        (
            "before an older version is put in force: bring the journal to its schema, "
            "with every payment in it"
        ),
        "换回旧版本之前：把账本降到旧版本的格式，所有交易都保留",
    ),
    "help.journal.to": ("the schema the older version knows", "旧版本支持的格式版本"),
    "journal.schema": (
        "Schema {schema}, written by version {by}; this version knows {knows}.",
        "格式版本 {schema}，由 {by} 版写成；本版本支持到 {knows}。",
    ),
    "journal.busy": (
        "The agent is running and works on it; this version knows schema {knows}.",
        "监测程序正在使用账本；本版本支持到格式 {knows}。",
    ),
    "journal.readable": (
        "Versions that know schema {reader} can work with it as it is.",
        "支持格式 {reader} 的版本可直接使用。",
    ),
    "journal.count": (
        "{records} payments, {unsent} of them not yet sent.",
        "共 {records} 笔交易，其中 {unsent} 笔未上送。",
    ),
    "journal.put_by": (
        "Put by for a newer version: {tables}.",
        "为新版本留存的数据：{tables}。",
    ),
    "journal.copies": (
        (
            "Copies from before an update (never put one back: what was sent since would be sent "
            "again): {files}."
        ),
        "升级前的副本（切勿放回：此后已上送的交易会被重复上送）：{files}。",
    ),
    "journal.newer": (
        (
            "This version cannot work with it. Start the newer version, or have it run "
            "'posagent journal step-down --to {knows}'."
        ),
        "本版本无法使用。请启动新版本，或由新版本执行 posagent journal step-down --to {knows}。",
    ),
    "journal.stepped": (
        (
            "The journal is of schema {schema} now (it was {found}): {records} payments, "
            "{unsent} of them not yet sent, none changed. Start the older version."
        ),
        (
            "账本现为格式 {schema}（原为 {found}）：{records} 笔交易，其中 {unsent} 笔未上送，"
            "内容均未改变。可以启动旧版本。"
        ),
    ),
    "journal.there": (
        "The journal is of schema {schema} already; no payment was changed.",
        "账本已是格式 {schema}，未改变任何交易。",
    ),
}

#: What stands in the way: English as the code says it, Chinese. A part of `texts_fleet_errors`.
SENTENCES: tuple[tuple[str, str], ...] = (
    (
        (
            "{path} was written by a newer agent (version {by}, schema {schema}; "
            "this one is {own} and knows {knows})"
        ),
        "{path} 由较新版本（{by}，格式 {schema}）写成；本版本 {own} 只支持到格式 {knows}",
    ),
    (
        (
            "nothing was changed. Start the newer version again, or have it run 'posagent journal "
            "step-down --to {schema}' first; never put an older copy back"
        ),
        (
            "未作任何更改。请重新启动新版本，或先由新版本执行 posagent journal step-down --to "
            "{schema}；切勿放回旧副本"
        ),
    ),
    (
        "this version steps journals down to schema {least} … {most}, not to {target}",
        "本版本只能把账本降到格式 {least} … {most}，不能降到 {target}",
    ),
    (
        "the older version says what it knows: posagent journal show",
        "旧版本支持的格式可在旧版本上查看：posagent journal show",
    ),
    (
        "the journal is of schema {found}, which this version ({knows}) cannot take apart",
        "账本是格式 {found}，本版本（{knows}）无法处理",
    ),
    (
        "run this with the version that wrote it: posagent journal show",
        "请用写成它的版本执行：posagent journal show",
    ),
    (
        "the journal is of schema {found} already, older than {target}",
        "账本已是格式 {found}，低于 {target}",
    ),
    (
        "{missing} of {count} unsent payments are missing",
        "{count} 笔未上送的交易中缺少 {missing} 笔",
    ),
    ("amounts of unsent payments have changed: {names}", "未上送交易的金额有变化：{names}"),
    ("the terminal came back with {version} by itself", "终端已自行回到 {version} 版"),
    ("taken back by {by}", "由 {by} 退回"),
    ("called off by {by}", "由 {by} 取消"),
    ("waited {seconds} s in vain: {why}", "等待 {seconds} 秒仍未满足：{why}"),
    ("start the version that is to work with it", "请启动要使用它的版本"),
    (
        "stepping down would have changed payments; nothing was changed",
        "降级会改变交易内容，已中止，未作任何更改",
    ),
    (
        "start the newer version again and report this",
        "请重新启动新版本并报告此问题",
    ),
    (
        "the older version has no words for {count} {what} (schema {version})",
        "旧版本无法表达其中 {count} 条数据：{what}（格式 {version}）",
    ),
    (
        "start the newer version and let these be finished first",
        "请启动新版本，先处理完这些数据",
    ),
    (
        "the journal is damaged ({how}), so it is not stepped down",
        "账本已损坏（{how}），不能降级",
    ),
    (
        "start the newer version once: it puts aside what cannot be believed",
        "请先启动一次新版本，由它隔离不可信的数据",
    ),
)
