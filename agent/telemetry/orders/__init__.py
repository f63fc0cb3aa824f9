"""Signed commands from the fleet: taken, judged, carried out, answered.

Loaded only where a key is configured or was taught. `build` makes the part; everything else is
inside this room.
"""

from __future__ import annotations

from agent.telemetry.orders.keys import KeyRing, RingError, key_of
from agent.telemetry.orders.ports import Ports
from agent.telemetry.orders.running import Orders

__all__ = ["KeyRing", "Orders", "Ports", "RingError", "build", "key_of"]


def build(ports: Ports) -> Orders:
    """The part `orders`, which is also the inbox for commands."""
    return Orders(ports)
