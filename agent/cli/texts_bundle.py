"""What `posagent bundle` and `check --again` say; a part of `agent.cli.texts_proof`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.check.again": ("the payment it would replace", "要重做的那笔交易的键"),
    "check.do_not_retry": (
        "{key} may still go through: do not take it again",
        "{key} 可能仍会成功：不要重收",
    ),
    "check.safe_to_retry": (
        "{key} moved no money: it can be taken again",
        "{key} 没有扣款：可以重收",
    ),
    "help.bundle": (
        "what this terminal can tell about itself, in one file without card data and secrets",
        "把本机的诊断信息打成一个文件，不含卡数据和密钥",
    ),
    "help.bundle.file": (
        "default: a name with device and time, here",
        "默认：当前目录，以设备和时间命名",
    ),
    "help.bundle.usb": ("write it onto the USB stick that is plugged in", "写到已插入的U盘"),
    "bundle.made": ("{file}: {kb} kB, {count} files", "{file}：{kb} kB，{count} 个文件"),
    "bundle.removed": (
        "Taken out before it was written: card numbers {cards}, secrets {secrets}.",
        "写入前已清除：卡号 {cards} 处，密钥和密码 {secrets} 处。",
    ),
    "bundle.failed": ("not in it: {name} ({reason})", "未收集到：{name}（{reason}）"),
    "bundle.pull": (
        "It is on the stick, {left} MB are left there; the stick may be pulled out.",
        "已写入U盘，剩余 {left} MB；可以拔出U盘。",
    ),
    "bundle.offline": (
        "The agent is not running: made from what it left behind.",
        "监测程序未运行：根据其留下的数据生成。",
    ),
    "bundle.there": ("{file} is there already", "{file} 已存在"),
    "bundle.there.hint": ("name another file", "请换一个文件名"),
    "bundle.broken": (
        "the bundle arrived altered: its hash does not fit",
        "诊断包内容与校验值不符",
    ),
    "usb.none": ("no USB stick is mounted", "没有已挂载的U盘"),
    "usb.none.hint": ("plug one in, then try again", "插入U盘后再试"),
    "usb.read_only": ("the stick cannot be written", "U盘不能写入"),
    "usb.read_only.hint": (
        "slide its write lock, or run this as root",
        "关闭写保护，或以 root 运行",
    ),
    "usb.several": ("more than one USB stick is mounted", "插了不止一个U盘"),
    "usb.several.hint": ("leave one in", "只留一个"),
    "usb.full": ("there is too little room on the stick", "U盘空间不足"),
    "usb.full.hint": ("free some space on it, or take another one", "清出空间，或换一个U盘"),
    "usb.failed": ("the stick could not be written", "写入U盘失败"),
    "usb.failed.hint": ("check the stick, or take another one", "检查U盘，或换一个"),
    "bundle.cannot": ("cannot write {file}: {why}", "无法写入 {file}：{why}"),
}
