"""The simulated receipt printer, by the names its users know: see `agent.sim.printers`."""

from __future__ import annotations

from agent.sim.orders import give as control
from agent.sim.printers.orders import SWITCHES, obey, serve
from agent.sim.printers.printer import GARBAGE, SimulatedPrinter

__all__ = ["GARBAGE", "SWITCHES", "SimulatedPrinter", "control", "obey", "serve"]
