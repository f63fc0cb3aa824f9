"""What `posagent slip` says; a part of `agent.cli.texts_proof`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.slip": (
        "slips: pre-settlement, vouchers, recent payments, diagnosis, reports",
        "小票：预结算单、电子凭证、最近交易、诊断单、报告",
    ),
    "help.slip.list": ("which there are", "列出所有小票"),
    "help.slip.show": ("show one, or save it as an image or bytes", "显示一张，或存成图片等"),
    "help.slip.print": ("print one on this terminal's printer", "在本机打印机上打印一张"),
    "help.slip.decode": ("read the code of a diagnostic slip", "解读诊断单二维码的内容"),
    "help.slip.kind": ("which slip; see `slip list`", "哪一种小票，见 slip list"),
    "help.slip.key": (
        "what it is about: key of a payment, batch or day, number of a report",
        "对象：交易键、批次号或日期、报告编号",
    ),
    "help.slip.columns": ("32: paper of 58 mm, 48: of 80 mm", "32：58毫米纸，48：80毫米纸"),
    "help.slip.png": ("save it as an image", "存成图片"),
    "help.slip.escpos": ("save it as bytes for an ESC/POS printer", "存成 ESC/POS 打印指令"),
    "help.slip.text": ("what the QR code says: PA1;...", "二维码内容：PA1;…"),
    "slip.kind": ("KIND", "种类"),
    "slip.title": ("SLIP", "小票"),
    "slip.key": ("KEY", "对象"),
    "slip.about.nothing": ("-", "-"),
    "slip.about.payment": ("a payment's key", "交易键"),
    "slip.about.any_payment": ("a payment's key; without: this terminal", "交易键；不填：整台终端"),
    "slip.about.batch": (
        "batch or day (2026-11-22); without: open batch or today",
        "批次号或日期（2026-11-22）；不填：当前批次或当天",
    ),
    "slip.about.number": ("number of a report; without: the newest", "报告编号；不填：最新"),
    "slip.printing.driver": ("Printed by the agent.", "由监测程序直接打印。"),
    "slip.printing.hook": ("Printed by the vendor's print hook.", "由厂商的打印钩子打印。"),
    "slip.printing.off": ("Not printed here: [printer] print is off.", "本机不打印小票。"),
    "slip.printed": ("Printed: the printer has worked through it.", "已打印，打印机已确认。"),
    "slip.sent": (
        "Sent to the printer, which has not confirmed it: look at the paper.",
        "已发给打印机，但打印机没有确认：请看纸面。",
    ),
    "slip.saved": ("saved: {file}", "已保存：{file}"),
    "slip.cannot": ("cannot write {file}: {why}", "无法写入 {file}：{why}"),
    "slip.daemon": (
        "only the running agent can print, and it does not answer",
        "只有运行中的监测程序能打印，而它没有应答",
    ),
    "slip.daemon.hint": (
        "`posagent slip show` works without it",
        "不打印可用 posagent slip show 查看",
    ),
    "slip.code.form": ("this is no code of a diagnostic slip", "这不是诊断单二维码的内容"),
    "slip.code.sum": ("the code was not read completely", "二维码没有读完整"),
    "slip.code.field": ("the code has a part nobody can read", "二维码里有无法读取的部分"),
    "slip.code.hint": ("it begins with PA1; scan it again", "内容以 PA1 开头，请重新扫码"),
    "slip.payment": ("payment", "交易"),
    "slip.well": ("Nothing wrong was found.", "没有发现问题。"),
    "slip.more": ("{count} more were left out.", "另有 {count} 项未列出。"),
    "slip.unread": ("The records could not be read.", "交易数据无法读取。"),
    "slip.unsent": (
        "not sent {count}, in doubt {doubt}, held {held}",
        "未上送 {count} 笔，结果未知 {doubt} 笔，待处理 {held} 笔",
    ),
    "slip.unknown": ("not known", "未知"),
}
