"""The payment app has taken note of a final payment: what it handed over is destroyed.

Reading a payment is no acknowledgement: others read it too, and an app that crashes after reading
must find everything again.
"""

from __future__ import annotations

from agent.actions.finding import by_key, refusal
from agent.actions.ports import Ports
from agent.wire.api import OneKey
from agent.wire.views import TransactionOut, transaction_out


async def run(ports: Ports, args: OneKey) -> TransactionOut:
    """The record, which has not changed: its bytes lie apart from it."""
    care = ports.caring()
    record = await by_key(ports, args.key)
    if not record.final:
        raise refusal(record, "record.not_final")
    return transaction_out(await care.acknowledge(args.key) or record)
