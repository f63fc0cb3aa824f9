"""What the checks of a self-inspection are called, and its other words, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.inspection.report import Verdict
from agent.core.why.text import Text

#: Checks by name; `reach:NAME` and the like by what stands before the colon.
CHECKS: Mapping[str, Text] = {
    "printer": Text("打印机", "printer"),
    "scanner": Text("扫码枪", "scanner"),
    "keypad": Text("键盘", "keypad"),
    "connectivity": Text("网络", "network"),
    "quality": Text("网络质量", "network quality"),
    "link": Text("网络质量", "link quality"),
    "signal": Text("信号与SIM卡", "signal and SIM"),
    "channels": Text("网络通道", "channels"),
    "clock": Text("时钟", "clock"),
    "system": Text("终端系统", "terminal"),
    "software": Text("软件版本", "software"),
    "configuration": Text("参数与权限", "configuration"),
    "devices": Text("外接设备", "attached devices"),
    "firmware": Text("固件", "firmware"),
    "payment_app": Text("收款应用", "payment app"),
    "queue": Text("未上送交易", "unsent money"),
    "uplink": Text("上送通道", "uplink"),
    "agent": Text("监测程序", "agent"),
    "android": Text("安卓系统", "Android"),
    "store": Text("交易存储", "stored payments"),
    "reach": Text("连接主机", "reaching host"),
    "certificates": Text("证书", "certificates"),
    "files": Text("文件权限", "file permissions"),
    "fleet": Text("管理平台连接", "fleet broker"),
}

VERDICTS: Mapping[Verdict, Text] = {
    Verdict.PASS: Text("正常", "pass"),
    Verdict.WARN: Text("警告", "warning"),
    Verdict.FAIL: Text("故障", "FAIL"),
    Verdict.UNKNOWN: Text("未知", "unknown"),
    Verdict.NOT_FITTED: Text("未配备", "not fitted"),
    Verdict.NOT_OBSERVABLE: Text("无法观测", "not observable"),
}

TITLE = Text("终端自检报告", "Self-inspection")
NUMBER = Text("编号 {number}", "No. {number}")
RUNNING = Text("进行中", "under way")
TOOK = Text("用时 {seconds} 秒", "took {seconds} s")
FOLLOWS = Text("由其他问题引起：{title}", "follows from: {title}")
NOTHING_DONE = Text("需要处理：无", "Nothing to do.")

#: Who must act, as on a slip.
OWNERS: Mapping[str, Text] = {
    "merchant": Text("商户", "merchant"),
    "cashier": Text("收银员", "cashier"),
    "technician": Text("技术员", "technician"),
    "vendor": Text("厂商", "vendor"),
    "acquirer": Text("收单机构", "acquirer"),
    "bank": Text("银行", "bank"),
    "platform": Text("支付平台", "platform"),
    "agent": Text("自动处理", "by itself"),
}


def title(name: str) -> Text:
    """A check's name for people; one nobody named is shown as it is."""
    kind, _, which = name.partition(":")
    known = CHECKS.get(kind)
    if known is None:
        return Text(name, name)
    return Text(f"{known.zh} {which}".strip(), f"{known.en} {which}".strip())
