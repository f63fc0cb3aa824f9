"""What `posagent reconcile` says; a part of `agent.cli.texts_proof`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.reconcile": (
        "hold an acquirer's or bank's list against this terminal's payments",
        "用收单机构或银行的清单与本机交易对账",
    ),
    "help.reconcile.file": (
        "the list (CSV or JSON); or: list, show N, pull PROFILE",
        "清单文件（CSV或JSON）；或：list、show N、pull PROFILE",
    ),
    "help.reconcile.number": (
        "number of a list, or last; for pull: the [[reconcile]] to fetch by",
        "清单编号，或last；pull时：按哪个[[reconcile]]去取",
    ),
    "help.reconcile.profile": ("the [[reconcile]] table to read it by", "按哪个[[reconcile]]读取"),
    "help.reconcile.settled_on": (
        "YYYY-MM-DD the list settles, where no column says so",
        "清单的结算日YYYY-MM-DD（清单里没有该列时）",
    ),
    "help.reconcile.class": (
        "only these classes, separated by commas; all: everything",
        "只看这些类别，逗号分隔；all：全部",
    ),
    "help.reconcile.csv": ("write the findings to a CSV file", "把结果写成CSV文件"),
    "help.reconcile.slip": ("as it is printed on receipt paper", "按小票格式显示"),
    "reconcile.headline": (
        "List {number}: {name}, {lines} lines, {payments} payments, settled {days} ({encoding})",
        "清单{number}：{name}，{lines}行，本机{payments}笔，结算日{days}（{encoding}）",
    ),
    "reconcile.headline_unkept": (
        "{name}, {lines} lines, {payments} payments, settled {days} ({encoding})",
        "{name}，{lines}行，本机{payments}笔，结算日{days}（{encoding}）",
    ),
    "reconcile.known": (
        "This list was read already, as number {number}.",
        "这份清单已经读过，编号{number}。",
    ),
    "reconcile.not_kept": (
        "The agent is not running: nothing of this was kept.",
        "监测程序没有运行：以上结果没有保存。",
    ),
    "reconcile.more": (
        "… {count} more: --class CLASS, --csv OUT",
        "…还有{count}条：用--class或--csv",
    ),
    "listed.sale": ("sale", "收款"),
    "listed.refund": ("refund", "退款"),
    "listed.void": ("void", "撤销"),
    "listed.chargeback": ("chargeback", "拒付"),
    "listed.fee": ("fee", "手续费"),
    "listed.partial": ("partial", "部分到账"),
    "listed.more": ("more than taken", "多于收款"),
    "listed.other_day": ("listed days later or earlier:", "清单日期相差（天）："),
    "listed.earlier": ("by an earlier list", "较早的清单里已有"),
    "matched.key": ("key", "交易键"),
    "matched.reference": ("reference", "原交易"),
    "matched.rrn": ("RRN", "参考号"),
    "matched.stan": ("STAN", "流水号"),
    "matched.amount_card": ("amount, time, card", "金额、时间、卡号"),
    "matched.amount": ("amount, time", "金额、时间"),
    "sure.certain": ("certain", "确定"),
    "sure.strong": ("strong", "可靠"),
    "sure.fair": ("fair", "较可靠"),
    "sure.weak": ("weak", "较弱"),
    "reconcile.refused": ("refused: {why}", "未被接受：{why}"),
    "reconcile.running": ("being worked through", "正在核对"),
    "reconcile.none_of": ("Nothing in {name}.", "{name} 一类没有。"),
    "reconcile.none": ("No settlement list was read here.", "本机没有读过清单。"),
    "reconcile.count": ("count", "数量"),
    "reconcile.class": ("class", "类别"),
    "reconcile.who": ("who acts", "谁处理"),
    "reconcile.code": ("cause", "原因代码"),
    "reconcile.line": ("line", "行"),
    "reconcile.payment": ("payment", "交易"),
    "reconcile.amount": ("here", "本机金额"),
    "reconcile.listed": ("listed", "清单金额"),
    "reconcile.due": ("due", "应到日"),
    "reconcile.by": ("matched by", "依据"),
    "reconcile.number": ("number", "编号"),
    "reconcile.name": ("file", "文件"),
    "reconcile.read": ("read", "读入时间"),
    "reconcile.result": ("result", "结果"),
    "reconcile.written": ("{count} findings written to {path}", "{count}条结果已写入{path}"),
    "error.reconcile.file": ("{path} cannot be read: {why}", "{path}读不了：{why}"),
    "error.reconcile.refused": (
        "{name} was refused, nothing of it was kept: {why}",
        "{name}未被接受，什么都没有导入：{why}",
    ),
    "error.reconcile.refused.hint": (
        "ask for a whole file, or describe its columns in [[reconcile]] (docs/reconcile.md)",
        "请重新索取完整的文件，或在[[reconcile]]里说明各列（docs/reconcile.md）",
    ),
    "error.reconcile.class": ("no such class: {name}", "没有这个类别：{name}"),
    "error.reconcile.show": ("say which: reconcile show N", "请给出编号：reconcile show N"),
    "error.reconcile.number": ("not the number of a list", "不是清单编号"),
}
