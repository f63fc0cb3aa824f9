"""What `posagent guard` says. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.guard": (
        "is money unsent? 0: no, 10: yes, 11: cannot be told (for scripts, before they go on)",
        "是否有未上送的款项？0：没有，10：有，11：无法判断（供脚本在继续之前使用）",
    ),
    "help.guard.for": ("what is about to be done", "将要进行的操作"),
    "help.guard.force": (
        "go on all the same: exit 0, and a line of the audit trail says so",
        "仍要继续：退出码 0，并记入操作记录",
    ),
    "help.guard.reason": ("who wants that, and why", "何人、因何要继续"),
    "help.guard.reason_file": ("the same, from a file", "同上，从文件读取"),
    "purpose.update": ("update", "更新"),
    "purpose.removal": ("removal", "卸载"),
    "purpose.purge": ("purge", "彻底清除"),
    "purpose.downgrade": ("downgrade", "降级"),
    "guard.clear": (
        "Nothing is unsent: {purpose} may go on.",
        "没有未上送的款项：可以继续{purpose}。",
    ),
    "guard.no_store": (
        "There is no journal at {path}: {purpose} may go on.",
        "{path} 没有交易账本：可以继续{purpose}。",
    ),
    "guard.unsent": (
        "Money is unsent: {count} payments, {amount}; {purpose} must wait.",
        "有 {count} 笔款项未上送，共 {amount}；{purpose}须等待。",
    ),
    "guard.unsent.one": (
        "Money is unsent: 1 payment, {amount}; {purpose} must wait.",
        "有 1 笔款项未上送，共 {amount}；{purpose}须等待。",
    ),
    "guard.unknown": (
        "It cannot be told whether money is unsent, which counts as unsent; {purpose} must wait.",
        "无法判断是否有未上送的款项，按有未上送处理；{purpose}须等待。",
    ),
    "guard.why": ("why: {why}", "原因：{why}"),
    "guard.at_least": (
        "counted so far: {count} payments, {amount}",
        "目前统计到：{count} 笔，{amount}",
    ),
    "guard.oldest": ("the oldest waits since {at} ({age})", "最早一笔自 {at} 起等待（{age}）"),
    "guard.in_doubt": ("outcome unknown: {count}", "结果未知：{count} 笔"),
    "guard.held": ("held for a person: {count}", "待人工处理：{count} 笔"),
    "guard.quarantined": ("put aside as damaged: {count}", "因损坏而隔离：{count} 笔"),
    "guard.next": (
        "next step: posagent why (what stops them), posagent queue list; then again",
        "下一步：posagent why（查明原因）、posagent queue list；处理后重试",
    ),
    "guard.next_down": (
        (
            "or, with the agent stopped: posagent journal step-down --to N (what the older version "
            "knows); then it takes these payments over"
        ),
        (
            "或停止 posagent 后执行 posagent journal step-down --to N"
            "（N 为旧版本支持的格式），由旧版本接管这些款项"
        ),
    ),
    "guard.stepped": (
        (
            "{count} payments, {amount} are unsent; the journal is at schema {schema} for an older "
            "version, which takes them over: {purpose} may go on."
        ),
        (
            "有 {count} 笔款项未上送，共 {amount}；账本已降到旧版本的格式 {schema}，"
            "由旧版本接管：可以继续{purpose}。"
        ),
    ),
    "guard.stepped.one": (
        (
            "1 payment, {amount} is unsent; the journal is at schema {schema} for an older "
            "version, which takes it over: {purpose} may go on."
        ),
        (
            "有 1 笔款项未上送，共 {amount}；账本已降到旧版本的格式 {schema}，"
            "由旧版本接管：可以继续{purpose}。"
        ),
    ),
    "guard.next_unknown": (
        "next step: start the agent, then posagent status and posagent verify; then again",
        "下一步：启动 posagent，再运行 posagent status 和 posagent verify；处理后重试",
    ),
    "guard.forced": (
        "Forced all the same ({purpose}): {reason}. It is in the audit trail.",
        "已强制继续（{purpose}）：{reason}。已记入操作记录。",
    ),
    "guard.forced_file": (
        "Forced all the same ({purpose}): {reason}. Kept in {path} until the agent runs again.",
        "已强制继续（{purpose}）：{reason}。已存入 {path}，posagent 再次运行时记入操作记录。",
    ),
    "guard.no_reason": (
        "--force needs a reason of 3 to 100 characters",
        "--force 需要 3 至 100 个字符的原因",
    ),
    "guard.no_reason.hint": (
        "--reason 'who wants that, and why', or --reason-file FILE",
        "--reason '何人、因何'，或 --reason-file 文件",
    ),
    "guard.not_kept": (
        "the reason cannot be kept at {path}: {why}; nothing is forced without a record",
        "无法将原因保存到 {path}：{why}；没有记录就不强制",
    ),
    "guard.lost_aside": (
        "a journal put aside is not counted: {name}",
        "有被隔离的账本尚未统计：{name}",
    ),
    "guard.journal_gone": (
        "the journal is gone, but parts of it are at {path}",
        "账本已不在，但 {path} 留有其部分内容",
    ),
    "guard.journal_empty": (
        "{path} is empty: a journal is never without a byte",
        "{path} 为空文件：账本不会没有内容",
    ),
    "guard.not_mounted": (
        "{path} leads nowhere: is its file system mounted?",
        "{path} 指向的位置不存在：其文件系统是否已挂载？",
    ),
    "guard.where_unknown": (
        "the configuration says where the journal lies and cannot be read: posagent config check",
        "无法读取配置，而账本位置由配置决定：posagent config check",
    ),
}
