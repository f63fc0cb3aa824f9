"""What a line or a payment turns out to be: the classes, whose they are and what they mean.

Every line and every payment of the list's days is in exactly one. A class names the catalogue's
cause where somebody must act; "" is nothing to act on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent.core.why.text import Text
from agent.record import dataclass


class Class(StrEnum):
    """The comments say what is true."""

    MATCHED = "matched"  #: posted here, in the list, same amount, in time
    AMOUNT_DIFFERS = "amount_differs"
    LATE = "late"  #: settled after it was due
    DUPLICATE = "duplicate"  #: a further line of a payment that is settled already
    OFFSET = "offset"  #: refund, chargeback or fee netted against payments; or voided on both sides
    RISK_HOLD = "risk_hold"  #: the list says the money is held
    RESTRICTED = "restricted"  #: the list says the merchant's account is
    FAILED_THERE = "failed_there"  #: the list says it was not settled
    REVERSED_HERE = "reversed_here"  #: reversed here, settled there
    REFUSED_HERE = "refused_here"  #: declined, withdrawn or lapsed here, settled there
    OPEN_HERE = "open_here"  #: not at its end here, settled there: the host has it
    MISSING_THERE = "missing_there"  #: posted here and due, not in the list
    NOT_DUE = "not_due"  #: posted here, due after the list's days
    NOT_REALTIME = "not_realtime"  #: real-time payout did not apply: comes with the next paying day
    MISSING_HERE = "missing_here"  #: in the list, not in this terminal's journal
    AMBIGUOUS = "ambiguous"  #: fits more than one
    EARLIER = "earlier"  #: an earlier list has it
    OPEN = "open"  #: not at its end here, not in the list
    NOT_EXPECTED = "not_expected"  #: nothing to settle: declined, reversed, a pre-authorisation …
    OUTSIDE = "outside"  #: due before the list's days


@dataclass(frozen=True, slots=True)
class Meaning:
    """A class in words and, where somebody must act, its cause."""

    text: Text
    code: str = ""
    alarm: bool = False  #: raises an alarm until a later list says otherwise


MEANINGS: Mapping[Class, Meaning] = {
    Class.MATCHED: Meaning(Text("已对上", "matched")),
    Class.AMOUNT_DIFFERS: Meaning(
        Text("金额不符", "amount differs"), "settlement.amount_differs", True
    ),
    Class.LATE: Meaning(Text("到账迟于应到日", "settled late"), "settlement.delayed"),
    Class.DUPLICATE: Meaning(Text("重复入账", "settled twice"), "settlement.duplicate", True),
    Class.OFFSET: Meaning(Text("抵扣（退款/撤销/拒付/手续费）", "netted"), "settlement.offset"),
    Class.RISK_HOLD: Meaning(Text("风控暂缓", "held for review"), "settlement.risk_hold", True),
    Class.RESTRICTED: Meaning(
        Text("商户账户受限", "account restricted"), "account.merchant_restricted", True
    ),
    Class.FAILED_THERE: Meaning(
        Text("对方标为未结算", "listed as not settled"), "settlement.not_in_file", True
    ),
    Class.REVERSED_HERE: Meaning(
        Text("本机已冲正，对方已结算", "reversed here, settled there"), "reversal.completed", True
    ),
    Class.REFUSED_HERE: Meaning(
        Text("本机未成功，对方已结算", "not successful here, settled there"),
        "settlement.unknown_to_terminal", True,
    ),
    Class.OPEN_HERE: Meaning(
        Text("本机未完结，对方已结算：不要重新收款", "open here, settled there: do not take again"),
        "host.no_reply", True,
    ),
    Class.MISSING_THERE: Meaning(
        Text("本机已成功，清单里没有", "posted here, not in the list"),
        "settlement.not_in_file", True,
    ),
    Class.NOT_DUE: Meaning(Text("未到应到日", "not due yet"), "settlement.delayed"),
    Class.NOT_REALTIME: Meaning(
        Text("非实时到账", "no real-time payout"), "settlement.not_realtime_mode"
    ),
    Class.MISSING_HERE: Meaning(
        Text("清单里有，本机没有", "in the list, unknown here"),
        "settlement.unknown_to_terminal", True,
    ),
    Class.AMBIGUOUS: Meaning(Text("对不准，多笔都符合", "ambiguous: fits more than one")),
    Class.EARLIER: Meaning(Text("在以前的清单里", "in an earlier list")),
    Class.OPEN: Meaning(Text("本机未完结", "not finished here")),
    Class.NOT_EXPECTED: Meaning(Text("无需结算", "nothing to settle")),
    Class.OUTSIDE: Meaning(Text("不在清单日期内", "not of the list's days")),
}  # fmt: skip

#: A line stands beside a payment here and both are the same payment.
SETTLED = frozenset({Class.MATCHED, Class.AMOUNT_DIFFERS, Class.LATE})
#: Payments nothing is kept of: there is nothing to tell.
UNTOLD = frozenset({Class.EARLIER, Class.OPEN, Class.NOT_EXPECTED, Class.OUTSIDE})


class By(StrEnum):
    """What a line and a payment were brought together by, the best first."""

    KEY = "key"
    REFERENCE = "reference"  #: the line names the payment that is refunded or voided
    RRN = "rrn"
    STAN = "stan"  #: with batch and day
    AMOUNT_CARD = "amount_card"  #: amount, time and the card's last digits
    AMOUNT = "amount"  #: amount and time
    NOTHING = ""


CONFIDENCE: Mapping[By, str] = {
    By.KEY: "certain",
    By.REFERENCE: "strong",
    By.RRN: "certain",
    By.STAN: "strong",
    By.AMOUNT_CARD: "fair",
    By.AMOUNT: "weak",
    By.NOTHING: "",
}
