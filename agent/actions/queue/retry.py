"""Try now instead of when it is due: one payment, or everything that waits."""

from __future__ import annotations

from agent.actions.finding import by_key, refusal
from agent.actions.ports import Ports
from agent.actions.queue.moving import Tally, move_all
from agent.core.money.journal import Change, Event, Record, State
from agent.wire.api import RetryArgs
from agent.wire.problem import RequestError
from agent.wire.views import Moved

_WAITING = frozenset({State.QUEUED, State.WAITING})


async def run(ports: Ports, args: RetryArgs) -> Moved:
    """Never changes what is in doubt about a payment, only when it is looked at next: what is held
    in doubt is only asked about."""
    mover = ports.moving()

    def now(record: Record) -> Change:
        return Change(
            event=Event.HURRY,
            cause=record.cause,
            note=record.note,
            not_found=record.not_found,
            actor=ports.actor,
        )

    if args.key is not None:
        record = await by_key(ports, args.key)
        match record.state:
            case State.SENDING:
                raise refusal(record, "record.sending")
            case State.HELD if not record.in_doubt:
                raise refusal(record, "record.held")
            case _ if record.final:
                raise refusal(record, "record.final")
        tally = Tally(moved=[await mover.advance(record.seq, record.version, now(record))])
        uplink: str | None = record.transaction.uplink
    else:
        uplink = _known(ports, args.uplink)
        tally = await move_all(
            ports,
            _WAITING,
            lambda record: (
                uplink in (None, record.transaction.uplink)
                and (record.next_wall_ms != 0 or record.next_boot_ms != 0)
            ),
            now,
        )
    if ports.channels is not None:
        await ports.channels.kick(uplink)
    return tally.out()


def _known(ports: Ports, uplink: str | None) -> str | None:
    names = [] if ports.channels is None else [c.name for c in ports.channels.channels()]
    if uplink is not None and uplink not in names:
        raise RequestError(
            "uplink.unknown",
            "uplink is not one of the configured",
            field="uplink",
            hint=f"Configured are: {', '.join(names) or 'none'}.",
        )
    return uplink
