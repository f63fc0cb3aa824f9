"""What hangs on this terminal, and how that changed."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.wire.api import Nothing
from agent.wire.inventory import InventoryOut, change_out, device_out

#: Changes shown; more are kept.
SHOWN = 50


async def run(ports: Ports, args: Nothing) -> InventoryOut:
    del args
    known = ports.inventory
    return InventoryOut(
        at=ports.clock.now().at,
        devices=[] if known is None else [device_out(one) for one in known.items()],
        changes=[] if known is None else [change_out(one) for one in await known.changes(SHOWN)],
    )
