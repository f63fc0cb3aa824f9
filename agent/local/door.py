"""One door of the page: which requests come in, as whom, and what a browser is told to guard.

Decides by Host, Origin and Sec-Fetch-Site whether a request is the page's own, by token or cookie
who sends it, and signs in and out. What an operation does is the local API's, which knows nothing
of browsers. There is a door for each listener; a session of one opens no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import field
from typing import Protocol

from agent.core.audit import Deed
from agent.errors import AgentError, StoreError
from agent.http.message import Request, Response
from agent.local import static
from agent.local.sessions import Held, OneCode, Patience, Sessions, Token
from agent.record import dataclass, replace
from agent.wire import problem
from agent.wire.api import BY_NAME, JSON, Role, arguments_of, encode
from agent.wire.problem import RequestError
from agent.wire.session import IN_CHINESE, SessionOut, SignInArgs

log = logging.getLogger(__name__)

SESSION_PATH = "/v1/session"
#: Of the event streams of the whole terminal a browser may hold so many.
STREAMS = 4
#: What a signed-in person may do; payments are handed over on the unix socket only.
PERSON = frozenset({Role.READ, Role.TECHNICIAN})
NOBODY: frozenset[Role] = frozenset()

GUARDED = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Answering(Protocol):
    """The local API, told by us who asks."""

    async def answer_as(self, request: Request, held: frozenset[Role], actor: str) -> Response: ...


class Trail(Protocol):
    """Where it is written down who signed in. Raises StoreError."""

    async def write(self, deed: Deed) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What this door lets in."""

    listener: str  #: loopback or service
    sessions: Sessions
    code: OneCode = field(default_factory=OneCode)
    token: Token = field(default_factory=Token)
    token_roles: frozenset[Role] = NOBODY
    open_roles: frozenset[Role] = NOBODY  #: what may be done without signing in
    code_s: int = 300
    secure: bool = False  #: served over TLS


