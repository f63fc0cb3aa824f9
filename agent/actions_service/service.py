"""Takes one request per connection, from one peer, for one of seven verbs; does it; answers.

Decides who may ask (the kernel's word of the peer) and whether the request is in the contract.
Everything else is refused and recorded. One action at a time; an action that was begun is finished
whether or not anybody still waits for its answer. It refuses to know what an action does: that is
the vendor's hook, run by the same runner as the agent's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.actions_service.audit import Audit, AuditError
from agent.blocking import Blocking
from agent.clock import SystemClock
from agent.config.hooks import Hooks
from agent.hooks.findings import Finding, HookError
from agent.hooks.pull import Puller
from agent.wire.hook_table import (
    ContractError,
    Hook,
    hook_in,
    plain,
    request_bytes,
    request_from,
    within,
)
from agent.wire.hooks import ActionFailed, ActionRefused

log = logging.getLogger(__name__)

REQUEST_MAX_BYTES = 65_536
REQUEST_WITHIN_S = 5.0
#: From 3.13 on a server removes its socket's file when it closes; it is systemd's, which starts us
#: again by it.
_FILE_STAYS: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
#: With systemd to start it again: gone after so long without a request.
IDLE_S = 60.0
CONNECTIONS_MAX = 8
#: Of those who may not ask: so many at a time, and so many in the record within the time below.
#: Whoever shares the socket's group could otherwise wear out the flash and turn the record over.
STRANGERS_MAX = 2
REFUSALS_MAX = 20
#: Of those who may ask and ask for what there is not.
OWN_REFUSALS_MAX = 200
REFUSALS_WITHIN_S = 600.0
#: How long a verb may take, whatever the request allows.
DEADLINE_S = {"print": 60.0, "network.select": 60.0, "app.restart": 60.0}
UPDATE_DEADLINE_S = 600.0
ANSWER_MAX_BYTES = 65_536
AUDIT_WITHIN_S = 10.0
#: Findings from before the hook ran: nothing was changed.
_NOT_BEGUN = frozenset(
    {"no_directory", "place_writable", "place_owner", "missing", "link_outside", "not_a_file",
     "writable", "owner", "not_executable", "not_started", "start_hangs"}
)  # fmt: skip
#: Of a request, in the record; never what is printed.
_RECORDED = ("channel", "app", "update", "package", "version", "sha256")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks, by the kernel's word."""

    pid: int
    uid: int


