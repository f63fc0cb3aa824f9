"""Wi-Fi as the kernel hears it: nl80211 where it answers, /proc/net/wireless where it does not.

Owns the netlink socket, which is opened for one look and closed; the bytes are `nl80211`'s. No
right is needed for either. Only stations are looked at: an access point of our own has no signal.
Loaded when the first wireless interface is seen.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from agent.blocking import Blocking
from agent.clock import Clock
from agent.watch.drivers import nl80211, wireless
from agent.watch.drivers.nl80211 import Message, Station, WirelessInterface
from agent.watch.quality.facts import Kind, NotReadable, RadioFacts

#: Sends one request and hands back its answers. Raises OSError.
Exchange = Callable[[bytes], Sequence[Message]]
ANSWER_S = 1.0
DEADLINE_S = 4.0
#: No terminal has as many radios or access points; a kernel gone mad ends here.
MESSAGES_MAX = 200


class WifiSource:
    """The Wi-Fi interfaces of this machine."""

    name = "wifi"

    def __init__(
        self,
        blocking: Blocking,
        clock: Clock,
        *,
        names: bool = False,
        root: Path = Path("/"),
        opened: Callable[[], AbstractContextManager[Exchange]] | None = None,
    ) -> None:
        """`opened` opens a way to ask the kernel; None: a netlink socket."""
        self._blocking = blocking
        self._clock = clock
        self._names = names
        self._root = root
        self._opened = opened or netlink
        self._family: int | None = None

    async def read(self) -> Sequence[RadioFacts | NotReadable]:
        """Every station interface, associated or not."""
        try:
            return await self._blocking.call("signal.wifi", self._look, DEADLINE_S)
        except TimeoutError:
            return [NotReadable(source="nl80211", reason="the wireless driver does not answer")]

    async def close(self) -> None:
        """Nothing is kept open."""

    def _look(self) -> list[RadioFacts | NotReadable]:
        try:
            with self._opened() as exchange:
                found = self._stations(exchange)
        except OSError as error:
            self._family = None  # another number once the module is loaded again
            lines: list[RadioFacts | NotReadable] = [*self._lines()]
            why = error.strerror or str(error)
            return lines or [
                NotReadable(source="nl80211", reason=f"nl80211 cannot be asked: {why}")
            ]
        # A driver whose signal is no dBm may still have one in the old file.
        old = {one.interface: one for one in self._lines() if one.rssi_dbm is not None}
        return [
            old.get(one.interface, one) if one.associated and one.rssi_dbm is None else one
            for one in found
        ]

    def _stations(self, exchange: Exchange) -> list[RadioFacts]:
        if self._family is None:
            told = [nl80211.family_of(one) for one in exchange(nl80211.ask_family(1))]
            self._family = next((one for one in told if one is not None), None)
        if self._family is None:
            raise OSError(errno.ENOENT, "this kernel has no nl80211")
        family = self._family
        asked = exchange(nl80211.ask_interfaces(family, 2))
        interfaces = [one for one in map(nl80211.interface_of, asked) if one is not None]
        found: list[RadioFacts] = []
        for number, interface in enumerate(one for one in interfaces if one.station):
            told_stations = exchange(nl80211.ask_stations(family, 3 + number, interface.index))
            station = next(filter(None, map(nl80211.station_of, told_stations)), None)
            found.append(self._facts(interface, station))
        return found

    def _facts(self, interface: WirelessInterface, station: Station | None) -> RadioFacts:
        now_ms = self._clock.now().boot_ms
        if station is None:
            return RadioFacts(
                kind=Kind.WIFI,
                source="nl80211",
                interface=interface.name,
                updated_ms=now_ms,
                associated=False,
                technology="wifi",
            )
        average = station.signal_avg_dbm
        return RadioFacts(
            kind=Kind.WIFI,
            source="nl80211",
            interface=interface.name,
            updated_ms=now_ms,
            associated=True,
            rssi_dbm=average if average is not None else station.signal_dbm,
            technology="wifi",
            frequency_mhz=interface.frequency_mhz,
            bitrate_kbps=station.bitrate_kbps,
            tx_retries=station.tx_retries,
            tx_failed=station.tx_failed,
            tx_packets=station.tx_packets,
            beacon_losses=station.beacon_losses,
            connected_s=station.connected_s,
            inactive_ms=station.inactive_ms,
            ssid=interface.ssid if self._names else "",
            bssid=station.bssid if self._names else "",
        )

    def _lines(self) -> list[RadioFacts]:
        try:
            text = (self._root / "proc/net/wireless").read_text("ascii", errors="replace")
        except OSError:
            return []
        now_ms = self._clock.now().boot_ms
        return [
            RadioFacts(
                kind=Kind.WIFI,
                source="wireless",
                interface=line.interface,
                updated_ms=now_ms,
                # The file does not tell "not associated" from "no figure": only a figure proves it.
                associated=True if line.level_dbm is not None else None,
                rssi_dbm=line.level_dbm,
                technology="wifi",
                beacon_losses=line.beacon_losses,
            )
            for line in wireless.parse(text)
        ]


@contextmanager
def netlink() -> Iterator[Exchange]:
    """A generic netlink socket for one look."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, nl80211.NETLINK_GENERIC) as sock:
        sock.settimeout(ANSWER_S)
        sock.bind((0, 0))

        def exchange(request: bytes) -> list[Message]:
            sock.send(request)
            sequence = nl80211.sequence_of(request)
            found: list[Message] = []
            while len(found) < MESSAGES_MAX:
                for message in nl80211.decode(sock.recv(65_536)):
                    if message.sequence != sequence:
                        continue  # of a request that was given up
                    if message.error:
                        raise OSError(message.error, os.strerror(message.error))
                    found.append(message)
                    if message.last or not nl80211.is_dump(request):
                        return found
            return found

        yield exchange
