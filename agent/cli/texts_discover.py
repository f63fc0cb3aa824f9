"""What `posagent probe --discover` says. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese)
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.probe.discover": (
        "what is attached, and a configuration to paste; nothing is sent to any device",
        "查看已连接的设备并给出可粘贴的配置；不向任何设备发送数据",
    ),
    "help.probe.ask": (
        "with --discover: ask free devices harmless questions, to be surer",
        "与 --discover 一起使用：向空闲设备发送无害查询，以便确认",
    ),
    "help.probe.printer": (
        "with --discover: a network printer; may be repeated",
        "与 --discover 一起使用：网络打印机；可重复",
    ),
    "error.probe_name": (
        "probe needs the name of a component, or --discover",
        "probe 需要部件名称，或 --discover",
    ),
    "error.probe_discover": (
        "--ask and --printer are for --discover",
        "--ask 和 --printer 仅用于 --discover",
    ),
    "discover.none": ("nothing that is ours is attached", "未发现可监测的设备"),
    "discover.no_sysfs": (
        "the kernel's description of the hardware is not at {path}",
        "{path} 下没有内核的硬件信息",
    ),
    "discover.head": (
        "Attached ({count}), kernel {kernel}",
        "已连接设备（{count}），内核 {kernel}",
    ),
    "discover.certainty": ("{kind}, {certainty}: {name}", "{kind}，{certainty}：{name}"),
    "discover.held": ("in use by {owner}", "正被 {owner} 使用"),
    "discover.not_seen": (
        "who uses them cannot be seen in full: run this as root",
        "无法完整查看占用情况：请以 root 运行",
    ),
    "discover.asked": ("asked: it answered in {ms} ms", "已查询：{ms} 毫秒内应答"),
    "discover.silent": ("asked: {reason}", "已查询：{reason}"),
    "discover.unserved": ("No driver serves", "没有驱动的设备"),
    "discover.needs": ("driver {driver} is missing", "缺少驱动 {driver}"),
    "discover.missing": (
        "configured and not there: [{table}] device = {device}",
        "已配置但不存在：[{table}] device = {device}",
    ),
    "discover.unknown_driver": (
        "no driver known; ask its vendor, kernel {kernel}",
        "未知驱动；请询问厂商，内核 {kernel}",
    ),
    "discover.proposal": (
        "To watch them, paste this into {file}:",
        "如需监测，请将以下内容粘贴到 {file}：",
    ),
    "discover.nothing": (
        "Nothing to propose: no device that is surely ours is left unconfigured.",
        "没有可建议的配置：没有已确认而未配置的设备。",
    ),
    "discover.ask_hint": (
        "Unsure ones can be asked with --ask; nothing was sent to any device.",
        "不确定的设备可用 --ask 查询；尚未向任何设备发送数据。",
    ),
    "component.devices": ("attached devices", "外接设备"),
    "component.link": ("link quality", "网络质量"),
    "component.signal": ("signal", "信号"),
    "status.devices": ("Devices", "设备"),
    "found.printer": ("printer", "打印机"),
    "found.scanner": ("scanner", "扫码枪"),
    "found.keypad": ("keypad", "键盘"),
    "found.keyboard": ("keyboard", "全键盘"),
    "found.serial": ("serial line", "串口"),
    "found.pinpad": ("PIN pad", "密码键盘"),
    "certainty.sure": ("sure", "确定"),
    "certainty.likely": ("likely", "可能"),
    "certainty.unsure": ("unsure", "不确定"),
    "reason.usb_id": ("its USB id is known", "USB 编号已知"),
    "reason.usb_id_likely": (
        "its USB id is used by such devices, and by others",
        "此类设备使用该 USB 编号，其他设备也可能使用",
    ),
    "reason.printer_class": ("it says that it is a printer", "设备自称为打印机"),
    "reason.ieee1284": ("it names its command set", "设备给出了命令集"),
    "reason.dialect_unknown": (
        "no command set of receipt printers is known of it",
        "未知其是否支持小票打印机命令集",
    ),
    "reason.no_driver": ("no driver serves it", "没有驱动"),
    "reason.libusb": (
        "a program talks to it directly, past the kernel's driver",
        "有程序绕过内核驱动直接访问",
    ),
    "reason.hid_pos": ("its reports are those of a bar code scanner", "其报告格式为扫码枪"),
    "reason.types_codes": (
        "it types what it scans, like a keyboard: only its presence can be watched",
        "以键盘方式输入条码：只能监测是否在位",
    ),
    "reason.digits": ("it has digits and few letters", "只有数字键"),
    "reason.keyboard_or_scanner": (
        "a keyboard, or a scanner that types: they cannot be told apart",
        "全键盘或键盘模式的扫码枪：无法区分",
    ),
    "reason.adapter": (
        "an adapter: what hangs on it cannot be seen",
        "转接线：无法看出所接设备",
    ),
    "reason.serial_unknown": (
        "a port of the board: what hangs on it cannot be seen",
        "主板串口：无法看出所接设备",
    ),
    "reason.console": ("the kernel's console: leave it alone", "内核控制台：请勿使用"),
    "reason.never_asked": (
        "it belongs to the payment app and is never asked",
        "属于收款应用，不查询",
    ),
    "reason.configured": ("configured", "已配置"),
    "reason.given": ("named on the command line", "命令行给出"),
    "reason.answered": ("it answered", "已应答"),
}
