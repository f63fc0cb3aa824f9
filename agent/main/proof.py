"""What explains, reconciles and proves, plugged together: the rest of the ports of the actions."""

from __future__ import annotations

from dataclasses import replace

from agent.actions.ports import Ports
from agent.main.floor import Floor
from agent.offload import ChildOffload


def proving(floor: Floor, ports: Ports) -> Ports:
    """`ports` with what only these actions need."""
    del floor
    return replace(ports, offload=ChildOffload())
