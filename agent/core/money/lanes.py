"""Which payments must keep their order among themselves, and when one is free to go.

Order is kept inside a lane and never across lanes. By profile a lane is one payment with all that
refers to it (`payment`, the default) or everything one terminal sends to one host (`terminal`, as
UnionPay asks: a pending reversal goes before the next payment). Only what the agent itself sends
can be waited for. It does not know rows or SQL: the store asks for a lane's name when it writes a
record and for the head of a lane when it reads one.
"""

from __future__ import annotations

from enum import StrEnum

from agent.core.money.transaction import Transaction


class Order(StrEnum):
    """What a profile keeps in order."""

    PAYMENT = "payment"
    TERMINAL = "terminal"


#: What the names of lanes that keep a terminal in order begin with.
TERMINAL_LANES = "t:"


def terminal_lanes(uplink: str) -> tuple[str, str]:
    """Names just before and just after those of all terminal lanes of an uplink."""
    return f"{TERMINAL_LANES}{uplink}:", f"{TERMINAL_LANES}{uplink};"


def lane_of(transaction: Transaction, order: Order, root: str | None) -> str | None:
    """The lane's name, or None for a payment nothing has to wait for.

    `root` is the lane key of the payment `refers_to` names, when the journal knows it: a reversal
    of a void of a sale travels in the sale's lane. A sale itself needs no lane of its own; what
    refers to it uses the sale's key, which is how the sale is found to be ahead of it.
    """
    if order is Order.TERMINAL:
        return f"{TERMINAL_LANES}{transaction.uplink}:{transaction.terminal_id}"
    if transaction.refers_to is None:
        return None
    return f"p:{root or transaction.refers_to}"


def root_of(key: str, lane: str | None) -> str:
    """The key that names the lane a record with this key and lane belongs to."""
    if lane is not None and lane.startswith("p:"):
        return lane[2:]
    return key
