"""Inspect the terminal now, and read what earlier inspections found."""

from __future__ import annotations

from datetime import timedelta

from agent.actions.ports import Ports
from agent.core.inspection.report import Report
from agent.wire.api import Nothing
from agent.wire.inspection import (
    InspectionArgs,
    InspectionOut,
    InspectionsArgs,
    InspectionsOut,
    SlipArgs,
    SlipOut,
    inspection_out,
    line_out,
)
from agent.wire.problem import RequestError


async def begin(ports: Ports, args: Nothing) -> InspectionOut:
    del args
    return inspection_out(await ports.inspecting().begin(ports.actor))


async def show(ports: Ports, args: InspectionArgs) -> InspectionOut:
    return inspection_out(await _one(ports, args.number, args.after, args.wait_s))


async def listed(ports: Ports, args: InspectionsArgs) -> InspectionsOut:
    known = ports.inspections
    found = [] if known is None else await known.latest(args.limit)
    return InspectionsOut(inspections=[line_out(one) for one in found])


async def slip(ports: Ports, args: SlipArgs) -> SlipOut:
    from agent.core.inspection.slip import lines

    report = await _one(ports, args.number)
    offset = ports.clock.now().at.astimezone().utcoffset() or timedelta(0)
    who = ports.identity.device_id
    written = lines(report, who, args.lang, args.columns, offset)
    return SlipOut(number=report.number, columns=args.columns, lines=written)


async def _one(ports: Ports, which: str, after: int = 0, wait_s: float = 0.0) -> Report:
    number = None if which == "last" else int(which)
    known = ports.inspections
    found = None if known is None else await known.report(number, after, wait_s)
    if found is None:
        raise RequestError(
            "inspection.unknown",
            "no self-inspection is kept" if number is None else f"no self-inspection {number}",
        )
    return found
