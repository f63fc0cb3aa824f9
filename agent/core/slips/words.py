"""What slips call kinds and states of payments, in the words of the counter."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.money.journal import Record, State
from agent.core.money.transaction import Kind, Transaction
from agent.core.why.text import Language, Money, Text, format_money

KINDS: Mapping[Kind, Text] = {
    Kind.SALE: Text("消费", "sale"),
    Kind.REFUND: Text("退货", "refund"),
    Kind.VOID: Text("消费撤销", "void"),
    Kind.PREAUTH: Text("预授权", "pre-authorisation"),
    Kind.PREAUTH_COMPLETION: Text("预授权完成", "completion"),
    Kind.PREAUTH_VOID: Text("预授权撤销", "pre-auth. void"),
    Kind.PREAUTH_COMPLETION_VOID: Text("预授权完成撤销", "completion void"),
    Kind.ADJUSTMENT: Text("调整", "adjustment"),
    Kind.REVERSAL: Text("冲正", "reversal"),
    Kind.BATCH_UPLOAD: Text("批上送", "batch upload"),
    Kind.SETTLEMENT: Text("结算", "settlement"),
    Kind.QR_SALE: Text("扫码消费", "QR sale"),
    Kind.QR_CANCEL: Text("扫码撤销", "QR cancel"),
    Kind.QR_REFUND: Text("扫码退货", "QR refund"),
}
IN_DOUBT = Text("结果未知", "outcome unknown")
STATES: Mapping[State, Text] = {
    State.QUEUED: Text("未上送", "not sent"),
    State.SENDING: IN_DOUBT,
    State.WAITING: Text("未上送", "not sent"),
    State.HELD: Text("待人工处理", "held"),
    State.POSTED: Text("主机已入账", "posted"),
    State.DECLINED: Text("主机已拒绝", "declined"),
    State.REVERSED: Text("已冲正", "reversed"),
    State.VOIDED: Text("已撤回", "withdrawn"),
    State.LAPSED: Text("过期未发送", "lapsed"),
}
#: The state in a whole sentence, for who holds the paper in his hand.
SAID: Mapping[State, Text] = {
    State.QUEUED: Text(
        "已存在本机，尚未上送，主机还没有这笔交易。",
        "Stored here and not sent yet: the host does not have it.",
    ),
    State.WAITING: Text(
        "尚未送到主机，将自动重试。", "Has not reached the host yet; it is tried again by itself."
    ),
    State.HELD: Text(
        "已停下，等人决定；主机没有确认。",
        "Held until someone decides; the host has not confirmed.",
    ),
    State.POSTED: Text("主机已入账，有应答为证。", "Posted at the host, which has confirmed it."),
    State.DECLINED: Text("主机已拒绝，没有扣款。", "Declined by the host: nothing was charged."),
    State.REVERSED: Text(
        "已冲正，款项退回顾客。", "Reversed: the money goes back to the customer."
    ),
    State.VOIDED: Text(
        "上送前已撤回，没有扣款。", "Withdrawn before it was sent: nothing charged."
    ),
    State.LAPSED: Text(
        "过期未发送，没有扣款。", "Never sent and no longer valid: nothing charged."
    ),
}
DOUBT_SAID = Text(
    "结果未知：主机可能有也可能没有这笔交易。请勿重复收款，也不要当作收款成功的凭证。",
    "OUTCOME UNKNOWN: the host may or may not have it. Do not take the payment again, and do not "
    "take this for a proof of payment.",
)
GIVEN_UP_SAID = Text(
    "由人员放弃上送，见交易历史。", "Given up by a person; see the history of the payment."
)


def kind_word(kind: Kind, lang: Language) -> str:
    return KINDS[kind].render(lang)


def state_word(record: Record, lang: Language) -> str:
    """Doubt goes before everything else."""
    word = IN_DOUBT if doubtful(record) else STATES[record.state]
    return word.render(lang)


def state_said(record: Record, lang: Language) -> str:
    """Never that it went well while that is not proven."""
    if doubtful(record):
        return DOUBT_SAID.render(lang)
    if record.state is State.VOIDED and record.sent:
        return GIVEN_UP_SAID.render(lang)
    return SAID[record.state].render(lang)


def doubtful(record: Record) -> bool:
    """Whether the host may have it without having said so."""
    return record.in_doubt or record.state is State.SENDING


def amount_minor(record: Record) -> int | None:
    """What the host posted where that is known, else what was asked for."""
    told = record.result.posted_amount_minor if record.result is not None else None
    if told is None:
        told = record.transaction.posted_amount_minor
    return record.transaction.amount_minor if told is None else told


def amount(record: Record) -> str:
    """In major units; empty where a payment has none."""
    minor, currency = amount_minor(record), record.transaction.currency
    return "" if minor is None or currency is None else format_money(Money(minor, currency))


def masked(transaction: Transaction) -> str:
    """Scheme and masked number; whatever came in, never more than six and four digits."""
    card = transaction.card
    if card is None:
        return ""
    number = card.masked or ""
    if sum(char.isdigit() for char in number) > 10:
        number = "****" + "".join(filter(str.isdigit, number))[-4:]
    return " ".join(part for part in (card.scheme or "", number) if part)
