"""Keep payments from being sent until somebody releases them. Nothing is lost by it.

One by key, or all that wait for one cause: then what is being sent right now is left alone.
"""

from __future__ import annotations

from agent.actions.finding import by_key, key_or_cause, refusal
from agent.actions.ports import Ports
from agent.actions.queue.moving import Tally, move_all
from agent.core.money.journal import Change, Event, Record, State
from agent.wire.api import HoldArgs
from agent.wire.views import Moved

HELD = "queue.held"
_WAITING = frozenset({State.QUEUED, State.WAITING})


async def run(ports: Ports, args: HoldArgs) -> Moved:
    """Holding what is held already changes nothing."""
    mover = ports.moving()
    key_or_cause("hold", args.key, args.cause)

    def hold(record: Record) -> Change:
        return Change(
            event=Event.HOLD,
            cause=HELD,
            note=args.reason or "held by a person",
            not_found=record.not_found,
            actor=ports.actor,
        )

    if args.key is None:
        found = await move_all(ports, _WAITING, lambda record: record.cause == args.cause, hold)
        return found.out()
    record = await by_key(ports, args.key)
    match record.state:
        case State.HELD:
            return Tally().out()
        case State.SENDING:
            # The host's answer is about to be written; holding now would take its place.
            raise refusal(record, "record.sending")
        case _ if record.final:
            raise refusal(record, "record.final")
    return Tally(moved=[await mover.advance(record.seq, record.version, hold(record))]).out()
