"""Every sentence the command line says, in English and Chinese.

One table; a test holds both languages to the same placeholders. Texts of causes, verdicts and
configuration problems are not here: they come from `agent.core.why` and `agent.settings.problems`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal

from agent.cli import (
    texts_android,
    texts_audit,
    texts_care,
    texts_components,
    texts_discover,
    texts_fleet,
    texts_fleet_results,
    texts_hooks,
    texts_inspection,
    texts_keypad,
    texts_proof,
    texts_software,
    texts_storage,
    texts_tools,
    texts_words,
)

Language = Literal["zh", "en"]

#: name -> (English, Chinese); `name.one` is used instead where `count` is 1
TEXTS: Mapping[str, tuple[str, str]] = {
    **texts_android.TEXTS,
    **texts_audit.TEXTS,
    **texts_care.TEXTS,
    **texts_components.TEXTS,
    **texts_discover.TEXTS,
    **texts_fleet.TEXTS,
    **texts_fleet_results.TEXTS,
    **texts_hooks.TEXTS,
    **texts_inspection.TEXTS,
    **texts_keypad.TEXTS,
    **texts_proof.TEXTS,
    **texts_software.TEXTS,
    **texts_storage.TEXTS,
    **texts_tools.TEXTS,
    **texts_words.TEXTS,
    # help
    "help.usage": ("usage: ", "用法："),
    "help.positionals": ("commands and arguments", "命令和参数"),
    "chapter.look": ("how it stands, and why money has not arrived", "查看状态，款项为何未到账"),
    "chapter.examine": ("examining this terminal", "检查本机"),
    "chapter.money": ("payments: before, after, and kept safe", "交易：事前、事后与备份"),
    "chapter.image": ("the device and its factory", "设备厂商与出厂"),
    "chapter.update": ("versions and updates", "版本与更新"),
    "chapter.afar": ("from a desk (not on a terminal)", "在办公电脑上使用（不装在终端上）"),
    "help.everywhere": ("options of every command", "所有命令通用的选项"),
    "help.options": ("options", "选项"),
    "help.program": (
        (
            "posagent delivers every payment once, watches the terminal, and says why money has "
            "not arrived."
        ),
        "posagent 保证每笔交易只上送一次，监测终端，并说明款项为何未到账。",
    ),
    "help.exit": (
        (
            "exit codes: 0 done, also when what it shows is bad news · 1 no such payment, cause or "
            "component, or the host breaks the contract · 2 wrong arguments or configuration · 3 "
            "daemon not running and store not readable · 4 refused: missing right or role · 5 "
            "store held by a process that does not answer · 6 daemon said no · 70 internal error"
        ),
        (
            "退出码：0 完成（所示内容为坏消息时亦然）· 1 没有该交易、原因或部件，或主机不符契约"
            " · 2 参数或配置有误 · 3 监测程序未运行且存储不可读 · 4 权限或角色不足 · "
            "5 存储被无响应的进程占用 · 6 监测程序拒绝 · 70 内部错误"
        ),
    ),
    "help.lang": (
        "language of the texts; else that of the environment",
        "显示语言；默认按环境变量",
    ),
    "help.config": ("configuration file", "配置文件"),
    "help.state_dir": ("where the store is", "存储目录"),
    "help.socket": ("socket of the daemon", "监测程序的套接字"),
    "help.json": ("for programs: JSON", "供程序使用：JSON"),
    "help.run": ("run the daemon", "运行监测程序"),
    "help.status": ("unsent money, channels, alarms, components", "未上送款项、通道、告警、部件"),
    "help.watch": ("keep showing it until Ctrl-C", "持续显示，直到按 Ctrl-C"),
    "help.queue": ("payments not yet final, and decisions about them", "未完成的交易及其处理"),
    "help.queue.list": ("payments not yet final, oldest first", "未完成的交易，最早的在前"),
    "help.queue.all": ("final ones too", "也列出已完成的"),
    "help.queue.limit": ("at most this many", "最多条数"),
    "help.queue.show": ("one payment with its history", "一笔交易及其历史"),
    "help.queue.retry": ("try it now instead of waiting", "不再等待，立即重试"),
    "help.queue.retry_all": ("everything that waits", "所有等待中的交易"),
    "help.queue.hold": ("send nothing for it until released", "暂停上送，直到放行"),
    "help.queue.release": ("release held payments", "放行暂停的交易"),
    "help.queue.resolve": ("settle a payment the app sent", "认定收款应用自行上送的交易结果"),
    "help.queue.outcome": ("what became of it", "实际结果"),
    "help.queue.abandon": (
        "give up a held payment for good, on the host's confirmation",
        "凭主机方确认，彻底放弃一笔暂停的交易",
    ),
    "help.queue.confirmed": ("what the host confirmed", "主机方确认的结果"),
    "help.queue.proof": ("where that can be looked up", "可供查证的单号或名单"),
    "help.queue.said_by": ("who confirmed it", "确认人"),
    "help.queue.cause": ("all payments with this cause", "该原因的全部交易"),
    "help.key": ("key of the payment", "交易的键"),
    "help.reason": ("why, for the audit trail", "原因，记入审计"),
    "help.check": ("would this payment be taken now?", "现在能否收这笔款？"),
    "help.check.amount": ("such as 12.50", "如 12.50"),
    "help.check.currency": ("such as CNY", "如 CNY"),
    "help.check.kind": ("kind of payment; default: sale", "交易类型；默认 sale"),
    "help.check.issued": ("default: as issued in [check]", "默认取 [check] 中下发的值"),
    "help.check.card": ("masked number", "掩码卡号"),
    "help.probe": (
        "ask one component here and now, without the daemon",
        "不经监测程序，立即检查一个部件",
    ),
    "help.config_command": ("check or show the configuration", "检查或显示配置"),
    "help.config.check": ("list every problem of the files", "列出配置文件的全部问题"),
    "help.config.show": ("what is in force, secrets masked", "生效的配置，密码已隐藏"),
    "help.config.keys": ("every key with bounds and default", "全部键及其范围和默认值"),
    "help.config.toml": ("as a commented file", "以带注释的文件形式"),
    "help.demo": ("show everything with simulators on this machine", "在本机用模拟器演示全部功能"),
    "help.demo.once": ("end after the story", "演示结束后退出"),
    "help.demo.keep": ("leave its directory behind", "保留运行目录"),
    "help.probe.name": (
        "a component of `status`: printer, connectivity, signal, software, channels...",
        "status 所列部件之一：printer、connectivity、signal、software、channels 等",
    ),
    # errors
    "error": ("error: {what}", "错误：{what}"),
    "error.hint": ("what to do: {hint}", "处理办法：{hint}"),
    "error.internal": (
        "internal error: {kind}; details are in {path}. Please report it to the vendor.",
        "内部错误：{kind}；详情见 {path}。请报告给供应商。",
    ),
    "error.usage": ("posagent: {what}", "posagent:{what}"),
    "error.usage.hint": ("see: {program} --help", "参见：{program} --help"),
    "error.daemon_needed": (
        "the daemon is not running, and only it can do this",
        "监测程序未运行，这件事只有它能做",
    ),
    "error.start_daemon": (
        "start it: systemctl start posagent",
        "请启动：systemctl start posagent",
    ),
    "error.no_component": (
        "there is no component {name}; there are: {names}",
        "没有部件 {name}；可用：{names}",
    ),
    "error.no_cause": ("there is no cause {code}", "没有原因代码 {code}"),
    "error.config_broken": (
        "the configuration has {count} problems (posagent config check); only [agent] was used",
        "配置有 {count} 个问题（posagent config check）；仅使用了 [agent]",
    ),
    "error.no_simulators": (
        "the simulators are not installed on this device",
        "本设备未安装模拟器",
    ),
    "error.held.hint": (
        "the daemon hangs; restart it: systemctl restart posagent",
        "监测程序无响应；请重启：systemctl restart posagent",
    ),
    "error.sim_path": ("--path is missing: where the printer appears", "缺少 --path：打印机的位置"),
    "error.sim_control": (
        "--control is missing: the http:// address the host printed",
        "缺少 --control：主机启动时显示的 http:// 地址",
    ),
    "error.sim_order": ("{word} is not name=value", "{word} 不是 名称=值"),
    "error.sim_nobody": ("nobody answers at {where}: {reason}", "{where} 无应答：{reason}"),
    # offline
    "offline.headline": (
        "daemon not running: read from the store as of {at}",
        "监测程序未运行：以下内容读自存储，截至 {at}",
    ),
    # configuration
    "config.none": (
        (
            "no configuration file at {path}: defaults are in force (no uplink: payments are "
            "recorded and not sent; no broker: nothing is reported)"
        ),
        (
            "{path} 没有配置文件：使用默认值（没有 uplink：交易只记录不上送；"
            "没有 MQTT 服务器：不上报）"
        ),
    ),
    "config.good": ("configuration is good: {files}", "配置无误：{files}"),
    "config.bad": ("{count} problems in the configuration:", "配置有 {count} 个问题："),
    "config.warning": ("warning: {what}", "注意：{what}"),
    # status
    "status.all_well": (
        "All payments are sent and nothing is wrong.",
        "款项已全部上送，一切正常。",
    ),
    "status.sent_but": (
        "All payments are sent. {count} alarms are open: {first}.",
        "款项已全部上送。有 {count} 个告警：{first}。",
    ),
    "status.unsent_because": (
        "{count} payments ({amount}) are not sent, the oldest for {age}. Cause: {cause}.",
        "{count} 笔（{amount}）未上送，最早的已 {age}。原因：{cause}。",
    ),
    "status.unsent_moving": (
        "{count} payments ({amount}) are on their way, the oldest for {age}.",
        "{count} 笔（{amount}）正在上送，最早的已 {age}。",
    ),
    "status.dead_unsent": (
        "{count} payments ({amount}) wait and nothing sends them: the agent is not running.",
        "{count} 笔（{amount}）未上送，且监测程序未运行，无人上送。",
    ),
    "status.dead_well": (
        "Nothing is unsent, but the agent is not running.",
        "没有未上送的款项，但监测程序未运行。",
    ),
    "status.no_store": (
        "The store cannot be read: {problem}",
        "无法读取存储：{problem}",
    ),
    "status.clock": ("the clock is wrong", "时钟不正确"),
    "status.unsent": ("Unsent", "未上送"),
    "status.channels": ("Channels", "通道"),
    "status.fleet": ("Fleet", "上报"),
    "status.no_broker": (
        "no broker is configured: reports stay on this terminal",
        "未配置 MQTT 服务器：不上报，只保存在本机",
    ),
    "status.connected": ("connected", "已连接"),
    "status.disconnected": ("not connected", "未连接"),
    "status.kept": ("messages waiting: {count}", "待上报消息：{count} 条"),
    "status.alarms": ("Alarms", "告警"),
    "status.components": ("Components", "部件"),
    "status.none": ("none", "无"),
    "status.payments": ("{count} payments", "{count} 笔"),
    "status.oldest": ("oldest {age}", "最早 {age}"),
    "status.in_doubt": (
        "{count} in doubt: the host may have them; do not take them again",
        "{count} 笔结果未知：主机可能已入账，请勿重新收款",
    ),
    "status.aside": (
        "{count} damaged records ({amount}) put aside",
        "{count} 条损坏的记录（{amount}）已隔离",
    ),
    "status.aside_unknown": (
        "damaged records put aside, how many is not known",
        "有损坏的记录已隔离，数量未知",
    ),
    "status.channels_unknown": (
        "not known without the daemon",
        "监测程序未运行，无法得知",
    ),
    "status.no_channels": (
        "no uplink is configured: payments are recorded and not sent",
        "未配置 uplink：交易只记录，不上送",
    ),
    "status.next": ("next try {at}", "下次重试 {at}"),
    "status.last": ("last success {at}", "上次成功 {at}"),
    "status.alarm": ("{severity}: {title} since {since}", "{severity}：{title} 自 {since}"),
    "status.alarm_unknown": (
        " (its component is silent now)",
        "（该部件目前无应答）",
    ),
    "status.follows": ("follows from {root}: {title}", "由 {root} 引起：{title}"),
    "status.nothing_heard": ("nothing heard yet", "尚无数据"),
    # queue
    "queue.none": ("Nothing is waiting: every payment is final.", "没有未完成的交易。"),
    "queue.none_all": ("The journal is empty.", "流水为空。"),
    "queue.more": (
        "there are more than {limit}; see --limit",
        "超过 {limit} 条；请用 --limit 查看更多",
    ),
    "queue.key": ("key", "键"),
    "queue.state": ("state", "状态"),
    "queue.amount": ("amount", "金额"),
    "queue.age": ("age", "存盘时长"),
    "queue.cause": ("cause", "原因"),
    "queue.kind": ("kind", "类型"),
    "queue.terminal": ("terminal, merchant", "终端号、商户号"),
    "queue.occurred": ("taken at", "收款时间"),
    "queue.stored": ("stored at", "存盘时间"),
    "queue.uplink": ("uplink", "上送通道"),
    "queue.tries": ("tries", "尝试"),
    "queue.tries_of": (
        "{tried}, of which {sent} reached the line",
        "{tried} 次，其中 {sent} 次已发出",
    ),
    "queue.next": ("next try", "下次尝试"),
    "queue.note": ("note", "说明"),
    "queue.trace": ("STAN, batch, RRN", "流水号、批次、参考号"),
    "queue.card": ("card", "卡"),
    "queue.refers_to": ("refers to", "关联交易"),
    "queue.reference": ("host reference", "主机参考号"),
    "queue.response": ("response code", "应答码"),
    "queue.host_text": ("host says", "主机说明"),
    "queue.doubt": (
        "in doubt: do not take it again",
        "结果未知：请勿重新收款",
    ),
    "queue.history": ("History", "历史"),
    "queue.times": ("{count} times since {first}", "自 {first} 起 {count} 次"),
    "queue.moved_retry": ("{count} payments will be tried now", "{count} 笔将立即重试"),
    "queue.moved_hold": ("{count} payments held", "已暂停 {count} 笔"),
    "queue.moved_release": ("{count} payments released", "已放行 {count} 笔"),
    "queue.skipped": (
        "{count} changed meanwhile and were left alone",
        "{count} 笔状态已变化，未处理",
    ),
    # causes, probe
    "causes.code": ("code", "代码"),
    "causes.owner": ("acts", "负责人"),
    "causes.title": ("cause", "原因"),
    "causes.known": ("known by: {how}", "得知途径：{how}"),
    "known.O": ("observed on the terminal", "终端监测"),
    "known.H": ("the host's answer", "主机应答"),
    "known.R": ("reconciliation", "对账"),
    "known.C": ("a configuration check", "参数检查"),
    "known.L": ("the local journal", "本地流水"),
    "known.A": ("nothing on the terminal: advice only", "终端无法得知，仅供参考"),
    "probe.silent": ("no answer within {seconds} s", "{seconds} 秒内无应答"),
    "channel.ok": ("ok", "正常"),
    "channel.backing_off": ("waiting after a failure", "失败后等待重试"),
    "channel.paused": ("paused", "暂停"),
    "channel.disabled": ("switched off by configuration", "配置中已停用"),
    "channel.shadow": ("shadow: records, sends nothing", "影子模式：只记录不上送"),
    # one of a thing
    "status.sent_but.one": (
        "All payments are sent. One alarm is open: {first}.",
        "款项已全部上送。有 1 个告警：{first}。",
    ),
    "status.unsent_because.one": (
        "{count} payment ({amount}) is not sent, for {age} now. Cause: {cause}.",
        "{count} 笔（{amount}）未上送，最早的已 {age}。原因：{cause}。",
    ),
    "status.unsent_moving.one": (
        "{count} payment ({amount}) is on its way, for {age} now.",
        "{count} 笔（{amount}）正在上送，最早的已 {age}。",
    ),
    "status.payments.one": (
        "{count} payment",
        "{count} 笔",
    ),
    "status.in_doubt.one": (
        "{count} in doubt: the host may have it; do not take it again",
        "{count} 笔结果未知：主机可能已入账，请勿重新收款",
    ),
    "status.aside.one": (
        "{count} damaged record ({amount}) put aside",
        "{count} 条损坏的记录（{amount}）已隔离",
    ),
    "queue.moved_retry.one": (
        "{count} payment will be tried now",
        "{count} 笔将立即重试",
    ),
    "queue.moved_hold.one": (
        "{count} payment held",
        "已暂停 {count} 笔",
    ),
    "queue.moved_release.one": (
        "{count} payment released",
        "已放行 {count} 笔",
    ),
    "queue.skipped.one": (
        "{count} changed meanwhile and was left alone",
        "{count} 笔状态已变化，未处理",
    ),
    "config.bad.one": (
        "{count} problem in the configuration:",
        "配置有 {count} 个问题：",
    ),
    "error.config_broken.one": (
        "the configuration has {count} problem (posagent config check); only [agent] was used",
        "配置有 {count} 个问题（posagent config check）；仅使用了 [agent]",
    ),
    "pair": ("{name}: {value}", "{name}：{value}"),
    "probe.daemon": (
        "the daemon is running and may hold the port; what it heard at {at}:",
        "监测程序正在运行，可能占用该端口；它在 {at} 得到：",
    ),
    "check.take": ("yes: it can be taken", "可以收款"),
    "check.confirm": ("the cashier should confirm it first", "请收银员先核对"),
    "check.refuse": ("no: do not take it now", "现在不能收款"),
    "check.give": ("{what} must be given: [check] names none", "请给出 {what}：[check] 中没有"),
    "check.bad": ("{what} is no amount", "{what} 不是有效金额"),
    # words
    "word.unknown": ("unknown", "未知"),
    "word.ok": ("ok", "正常"),
    "word.fault": ("fault", "故障"),
    "word.not_fitted": ("not fitted", "未安装"),
    "word.not_observable": ("not observable", "不可观测"),
    "word.in_doubt": ("in doubt", "结果未知"),
    "word.yes": ("yes", "是"),
    "word.no": ("no", "否"),
    "word.now": ("now", "立即"),
}


class Words:
    """The texts in one language."""

    def __init__(self, lang: Language) -> None:
        self.lang: Language = lang

    def __call__(self, name: str, /, **args: object) -> str:
        """The sentence called `name`. Raises KeyError for a name or argument that is missing."""
        if args.get("count") == 1 and f"{name}.one" in TEXTS:
            name = f"{name}.one"
        return TEXTS[name][1 if self.lang == "zh" else 0].format_map(args)

    def word(self, group: str, value: str) -> str:
        """A word of a closed list (`state.held`), or the value itself where none is known."""
        return self(f"{group}.{value}") if f"{group}.{value}" in TEXTS else value


def language(asked: str | None, configured: str = "auto") -> Language:
    """What was asked for, else configured, else that of the environment."""
    chosen = asked or ("" if configured == "auto" else configured)
    if not chosen:
        variables = ("LC_ALL", "LC_MESSAGES", "LANG")
        chosen = next((value for name in variables if (value := os.environ.get(name))), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def asked_language(argv: Sequence[str]) -> str | None:
    """`--lang` in arguments not parsed yet, so that even their refusal is in that language."""
    for at, argument in enumerate(argv):
        if argument.startswith("--lang="):
            return argument.partition("=")[2]
        if argument == "--lang" and at + 1 < len(argv):
            return argv[at + 1]
    return None
