"""The local API on its unix socket: routes, roles, answers.

Every route is a row of `agent.wire.api.OPERATIONS`; submitting and the event stream are done here,
the rest is handed to the action of the same name. 201 and 200 for a payment are only said after
the store's commit. A crash here ends the daemon: without it no payment can be handed over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent import inherited
from agent.config import Api, Config
from agent.core.fleet.inventory import ItemChange
from agent.core.health.tracker import Change
from agent.core.money.journal import IllegalMoveError, Record
from agent.core.money.transaction import Submission
from agent.errors import AgentError, StoreError
from agent.http.message import Limits, Peer, Request, Response
from agent.http.server import Server
from agent.local.events import Hub
from agent.local.roles import Roles
from agent.local.routes import Routes, WrongMethodError
from agent.wire import problem
from agent.wire.api import (
    JSON,
    MAX_BODY_BYTES,
    Message,
    Nothing,
    Operation,
    Role,
    arguments_of,
    encode,
)
from agent.wire.problem import RequestError
from agent.wire.submit import decode_submission
from agent.wire.views import BacklogOut, transaction_out

if TYPE_CHECKING:
    from agent.core.drill.report import Drill
    from agent.core.inspection.report import Report
    from agent.core.software.standing import VersionChanged

log = logging.getLogger(__name__)

#: Runs the action of a name with checked arguments on behalf of an actor.
Do = Callable[[str, Message, str], Awaitable[Message]]
#: By uplink, what holds a payment against what that host can take. Raises RequestError.
Checks = Mapping[str, Callable[[Submission], None]]
SOCKET = "api.sock"
#: Listeners are told the backlog at most this often.
BACKLOG_EVERY_S = 1.0
STOP_S = 1.0


class Appended(Protocol):
    """What the journal answers to a payment."""

    @property
    def record(self) -> Record: ...
    @property
    def created(self) -> bool: ...


class Intake(Protocol):
    """The store's side of a hand-over, and its word of every change."""

    async def append(self, submission: Submission) -> Appended: ...
    async def record(self, key: str) -> Record | None: ...
    def on_change(self, sink: Callable[[Record], None]) -> None: ...


class HealthFeed(Protocol):
    """The tracker's word of every change."""

    def subscribe(self, sink: Callable[[Sequence[Change]], None]) -> None: ...


class DeviceFeed(Protocol):
    """The inventory's word of every change."""

    def subscribe(self, sink: Callable[[Sequence[ItemChange]], None]) -> None: ...


class SoftwareFeed(Protocol):
    """The software watcher's word of every version that changed."""

    def subscribe(self, sink: Callable[[Sequence[VersionChanged]], None]) -> None: ...


class InspectionFeed(Protocol):
    """The inspector's word of every check that ends."""

    def subscribe(self, sink: Callable[[Report], None]) -> None: ...


class DrillFeed(Protocol):
    """The word of every step of a drill that ends."""

    def subscribe(self, sink: Callable[[Drill], None]) -> None: ...


