"""Notices at once that a link, an address or a route has changed.

The kernel tells; where it may not be heard (Android keeps netlink from apps) a few small files are
looked at every few seconds instead. What has changed is not passed on: who hears of it looks.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from agent.link import netlink
from agent.watch.kernel_files import text

log = logging.getLogger(__name__)

#: A cable pulled is some five messages within 50 ms; DHCP's answer another ten.
SETTLE_S = 0.3
POLL_S = 5.0


class Changes:
    """Listens between `start` and `close`; tells `changed` with what it was about."""

    def __init__(
        self,
        changed: Callable[[str], None],
        *,
        root: Path = Path("/"),
        listen: Callable[[], socket.socket] = netlink.listen,
        received: Callable[[socket.socket], set[str]] = netlink.received,
        poll_s: float = POLL_S,
    ) -> None:
        self.how = "off"  #: netlink, polling or off
        self._changed = changed
        self._root = root
        self._listen = listen
        self._received = received
        self._poll_s = poll_s
        self._heard: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._about: set[str] = set()
        self._files: object = None

    def start(self) -> None:
        """Listen from now on; again does nothing."""
        if self.how != "off":
            return
        try:
            self._heard = self._listen()
        except netlink.NetlinkError as error:
            log.info(
                "event=network_changes how=polling every_s=%g reason=%r", self._poll_s, str(error)
            )
            self._poll()
            return
        asyncio.get_running_loop().add_reader(self._heard, self._take)
        self.how = "netlink"

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hang_up()
        self.how = "off"

    def _hang_up(self) -> None:
        if self._heard is not None:
            asyncio.get_running_loop().remove_reader(self._heard)
            self._heard.close()
            self._heard = None

    def _take(self) -> None:
        if self._heard is None:
            return
        try:
            self._about |= self._received(self._heard)
        except OSError as error:
            log.warning("event=network_changes how=polling reason=%r", str(error))
            self._hang_up()
            self._poll()
            return
        if self._about and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_S, self._settled)

    def _settled(self) -> None:
        self._timer = None
        about, self._about = self._about, set()
        self._changed(" and ".join(sorted(about)) + " changed")

    def _poll(self) -> None:
        self.how = "polling"
        files = self._glance()
        if self._files is not None and files != self._files:
            self._changed("the network changed")
        self._files = files
        self._timer = asyncio.get_running_loop().call_later(self._poll_s, self._poll)

    def _glance(self) -> object:
        """Links and routes, as cheaply as they can be told."""
        net = self._root / "sys/class/net"
        try:
            names = sorted(one.name for one in net.iterdir())
        except OSError:
            names = []
        links = tuple(text(net / name / "operstate") for name in names)
        return tuple(names), links, text(self._root / "proc/net/route")
