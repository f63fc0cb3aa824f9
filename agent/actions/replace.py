"""New payload bytes under the same key, after the host lost the keys (money rule 9).

A MAC made with a lost key fails for ever; the payment is the same, so its key, its fields and its
place in the queue stay. Otherwise payloads are immutable.
"""

from __future__ import annotations

from agent.actions.finding import by_key, refusal
from agent.actions.ports import Ports
from agent.core.money.journal import State
from agent.wire.prepared import ReplaceArgs, replacement
from agent.wire.views import TransactionOut, transaction_out


async def run(ports: Ports, args: ReplaceArgs) -> TransactionOut:
    """The record as it stands with its new bytes; the same bytes again change nothing."""
    prepared = ports.preparing()
    record = await by_key(ports, args.key)
    if record.final:
        raise refusal(record, "record.final")
    if record.state is State.SENDING:
        raise refusal(record, "record.sending")
    # Loaded when it is asked for: most terminals have no host that speaks in these codes.
    from agent.core.money.field39 import may_replace

    if not may_replace(record):
        raise refusal(record, "payload.immutable")
    fresh = replacement(args, record.transaction)
    check = ports.checks.get(record.transaction.uplink)
    if check is not None:
        check(fresh)
    return transaction_out(await prepared.replace(record, fresh, ports.actor))
