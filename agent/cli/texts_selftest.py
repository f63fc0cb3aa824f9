"""What `posagent selftest` says. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.selftest": (
        "does this terminal's flash keep what it says is stored? a counter and pulled plugs",
        "本机闪存是否真正保存了它声称已保存的数据？计数器加拔电测试",
    ),
    "help.selftest.power_cut": (
        "procedure (print it), start, check or finish",
        "procedure（打印步骤）、start（开始）、check（核对）或 finish（结束）",
    ),
    "help.selftest.directory": (
        "test the flash this directory is on; default: where payments are stored",
        "测试该目录所在的闪存；默认为保存交易的目录",
    ),
    "help.selftest.seen": ("check: the last number seen", "check：断电前看到的最后一个数字"),
    "help.selftest.started_here": (
        "check: it did count here; where nothing of it is left, the flash has lost it",
        "check：确认曾在此处计数；若毫无痕迹，即为闪存丢失",
    ),
    "help.selftest.tell": (
        "start: also send each number to tcp:HOST:PORT, a serial line or a file on a stick",
        "start：同时把每个数字发送到 tcp:HOST:PORT、串口或 U 盘上的文件",
    ),
    "help.selftest.numbers": (
        "start: stop after so many numbers (to try it without pulling the plug)",
        "start：写完这么多数字后停止（用于不拔电的试运行）",
    ),
    "selftest.title": (
        "Does this terminal's flash keep what it says is stored?",
        "本机闪存是否真正保存了它声称已保存的数据？",
    ),
    "selftest.step.1": (
        (
            "Choose a quiet time: the plug is pulled at least {enough} times. Payments are not "
            "touched; the agent may run or not."
        ),
        "选择空闲时间：至少要拔电 {enough} 次。不会影响交易数据；监测程序运行与否均可。",
    ),
    "selftest.step.2": (
        (
            "Run `posagent selftest --power-cut start`. Film the screen with a phone, or let the "
            "numbers go to a second machine: there `nc -l 9000`, here "
            "`--tell tcp:ITS-ADDRESS:9000`; or to a serial line: `--tell /dev/ttyS0`."
        ),
        (
            "运行 `posagent selftest --power-cut start`。用手机拍摄屏幕，或把数字发送到另一台机器："
            "对方运行 `nc -l 9000`，本机加 `--tell tcp:ADDRESS:9000`；"
            "或发送到串口：`--tell /dev/ttyS0`。"
        ),
    ),
    "selftest.step.3": (
        (
            "After some seconds pull the plug, and the battery where there is one. Not the power "
            "button: it shuts down in order and proves nothing."
        ),
        "数秒后直接拔掉电源（有电池的同时取下电池）。不要按电源键：正常关机测不出问题。",
    ),
    "selftest.step.4": (
        "Note the last number that was seen. Power on.",
        "记下最后看到的数字，重新上电。",
    ),
    "selftest.step.5": (
        "Run `posagent selftest --power-cut check --seen NUMBER`.",
        "运行 `posagent selftest --power-cut check --seen 数字`。",
    ),
    "selftest.step.6": (
        (
            "Repeat 2 to 5 until it says honest, lying or torn. One lost number is proof; to be "
            "called honest takes {enough} cuts without loss."
        ),
        (
            "重复第 2 至 5 步，直到给出结论。只要丢失一个数字即可判定；"
            "判定为可信需要连续 {enough} 次断电无丢失。"
        ),
    ),
    "selftest.step.7": (
        "Run `posagent selftest --power-cut finish`: the counter is removed, the result stays.",
        "运行 `posagent selftest --power-cut finish`：删除计数文件，保留结果。",
    ),
    "selftest.counting": (
        (
            "Counting on {path}. Each number shown is stored, so the flash says. Pull the plug now "
            "and remember the last number; Ctrl-C ends without a cut."
        ),
        (
            "正在 {path} 上计数。显示的每个数字，闪存都已声称保存完毕。"
            "现在可以拔电并记住最后一个数字；"
            "按 Ctrl-C 结束（不计为断电）。"
        ),
    ),
    "selftest.ended": (
        "Ended at {number} without a cut: no round.",
        "在 {number} 处结束，没有断电，不计入结果。",
    ),
    "selftest.untold": (
        "Numbers no longer reach {where} ({why}); they go on here only.",
        "数字已无法发送到 {where}（{why}），仅在本机显示。",
    ),
    "selftest.round.kept": (
        "Round {number}: seen {seen}, all of it is on the flash.",
        "第 {number} 次：看到 {seen}，全部在闪存上。",
    ),
    "selftest.round.lost": (
        (
            "Round {number}: seen {seen}, the file ends at {file}, the journal at {journal}: "
            "{lost} numbers the flash said were stored are gone."
        ),
        (
            "第 {number} 次：看到 {seen}，文件止于 {file}，日志止于 {journal}：闪存声称已保存的 "
            "{lost} 个数字丢失。"
        ),
    ),
    "selftest.round.torn": (
        (
            "Round {number}: seen {seen} is there, but earlier numbers are missing or a copy "
            "cannot be read."
        ),
        "第 {number} 次：{seen} 还在，但更早的数字缺失或某个副本无法读取。",
    ),
    "selftest.verdict.honest": (
        (
            "HONEST: {rounds} power cuts, nothing lost. Cuts that lose are at most {share} % of "
            "all (95 % sure)."
        ),
        "可信：断电 {rounds} 次，无丢失。会丢数据的断电至多占 {share}%（95% 置信）。",
    ),
    "selftest.verdict.lying": (
        (
            "LYING: {bad} of {rounds} power cuts lost numbers the flash had confirmed. Payments "
            "recorded shortly before a power cut can be lost on this terminal."
        ),
        (
            "不可信：{rounds} 次断电中有 {bad} 次丢失了闪存已确认保存的数字。"
            "本机断电前刚记录的交易可能丢失。"
        ),
    ),
    "selftest.verdict.torn": (
        "TORN: {bad} of {rounds} power cuts damaged what was stored earlier.",
        "数据撕裂：{rounds} 次断电中有 {bad} 次损坏了较早保存的数据。",
    ),
    "selftest.verdict.undecided": (
        "Not decided yet: {rounds} of {enough} power cuts without loss.",
        "尚无结论：已完成 {rounds} 次无丢失断电，共需 {enough} 次。",
    ),
    "selftest.next.lying": (
        (
            "Device vendor: enable flush / disable the write cache of this flash, or use another "
            "part; then test again from the beginning (finish, start)."
        ),
        "设备厂商：启用刷新命令或关闭该闪存的写缓存，或更换器件；然后重新测试（finish、start）。",
    ),
    "selftest.next.torn": (
        (
            "Device vendor: this flash damages data it was not writing; use another part, or one "
            "with power-loss protection."
        ),
        "设备厂商：该闪存会损坏并未在写的数据，请更换器件或采用带掉电保护的型号。",
    ),
    "selftest.typo": (
        (
            "So much is missing that the number may have been misread, or the counter ran on "
            "another directory. If so: finish, and begin again."
        ),
        "缺失过多，可能看错了数字，或计数器运行在另一个目录。若是如此，请运行 finish 后重新开始。",
    ),
    "selftest.finished": (
        "The counter is removed; the result stays in {path}.",
        "已删除计数文件；结果保留在 {path}。",
    ),
    "selftest.no_result": ("No power cut was tested here.", "此处尚未做过断电测试。"),
    "selftest.error.directory": ("{path} is not a directory.", "{path} 不是目录。"),
    "selftest.error.directory.hint": (
        "Name one on the flash to be tested, or start the agent once so that its own is made.",
        "请指定位于待测闪存上的目录，或先启动一次监测程序以创建默认目录。",
    ),
    "selftest.error.refused": (
        "{path} cannot be written or read ({why}); nothing is concluded.",
        "{path} 无法读写（{why}），不作结论。",
    ),
    "selftest.error.refused.hint": (
        "Run it as root or as the agent's user; look for a full or failing flash.",
        "请以 root 或监测程序的用户运行，并检查闪存是否已满或出错。",
    ),
    "selftest.error.room": (
        "Less than {mib} MiB are free in {path}: the counter is not started.",
        "{path} 可用空间不足 {mib} MiB，未开始计数。",
    ),
    "selftest.error.room.hint": ("Free some space first.", "请先释放空间。"),
    "selftest.error.busy": ("A counter is running on {path}.", "{path} 上已有计数器在运行。"),
    "selftest.error.busy.hint": (
        "Pull the plug, or end it with Ctrl-C.",
        "请直接拔电，或按 Ctrl-C 结束它。",
    ),
    "selftest.error.unchecked": (
        "The last round has not been checked yet.",
        "上一次断电尚未核对。",
    ),
    "selftest.error.unchecked.hint": (
        "posagent selftest --power-cut check --seen NUMBER; finish throws it away",
        "posagent selftest --power-cut check --seen 数字；finish 可放弃这一次",
    ),
    "selftest.error.seen": (
        "check needs the last number seen: --seen N, 1 or more.",
        "check 需要断电前看到的最后一个数字：--seen N（1 或更大）。",
    ),
    "selftest.error.seen.hint": (
        "If none was seen, this round proves nothing: start again.",
        "若没有看到数字，这一次不能说明问题：请重新开始。",
    ),
    "selftest.error.same_boot": (
        "The terminal has not been off since the counter ran: no power cut, no round.",
        "计数之后终端没有断过电：不计入结果。",
    ),
    "selftest.error.same_boot.hint": (
        "Run start, pull the plug, power on, then check.",
        "先运行 start，拔电、上电，再运行 check。",
    ),
    "selftest.error.ended": (
        "The counter was ended in order, not by a power cut: no round.",
        "计数器是正常结束的，不是断电：不计入结果。",
    ),
    "selftest.error.ended.hint": (
        "Pull the plug while it counts.",
        "请在计数过程中拔电。",
    ),
    "selftest.error.checked": (
        "This power cut has been checked already.",
        "这一次断电已经核对过。",
    ),
    "selftest.error.checked.hint": ("Run start for the next one.", "请运行 start 开始下一次。"),
    "selftest.error.nothing": (
        "Nothing was ever counted on {path}, as far as its flash shows: nothing is concluded.",
        "从闪存上看，{path} 从未计数过，不作结论。",
    ),
    "selftest.error.nothing.hint": (
        (
            "Give the --directory that start was given. If it was this one, add --started-here: "
            "then the flash has lost all of it."
        ),
        "请使用 start 时的 --directory；若确为此目录，请加 --started-here，即判定为闪存全部丢失。",
    ),
    "selftest.error.below": (
        "The number is of an earlier round: this one began with {first}.",
        "这是更早一次的数字：本次从 {first} 开始。",
    ),
    "selftest.error.below.hint": ("Give the last number of this round.", "请输入本次最后的数字。"),
    "selftest.error.behind": (
        "The flash holds numbers up to {highest}, so {seen} was not the last: nothing compared.",
        "闪存上的数字已到 {highest}，{seen} 不会是最后一个：未作比较。",
    ),
    "selftest.error.behind.hint": (
        "Give the last number that was seen; if nobody knows it, start again.",
        "请输入最后看到的数字；若无人知道，请重新开始。",
    ),
    "selftest.error.tell": (
        "{where} is not tcp:HOST:PORT and no file that can be written ({why}).",
        "{where} 不是 tcp:HOST:PORT，也不是可写的文件（{why}）。",
    ),
    "selftest.error.tell.hint": (
        "such as tcp:192.168.1.10:9000 or /dev/ttyS0",
        "例如 tcp:192.168.1.10:9000 或 /dev/ttyS0",
    ),
    "selftest.error.kept": (
        "What is in {path} was not written by this command.",
        "{path} 的内容不是本命令写入的。",
    ),
    "selftest.error.kept.hint": (
        "posagent selftest --power-cut finish removes it",
        "posagent selftest --power-cut finish 可将其删除",
    ),
}
