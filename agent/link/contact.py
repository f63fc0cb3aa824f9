"""What became of one attempt to reach somebody: the word every connection leaves behind.

Whoever opens connections tells; whoever watches the network listens, and needs to ask less by
itself. It carries no content and no secret, and nobody may act on it but by looking more closely.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from agent.record import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One attempt, ended. `layer` is the one that failed; "" when all of them held."""

    purpose: str  #: uplink, mqtt or probe
    host: str
    port: int
    channel: str = ""  #: name of the channel it was bound to; "" where the system chose
    interface: str = ""  #: interface it was bound to; "" where the system chose
    layer: str = ""  #: "", local, dns, tcp, tls, answer
    code: str = ""  #: cause code, where the failure names one
    reason: str = ""
    tls: bool = False  #: whether a handshake was part of it
    connect_ms: int | None = None  #: TCP's round trip, where it came so far
    expires_at: datetime | None = None  #: of the certificate the peer showed
    bytes_spent: int = 0  #: an estimate from below, headers included, for probes only

    @property
    def held(self) -> bool:
        """Whether every layer held."""
        return not self.layer


#: Called on the event loop; returns at once and never raises.
Told = Callable[[Contact], None]


class Contacts:
    """Hands every contact to whoever listens by then; those who tell are built before those."""

    def __init__(self) -> None:
        self._sinks: list[Told] = []

    def listen(self, sink: Told) -> None:
        """Hear all from now on."""
        self._sinks.append(sink)

    def tell(self, contact: Contact) -> None:
        """One attempt has ended."""
        for sink in self._sinks:
            try:
                sink(contact)
            except Exception:  # boundary: who tells is about to send money
                log.exception("event=contact_unheard")
