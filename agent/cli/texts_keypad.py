"""What the guided key test and the simulated keypad say. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese)
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.probe.guided": (
        "keypad only: press each key when asked, and learn which are dead",
        "仅用于 keypad：按提示逐个按键，找出失灵的键",
    ),
    "help.probe.seconds": (
        "how long to wait for each key; default: 10",
        "每个键的等待时间（秒）；默认 10",
    ),
    "help.sim.keypad": ("run one, or give orders to one", "运行模拟键盘，或向其发出指令"),
    "help.sim.keypad.path": (
        "where the keypad appears: a socket, or with --uinput a link to the device",
        "键盘的位置：套接字，或与 --uinput 一起时为设备的链接",
    ),
    "help.sim.keypad.uinput": (
        "a device of the kernel (needs /dev/uinput)",
        "内核输入设备（需要 /dev/uinput）",
    ),
    "help.sim.keypad.bytes": ("size of an event", "单个事件的字节数"),
    "error.guided": (
        "--guided is for the keypad: posagent probe keypad --guided",
        "--guided 仅用于键盘：posagent probe keypad --guided",
    ),
    "error.sim_keypad": ("--path is missing: where the keypad appears", "缺少 --path：键盘的位置"),
    "keypad.not_configured": (
        "no keypad is configured: set [keypad] device or name",
        "未配置键盘：请设置 [keypad] device 或 name",
    ),
    "keypad.nothing_to_ask": (
        "the device has none of the usual keys: name its keys in [keypad] keys",
        "设备没有任何常用键：请在 [keypad] keys 中列出按键",
    ),
    "keypad.gone": (
        "there is no keypad {where}: check its plug and [keypad]",
        "找不到键盘 {where}：请检查插头和 [keypad]",
    ),
    "keypad.permission": (
        (
            "no right to read {where}: run this as root or as a member of the group that owns it, "
            "usually input"
        ),
        "无权读取 {where}：请以 root 或该设备所属组（通常是 input）的成员运行",
    ),
    "keypad.pin_pad": (
        (
            "PINs are entered on {where}: a PIN pad is never read, not even for a test. If nobody "
            'enters PINs on it, set [keypad] read = "always"'
        ),
        (
            "{where} 用于输入密码：密码键盘一律不读取，测试也不例外。"
            '如确认无人在其上输入密码，请设置 [keypad] read = "always"'
        ),
    ),
    "keypad.none": (
        "{where} is no keypad with ten digits: check [keypad] device",
        "{where} 不是带十个数字键的键盘：请检查 [keypad] device",
    ),
    "keypad.head": ("key test of {where}: {count} keys", "按键测试 {where}：共 {count} 个键"),
    "keypad.how": (
        (
            "Press each key once when it is asked for. Each is waited for {seconds} s, all "
            "together {longest} s at most; Ctrl-C ends the test and keeps nothing."
        ),
        (
            "按提示每个键按一次。每个键最多等 {seconds} 秒，全部最多 {longest} 秒；"
            "按 Ctrl-C 结束，不保留任何结果。"
        ),
    ),
    "keypad.no_pin": (
        "Do not enter a PIN or an amount now.",
        "测试期间请勿输入密码或金额。",
    ),
    "keypad.ask": ("{number}/{count}  press {key} …", "{number}/{count}  请按 {key} …"),
    "keypad.seen": ("seen", "收到"),
    "keypad.unseen": ("NOT SEEN", "未收到"),
    "keypad.other": ("{said} (instead: {kinds})", "{said}（收到的是：{kinds}）"),
    "keypad.went_away": (
        "the keypad went away, or a PIN is being entered: the test is over, start it anew",
        "键盘已断开，或正在输入密码：测试已中止，请重新开始",
    ),
    "keypad.silent": (
        (
            "not one key arrived for the first {count}: the test is over. Is this the right "
            "device, and is somebody at it?"
        ),
        "前 {count} 个键都没有任何按键到达：测试已结束。设备是否正确？是否有人在按键？",
    ),
    "keypad.dead": (
        (
            "{count} keys were not seen: {names}. Press them once more in a new test; if they stay "
            "silent, replace the keypad"
        ),
        "{count} 个键未收到：{names}。请再测一次；如仍无反应，请更换键盘",
    ),
    "keypad.dead.one": (
        (
            "1 key was not seen: {names}. Press it once more in a new test; if it stays silent, "
            "replace the keypad"
        ),
        "1 个键未收到：{names}。请再测一次；如仍无反应，请更换键盘",
    ),
    "keypad.fine": ("all {count} keys work", "{count} 个键全部正常"),
    "keypad.kept": (
        "Kept for the agent: how many keys of which class, not which ones.",
        "已为监测程序保留：各类按键的数量，不含具体按键。",
    ),
    "keypad.not_kept": ("Nothing was kept.", "未保留任何结果。"),
    "keypad.keep_failed": (
        "The result could not be kept in {path}: {reason}",
        "无法将结果保存到 {path}：{reason}",
    ),
    **{f"key.{digit}": (digit, digit) for digit in "0123456789"},
    **{f"key.f{number}": (f"F{number}", f"F{number}") for number in range(1, 5)},
    "key.star": ("*", "*"),
    "key.hash": ("#", "#"),
    "key.dot": ("the dot", "小数点"),
    "key.enter": ("Enter (OK)", "确认键"),
    "key.clear": ("Clear (backspace)", "清除键（退格）"),
    "key.cancel": ("Cancel (Esc)", "取消键"),
    "key.up": ("arrow up", "上键"),
    "key.down": ("arrow down", "下键"),
    "key.left": ("arrow left", "左键"),
    "key.right": ("arrow right", "右键"),
    "key.menu": ("Menu", "菜单键"),
    "key_class.digit": ("a digit", "数字键"),
    "key_class.function": ("a function key", "功能键"),
    "key_class.navigation": ("a navigation key", "方向键"),
    "key_class.other": ("another key", "其他键"),
}
