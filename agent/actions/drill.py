"""Drill an outage, and read what earlier drills showed."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.core.drill.report import Drill
from agent.errors import OperatorError
from agent.wire.drill import (
    DrillArgs,
    DrillOut,
    DrillsArgs,
    DrillShowArgs,
    DrillsOut,
    drill_line,
    drill_out,
)
from agent.wire.problem import CODES, RequestError


async def begin(ports: Ports, args: DrillArgs) -> DrillOut:
    if ports.driller is None:
        raise OperatorError(
            "daemon.down",
            "nothing can be drilled while the agent is not running",
            CODES["daemon.down"].hint,
        )
    return drill_out(await ports.driller.begin(ports.actor, args.records, args.restart))


async def show(ports: Ports, args: DrillShowArgs) -> DrillOut:
    return drill_out(await one(ports, args.number, args.after, args.wait_s))


async def listed(ports: Ports, args: DrillsArgs) -> DrillsOut:
    found = [] if ports.drills is None else await ports.drills.latest(args.limit)
    return DrillsOut(drills=[drill_line(drill) for drill in found])


async def one(ports: Ports, which: str, after: int = 0, wait_s: float = 0.0) -> Drill:
    """A drill by its number or `last`. Raises RequestError `drill.unknown`."""
    number = None if which == "last" else int(which)
    known = ports.drills
    found = None if known is None else await known.drill(number, after, wait_s)
    if found is None:
        raise RequestError(
            "drill.unknown", "no drill is kept" if number is None else f"no drill {number}"
        )
    return found