class LocalApi:
    """The part: a server, its routes and its event stream."""

    name = "local"
    fatal = True

    def __init__(
        self,
        config: Config,
        *,
        journal: Intake,
        do: Do,
        roles: Roles,
        hub: Hub,
        checks: Checks | None = None,
        pause_s: float = BACKLOG_EVERY_S,
        called: Callable[[str], None] = lambda operation: None,
        denied: Callable[[str, str], None] = lambda operation, actor: None,
    ) -> None:
        self.path = Path(config.agent.run_dir) / SOCKET
        self._config = config
        self._uplinks = tuple(uplink.name for uplink in config.uplink)
        self._journal = journal
        self._do = do
        self._roles = roles
        self._hub = hub
        self._checks = checks or {}
        self._called = called
        self._denied = denied
        self._routes = Routes()
        self._pause_s = pause_s
        self._refused: set[str] = set()
        self.listening = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        server = Server(self.answer, _limits(self._config.api), slot_class=self._slot_class)
        # Peers are known by the kernel and checked on every request; the file's mode only keeps
        # out whom no role is given to.
        handed = inherited.listening()
        if handed is None:
            await server.start_unix(self.path, 0o666 if self._roles.open else 0o660)
        else:
            await server.start_handed(handed, self.path)
        log.info("event=api_listening path=%s", self.path)
        self.listening.set()
        try:
            await self._tell_backlog(stop)
        finally:
            self.listening.clear()
            await server.close(STOP_S)

    def beat(self, now_ms: int) -> str:
        """Everything here runs on the loop itself: alive while that is."""
        del now_ms
        return ""

    async def answer(self, request: Request) -> Response:
        """One request, one answer; every refusal is a problem document."""
        return await self.answer_as(request, self._roles.of(request.peer), _actor(request.peer))

    async def answer_as(self, request: Request, held: frozenset[Role], actor: str) -> Response:
        """The same for somebody whose roles another door has found out."""
        submitting = False
        try:
            operation, in_path = self._routes.find(request.method, request.path)
            submitting = operation.name == "submit"
            self._allow(operation, held, actor)
            self._called(operation.name)
            if request.body and not _is_json(request.headers.get("content-type", "")):
                raise RequestError("request.media_type", "the body is not application/json")
            match operation.name:
                case "submit":
                    return await self._submit(request)
                case "events":
                    return self._events()
                case "openapi":
                    return _openapi()
            arguments = arguments_of(operation, in_path, request.query, request.body)
            result = await self._do(operation.name, arguments, actor)
            return _json(200, result)
        except IllegalMoveError as error:
            changed = RequestError("record.changed", f"the payment cannot do that now: {error}")
            return self._refuse(changed, submitting)
        except AgentError as error:
            return self._refuse(error, submitting)

    async def _submit(self, request: Request) -> Response:
        if not request.body:
            raise RequestError("request.not_json", "the request has no body")
        submission = decode_submission(request.body, self._uplinks)
        check = self._checks.get(submission.transaction.uplink)
        if check is not None:
            try:
                check(submission)
            except RequestError:
                # What is recorded stays recorded, also when the profile has changed since.
                if await self._journal.record(submission.transaction.key) is None:
                    raise
        appended = await self._journal.append(submission)
        if not appended.created:
            log.debug("event=submit_repeated key=%s", appended.record.key)
        return _json(201 if appended.created else 200, transaction_out(appended.record))

    def _events(self) -> Response:
        if self._hub.full:
            raise RequestError("events.too_many", "too many event streams are open")
        headers = {"content-type": "text/event-stream", "cache-control": "no-store"}
        return Response(status=200, headers=headers, body=self._hub.stream())

    def _allow(self, operation: Operation, held: frozenset[Role], actor: str) -> None:
        if held.isdisjoint(operation.roles):
            if operation.audited:
                self._denied(operation.name, actor)
            needed = " or ".join(operation.roles)
            has = ", ".join(sorted(held)) or "none"
            raise RequestError(
                "role.missing", f"{operation.name} needs the role {needed}; you have: {has}"
            )

    def _refuse(self, error: AgentError, submitting: bool) -> Response:
        document = problem.problem(error, submitting=submitting)
        first = document.code not in self._refused
        self._refused.add(document.code)
        # The code and the field's name; never the detail, which a later error might fill freely.
        log.log(
            logging.WARNING if first and document.code not in _ORDINARY else logging.DEBUG,
            "event=request_refused code=%s status=%d field=%r",
            document.code,
            document.status,
            document.field or "",
        )
        headers = {"content-type": problem.MEDIA_TYPE}
        if document.status == 503:
            headers["retry-after"] = "1"
        if isinstance(error, WrongMethodError):
            headers["allow"] = error.allowed
        return Response(status=document.status, headers=headers, body=problem.encode(document))

    def _slot_class(self, peer: Peer | None) -> str:
        return "submit" if Role.SUBMIT in self._roles.of(peer) else ""

    async def _tell_backlog(self, stop: asyncio.Event) -> None:
        """Until stop: after a change, tell listeners the backlog, but not for every payment."""
        while not stop.is_set():
            await _either(stop, self._hub.stale)
            if stop.is_set():
                return
            try:
                async with asyncio.timeout(self._pause_s):
                    await stop.wait()
            except TimeoutError:
                self._hub.stale.clear()
            else:
                return
            try:
                backlog = await self._do("backlog", Nothing(), "agent")
            except StoreError as error:
                log.debug("event=backlog_not_told code=%s", error.code)
                continue
            if isinstance(backlog, BacklogOut):
                self._hub.backlog(backlog)


#: Refusals that are part of normal life.
_ORDINARY = frozenset({"transaction.unknown", "route.unknown", "record.changed"})


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    """Returns when one of two events is set."""
    waits = [asyncio.create_task(event.wait()) for event in (first, second)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _actor(peer: Peer | None) -> str:
    return "unknown" if peer is None else f"uid:{peer.uid}"


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    return media_type.strip().lower() == JSON and charset in ("", "utf-8", "utf8")


def _json(status: int, document: Message) -> Response:
    headers = {"content-type": JSON, "cache-control": "no-store"}
    return Response(status=status, headers=headers, body=encode(document))


def _openapi() -> Response:
    # Loaded when asked for, and not kept: a developer looks once.
    from agent.wire.contracts import openapi

    return Response(status=200, headers={"content-type": JSON}, body=openapi())


def _limits(config: Api) -> Limits:
    return Limits(
        max_connections=config.max_connections,
        reserved_for_submit=config.reserved_for_submit,
        body_bytes=MAX_BODY_BYTES,
        head_timeout_s=config.head_timeout_s,
        body_timeout_s=config.body_timeout_s,
        handler_timeout_s=config.handler_timeout_s,
        idle_timeout_s=config.idle_timeout_s,
    )


def build(
    config: Config,
    *,
    journal: Intake,
    do: Do,
    health: HealthFeed,
    checks: Checks | None = None,
    devices: DeviceFeed | None = None,
    inspections: InspectionFeed | None = None,
    drills: DrillFeed | None = None,
    software: SoftwareFeed | None = None,
    called: Callable[[str], None] = lambda operation: None,
    denied: Callable[[str, str], None] = lambda operation, actor: None,
) -> LocalApi:
    """The part; `called` hears the name of each operation somebody was allowed to ask for, `denied`
    of each audited one somebody was not, and who that was.

    Raises OperatorError when [api] names somebody this terminal does not know.
    """
    hub = Hub()
    journal.on_change(hub.record)
    health.subscribe(hub.health)
    if devices is not None:
        devices.subscribe(hub.devices)
    if inspections is not None:
        inspections.subscribe(hub.inspection)
    if drills is not None:
        drills.subscribe(hub.drill)
    if software is not None:
        software.subscribe(hub.software)
    roles = Roles(config.api)
    return LocalApi(
        config, journal=journal, do=do, roles=roles, hub=hub, checks=checks, called=called,
        denied=denied,
    )  # fmt: skip


__all__ = ["Do", "HealthFeed", "Intake", "LocalApi", "build"]
