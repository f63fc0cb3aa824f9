"""Which slips there are, what each is called and what it is about: one table.

Who makes one is named by file and function of `agent.actions`; called when first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent.core.why.text import Text
from agent.record import dataclass


class About(StrEnum):
    """What the key of a slip is."""

    NOTHING = "nothing"  #: it takes none
    PAYMENT = "payment"  #: the key of a payment; needed
    ANY_PAYMENT = "any_payment"  #: the key of a payment; without: this terminal
    BATCH = "batch"  #: a batch number or a day (2026-11-22); without: the open batch, or today
    NUMBER = "number"  #: the number of a report; without: the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of slip."""

    name: str
    title: Text
    about: About
    maker: str  #: file.function in agent.actions: (ports, key, lang) -> Slip


_LIST = (
    Kind(
        name="presettlement",
        title=Text("预结算单", "pre-settlement slip"),
        about=About.BATCH,
        maker="slip_presettlement.make",
    ),
    Kind(
        name="voucher",
        title=Text("电子凭证", "voucher of a payment"),
        about=About.PAYMENT,
        maker="slip_kinds.voucher",
    ),
    Kind(
        name="recent",
        title=Text("最近交易", "recent payments"),
        about=About.NOTHING,
        maker="slip_kinds.recent",
    ),
    Kind(
        name="diagnostic",
        title=Text("诊断单", "diagnostic slip"),
        about=About.ANY_PAYMENT,
        maker="slip_kinds.diagnostic",
    ),
    Kind(
        name="inspection",
        title=Text("自检报告", "self-inspection"),
        about=About.NUMBER,
        maker="slip_kinds.inspection",
    ),
    Kind(
        name="drill",
        title=Text("应急演练报告", "outage drill"),
        about=About.NUMBER,
        maker="slip_kinds.drill",
    ),
    Kind(
        name="reconcile",
        title=Text("对账报告", "reconciliation"),
        about=About.NUMBER,
        maker="slip_kinds.reconcile",
    ),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _LIST}
