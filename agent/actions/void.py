"""Withdraw a payment nothing was sent of (edge L10)."""

from __future__ import annotations

from agent.actions.finding import by_key, refusal
from agent.actions.ports import Ports
from agent.core.money.journal import Change, Event, State
from agent.wire.api import OneKey
from agent.wire.views import TransactionOut, transaction_out


async def run(ports: Ports, args: OneKey) -> TransactionOut:
    """Withdrawing what is withdrawn answers the same again: the first answer may be lost."""
    mover = ports.moving()
    record = await by_key(ports, args.key)
    match record.state:
        case State.VOIDED:
            return transaction_out(record)
        case State.SENDING:
            raise refusal(record, "record.sending")
        case _ if record.final:
            raise refusal(record, "record.final")
        case _ if record.in_doubt:
            raise refusal(record, "record.in_doubt")
        case State.HELD:
            raise refusal(record, "record.held")
    change = Change(event=Event.VOID, note="withdrawn by the payment app", actor=ports.actor)
    return transaction_out(await mover.advance(record.seq, record.version, change))
