"""What is wrong with this terminal, and what each component last said."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.wire.api import Nothing
from agent.wire.views import ComponentOut, HealthOut, alarm_out, component_out


async def run(ports: Ports, args: Nothing) -> HealthOut:
    del args
    return HealthOut(
        at=ports.clock.now().at,
        alarms=[alarm_out(alarm) for alarm in ports.health.alarms()],
        components=[
            *(component_out(state) for state in ports.health.components()),
            *_page(ports),
        ],
    )


def _page(ports: Ports) -> list[ComponentOut]:
    """Whether the terminal can be reached from outside at this moment; nothing where it never is.

    Not a watcher's: it is known without looking.
    """
    if ports.page is None:
        return []
    told = ports.page.shown()
    service = [one for one in told.listeners if one.listener == "service"]
    return [
        ComponentOut(
            component="page",
            outcome="reading",
            at=ports.clock.now().at,
            duration_ms=0,
            values={
                "open": bool(service),
                "closes_in_s": service[0].closes_in_s if service else 0,
                "sessions": sum(one.sessions for one in told.listeners),
            },
            evidence={},
            reason="",
            code="",
        )
    ]
