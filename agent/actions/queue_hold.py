"""Keep one payment from being sent until somebody releases it. Nothing is lost by it."""

from __future__ import annotations

from agent.actions.finding import by_key, refusal
from agent.actions.moving import Tally
from agent.actions.ports import Ports
from agent.core.money.journal import Change, Event, State
from agent.wire.api import HoldArgs
from agent.wire.views import Moved

HELD = "queue.held"


async def run(ports: Ports, args: HoldArgs) -> Moved:
    """Holding what is held already changes nothing."""
    mover = ports.moving()
    record = await by_key(ports, args.key)
    match record.state:
        case State.HELD:
            return Tally().out()
        case State.SENDING:
            # The host's answer is about to be written; holding now would take its place.
            raise refusal(record, "record.sending")
        case _ if record.final:
            raise refusal(record, "record.final")
    change = Change(
        event=Event.HOLD,
        cause=HELD,
        note=args.reason or "held by a person",
        not_found=record.not_found,
        actor=ports.actor,
    )
    return Tally(moved=[await mover.advance(record.seq, record.version, change)]).out()
