"""Prints one slip, because somebody asked for it.

Whether the printer is ready, whose it is and whether anybody is paying is judged where the printer
is (`ports.printing`); what stood in the way of a pre-settlement slip is kept for verdicts.
"""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.actions.slips import made, matrices
from agent.errors import StoreError
from agent.wire.problem import RequestError
from agent.wire.slips import SlipPrintArgs, SlipPrintedOut


async def run(ports: Ports, args: SlipPrintArgs) -> SlipPrintedOut:
    """Raises RequestError, OperatorError without a daemon, StoreError."""
    from agent.core.slips import layout

    printing = ports.printer()
    kept = args.kind == "presettlement"
    try:
        slip = await made(ports, args.kind, args.key, args.lang or printing.lang)
        rows = layout.rows(slip, printing.columns)
        images = await matrices(ports, rows) if printing.wants_images else {}
        printed = await printing.put(rows, images)
    except (StoreError, RequestError) as error:
        if kept:
            from agent.actions.slip_presettlement import stopped

            await stopped(ports, error, args.key)
        raise
    if kept:
        from agent.actions.slip_presettlement import printed as well

        await well(ports)
    return SlipPrintedOut(
        kind=args.kind,
        key=args.key,
        by=printed.by,
        confirmed=printed.confirmed,
        lines=sum(isinstance(row, layout.Line) for row in rows),
    )
