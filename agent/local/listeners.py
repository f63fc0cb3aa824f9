"""Where the page is served: on this terminal, and for some minutes on a technician's cable.

Decides which address may be listened at, that the service listener closes by itself and cannot be
prolonged unseen, and that its code is new each time. Its servers have slots of their own, so no
browser takes one from a payment app. A crash here costs the page and nothing else. What a request
may do is the door's and the local API's business; how a certificate is made `main` plugs in.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from agent.config.page import Page
from agent.core.audit import Deed
from agent.core.moment import Moment
from agent.errors import StoreError
from agent.http.message import Hangup, Limits, Request, Response
from agent.http.server import Server
from agent.local.door import Answering, Door, Rules, Trail
from agent.local.sessions import OneCode, Sessions, Token
from agent.record import dataclass
from agent.wire.api import MAX_BODY_BYTES, Role
from agent.wire.problem import RequestError
from agent.wire.session import ListenerOut, PageCodeOut, PageOut

log = logging.getLogger(__name__)

LOOPBACK, SERVICE = "loopback", "service"
STOP_S = 1.0
#: At once, at the listener strangers can reach.
HANDSHAKES = 8
#: For a request to say what it wants; whoever drips is hung up on.
HEAD_S = 5.0
#: A terminal that sleeps may wake long after the time is over: it is looked at this often.
LOOK_S = 15.0


class Clock(Protocol):
    """The time that runs on while the terminal sleeps."""

    def now(self) -> Moment: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A key and a certificate of its own, for one opening."""

    context: ssl.SSLContext
    fingerprint: str  #: SHA-256, hexadecimal


#: Makes a certificate for an address. Raises RequestError `page.no_certificate`.
Certify = Callable[[str], Awaitable[Certificate]]


@dataclass(slots=True, kw_only=True)
class _Open:
    """One listener that stands."""

    door: Door
    server: Server
    host: str
    port: int
    by: str = ""
    until_ms: int = 0  #: 0: it stays
    fingerprint: str = ""

    @property
    def address(self) -> str:
        scheme = "https" if self.door.rules.secure else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/"


