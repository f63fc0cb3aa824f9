"""Accepting TLS connections, so many handshakes at once and no more.

asyncio accepts whoever comes and counts nobody before his handshake is over: a thousand silent
clients would take a thousand descriptors from everybody else in the process. Here those that are
too many wait in the kernel, where they cost nothing. Called by the server for listeners strangers
can reach.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

log = logging.getLogger(__name__)

#: After the system refused a descriptor: others are more important than the next stranger.
REST_S = 1.0


class Shaking:
    """One listening socket; closes as an `asyncio.Server` does."""

    def __init__(
        self,
        sock: socket.socket,
        made: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext,
        *,
        at_once: int,
        within_s: float,
    ) -> None:
        sock.setblocking(False)
        self._sock, self._made, self._tls = sock, made, tls
        self._free = asyncio.Semaphore(at_once)
        self._within_s = within_s
        self._shaking: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept(), name="accept-tls")

    def close(self) -> None:
        """No more of them; handshakes under way are cut, connections that stand are not ours."""
        self._accepting.cancel()
        # Now, not when it notices: by then its number may be another socket's, which would be deaf.
        asyncio.get_running_loop().remove_reader(self._sock)
        for task in self._shaking:
            task.cancel()
        self._sock.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._free.acquire()
            try:
                accepted, _ = await loop.sock_accept(self._sock)
            except OSError as error:
                self._free.release()
                log.warning("event=accept_failed reason=%s", error.strerror)
                await asyncio.sleep(REST_S)
                continue
            task = loop.create_task(self._shake(accepted), name="tls-handshake")
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    async def _shake(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._made, accepted, ssl=self._tls, ssl_handshake_timeout=self._within_s
            )
        except OSError as error:  # also of TLS, and of time
            log.debug("event=handshake_failed reason=%s", type(error).__name__)
            accepted.close()
        finally:
            self._free.release()
