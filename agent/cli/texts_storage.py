"""What `posagent backup` and `posagent restore` say. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.backup": (
        "a sealed copy of the journal, while the daemon works",
        "在监测程序运行时制作加密的账本备份",
    ),
    "help.backup.file": ("file to write; must not exist", "要写入的文件，不得已存在"),
    "help.backup.recipient": (
        "recovery key to seal it to; without: only this terminal can open it",
        "用于加密的恢复公钥；不填则只有本终端能打开",
    ),
    "help.backup.handover": (
        "this terminal stops for good, another one goes on with the copy",
        "本终端永久停止上送，由另一台终端用备份继续",
    ),
    "help.backup.keygen": (
        "make a pair of recovery keys; FILE gets the secret half",
        "生成恢复密钥对，私钥写入 FILE",
    ),
    "help.restore": (
        "put a copy in the place of the journal; the daemon must not run",
        "用备份替换账本；监测程序必须已停止",
    ),
    "help.restore.file": ("file made by posagent backup", "posagent backup 生成的文件"),
    "help.restore.key": ("file with the secret recovery key", "恢复私钥文件"),
    "backup.done": ("{count} payments copied to {path}", "已将 {count} 笔交易备份到 {path}"),
    "backup.done.one": ("1 payment copied to {path}", "已将 1 笔交易备份到 {path}"),
    "backup.own_ring": (
        "Only this terminal can open it; --recipient makes one that any terminal can.",
        "只有本终端能打开此备份；使用 --recipient 可在任何终端恢复。",
    ),
    "backup.handed_over": (
        "This terminal takes and sends no more payments. Restore the file on the other one.",
        "本终端不再受理和上送交易。请在另一台终端恢复此文件。",
    ),
    "backup.keep_secret": (
        "Give this key to the terminals. Keep {path} away from them: it opens every backup.",
        "将此公钥配置到终端。{path} 请另行妥善保管：它能打开所有备份。",
    ),
    "restore.done": (
        "{count} payments restored, {unsent} of them not final; the copy was made {made}",
        "已恢复 {count} 笔交易，其中 {unsent} 笔未完成；备份制作于 {made}",
    ),
    "restore.done.one": (
        "1 payment restored, {unsent} not final; the copy was made {made}",
        "已恢复 1 笔交易，其中 {unsent} 笔未完成；备份制作于 {made}",
    ),
    "restore.held": (
        "What is not final is held: it is asked about, and sent only after a person released it.",
        "未完成的交易已暂停：只会查询结果，经人工放行后才会上送。",
    ),
    "restore.goes_on": (
        "What is not final is asked about first and then sent: the other terminal has stopped.",
        "未完成的交易将先查询再上送：原终端已停止。",
    ),
    "restore.aside": ("The journal that was here: {path}", "原有账本保存在：{path}"),
}