class Listeners:
    """The part."""

    name = "page"
    fatal = False

    def __init__(
        self,
        config: Page,
        *,
        clock: Clock,
        trail: Trail,
        token: Token,
        certify: Certify,
        addresses: Callable[[], Mapping[str, Sequence[str]]],
    ) -> None:
        self._config, self._clock, self._trail = config, clock, trail
        self._token, self._certify = token, certify
        self._addresses = addresses
        self._api: Answering | None = None
        self._here: _Open | None = None
        self._service: _Open | None = None
        self._closing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self.listening = asyncio.Event()

    def serves(self, api: Answering) -> None:
        """The API behind the doors; told once, before the part runs."""
        self._api = api

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        try:
            if self._config.listen:
                self._here = await self._stand_here()
                log.info("event=page_listening address=%s", self._here.address)
            self.listening.set()
            await stop.wait()
        finally:
            self.listening.clear()
            await self._shut("agent")
            here, self._here = self._here, None
            if here is not None:
                await here.server.close(STOP_S)

    def beat(self, now_ms: int) -> str:
        """Everything here runs on the loop itself."""
        del now_ms
        return ""

    # What the actions ask for.

    def shown(self) -> PageOut:
        """Where it is served now."""
        stand = [one for one in (self._here, self._service) if one is not None]
        return PageOut(
            listeners=[self._shown(one) for one in stand],
            service_configured=self._has_service,
        )

    def code(self, by: str) -> PageCodeOut:
        """A code for the page on this terminal. Raises RequestError."""
        if self._here is None:
            raise RequestError("page.off", "the page is not served on this terminal")
        log.info("event=page_code_made by=%s", by)
        return self._code(self._here)

    async def open(self, minutes: int, by: str) -> PageCodeOut:
        """Open the service listener. Raises RequestError."""
        async with self._turn:
            if not self._has_service:
                raise RequestError("page.no_service", "no service listener is configured")
            if self._service is not None:
                raise RequestError("page.open_already", "the service listener is open already")
            for_s = 60 * (minutes or self._config.service_minutes)
            self._service = await self._stand_service(for_s, by)
            self._closing = asyncio.create_task(self._close_in_time(), name="page-closes")
            told = self._code(self._service)
        log.warning("event=page_opened address=%s for_s=%d by=%s", told.address, for_s, by)
        return told

    async def close(self, by: str) -> None:
        """Close the service listener; nothing to do where it is not open."""
        closing, self._closing = self._closing, None
        if closing is not None:
            closing.cancel()
        await self._shut(by)

    @property
    def _has_service(self) -> bool:
        return bool(self._config.service_interface or self._config.service_address)

    # Standing up and going.

    async def _stand_here(self) -> _Open:
        config = self._config
        host, _, port = config.listen.rpartition(":")
        door = self._door(LOOPBACK, config.absolute_s, secure=False)
        server = self._server(door)
        host = host.strip("[]")
        bound = await server.start_tcp(host, int(port))
        names = ("[::1]", "localhost") if ":" in host else (host, "localhost")
        door.stands_at(names, bound)
        return _Open(door=door, server=server, host=host, port=bound)

    async def _stand_service(self, for_s: int, by: str) -> _Open:
        config = self._config
        host = service_address(config, self._addresses())
        made = await self._certify(host) if config.service_tls else None
        door = self._door(SERVICE, min(for_s, config.absolute_s), secure=made is not None)
        server = self._server(door)
        bound = await server.start_tcp(
            host, config.service_port, None if made is None else made.context,
            config.service_interface, HANDSHAKES,
        )  # fmt: skip
        door.stands_at((f"[{host}]" if ":" in host else host,), bound)
        return _Open(
            door=door, server=server, host=host, port=bound, by=by,
            until_ms=self._now_ms() + for_s * 1000,
            fingerprint="" if made is None else made.fingerprint,
        )  # fmt: skip

    def _door(self, listener: str, absolute_s: int, *, secure: bool) -> Door:
        config, here = self._config, listener == LOOPBACK
        assert self._api is not None, "told what it serves before it runs"
        rules = Rules(
            listener=listener,
            sessions=Sessions(
                idle_s=config.idle_s, absolute_s=absolute_s, most=config.sessions_max
            ),
            code=OneCode(),
            # A secret that stays is for programs on this terminal; a cable gets codes only.
            token=self._token if here else Token(),
            token_roles=frozenset(Role(word) for word in config.token_roles),
            open_roles=frozenset({Role.READ} if here and config.open_read else ()),
            secure=secure,
        )
        if here:
            return Door(rules, self._api, self._trail, self._now_ms)
        return Door(
            rules, self._api, self._trail, self._now_ms,
            closes_in_s=self._closes_in_s, spent=self._spent,
        )  # fmt: skip

    def _server(self, door: Door) -> Server:
        limits = Limits(
            max_connections=self._config.max_connections,
            body_bytes=MAX_BODY_BYTES,
            head_timeout_s=HEAD_S,
        )
        service = door.rules.listener == SERVICE

        async def answer(request: Request) -> Response:
            if service and not self._closes_in_s():
                raise Hangup
            return await door.answer(request)

        return Server(answer, limits)

    def _code(self, stands: _Open) -> PageCodeOut:
        for_s = 60 * self._config.code_minutes
        if stands.until_ms:
            for_s = min(for_s, max(1, (stands.until_ms - self._now_ms()) // 1000))
        return PageCodeOut(
            listener=stands.door.rules.listener,
            address=stands.address,
            code=stands.door.rules.code.make(self._now_ms(), for_s),
            expires_in_s=for_s,
            closes_in_s=self._closes_in_s() if stands.until_ms else 0,
            fingerprint=stands.fingerprint,
            printed=False,
        )

    def _shown(self, stands: _Open) -> ListenerOut:
        return ListenerOut(
            listener=stands.door.rules.listener,
            address=stands.address,
            sessions=stands.door.rules.sessions.count(self._now_ms()),
            closes_in_s=self._closes_in_s() if stands.until_ms else 0,
            opened_by=stands.by,
            fingerprint=stands.fingerprint,
        )

    def _spent(self) -> None:
        """Its code was guessed at until it was used up: with nobody inside there is no more use."""
        stands = self._service
        if stands is not None and not stands.door.rules.sessions.count(self._now_ms()):
            stands.until_ms = self._now_ms()  # whoever asks now is hung up on
            if self._closing is not None:
                self._closing.cancel()
            self._closing = asyncio.create_task(self._shut("agent"), name="page-closes")

    async def _close_in_time(self) -> None:
        left_s = self._closes_in_s()
        while left_s:
            await asyncio.sleep(min(left_s, LOOK_S))
            left_s = self._closes_in_s()
        self._closing = None
        await self._shut("agent")

    def _closes_in_s(self) -> int:
        stands = self._service
        left_ms = 0 if stands is None else stands.until_ms - self._now_ms()
        return max(0, -(-left_ms // 1000))

    async def _shut(self, by: str) -> None:
        stands, self._service = self._service, None
        if stands is None:
            return
        stands.door.rules.sessions.end_all()
        stands.door.rules.code.void()
        await stands.server.close(STOP_S)
        log.warning("event=page_closed address=%s by=%s", stands.address, by)
        if by == "agent":  # else whoever asked for it is written down already
            try:
                await self._trail.write(Deed(actor=by, op="page_close"))
            except StoreError as error:
                log.warning("event=page_close_not_written code=%s", error.code)

    def _now_ms(self) -> int:
        return self._clock.now().boot_ms


def service_address(config: Page, held: Mapping[str, Sequence[str]]) -> str:
    """Where the service listener may stand. Raises RequestError: nowhere that others can reach."""
    told = [config.service_address] if config.service_address else held.get(
        config.service_interface, ()
    )  # fmt: skip
    fit = [one for one in told if _near(one)]
    if not fit:
        where = config.service_address or config.service_interface
        raise RequestError("page.no_address", f"{where} has no private or link-local address")
    return min(fit, key=lambda one: ":" in one)  # a person has to type it


def _near(address: str) -> bool:
    """Private, link-local (IPv4: browsers take no zones) or this terminal itself."""
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return False
    if told.is_unspecified or told.is_multicast or (told.version == 6 and told.is_link_local):
        return False
    return told.is_private or told.is_link_local or told.is_loopback