class Door:
    """See the module docstring."""

    def __init__(
        self,
        rules: Rules,
        api: Answering,
        trail: Trail,
        now_ms: Callable[[], int],
        *,
        closes_in_s: Callable[[], int] = lambda: 0,
        spent: Callable[[], None] = lambda: None,
    ) -> None:
        self.rules = rules
        self.names: frozenset[str] = frozenset()
        self._api, self._trail, self._now_ms = api, trail, now_ms
        self._closes_in_s, self._spent = closes_in_s, spent
        self._patience = Patience()
        self._streams = 0
        self._wrong_tokens = 0
        self._tell_tokens_ms = 0
        self._cookie = ""
        self._writing: set[asyncio.Task[None]] = set()

    def stands_at(self, hosts: tuple[str, ...], port: int) -> None:
        """The only names a browser may know this door by."""
        usual = 443 if self.rules.secure else 80
        names = {f"{host}:{port}" for host in hosts} | ({*hosts} if port == usual else set())
        self.names = frozenset(names)
        # Cookies know no ports: two doors of one address must not overwrite each other's.
        self._cookie = f"__Host-posagent-{port}" if self.rules.secure else f"posagent-{port}"

    async def answer(self, request: Request) -> Response:
        """One request, one answer, guarded."""
        try:
            self._own(request)
            response = await self._let_in(request)
        except AgentError as error:
            response = _refused(error, request)
        headers = {**GUARDED, **response.headers}
        if "cache-control" not in headers:
            headers["cache-control"] = "no-store"
        return replace(response, headers=headers)

    # Is it the page's own request?

    def _own(self, request: Request) -> None:
        """A name that leads here from elsewhere, or a page from elsewhere, is turned away."""
        host = request.headers.get("host", "").lower()
        if host not in self.names:
            raise RequestError("page.host", "the request names another host than this page's")
        origin = request.headers.get("origin")
        scheme = "https" if self.rules.secure else "http"
        site = request.headers.get("sec-fetch-site")
        if origin is not None and origin.lower() != f"{scheme}://{host}":
            raise RequestError("page.origin", "the request comes from another page")
        # `none`: typed in, or opened from outside of any page; only for looking at the page.
        asked = request.path.startswith("/v1/")
        allowed = {None, "same-origin"} if asked and request.method != "GET" else {
            None, "same-origin", "none",
        }  # fmt: skip
        if site not in allowed:
            raise RequestError("page.origin", "the request comes from another page")

    # As whom?

    async def _let_in(self, request: Request) -> Response:
        if not request.path.startswith("/v1/"):
            return self._file(request)
        if request.path == SESSION_PATH:
            match request.method:
                case "POST":
                    return await self._sign_in(request)
                case "GET":
                    return self._told(self._session(request))
                case "DELETE":
                    return self._sign_out(request)
        held, actor = self._who(request)
        if request.path == "/v1/events" and self._streams >= STREAMS:
            raise RequestError("events.too_many", "too many event streams are open")
        response = await self._api.answer_as(request, held, actor)
        if response.status == 403 and not held:
            raise RequestError("session.none", "this needs somebody who is signed in")
        if not isinstance(response.body, bytes):
            session = self._session(request)
            return replace(response, body=self._streamed(response.body, session))
        return response

    def _who(self, request: Request) -> tuple[frozenset[Role], str]:
        where = f"page:{request.remote or self.rules.listener}"
        bearer = request.headers.get("authorization")
        if bearer is not None:
            kind, _, told = bearer.partition(" ")
            if kind.lower() != "bearer" or not self.rules.token.is_it(told.strip()):
                self._wrong_token(where)
                raise RequestError("session.code", "the token is not the one of this terminal")
            return self.rules.token_roles, f"{where}#token"
        session = self._session(request)
        if session is not None:
            if request.method != "GET" and not {"origin", "sec-fetch-site"} & set(request.headers):
                # Whoever has the cookie but is no browser has it from one.
                raise RequestError("page.origin", "the request does not say which page it is from")
            return PERSON, f"{where}#{session.number}"
        if self._secret(request) and not self.rules.open_roles:
            raise RequestError("session.stale", "the session is over")
        return self.rules.open_roles, where

    def _session(self, request: Request) -> Held | None:
        secret = self._secret(request)
        return self.rules.sessions.find(secret, self._now_ms()) if secret else None

    def _secret(self, request: Request) -> str:
        """Ours of the cookies; one given twice is not believed, whichever came first."""
        cookies = request.headers.get("cookie", "").replace(",", ";").split(";")
        pairs = (one.strip().partition("=") for one in cookies)
        told = [value for name, _, value in pairs if name == self._cookie]
        return told[0] if len(told) == 1 else ""

    # In and out.

    async def _sign_in(self, request: Request) -> Response:
        _json_only(request)
        given = arguments_of(BY_NAME["sign_in"], {}, request.query, request.body)
        assert isinstance(given, SignInArgs)
        now_ms, rules = self._now_ms(), self.rules
        where = f"page:{request.remote or rules.listener}"
        way = "token" if rules.token.is_it(given.code) else ""
        # The token is 256 random bits: strangers who guess must not lock out whoever has it.
        if not way and (wait_s := self._patience.wait_s(now_ms)):
            self._patience.turned_away += 1
            raise LockedError(wait_s)
        if not way:
            counted = rules.code.counts(now_ms)
            if not rules.code.use(given.code, now_ms):
                self._wrong(where, now_ms)
                if not counted:
                    raise RequestError("session.no_code", "no code counts at the moment")
                raise RequestError("session.code", "the code is not the one that was given out")
            way = "code"
        self._patience.right()
        before = self._secret(request)
        if before:
            rules.sessions.end(before)
        secret, session = rules.sessions.begin(now_ms)
        self._note(Deed(actor=f"{where}#{session.number}", op="sign_in", target=way))
        log.info(
            "event=signed_in listener=%s session=%d by=%s", rules.listener, session.number, way
        )
        return self._told(
            session, cookie=self._set(secret, rules.sessions.left_s(session, now_ms)[0])
        )

    def _wrong(self, where: str, now_ms: int) -> None:
        self._patience.wrong(now_ms)
        away, self._patience.turned_away = self._patience.turned_away, 0
        self._note(
            Deed(actor=where, op="sign_in", target="code", outcome="session.code", count=1 + away)
        )
        log.warning("event=sign_in_failed listener=%s", self.rules.listener)
        if self.rules.code.spent:
            self._spent()

    def _wrong_token(self, where: str) -> None:
        """The first try and then one line a minute: tries must not fill the trail."""
        now_ms = self._now_ms()
        self._wrong_tokens += 1
        if now_ms < self._tell_tokens_ms:
            return
        self._tell_tokens_ms = now_ms + 60_000
        count, self._wrong_tokens = self._wrong_tokens, 0
        self._note(
            Deed(actor=where, op="sign_in", target="token", outcome="session.code", count=count)
        )

    def _sign_out(self, request: Request) -> Response:
        secret, session = self._secret(request), self._session(request)
        if session is not None:
            where = f"page:{request.remote or self.rules.listener}#{session.number}"
            self._note(Deed(actor=where, op="sign_out"))
        if secret:
            self.rules.sessions.end(secret)
        return self._told(None, cookie=self._set("", 0))

    def _told(self, session: Held | None, cookie: str = "") -> Response:
        now_ms, rules = self._now_ms(), self.rules
        left = (0, 0) if session is None else rules.sessions.left_s(session, now_ms)
        told = SessionOut(
            signed_in=session is not None,
            listener=rules.listener,
            roles=sorted(rules.open_roles if session is None else PERSON),
            expires_in_s=left[0],
            idle_in_s=left[1],
            closes_in_s=self._closes_in_s(),
        )
        headers = {"content-type": JSON, "cache-control": "no-store"}
        return Response(
            status=200,
            headers=headers | ({"set-cookie": cookie} if cookie else {}),
            body=encode(told),
        )

    def _set(self, secret: str, for_s: int) -> str:
        secure = "; Secure" if self.rules.secure else ""
        return (
            f"{self._cookie}={secret}; Path=/; Max-Age={for_s}; HttpOnly; SameSite=Strict{secure}"
        )

    # What is answered.

    def _file(self, request: Request) -> Response:
        if request.method != "GET":
            raise RequestError("route.method", "files can only be read")
        response = static.found(request)
        if response is None:
            raise RequestError("route.unknown", "there is nothing at this address")
        return response

    async def _streamed(
        self, pieces: AsyncIterator[bytes], session: Held | None
    ) -> AsyncIterator[bytes]:
        """As long as whoever asked for it is signed in."""
        self._streams += 1
        try:
            async for piece in pieces:
                if session is not None and not self.rules.sessions.alive(session, self._now_ms()):
                    yield b'event: session\ndata: {"signed_in":false}\n\n'
                    return
                yield piece
        finally:
            self._streams -= 1
            aclose: Callable[[], Awaitable[None]] | None = getattr(pieces, "aclose", None)
            if aclose is not None:
                await aclose()

    def _note(self, deed: Deed) -> None:
        """Into the trail, in a task of its own: nobody waits at the door for the flash."""
        writing = asyncio.create_task(self._write(deed), name="audit-page")
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def _write(self, deed: Deed) -> None:
        try:
            await self._trail.write(deed)
        except StoreError as error:
            log.warning("event=sign_in_not_written code=%s", error.code)


