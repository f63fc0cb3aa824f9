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

_PRINTER = ("slip.off", "slip.not_ready", "slip.not_printed", "slip.owned")


async def run(ports: Ports, args: SlipPrintArgs) -> SlipPrintedOut:
    """Raises RequestError, OperatorError without a daemon, StoreError."""
    from agent.core.slips import layout
    from agent.core.slips.presettlement import Failed

    printing = ports.printer()
    kept = args.kind == "presettlement"
    try:
        slip = await made(ports, args.kind, args.key, args.lang or printing.lang)
        rows = layout.rows(slip, printing.columns)
        images = await matrices(ports, rows) if printing.wants_images else {}
        printed = await printing.put(rows, images)
    except StoreError as error:
        if kept:
            await _kept(ports, Failed.DATA, error.what, args.key)
        raise
    except RequestError as error:
        if kept and error.code in _PRINTER:
            await _kept(ports, Failed.PRINTER, error.what, args.key)
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


async def _kept(ports: Ports, what: object, reason: str, key: str) -> None:
    from agent.actions.slip_presettlement import failed
    from agent.core.slips.presettlement import Failed

    try:
        await failed(ports, Failed(str(what)), reason, key)
    except StoreError:
        return  # state.db is gone as well: the verdict says so by itself
