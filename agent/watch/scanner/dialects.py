"""Which languages a scanner is tried in, and in which order; each is loaded only when it is used.

Where the maker is known only his own are tried. Otherwise the order is one of harm: a Magellan
takes single letters as orders (R resets it, E and D switch it on and off), so it is asked first,
with one letter that only asks; Honeywell's query, which holds an R and an E, comes last.
"""

from __future__ import annotations

from importlib import import_module

from agent.watch.drivers.scanning import Dialect
from agent.watch.scanner.presence import DIALECTS_OF, Presence

#: dialect -> module of agent.watch.drivers and the name in it.
_WHERE = {
    "honeywell": ("honeywell", "DIALECT"),
    "newland_v1": ("newland", "CLASSIC"),
    "newland_v2": ("newland", "UNIFIED"),
    "ssi": ("ssi", "DIALECT"),
    "datalogic": ("datalogic", "DIALECT"),
}
BY_HARM = ("datalogic", "ssi", "newland_v1", "newland_v2", "honeywell")
#: A maker whose languages differ by generation.
EITHER = {"newland": ("newland_v2", "newland_v1")}


def candidates(configured: str, found: Presence, known: Dialect | None) -> tuple[str, ...]:
    """The names to try, in order: as configured, what answered before, his maker's, or all."""
    if configured != "auto" and configured not in EITHER:
        return (configured,)
    if known is not None:
        return (known.name,)
    if configured in EITHER:
        return EITHER[configured]
    if found.usb is not None and found.usb.vendor in DIALECTS_OF:
        return DIALECTS_OF[found.usb.vendor]
    return BY_HARM


def load(name: str) -> Dialect:
    """The dialect called `name`."""
    module, attribute = _WHERE[name]
    dialect: Dialect = getattr(import_module(f"agent.watch.drivers.{module}"), attribute)
    return dialect
