"""Settle a payment the app sent and whose outcome nobody reported, on a person's word.

Only for payments the agent does not send: for its own it asks the host. Who said it and on what
evidence stays in the history; what is proven is not changed by anybody's word.
"""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.wire.stages import ResolveArgs, settlement
from agent.wire.views import TransactionOut, transaction_out


async def run(ports: Ports, args: ResolveArgs) -> TransactionOut:
    word = settlement(args, ports.actor)
    return transaction_out(await ports.reporting().settle(args.key, word))
