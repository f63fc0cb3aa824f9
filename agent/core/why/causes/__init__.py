"""The catalogue of causes: every reason why money does not arrive that this product can name.

One file per chapter, data only. The explain engine, the command line, the page, slips and fleet
messages all render from here. Square brackets in a text are clauses that vanish when a fact in
them is not known (see `agent.core.why.text`). What to do about each in more words than one line is
`agent.core.why.guidance`, loaded when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.why.causes import configuration, fleet, hardware, host, network, operation, software
from agent.core.why.causes.cause import Cause, KnownBy, Owner
from agent.core.why.text import Text

__all__ = ["CATALOGUE", "CHAPTERS", "Cause", "KnownBy", "Owner", "Text"]

#: In the order a technician looks: the way out first, the machine, its settings, then the others.
CHAPTERS: Mapping[str, tuple[Cause, ...]] = {
    "network": network.CAUSES,
    "hardware": hardware.CAUSES,
    "software": software.CAUSES,
    "configuration": configuration.CAUSES,
    "host": host.CAUSES,
    "operation": operation.CAUSES,
    "fleet": fleet.CAUSES,
}

CATALOGUE: Mapping[str, Cause] = {
    cause.code: cause for chapter in CHAPTERS.values() for cause in chapter
}
