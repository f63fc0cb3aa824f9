"""Take a payment back at the host, because the payment app says so (money rule 5).

The app gives the reason, because only it can know that a MAC was wrong or a slip did not print; the
message is the one it prepared for that reason. Repeating it answers the same reversal again.
"""

from __future__ import annotations

from agent.actions.finding import by_key, refusal
from agent.actions.ports import Ports
from agent.core.money.journal import State
from agent.core.money.transaction import Delivery
from agent.wire.prepared import ReverseArgs
from agent.wire.views import TransactionOut, transaction_out


async def run(ports: Ports, args: ReverseArgs) -> TransactionOut:
    """The reversal's record. Its original is frozen from now on."""
    prepared = ports.preparing()
    record = await by_key(ports, args.key)
    if record.final and record.state not in (State.POSTED, State.REVERSED):
        raise refusal(record, "record.final")
    if record.transaction.delivery is Delivery.APP:
        raise refusal(record, "record.by_app")
    return transaction_out(await prepared.reverse(args.key, args.reason, ports.actor))
