"""What can be wrong with a hook, each as one word, one sentence and one thing to do, zh and en.

Decides the words only. The runner says which one it is; `posagent hooks check` shows both lines in
the reader's language, a watcher gives the English sentence as its reason.
"""

# ruff: noqa: E501
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from agent.record import dataclass

Pair = tuple[str, str]

_WHAT, _DO = 0, 1
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: word -> ((en, zh) what is wrong, (en, zh) what to do)
TEXTS: Mapping[str, tuple[Pair, Pair]] = {
    "no_directory": (
        ("there is no directory {path}", "目录 {path} 不存在"),
        ("create it, or correct [hooks] directory", "创建该目录，或更正 [hooks] directory"),
    ),
    "place_writable": (
        (
            "others than its owner can write to {path} ({mode})",
            "除所有者外还有人可写 {path}（{mode}）",
        ),
        ("chmod go-w {path}", "执行 chmod go-w {path}"),
    ),
    "place_owner": (
        (
            "{path} belongs to uid {uid}, neither root nor the agent's user",
            "{path} 属于 uid {uid}，既不是 root 也不是 posagent 的用户",
        ),
        ("chown root {path}", "执行 chown root {path}"),
    ),
    "missing": (
        ("there is no hook {path}", "没有钩子 {path}"),
        ("install it under exactly this name, without a suffix", "按此文件名安装，不加后缀"),
    ),
    "link_outside": (
        (
            "{path} is a link out of the hooks' directory, to {target}",
            "{path} 是指向目录外的链接：{target}",
        ),
        ("put the file itself there", "把文件本身放进该目录"),
    ),
    "not_a_file": (
        ("{path} is not a file", "{path} 不是普通文件"),
        ("put an executable file there", "放入一个可执行文件"),
    ),
    "writable": (
        (
            "{path} is refused: others than its owner can write to it ({mode})",
            "拒绝执行 {path}：除所有者外还有人可写（{mode}）",
        ),
        ("chmod go-w {path}, and see who changed it", "执行 chmod go-w {path}，并查明有无被改动"),
    ),
    "owner": (
        (
            "{path} is refused: it belongs to uid {uid}, neither root nor the agent's user",
            "拒绝执行 {path}：属于 uid {uid}，既不是 root 也不是 posagent 的用户",
        ),
        ("chown root {path}", "执行 chown root {path}"),
    ),
    "not_executable": (
        ("{path} is not executable for the agent's user", " posagent 的用户不能执行 {path}"),
        ("chmod 755 {path}", "执行 chmod 755 {path}"),
    ),
    "not_started": (
        ("{path} could not be started: {why}", "{path} 无法启动：{why}"),
        (
            "check its first line (#!/bin/sh, no carriage return) and that the interpreter is installed",
            "检查首行（如 #!/bin/sh，不能有回车符）以及解释器是否已安装",
        ),
    ),
    "start_hangs": (
        (
            "starting {path} hangs: the storage it lies on does not answer",
            "启动 {path} 时挂起：其所在存储无响应",
        ),
        ("check the storage, or restart the terminal", "检查存储，或重启终端"),
    ),
    "hangs": (
        (
            "{hook} did not end within {deadline_s:g} s (it had printed {printed} bytes) and was killed with all it had started",
            "{hook} 在 {deadline_s:g} 秒内没有结束（已输出 {printed} 字节），已连同其子进程一起终止",
        ),
        (
            "make every call in it time out earlier, or raise [hooks] deadline_s",
            "让其中每个调用更早超时，或增大 [hooks] deadline_s",
        ),
    ),
    "too_much": (
        (
            "{hook} printed more than {limit} bytes and was killed",
            "{hook} 输出超过 {limit} 字节，已被终止",
        ),
        (
            "print one JSON answer and nothing else; logs belong on stderr",
            "只输出一个 JSON 应答；日志写到 stderr",
        ),
    ),
    "exit": (
        ("{hook} ended with exit code {code}{complaint}", "{hook} 以退出码 {code} 结束{complaint}"),
        (
            "run it by hand and read its stderr; what cannot be told is an answer too (outcome unknown)",
            "手工运行并查看 stderr；无法得知时也应作答（outcome 为 unknown）",
        ),
    ),
    "signal": (
        (
            "{hook} was ended by signal {signal}{complaint}",
            "{hook} 被信号 {signal} 终止{complaint}",
        ),
        (
            "run it by hand; signal 11 is a crash, 9 often the kernel short of memory",
            "手工运行；信号 11 为崩溃，9 常因内存不足",
        ),
    ),
    "no_output": (
        ("{hook} ended without printing anything", "{hook} 没有任何输出就结束了"),
        ("print one JSON answer on stdout and flush it", "在 stdout 输出一个 JSON 应答并刷新缓冲"),
    ),
    "not_json": (
        ("{hook} did not print JSON: {why}", "{hook} 的输出不是 JSON：{why}"),
        (
            "print exactly one JSON object on stdout; it began with {begins!r}",
            "在 stdout 只输出一个 JSON 对象；实际开头为 {begins!r}",
        ),
    ),
    "contract": (
        ("{hook} does not keep the contract: {why}", "{hook} 不符合契约：{why}"),
        (
            "compare with firmware_hooks/contract/v1/{schema}.json",
            "与 firmware_hooks/contract/v1/{schema}.json 对照",
        ),
    ),
    "component": (
        (
            "{hook} spoke of component {said!r}, which is not its own ({own})",
            "{hook} 报告了不属于它的部件 {said!r}（应为 {own}）",
        ),
        (
            "correct `component` in its answer, or [[hook]] in the configuration",
            "更正应答中的 component 或配置中的 [[hook]]",
        ),
    ),
    "resting": (
        (
            "{hook} failed {failures} times in a row and is left alone for another {rest_s:.0f} s; last: {last}",
            "{hook} 连续失败 {failures} 次，{rest_s:.0f} 秒后再试；最近一次：{last}",
        ),
        (
            "correct the hook: it is tried again at once when its file changes",
            "修正该钩子：文件一经更改立即重试",
        ),
    ),
    "left_children": (
        ("{hook} left processes running; they were killed", "{hook} 结束后留有子进程，已被终止"),
        (
            "let it wait for what it starts; a long-running program is a stream hook",
            "让它等待所启动的进程；常驻程序请用 stream 钩子",
        ),
    ),
    "stream_ended": (
        (
            "{hook} ended ({how}); it is started again in {rest_s:.0f} s",
            "{hook} 已结束（{how}），{rest_s:.0f} 秒后重新启动",
        ),
        (
            "a stream hook runs for ever; see its stderr in the agent's log",
            "stream 钩子应一直运行；请查看 posagent 日志中的 stderr",
        ),
    ),
    "line_too_long": (
        (
            "{hook} printed a line of more than {limit} bytes and was killed",
            "{hook} 输出的一行超过 {limit} 字节，已被终止",
        ),
        ("print one JSON reading per line and flush it", "每行输出一个 JSON 读数并刷新缓冲"),
    ),
    "silent": (
        (
            "nothing was heard from {hook} for {silent_s:.0f} s",
            "{silent_s:.0f} 秒内没有收到 {hook} 的任何消息",
        ),
        (
            "it must say something at least every {stale_s:g} s ([[hook]] stale_s)",
            "至少每 {stale_s:g} 秒报告一次（[[hook]] stale_s）",
        ),
    ),
    "never": (
        ("nothing was heard from {hook} yet", "尚未收到 {hook} 的任何消息"),
        (
            "see whether it runs; push needs the role report and [[hook]] push",
            "查看它是否在运行；推送需要 report 角色和 [[hook]] push",
        ),
    ),
    "not_here": (
        ("only the running agent hears {hook}", "只有运行中的 posagent 能收到 {hook}"),
        ("see posagent status", "请查看 posagent status"),
    ),
    "old": (
        (
            "{hook} gave a reading {age_s:.0f} s old; older than {stale_s:g} s counts as none",
            "{hook} 给出的读数已有 {age_s:.0f} 秒；超过 {stale_s:g} 秒视为无效",
        ),
        ("read afresh, or raise [[hook]] stale_s", "重新读取，或增大 [[hook]] stale_s"),
    ),
    "name": (
        (
            "{path} has no name the contract knows; it is never run",
            "{path} 的文件名不在契约之内，永远不会运行",
        ),
        (
            "rename it: probe.COMPONENT, stream.NAME, identity, inventory, key.unwrap, event.CODE; no suffix",
            "改名为 probe.部件、stream.名称、identity、inventory、key.unwrap 或 event.代码，不加后缀",
        ),
    ),
    "action_here": (
        (
            "{path} is an action; the agent never runs those",
            "{path} 是动作钩子，posagent 不会运行它",
        ),
        (
            "move it to actions.d, where posagent-actions runs it",
            "移到 actions.d，由 posagent-actions 运行",
        ),
    ),
    "shebang": (
        (
            "{path} begins neither with #! nor as a program ({begins!r})",
            "{path} 开头既不是 #! 也不是可执行程序（{begins!r}）",
        ),
        ("make #!/bin/sh or another interpreter its first line", "首行写 #!/bin/sh 或其他解释器"),
    ),
    "carriage_return": (
        ("the first line of {path} ends with a carriage return", "{path} 首行以回车符结尾"),
        ("save it with Unix line ends", "用 Unix 换行保存"),
    ),
    "slow": (
        (
            "{hook} took {took_s:.1f} s of the {deadline_s:g} s it has",
            "{hook} 用时 {took_s:.1f} 秒，期限为 {deadline_s:g} 秒",
        ),
        ("on a busy terminal it will be killed: make it quicker", "终端繁忙时会被终止：请加快"),
    ),
    "empty": (
        ("there is no hook in {path}", "{path} 中没有任何钩子"),
        ("see firmware_hooks/README.md", "请看 firmware_hooks/README.zh-CN.md"),
    ),
    "unchecked": (
        ("{hook} was not run: {why}", "未运行 {hook}：{why}"),
        ("try it on a test terminal by hand", "请在测试终端上手工试运行"),
    ),
    "no_line": (
        (
            "{hook} printed no line within {waited_s:g} s",
            "{hook} 在 {waited_s:g} 秒内没有输出任何一行",
        ),
        (
            "print how things are once at the start, and flush every line",
            "启动时先输出一次现状，并逐行刷新缓冲",
        ),
    ),
    "no_evidence": (
        ("the reading of {hook} has no `{key}`", "{hook} 的读数缺少 {key}"),
        (
            "give `raw` and `source` with every reading: they are what a technician can look up",
            "每个读数都应给出 raw 和 source，供技术人员核对",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with what the sentences need."""

    word: str
    args: Mapping[str, object] = field(default_factory=dict)

    def what(self, lang: str = "en") -> str:
        """One sentence: what is wrong, and where."""
        return self._said(_WHAT, lang)

    def step(self, lang: str = "en") -> str:
        """One sentence: what to do."""
        return self._said(_DO, lang)

    def _said(self, which: int, lang: str) -> str:
        said = TEXTS[self.word][which][1 if lang == "zh" else 0].format(**self.args)
        # What a hook, or its file's name, put into it must not move a terminal's cursor.
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", said)


class HookError(Exception):
    """A hook gave no answer; the finding says why. Never leaves the component it speaks for."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what())
        self.finding = finding


def trouble(word: str, **args: object) -> HookError:
    """A HookError by its word."""
    return HookError(Finding(word, args))
