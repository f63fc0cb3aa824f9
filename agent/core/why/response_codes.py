"""What a host's two-character response code (ISO 8583 field 39) means and who must act on it.

UnionPay's terminal annex, which keeps the ISO meanings for most codes. Used for a decline whose
uplink named no cause of its own; the code and the host's own words are always shown beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.why.causes import Owner, Text
from agent.record import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of the table."""

    cause: str
    text: Text
    owner: Owner | None = None  #: where it is not the cause's own
    #: False: the payment may have gone through somewhere, so it must not be taken again.
    charged_nothing: bool = True


#: Codes, cause, Chinese, English, owner where it is not the cause's own.
_TABLE: tuple[tuple[str, str, str, str, Owner | None], ...] = (
    ("01 02", "host.rejected", "请联系发卡行", "refer to the issuer", Owner.CASHIER),
    ("03", "config.merchant_mismatch", "商户未登记", "invalid merchant", None),
    ("04 07", "card.restricted_or_reported", "没收卡", "pick up the card", None),
    ("05", "host.rejected", "不予承兑", "do not honour", Owner.CASHIER),
    ("06", "issuer.unavailable", "发卡行故障", "error at the issuer", None),
    ("12", "host.rejected", "无效交易", "invalid transaction", Owner.VENDOR),
    ("13", "config.invalid_parameter", "无效金额", "invalid amount", None),
    ("14", "host.rejected", "无效卡号", "invalid card number", Owner.CASHIER),
    ("15 31", "host.rejected", "无此发卡方", "no such issuer", Owner.CASHIER),
    ("19", "host.rejected", "请重新刷卡", "read the card again", Owner.CASHIER),
    ("20", "host.rejected", "无效应答", "invalid response", Owner.TECHNICIAN),
    ("21", "host.rejected", "卡未激活", "card not activated", Owner.CASHIER),
    ("25", "host.rejected", "找不到原始交易", "original payment not found", Owner.TECHNICIAN),
    ("09", "host.no_reply", "请求正在处理中", "still being processed", None),
    ("30", "host.format_error", "报文格式错误", "format error", None),
    ("33 54", "card.expired", "过期卡", "expired card", None),
    ("34 35 36 37 62", "card.restricted_or_reported", "受限制的卡", "restricted card", None),
    ("38 75", "card.pin_error", "密码次数超限", "PIN tries exceeded", None),
    (
        "39 40 42 44 52 53 56",
        "account.cardholder_restricted",
        "无此账户或不支持",
        "no such account, or not supported",
        None,
    ),
    ("41 43", "card.restricted_or_reported", "挂失或被窃卡", "lost or stolen card", None),
    (
        "59 60 63 66 67",
        "card.restricted_or_reported",
        "有作弊嫌疑或违反安全规定",
        "suspected fraud, or against a security rule",
        None,
    ),
    ("79 95", "settlement.batch_not_closed", "对账不平，请批上送", "totals differ", None),
    ("93", "host.rejected", "交易违法", "against the law", Owner.CASHIER),
    ("A1 A7", "host.rejected", "货币不一致或安全处理失败", "currency or security failure", None),
    ("A3", "account.cardholder_restricted", "无此账户", "no such account", None),
    ("51", "card.insufficient_funds", "余额不足", "insufficient funds", None),
    ("55", "card.pin_error", "密码错误", "incorrect PIN", None),
    (
        "57",
        "account.cardholder_restricted",
        "不允许持卡人进行的交易",
        "not permitted to the cardholder",
        None,
    ),
    (
        "58",
        "config.permission_denied",
        "不允许终端进行的交易",
        "not permitted to the terminal",
        None,
    ),
    ("61 65", "card.limit_exceeded", "超出金额或次数限制", "amount or count limit exceeded", None),
    ("64", "host.rejected", "原始金额错误", "wrong original amount", Owner.TECHNICIAN),
    (
        "68",
        "issuer.unavailable",
        "发卡行应答超时，结果未知",
        "the issuer answered too late; outcome unknown",
        None,
    ),
    ("22 77 99 A0", "config.not_signed_on", "请重新签到", "sign on again", None),
    ("90", "host.maintenance", "日切处理中", "daily cut-off", None),
    ("91 92", "issuer.unavailable", "发卡方不可达", "issuer cannot be reached", None),
    (
        "94",
        "duplicate.suspected",
        "重复交易，可能已成功上送过",
        "duplicate; it may have gone through before",
        None,
    ),
    ("96", "host.down", "系统异常", "system malfunction", None),
    ("97", "config.device_unregistered", "终端号找不到", "unknown terminal", None),
    (
        "98",
        "issuer.unavailable",
        "收不到发卡方应答，结果未知",
        "no answer from the issuer; outcome unknown",
        None,
    ),
)
#: What wallets' platforms answer in their own words (WeChat Pay micropay, Alipay face-to-face and
#: transfer APIs); a receiver hands them on as the response code. Any other is a plain decline.
_PLATFORM: tuple[tuple[str, str, str, str, Owner | None], ...] = (
    (
        "SYSTEMERROR SYSTEM_ERROR ACQ.SYSTEM_ERROR BANKERROR BANK_ERROR",
        "platform.outage",
        "平台或银行系统错误",
        "error in the platform's or the bank's system",
        None,
    ),
    (
        "ACQ.SELLER_BEEN_BLOCKED NOAUTH NO_AUTH ACQ.ACCESS_FORBIDDEN ACCOUNT_FROZEN",
        "account.merchant_restricted",
        "商户被冻结或无此权限",
        "the merchant is blocked or has no right to this",
        None,
    ),
    (
        "PAYEE_CARD_INFO_ERROR PAYEE_ACCOUNT_STATUS_ERROR PAYEE_ACCOUNT_NOT_EXSIT",
        "config.settlement_account",
        "收款账户信息有误",
        "the payee account is wrong",
        None,
    ),
    (
        "ACQ.PAYMENT_AUTH_CODE_INVALID AUTH_CODE_ERROR AUTHCODEERROR",
        "wallet.code_expired",
        "付款码过期或无效",
        "the code is too old or not valid",
        None,
    ),
    (
        "NOTENOUGH NOT_ENOUGH ACQ.BUYER_BALANCE_NOT_ENOUGH ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        "card.insufficient_funds",
        "顾客余额不足",
        "the customer's balance is too low",
        None,
    ),
    (
        "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR",
        "card.limit_exceeded",
        "顾客付款额度已用完",
        "the customer's limit is used up",
        None,
    ),
    (
        "ACCOUNTERROR ACCOUNT_ERROR ACQ.BUYER_BANKCARD_STATUS_ERROR",
        "account.cardholder_restricted",
        "顾客账户异常",
        "the customer's account is restricted",
        None,
    ),
)
#: The answer came too late or was lost behind the host, or the first try had gone through.
_OPEN = frozenset({"09", "68", "94", "98"})

RESPONSE_CODES: Mapping[str, Meaning] = {
    code: Meaning(cause, Text(zh, en), owner, code not in _OPEN)
    for codes, cause, zh, en, owner in (*_TABLE, *_PLATFORM)
    for code in codes.split()
}
