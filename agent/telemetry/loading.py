"""Loads the transport, and paho with it, when the first connection is made.

paho imports `urllib.request`, with the HTTP client and the mail parser behind it (0.9 MB), to look
for a proxy in the environment, and `socks`, where that is installed, to go through it. The agent
goes where its configuration says, and nowhere else: an empty module and none stand in while paho
is loaded. Whoever imports the real ones afterwards gets the real ones.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from agent.telemetry.transport import Transport

#: None: importing it fails, as where it is not installed.
INSTEAD = {"urllib.request": ModuleType("urllib.request"), "socks": None}


def transport_class() -> type[Transport]:
    """The class, loaded on the first call."""
    known = cast("dict[str, ModuleType | None]", sys.modules)
    real = {name: known[name] for name in INSTEAD if name in known}
    known.update(INSTEAD)
    try:
        from agent.telemetry.transport import Transport
    finally:
        for name in INSTEAD:
            del known[name]
        known.update(real)
    return Transport
