"""What is wrong with this terminal, and what each component last said."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.wire.api import Nothing
from agent.wire.views import HealthOut, alarm_out, component_out


async def run(ports: Ports, args: Nothing) -> HealthOut:
    del args
    return HealthOut(
        at=ports.clock.now().at,
        alarms=[alarm_out(alarm) for alarm in ports.health.alarms()],
        components=[component_out(state) for state in ports.health.components()],
    )
