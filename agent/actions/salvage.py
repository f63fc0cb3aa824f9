"""Take back what is proved in a journal that was put aside: held and in doubt (money rule 8)."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.wire.keeping import SalvageArgs, SalvagedOut


async def run(ports: Ports, args: SalvageArgs) -> SalvagedOut:
    haul = await ports.caring().salvage(args.file, args.after, ports.actor)
    return SalvagedOut(
        after=haul.after,
        held=haul.taken,
        final=haul.final,
        known=haul.known,
        unproved=haul.unproved,
        unproved_amounts=dict(haul.amounts),
    )
