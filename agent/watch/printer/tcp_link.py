"""A printer on the network: connect, ask, close.

Most network printers serve one client at a time and would keep the payment app waiting, so a
connection lasts as long as one exchange and never longer. A refusal is "in use or switched off":
it cannot be told which, and neither is a fault.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from agent.blocking import Blocking
from agent.config.devices import Printer
from agent.link.owners import Owner
from agent.watch.printer import problems
from agent.watch.printer.ports import Presence
from agent.watch.printer.problems import NoReadingError, Where

SCHEME = "tcp://"
DEFAULT_PORT = 9100
CONNECT_DEADLINE_S = 3.0


class TcpPort:
    """A connected socket."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


class TcpLink:
    """The link to one network printer."""

    keeps_open = False

    def __init__(self, config: Printer, blocking: Blocking) -> None:
        self._host, self._port = place_of(config.device)
        self.where = Where(f"{self._host}:{self._port}", "tcp")
        self._blocking = blocking

    @property
    def open_deadline_s(self) -> float:
        return 2 * CONNECT_DEADLINE_S

    async def presence(self) -> Presence | None:
        """Nothing is known of a network printer without connecting."""
        return None

    async def open(self) -> TcpPort:
        """A connection, for one exchange."""
        family, address = await self._address()
        connecting = socket.socket(family, socket.SOCK_STREAM)
        try:
            connecting.setblocking(False)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await asyncio.get_running_loop().sock_connect(connecting, address)
        except TimeoutError:
            connecting.close()
            raise self._unreachable() from None
        except OSError as error:
            connecting.close()
            raise problems.not_connected(self.where, error) from error
        except BaseException:
            connecting.close()
            raise
        return TcpPort(connecting)

    async def owner(self) -> Owner | None:
        """Who else is connected is known to the printer alone."""
        return None

    async def _address(self) -> tuple[int, Any]:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.inet_pton(family, self._host)
            except (OSError, ValueError):
                continue
            return family, (self._host, self._port)
        name = self._host.encode("ascii", "replace")
        try:
            found = await self._blocking.call(
                f"dns {self._host}",
                lambda: socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM),
                CONNECT_DEADLINE_S,
            )
        except TimeoutError:
            raise self._nameless("was not resolved in time") from None
        except OSError as error:
            raise self._nameless(f"is not known ({error.strerror or error})") from error
        family, *_, address = found[0]
        return family, address

    def _unreachable(self) -> NoReadingError:
        return NoReadingError(
            "unreachable",
            f"nothing answers at {self.where.name} within {CONNECT_DEADLINE_S:g} s: check the "
            "printer's power, its network cable and its address",
        )

    def _nameless(self, what: str) -> NoReadingError:
        return NoReadingError(
            "unresolved",
            f"the printer's name {self._host} {what}: check [printer] device, or give its address",
        )


def place_of(device: str) -> tuple[str, int]:
    """Host and port of `tcp://host:9100`, `tcp://host` or `tcp://[fd00::7]:9100`; ValueError."""
    from urllib.parse import urlsplit

    url = urlsplit(device)
    if url.scheme != "tcp" or not url.hostname or url.path not in {"", "/"} or url.query:
        raise ValueError(f"{device!r} is not tcp://host:port")
    if url.username is not None or url.fragment or url.port == 0:
        raise ValueError(f"{device!r} is not tcp://host:port")
    return url.hostname, DEFAULT_PORT if url.port is None else url.port
