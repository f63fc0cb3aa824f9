"""Let held payments go on: one by key, or all that are held for one cause.

Released in doubt stays in doubt: the uploader asks the host before it sends anything again.
"""

from __future__ import annotations

from agent.actions.finding import by_key, key_or_cause, refusal
from agent.actions.ports import Ports
from agent.actions.queue.hold import HELD
from agent.actions.queue.moving import Tally, move_all
from agent.core.money.journal import Change, Event, Record, State
from agent.wire.api import ReleaseArgs
from agent.wire.views import Moved


async def run(ports: Ports, args: ReleaseArgs) -> Moved:
    mover = ports.moving()
    key_or_cause("release", args.key, args.cause)

    def release(record: Record) -> Change:
        return Change(
            event=Event.RELEASE,
            # What kept it was the hold; any other cause is what its last attempt met.
            cause="" if record.cause == HELD else record.cause,
            note="released by a person",
            not_found=record.not_found,
            actor=ports.actor,
        )

    if args.key is not None:
        record = await by_key(ports, args.key)
        if record.state is not State.HELD:
            raise refusal(record, "record.not_held")
        tally = Tally(moved=[await mover.advance(record.seq, record.version, release(record))])
    else:
        tally = await move_all(
            ports, frozenset({State.HELD}), lambda record: record.cause == args.cause, release
        )
    if ports.channels is not None:
        for uplink in sorted({record.transaction.uplink for record in tally.moved}):
            await ports.channels.kick(uplink)
    return tally.out()
