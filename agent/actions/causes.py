"""One entry of the catalogue of causes, for a page that shows what to do about it."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.wire.causes import CauseArgs, CauseOut, cause_out
from agent.wire.problem import RequestError


async def run(ports: Ports, args: CauseArgs) -> CauseOut:
    del ports
    # Loaded when somebody asks: most days nobody does.
    from agent.core.why.causes import CATALOGUE

    cause = CATALOGUE.get(args.code)
    if cause is None:
        raise RequestError("cause.unknown", "this version knows no such code", field="code")
    return cause_out(cause)
