"""What `posagent verify`, `salvage` and `key` say. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.verify": (
        "check everything stored against what was written",
        "核对存储的全部内容与写入时是否一致",
    ),
    "help.salvage": (
        "take back what is proved in a journal put aside; held, never sent by itself",
        "从已隔离的账本中取回可证实的交易；取回后暂停，不会自动上送",
    ),
    "help.salvage.file": (
        "its file name in quarantine/",
        "quarantine/ 中的文件名",
    ),
    "help.keys": ("the keys payloads are sealed with", "报文封存所用的密钥"),
    "help.keys.show": ("which there are, and which are missing", "现有及缺失的密钥"),
    "help.keys.rotate": (
        "use a new key; stored payloads follow in quiet moments",
        "启用新密钥；已存报文在空闲时改用新密钥",
    ),
    "verify.progress": ("checked {percent} %", "已核对 {percent}%"),
    "verify.ok": (
        "All of it is what was written: {counts}.",
        "全部与写入时一致：{counts}。",
    ),
    "verify.bad": (
        "{count} findings; checked: {counts}.",
        "发现 {count} 处异常；已核对：{counts}。",
    ),
    "verify.bad.one": ("one finding; checked: {counts}.", "发现 1 处异常；已核对：{counts}。"),
    "verify.exposed": (
        "{count} files in wrong hands; each with the command that puts it right:",
        "{count} 处文件权限或属主不当；每处附纠正命令：",
    ),
    "verify.exposed.one": (
        "one file in wrong hands, and the command that puts it right:",
        "1 处文件权限或属主不当，附纠正命令：",
    ),
    "verify.more": ("{count} more are not shown", "另有 {count} 处未显示"),
    "verify.long": (
        (
            "The structure of the file takes longer than a payment may wait: stop the agent and "
            "verify again to check it too."
        ),
        "文件结构的检查耗时超过交易可等待的时间：如需检查，请停止监测程序后重新核对。",
    ),
    "verify.aside": (
        (
            "Altered records are put aside and nothing unsent is sent before somebody looked: "
            "posagent queue list, posagent why."
        ),
        "被改动的记录已隔离，未上送的交易在人工查看前不再上送：posagent queue list、posagent why。",
    ),
    "verified.record": ("records", "交易"),
    "verified.payload": ("payloads", "报文"),
    "verified.history": ("lines of history", "历史记录"),
    "verified.tombstone": ("keys of forgotten payments", "已清理交易的键"),
    "verified.report": ("reports of the payment app", "支付应用的报告"),
    "salvage.progress": ("looked at {number} …", "已查看至第 {number} 笔…"),
    "salvage.done": (
        "{held} taken back and held, {final} final, {known} known already, {unproved} not proved.",
        "取回并暂停 {held} 笔，已完成 {final} 笔，已存在 {known} 笔，无法证实 {unproved} 笔。",
    ),
    "salvage.next": (
        (
            "Compare them with the host's list, then release them: posagent queue release --cause "
            "queue.quarantined"
        ),
        "请与主机清单核对后放行：posagent queue release --cause queue.quarantined",
    ),
    "key.off": (
        "Payloads are not sealed ([store] seal = false).",
        "报文未封存（[store] seal = false）。",
    ),
    "key.in": ("key ring", "密钥文件"),
    "key.newest": ("newest key", "最新密钥"),
    "key.held": ("keys there", "现有密钥"),
    "key.in_use": ("keys in use", "使用中的密钥"),
    "key.missing": ("keys missing", "缺失的密钥"),
    "key.turning": (
        "Stored payloads are being brought under the newest key.",
        "正在将已存报文改用最新密钥。",
    ),
    "key.lost": (
        (
            "What is sealed with a missing key cannot be sent and is held; states, amounts and "
            "results are not affected. Put the key ring back from its backup and restart the agent."
        ),
        (
            "以缺失密钥封存的交易无法上送，已暂停；状态、金额和结果不受影响。请从备份恢复密钥文件并重启"
            "监测程序。"
        ),
    ),
    "key.rotated": (
        (
            "Key {number} is in use for new payments. Make a new backup: those sealed with older "
            "keys alone open only while these exist."
        ),
        "新交易已使用密钥 {number}。请重新备份：仅以旧密钥封存的备份在旧密钥移除后将无法打开。",
    ),
}
