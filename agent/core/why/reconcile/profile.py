"""How one acquirer's or bank's list is written and when it pays; and how a list is refused.

A `Profile` is what a [[reconcile]] table says, as plain values. It travels to the program that
reads the list as JSON (`to_plain`, `profile_from`). Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from agent.record import dataclass

#: What a column can be, and the headings known for it (folded: no spaces, brackets, case, and no
#: 元 at the end), the best first: where a list has several, that one is meant.
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "key": (
        "key", "idempotencykey", "merchantorderno", "merchantorderid", "outtradeno", "ordernumber",
        "商户订单号", "商户订单编号", "商家订单号", "外部订单号", "商户单号", "订单号", "订单编号",
        "微信订单号", "微信支付订单号", "支付宝交易号", "支付宝订单号",
    ),
    "rrn": (
        "rrn", "retrievalreferencenumber", "referenceno", "referencenumber", "参考号",
        "检索参考号", "检索参考号码", "系统参考号", "交易参考号", "银联参考号",
    ),
    "stan": (
        "stan", "traceno", "tracenumber", "systemtraceauditnumber", "流水号", "凭证号",
        "终端流水号", "pos流水号", "系统跟踪号", "系统跟踪审计号", "pos流水", "凭证号码",
    ),
    "batch": ("batch", "batchno", "batchnumber", "批次号", "批次"),
    "terminal_id": (
        "tid", "terminalid", "terminalno", "terminal", "终端号", "终端编号", "终端代码",
        "受卡机终端标识码", "终端标识码",
    ),
    "merchant_id": (
        "mid", "merchantid", "merchantno", "merchantnumber", "商户号", "商户编号", "特约商户号",
        "商户代码", "受卡方标识码", "商户标识码",
    ),
    "amount": (
        "amount", "transactionamount", "grossamount", "金额", "交易金额", "订单金额", "消费金额",
        "订单总金额", "总金额", "应结订单金额", "支付金额", "交易本金", "商家实收", "商户实收",
    ),
    "refund": ("refundamount", "申请退款金额", "退款金额"),
    "fee": ("fee", "fees", "commission", "merchantfee", "手续费", "商户手续费", "服务费",
            "交易手续费"),
    "net": (
        "net", "netamount", "settlementamount", "结算金额", "清算金额", "入账金额", "到账金额",
        "结算净额", "清算净额", "净额", "划账金额",
    ),
    "currency": ("currency", "currencycode", "币种", "货币种类"),
    "kind": ("type", "kind", "transactiontype", "交易类型", "业务类型", "类型"),
    "occurred": (
        "datetime", "timestamp", "transactiontime", "transactiondatetime", "occurredat",
        "交易时间", "交易日期时间", "支付时间", "支付完成时间", "完成时间", "付款时间", "订单时间",
        "创建时间",
    ),
    "date": ("date", "transactiondate", "交易日期"),
    "time": ("time", "timeofday", "交易时刻", "时间"),
    "settled_on": (
        "settlementdate", "settledon", "valuedate", "payoutdate", "清算日期", "结算日期",
        "入账日期", "到账日期", "清分日期", "划账日期",
    ),
    "card": ("card", "cardno", "cardnumber", "maskedpan", "pan", "卡号", "交易卡号",
             "付款卡号", "主账号"),
    "status": ("status", "state", "settlementstatus", "状态", "清算状态", "结算状态", "交易状态"),
}  # fmt: skip

#: Words of a kind column -> what the line is.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(
        ("sale", "purchase", "payment", "qr_sale", "消费", "支付", "付款", "扫码支付", "交易",
         "preauth_completion", "预授权完成", "adjustment", "调整", "收款", "消费类", "刷卡消费",
         "二维码消费", "扫码消费", "银联二维码消费", "付款码支付", "微信支付", "支付宝支付",
         # How a payment was begun, as WeChat Pay writes it.
         "jsapi", "native", "app", "micropay", "mweb", "facepay"), "sale",
    ),
    **dict.fromkeys(("refund", "qr_refund", "return", "退货", "退款", "交易退款", "消费退货",
                     "全额退款", "部分退款", "扫码退款", "联机退货"), "refund"),
    **dict.fromkeys(
        ("void", "cancel", "qr_cancel", "reversal", "preauth_completion_void", "撤销", "消费撤销",
         "冲正", "预授权完成撤销", "退货撤销"), "void",
    ),
    **dict.fromkeys(("chargeback", "拒付", "调单扣款"), "chargeback"),
    **dict.fromkeys(("fee", "service fee", "手续费", "服务费"), "fee"),
}  # fmt: skip
#: A status that says what the line is, where no column of kinds does.
TAKES_BACK: Mapping[str, str] = {"refund": "refund", "转入退款": "refund", "revoked": "void"}
#: Columns only a payment platform's own list has: its merchants and terminals are not ours.
PLATFORMS = frozenset(
    {"公众账号id", "微信订单号", "微信支付订单号", "支付宝交易号", "支付宝订单号"}
)
#: What lines of totals below the payments begin with, where the profile names none.
TOTALS = (
    "总交易单数", "总交易笔数", "总笔数", "合计", "总计", "汇总", "交易合计", "小计", "总金额",
    "本页合计",
)  # fmt: skip
#: What takes money from the merchant whatever its sign.
NEGATIVE = frozenset({"refund", "void", "chargeback", "fee"})

#: Words of a status column -> what becomes of the money.
STATUSES: Mapping[str, str] = {
    **dict.fromkeys(
        ("", "ok", "settled", "success", "successful", "paid", "成功", "已结算", "已清算",
         "已入账", "已到账", "交易成功", "支付成功", "已支付", "已完成", "交易完成",
         # Of a line that takes money back; its amount says so.
         "refund", "revoked", "转入退款"), "settled",
    ),
    **dict.fromkeys(
        ("hold", "held", "on hold", "pending review", "under review", "风控", "风控延迟", "调单",
         "暂缓结算", "待审核", "延迟结算"), "held",
    ),
    **dict.fromkeys(
        ("restricted", "frozen", "merchant restricted", "account frozen", "商户冻结", "账户冻结",
         "商户受限", "账户受限", "冻结"), "restricted",
    ),
    **dict.fromkeys(
        ("failed", "rejected", "not settled", "失败", "未结算", "结算失败", "入账失败"), "failed",
    ),
}  # fmt: skip

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One [[reconcile]]. Defaults fit a list with a heading line in known words."""

    name: str = "standard"
    merchant_ids: tuple[str, ...] = ()  #: empty: any
    terminal_ids: tuple[str, ...] = ()
    format: str = "auto"  #: auto, csv, json
    encoding: str = "auto"
    delimiter: str = ""  #: empty: found out
    columns: Mapping[str, str] = field(default_factory=dict)  #: role -> heading
    kinds: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    comment: str = "#"
    amounts: str = "decimal"  #: decimal or minor
    signs: str = "auto"  #: auto: refunds are negative or say so in their kind; turned: sales are
    currency: str = "CNY"
    time_formats: tuple[str, ...] = ()  #: strptime; empty: the usual ones
    date_formats: tuple[str, ...] = ()
    utc_offset_minutes: int = 480
    footer: str = ""  #: what the last line begins with; empty: there is none
    footer_count: int = 0  #: its column with the number of lines, from 1; 0: none
    footer_sum: int = 0  #: its column with the sum of the amounts
    cycle: str = "T+1"  #: T+0, T+1, D+1
    cut_off_minute: int = DAY_MINUTES  #: of the day; what is later counts for the next one
    weekends: bool = False  #: whether it pays on Saturdays and Sundays
    holidays: tuple[int, ...] = ()  #: ordinals of days it does not pay
    workdays: tuple[int, ...] = ()  #: ordinals of weekend days it does
    realtime: bool = True  #: T+0: whether it is switched on
    realtime_from: int = 0  #: minutes of the day
    realtime_to: int = DAY_MINUTES
    realtime_limit_minor: int = 0  #: a day; 0: none
    time_tolerance_s: int = 300  #: for matching by amount and time
    fee_percent: float = 0.0  #: a difference up to it is a fee where no column says so
    settled_on: int = 0  #: ordinal of the day the whole list settles; 0: as its lines say
    max_lines: int = 500_000


_TUPLES = frozenset(
    name for name, kind in Profile.__annotations__.items() if str(kind).startswith("tuple")
)


def to_plain(profile: Profile) -> dict[str, Any]:
    """As JSON carries it."""
    return {name: getattr(profile, name) for name in Profile.__annotations__}


def profile_from(plain: Mapping[str, Any]) -> Profile:
    """Back again."""
    known = {name: value for name, value in plain.items() if name in Profile.__annotations__}
    given: dict[str, Any] = {
        name: tuple(value) if name in _TUPLES else value for name, value in known.items()
    }
    return Profile(**given)


class ListError(Exception):
    """The list is refused as a whole. Speaks of places in the file, never of a card number.

    `why` is one of the sentences in `words`; `line` counts from 1, `column` is its heading.
    """

    def __init__(self, why: str, *, line: int = 0, column: str = "", told: str = "") -> None:
        super().__init__(why)
        self.why, self.line, self.column, self.told = why, line, column, told

    def plain(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {"why": self.why, "line": self.line, "column": self.column, "told": self.told}
