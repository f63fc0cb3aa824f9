"""The scheme of a server with rules of its own, loaded only if it is the one.

Called once by `main`, and only where one is configured; else it is `native`.
"""

from __future__ import annotations

from typing import Literal

from agent.config.adapter import Adapter
from agent.telemetry.adapters import Scheme


def scheme_of(
    adapter: Literal["thingsboard", "thin_edge"], options: Adapter, *, listening: bool
) -> Scheme:
    """`adapter` is `[telemetry] adapter`. `listening`: somebody takes commands and wishes."""
    if adapter == "thingsboard":
        from agent.telemetry.adapters.thingsboard import ThingsBoard

        return ThingsBoard(spelling=options.thingsboard_topics, listening=listening)
    from agent.telemetry.adapters.thin_edge import ThinEdge

    return ThinEdge(
        root=options.thin_edge_root,
        device=options.thin_edge_device,
        service=options.thin_edge_service,
        listening=listening,
    )
