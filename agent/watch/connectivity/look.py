"""One look at what the kernel says: links, addresses, routes, neighbours, name servers.

Costs nothing on the wire. Runs in a thread, because a driver may hang in sysfs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.link import netlink
from agent.record import dataclass
from agent.watch import layers
from agent.watch.layers import Addresses, Interface, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the kernel says at one moment."""

    seen: tuple[Interface, ...]
    watched: tuple[Interface, ...]
    routes: tuple[Route, ...]
    routes_told: bool
    servers: tuple[str, ...]
    neighbours: Mapping[tuple[int, str], str] | None  #: None: only files could be read
    root: Path

    @property
    def route(self) -> Route | None:
        """What the system takes for what has no route of its own."""
        return min(self.routes, key=lambda one: one.metric, default=None)

    @property
    def best(self) -> Interface | None:
        """The interface that gets furthest; among equals the one the system takes."""
        way = self.route.interface if self.route is not None else ""
        return min(
            self.watched,
            key=lambda one: (not one.link, not one.usable, one.name != way),
            default=None,
        )

    def route_of(self, interface: str) -> Route | None:
        """The default route that leaves by it."""
        own = [one for one in self.routes if one.interface == interface]
        return min(own, key=lambda one: one.metric, default=None)

    def neighbour(self, interface: Interface | None, address: str) -> str:
        """The state of a neighbour; "" where nobody asked for it lately."""
        if self.neighbours is not None and interface is not None and interface.index:
            return self.neighbours.get((interface.index, address), "")
        return layers.neighbour(self.root, address)

    @property
    def way(self) -> tuple[object, ...]:
        """What makes old proof worthless when it changes."""
        return (
            self.route,
            self.servers,
            tuple((one.name, one.link, one.usable) for one in self.watched),
        )


def look(
    root: Path,
    addresses: Callable[[], Addresses],
    wanted: Sequence[str],
    *,
    last: str = "",
    aside: Sequence[str] = (),
    ask_kernel: bool = True,
) -> Look:
    """Look now. Never raises for what cannot be read.

    `last`: the interface that had the default route; without one now it is still the one to look
    at, be it gone. `aside`: those that are nobody's way out by themselves.
    """
    seen = layers.interfaces(root, addresses)
    routes = layers.default_routes(root)
    route = min(routes or (), key=lambda one: one.metric, default=None)
    table: dict[tuple[int, str], str] | None = None
    if ask_kernel:
        try:
            table = {(one.interface, one.address): one.state for one in netlink.neighbours()}
        except netlink.NetlinkError:
            table = None
    return Look(
        seen=tuple(seen),
        watched=_watched(seen, wanted, route, last, aside),
        routes=tuple(routes or ()),
        routes_told=routes is not None,
        servers=tuple(layers.resolvers(root)),
        neighbours=table,
        root=root,
    )


def _watched(
    seen: Sequence[Interface],
    wanted: Sequence[str],
    route: Route | None,
    last: str,
    aside: Sequence[str],
) -> tuple[Interface, ...]:
    if not wanted and route is None and last:
        wanted = (last,)
    known = [one for one in seen if wanted or one.name not in aside] or seen
    return tuple(layers.watched(known, wanted, route))
