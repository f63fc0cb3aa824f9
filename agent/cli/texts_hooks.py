"""What `posagent hooks` says beside the findings, which bring their own words.

A part of `agent.cli.texts`, which is the one that is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.hooks": ("the vendor's firmware hooks", "设备厂商的固件钩子"),
    "help.hooks.check": (
        "run a directory's hooks as the agent would and say what is wrong; actions are not run",
        "按 posagent 的方式运行目录中的钩子并指出问题；不运行动作钩子",
    ),
    "help.hooks.dir": (
        "where they lie; default: [hooks] directory",
        "所在目录；默认为 [hooks] directory",
    ),
    "help.hooks.deadline": (
        "seconds each may take; default: [hooks] deadline_s",
        "每个钩子的期限（秒）；默认为 [hooks] deadline_s",
    ),
    "hooks.ok": ("ok", "正确"),
    "hooks.wrong": ("wrong", "有误"),
    "hooks.not_a_hook": ("not a hook", "不是钩子"),
    "hooks.not_run": ("not run", "未运行"),
    "hooks.doubtful": ("note", "提示"),
    "hooks.all_ok": (
        "{count} hooks keep contract {contract} (posagent {version}).",
        "{count} 个钩子符合契约第 {contract} 版（posagent {version}）。",
    ),
    "hooks.some_wrong": (
        "{wrong} of {count} hooks are wrong; contract {contract} is in firmware_hooks/contract.",
        "{count} 个钩子中有 {wrong} 个有误；契约第 {contract} 版见 firmware_hooks/contract。",
    ),
    "hooks.as_root": (
        "They ran as root here; the agent runs them as its own user, who may have fewer rights.",
        "此处以 root 运行；posagent 以其自身用户运行它们，权限可能更少。",
    ),
}
