"""Makes a channel usable for connections: how they are bound to it, and who resolves names there.

Binding to a device needs no right from Linux 5.7 on. Where the kernel refuses, a source address is
taken only if a policy rule sends it the right way, and no binding only if the system's own choice
is this channel; otherwise the channel cannot be used, and that is said. Called by `channels`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.core.network.choosing import Link
from agent.link import channel_facts as facts
from agent.link.bound import Hold, Way, bind_to_device
from agent.link.channel_facts import Fact
from agent.link.channel_names import servers_of, system_servers
from agent.link.dns import AAAA, A
from agent.link.resolver import Resolver

log = logging.getLogger(__name__)

#: Documentation addresses: only asked about, never spoken to.
_FAR = {socket.AF_INET: "198.51.100.1", socket.AF_INET6: "2001:db8::1"}


class Maker:
    """Makes ways, and knows whether this process may bind."""

    def __init__(self, doubt_after_s: float, root: Path = Path("/"), dns_port: int = 53) -> None:
        self._doubt_after_s = doubt_after_s
        self._root = root
        self._dns_port = dns_port
        self._refused = ""

    def hold(self, fact: Fact) -> Hold | None:
        """How a connection is kept there; None: it cannot be."""
        if fact.wire is None:
            return Hold.SYSTEM
        self._refused = ""
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                bind_to_device(sock, fact.interface)
        except PermissionError as error:
            self._note(error)
        except OSError:
            return Hold.DEVICE  # it went away meanwhile: the facts will say so
        else:
            return Hold.DEVICE
        index = fact.wire.index
        if all(facts.leaves_by(_far(one), one) == index for one in fact.sources):
            return Hold.SOURCE
        if all(facts.leaves_by(_FAR[socket.AddressFamily(one)]) == index for one in fact.families):
            return Hold.SYSTEM
        return None

    def _note(self, error: OSError) -> None:
        if not self._refused:
            log.warning("event=binding_refused reason=%r", error.strerror)
        self._refused = error.strerror or "refused"

    def unbound(self, fact: Fact) -> str:
        """The sentence for a channel that cannot be bound."""
        return (
            f"connections cannot be kept on {fact.interface}: the kernel refuses "
            f"({self._refused}); needs Linux 5.7 or the right CAP_NET_RAW"
        )

    def way(
        self,
        channel: str,
        fact: Fact,
        hold: Hold,
        resolvers: Sequence[str] = (),
        doubted: Callable[[], None] | None = None,
    ) -> Way:
        """A way by this channel as it is now."""
        way = Way(
            channel=channel,
            interface=fact.interface,
            hold=hold,
            sources=fact.sources,
            doubted=doubted,
            doubt_after_s=self._doubt_after_s,
        )
        servers = tuple(resolvers) or self._servers(fact)
        if servers and fact.link is not Link.DOWN:
            families = fact.families
            own = [one for one in servers if _family(one) in families]
            kinds = tuple(
                kind
                for kind, family in ((A, socket.AF_INET), (AAAA, socket.AF_INET6))
                if family in families
            )
            if own and kinds:
                asked = Resolver(
                    own, way.bind, kinds=kinds, port=self._dns_port,
                    hosts=self._root / "etc/hosts",
                )  # fmt: skip
                way.resolve = asked.resolve
        return way

    def _servers(self, fact: Fact) -> tuple[str, ...]:
        if fact.wire is None:
            return ()  # the system's choice of channel, and of servers
        named = servers_of(fact.interface, fact.wire.index, self._root)
        return named or system_servers(self._root)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _far(address: str) -> str:
    return _FAR[socket.AF_INET6 if ":" in address else socket.AF_INET]