class Refusals:
    """How many refusals are recorded; the rest is counted and stands in the next one's record."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._since_s = -REFUSALS_WITHIN_S
        self._recorded = self._unrecorded = 0

    def recorded(self, now_s: float) -> int | None:
        """None: not this one; otherwise how many were left out since the last."""
        if now_s - self._since_s >= REFUSALS_WITHIN_S:
            self._since_s, self._recorded = now_s, 0
        if self._recorded >= self._most:
            self._unrecorded += 1
            return None
        self._recorded += 1
        left_out, self._unrecorded = self._unrecorded, 0
        return left_out


class Service:
    """The requests and what becomes of them."""

    def __init__(
        self, *, directory: Path, audit: Audit, blocking: Blocking, peers: frozenset[int]
    ) -> None:
        self._directory = directory
        self._audit = audit
        self._blocking = blocking
        self._peers = peers
        self._clock = SystemClock()
        self._busy = ""  #: the verb that is under way
        self._recording = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_s = time.monotonic()
        self._asking = {False: 0, True: 0}  #: connections, by strangers
        self._refusals = Refusals(REFUSALS_MAX)
        self._own_refusals = Refusals(OWN_REFUSALS_MAX)

    async def serve(
        self, listening: socket.socket, stop: asyncio.Event, idle_s: float | None
    ) -> None:
        """Answer until `stop`, or until idle; an action under way is finished first."""
        server = await asyncio.start_unix_server(
            self._connected, sock=listening, limit=REQUEST_MAX_BYTES, **_FILE_STAYS
        )
        async with server:
            while not stop.is_set():
                left_s = None if idle_s is None else self._last_s + idle_s - time.monotonic()
                if left_s is not None and left_s <= 0 and not self._tasks:
                    log.info("event=actions_idle")
                    break
                try:
                    async with asyncio.timeout(None if left_s is None else max(0.1, left_s)):
                        await stop.wait()
                except TimeoutError:
                    continue
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=UPDATE_DEADLINE_S)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._last_s = time.monotonic()
        try:
            peer = _peer(writer.get_extra_info("socket"))
        except OSError:  # gone already
            writer.close()
            return
        # In a task of its own: whoever hangs up does not end what was begun.
        task = asyncio.create_task(self._answer(peer, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(
        self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        stranger = peer.uid not in self._peers
        self._asking[stranger] += 1
        try:
            if self._asking[True] > STRANGERS_MAX and stranger:
                return
            if self._asking[False] > CONNECTIONS_MAX and not stranger:
                answer = _plain(ActionRefused(contract=1, reason="too many ask at the same time"))
            else:
                answer = await self._asked(peer, reader)
            writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
            async with asyncio.timeout(REQUEST_WITHIN_S):
                await writer.drain()
        except (OSError, TimeoutError) as error:
            log.info("event=actions_unheard pid=%d reason=%r", peer.pid, str(error))
        finally:
            self._asking[stranger] -= 1
            writer.close()
            self._last_s = time.monotonic()

    async def _asked(self, peer: Peer, reader: asyncio.StreamReader) -> dict[str, Any]:
        if peer.uid not in self._peers:
            return await self._refuse(peer, "", f"uid {peer.uid} may not ask for actions")
        try:
            async with asyncio.timeout(REQUEST_WITHIN_S):
                given = await reader.readuntil(b"\n")
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return await self._refuse(peer, "", "no complete request came")
        try:
            name, hook = hook_in(given)
            if hook is None or not hook.action:
                return await self._refuse(peer, name, "this is not one of the actions there are")
            request = request_from(hook, given)
        except ContractError as error:
            return await self._refuse(peer, "", f"not a request of the contract: {error}")
        if self._busy:
            return await self._refuse(peer, name, f"{self._busy} is still under way")
        self._busy = name
        try:
            return await self._do(peer, hook, request)
        finally:
            self._busy = ""

    async def _do(self, peer: Peer, hook: Hook, request: Any) -> dict[str, Any]:
        told = {key: getattr(request, key) for key in _RECORDED if hasattr(request, key)}
        try:
            await self._record("begun", peer, hook.name, **told)
        except (AuditError, TimeoutError) as error:
            log.error("event=actions_not_recorded hook=%s reason=%r", hook.name, str(error))
            return _plain(ActionRefused(contract=1, reason=f"not recorded, so not done: {error}"))
        started_s = time.monotonic()
        deadline_s = min(request.deadline_ms / 1000, DEADLINE_S.get(hook.name, UPDATE_DEADLINE_S))
        request = within(request, round(deadline_s * 1000))
        settings = Hooks(
            directory=str(self._directory), deadline_s=deadline_s, output_max_bytes=ANSWER_MAX_BYTES
        )
        try:
            puller = Puller(settings, self._clock, self._blocking)
            said = await puller.run(hook, hook.name, request_bytes(request))
            answer = _plain(said.answer)
        except HookError as error:
            answer = _plain(_without(error.finding))
        took_ms = round((time.monotonic() - started_s) * 1000)
        ended = {key: answer[key] for key in ("outcome", "reason") if key in answer}
        try:
            await self._record("ended", peer, hook.name, took_ms=took_ms, **ended)
        except (AuditError, TimeoutError) as error:
            log.error("event=actions_not_recorded hook=%s reason=%r", hook.name, str(error))
        return answer

    async def _refuse(self, peer: Peer, name: str, reason: str) -> dict[str, Any]:
        counted = self._own_refusals if peer.uid in self._peers else self._refusals
        more = counted.recorded(time.monotonic())
        if more is None:
            log.debug("event=action_refused hook=%r uid=%d pid=%d", name, peer.uid, peer.pid)
            return _plain(ActionRefused(contract=1, reason=reason[:300]))
        unrecorded = {"unrecorded": more} if more else {}
        try:
            await self._record("refused", peer, name, reason=reason, **unrecorded)
        except (AuditError, TimeoutError) as error:
            log.error("event=actions_not_recorded hook=%s reason=%r", name, str(error))
        return _plain(ActionRefused(contract=1, reason=reason[:300]))

    async def _record(self, what: str, peer: Peer, hook: str, **more: object) -> None:
        log.info("event=action_%s hook=%r uid=%d pid=%d", what, hook, peer.uid, peer.pid)
        async with self._recording:
            await self._blocking.call(
                "audit",
                lambda: self._audit.write(what, hook=hook, uid=peer.uid, pid=peer.pid, **more),
                AUDIT_WITHIN_S,
            )


def _without(finding: Finding) -> ActionRefused | ActionFailed:
    """What is answered when the hook gave no answer of its own."""
    reason = finding.what()[:300]
    if finding.word in _NOT_BEGUN:
        return ActionRefused(contract=1, reason=reason)
    return ActionFailed(contract=1, reason=reason, changed=True)


def _plain(answer: Any) -> dict[str, Any]:
    return {"contract": 1, **plain(answer)}


def _peer(connected: socket.socket) -> Peer:
    pid, uid, _gid = struct.unpack(
        "3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    return Peer(pid, uid)