class LockedError(RequestError):
    """Too many wrong codes."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("session.locked", f"too many wrong codes: {wait_s} s to wait")
        self.wait_s = wait_s


def _json_only(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise RequestError("request.media_type", "the body is not application/json")


def _refused(error: AgentError, request: Request) -> Response:
    document = problem.problem(error)
    log.debug("event=page_refused code=%s status=%d", document.code, document.status)
    headers: dict[str, str] = {"content-type": problem.MEDIA_TYPE}
    if isinstance(error, LockedError):
        headers["retry-after"] = str(error.wait_s)
    if document.status == 401:
        headers["www-authenticate"] = 'Bearer realm="posagent"'
    body = problem.encode(_spoken(document, request.headers))
    return Response(status=document.status, headers=headers, body=body)


def _spoken(document: problem.Problem, headers: Mapping[str, str]) -> problem.Problem:
    """In Chinese for a browser that reads Chinese first."""
    if not headers.get("accept-language", "").lower().startswith("zh"):
        return document
    if said := IN_CHINESE.get(document.code):
        return problem.reworded(document, *said)
    from agent.wire import problem_chinese as chinese

    row = problem.CODES.get(document.code)
    title = chinese.CHINESE[document.code][0] if row else document.title
    hint = document.hint or ""
    hint = chinese.advice(document.code, hint, row.hint if row else "")
    return problem.reworded(document, title, chinese.detail(document.detail), hint)
