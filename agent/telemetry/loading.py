"""Loads the transport, and paho with it, when the first connection is made.

paho imports `urllib.request`, with the HTTP client and the mail parser behind it (0.9 MB), to look
for a proxy; it does so only where the package `socks` is installed. Where it is not, an empty
module stands in while paho is loaded; whoever imports the real one afterwards gets the real one.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.telemetry.transport import Transport

UNUSED = "urllib.request"


def transport_class() -> type[Transport]:
    """The class, loaded on the first call."""
    stood_in = UNUSED not in sys.modules and find_spec("socks") is None
    if stood_in:
        sys.modules[UNUSED] = ModuleType(UNUSED)
    try:
        from agent.telemetry.transport import Transport
    finally:
        if stood_in:
            del sys.modules[UNUSED]
    return Transport
