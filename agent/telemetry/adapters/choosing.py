"""The scheme of the configured server, loaded only if it is the one.

Called once by `telemetry.build`.
"""

from __future__ import annotations

from agent.config.adapter import Adapter
from agent.telemetry.adapters import Scheme


def scheme_of(
    adapter: str, options: Adapter, *, tenant: str, device_id: str, listening: bool
) -> Scheme:
    """`adapter` is `[telemetry] adapter`. `listening`: somebody takes commands and wishes."""
    match adapter:
        case "thingsboard":
            from agent.telemetry.adapters.thingsboard import ThingsBoard

            return ThingsBoard(spelling=options.thingsboard_topics, listening=listening)
        case "thin_edge":
            from agent.telemetry.adapters.thin_edge import ThinEdge

            return ThinEdge(
                root=options.thin_edge_root,
                device=options.thin_edge_device,
                service=options.thin_edge_service,
                listening=listening,
            )
    from agent.telemetry.adapters.native import Native

    return Native(tenant, device_id, listening)
