"""The catalogue of causes: every reason why money does not arrive that this product can name.

One file per chapter, data only. The explain engine, the command line, the page, slips and fleet
messages all render from here. Square brackets in a text are clauses that vanish when a fact in
them is not known (see `agent.core.why.text`).
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.why.causes import configuration, fleet, hardware, host, network, operation, software
from agent.core.why.causes.cause import Cause, KnownBy, Owner
from agent.core.why.text import Text

__all__ = ["CATALOGUE", "Cause", "KnownBy", "Owner", "Text"]

CATALOGUE: Mapping[str, Cause] = {
    cause.code: cause
    for chapter in (network, hardware, software, configuration, host, operation, fleet)
    for cause in chapter.CAUSES
}
