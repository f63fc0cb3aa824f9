"""Give up a held payment, on a person's word that the host does not have it or settled it (U23).

Where the host can still be asked it is asked first: its own "not found" must be there before
anybody's word counts. The row stays in the journal, final, with who said what in its history.
"""

from __future__ import annotations

from agent.actions.finding import by_key, refusal
from agent.actions.ports import Ports
from agent.core.money.abandoning import Asking, Confirmation, Outcome, abandoned, given_up, unasked
from agent.core.money.journal import State
from agent.core.money.transaction import Delivery
from agent.wire.api import AbandonArgs
from agent.wire.problem import RequestError
from agent.wire.views import TransactionOut, transaction_out


async def run(ports: Ports, args: AbandonArgs) -> TransactionOut:
    """Giving up what is given up answers the same again: the first answer may be lost."""
    mover = ports.moving()
    record = await by_key(ports, args.key)
    if given_up(record):
        return transaction_out(record)
    if record.transaction.delivery is Delivery.APP:
        raise RequestError(
            "record.by_app",
            f"the payment app sent {record.key} itself",
            hint="Settle it by what the host's list says: posagent queue resolve.",
        )
    if record.final:
        raise refusal(record, "record.final")
    if record.state is not State.HELD:
        raise RequestError(
            "record.not_held",
            f"payment {record.key} is {record.state}",
            hint="Only what is held can be given up: posagent queue hold comes first.",
        )
    asking = Asking.NO if ports.channels is None else ports.channels.asking(record)
    if unasked(record, await ports.journal.steps(record.seq), asking):
        raise refusal(record, "record.not_asked")
    word = Confirmation(
        outcome=Outcome(args.confirmation.outcome),
        reference=args.confirmation.reference,
        said_by=args.confirmation.said_by,
    )
    change = abandoned(record, word, ports.actor)
    return transaction_out(await mover.advance(record.seq, record.version, change))
