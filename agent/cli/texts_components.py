"""Names of components, and what is said of the ways out. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "component.printer": ("printer", "打印机"),
    "component.keypad": ("keypad", "键盘"),
    "component.scanner": ("scanner", "扫码枪"),
    "component.connectivity": ("network", "网络"),
    "component.firmware": ("firmware", "固件"),
    "component.system": ("terminal", "终端"),
    "component.clock": ("clock", "时钟"),
    "component.software": ("software", "软件"),
    "component.uplink": ("uplink", "上送通道"),
    "component.payment_app": ("payment app", "收款应用"),
    "component.queue": ("queue", "交易队列"),
    "component.agent": ("agent", "监测程序"),
    "component.fleet": ("fleet line", "远程管理"),
    "component.channels": ("ways out", "联网方式"),
    "component.settlement": ("reconciliation", "清算核对"),
    "status.way": ("{name} {state}", "{name} {state}"),
    "status.way_used": ("{name} in use ({state})", "正在使用{name}（{state}）"),
    "status.way_used_why": (
        "{name} in use ({state}: {reason})",
        "正在使用{name}（{state}：{reason}）",
    ),
    "status.way_why": ("{name} {state}: {reason}", "{name} {state}：{reason}"),
    "error.probe_daemon": (
        "{name}: only the running daemon asks this, and it is not running",
        "{name}：只有运行中的监测程序能得到，而它没有运行",
    ),
    "help.help": ("show this help", "显示本帮助"),
    "probe.heard": (
        "{name}: only the running daemon asks this; what it heard at {at}:",
        "{name}：只有运行中的监测程序能得到；它在 {at} 得到：",
    ),
    "way.ok": ("ok", "正常"),
    "way.untried": ("not tried", "未试用"),
    "way.doubted": ("in doubt", "存疑"),
    "way.broken": ("does not carry", "不通"),
    "way.down": ("down", "断开"),
    "way.refused": ("refused", "被拒绝"),
}
