"""Carries commands out: one at a time, each with a deadline, its end on disk before it is told.

The same actions as at the terminal itself, on behalf of `fleet:{key_id}`. What a stop has cut short
is answered so and never begun again. Decides neither whether a command may run (`inbox`) nor what
it does (the actions).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from agent.core.audit import Deed
from agent.core.fleet import ledger
from agent.core.fleet.commands import OPS, Command, Reason, actor
from agent.core.fleet.ledger import Order
from agent.core.money.journal import IllegalMoveError
from agent.errors import AgentError, StoreError
from agent.telemetry.orders.inbox import CommandInbox
from agent.telemetry.orders.ports import Ports
from agent.telemetry.orders.results import fitted, told
from agent.wire.order_arguments import arguments_of
from agent.wire.signed import DocumentError

log = logging.getLogger(__name__)

#: Of one question for how far an inspection has come.
WAIT_S = 10.0
#: How long the store may refuse the end of a command before the next question.
RETRY_S = 5.0


#: What takes a while: the operation that shows how far it is, and the list that grows.
_FOLLOWED: Mapping[str, tuple[str, str]] = {
    "inspect": ("inspection", "checks"),
    "drill": ("drill_show", "steps"),
}


class Orders:
    """The part `orders`: the inbox, and the queue behind it."""

    name = "orders"
    fatal = False

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._queue: deque[tuple[Order, Command]] = deque()
        self._wake = asyncio.Event()
        self._busy_since_ms: int | None = None
        self.inbox = CommandInbox(ports, self._accepted)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Names of the commands this terminal can carry out."""
        return self.inbox.offered

    async def command(self, cmd_id: str, payload: bytes, *, retained: bool) -> None:
        """See `telemetry.ports.Inbox`."""
        await self.inbox.command(cmd_id, payload, retained=retained)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. A command under way then is answered at the next start."""
        await self._left_over()
        working = asyncio.create_task(self._work(), name="orders")
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
            await self.inbox.close()

    def beat(self, now_ms: int) -> str:
        """Every command has a deadline of its own."""
        del now_ms
        return ""

    def _accepted(self, order: Order, command: Command) -> None:
        self._queue.append((order, command))
        self._wake.set()

    async def _left_over(self) -> None:
        await self.inbox.begin()
        async with self.inbox.one:  # else one that is being taken now would seem left over
            unfinished = await self._ports.ledger.unfinished()
            waiting = {order.cmd_id for order, _ in self._queue}
        for order in unfinished:
            if order.cmd_id in waiting:
                continue  # taken since, or before this part was started again
            over = ledger.after_stop(order, self._ports.clock.now().wall_ms)
            await self._end(over)

    async def _work(self) -> None:
        while True:
            while self._queue:
                await self._one(*self._queue.popleft())
            self._wake.clear()
            await self._wake.wait()

    async def _one(self, order: Order, command: Command) -> None:
        begun = ledger.running(order)
        now = self._ports.clock.now()
        if now.trusted and now.wall_ms > command.expires_ts:
            await self._end(ledger.ended(order, "expired", at_ms=now.wall_ms, code="expired"))
            return
        if (reason := self._not_now(order)) is not None:
            await self._end(ledger.ended(order, "rejected", at_ms=now.wall_ms, code=reason))
            return
        await self._stored(begun, None)
        await self.inbox.tell(begun)
        op = OPS[order.op]
        try:
            async with asyncio.timeout(op.deadline_s):
                result = await self._done(begun, command)
        except TimeoutError:
            over = self._failed(begun, "timeout", f"not done within {op.deadline_s:.0f} s")
        except DocumentError as error:
            over = self._failed(begun, "bad_arguments", str(error))
        except IllegalMoveError as error:
            over = self._failed(begun, "record.changed", str(error))
        except AgentError as error:
            over = self._failed(begun, error.code, error.what)
        else:
            at_ms = self._ports.clock.now().wall_ms
            over = ledger.ended(begun, "ok", at_ms=at_ms, result=fitted(result))
        await self._end(over)

    def _not_now(self, order: Order) -> Reason | None:
        """Why what was accepted a while ago is not begun: those before it may have taken long."""
        ports, op = self._ports, OPS[order.op]
        key = ports.keys.known(order.key_id)
        if key is None:
            revoked = ports.keys.revoked(order.key_id)
            return Reason.REVOKED_KEY if revoked else Reason.UNKNOWN_KEY
        if not key.may(op.role):
            return Reason.NOT_ALLOWED
        return Reason.TERMINAL_BUSY if op.disruptive and not ports.idle() else None

    def _failed(self, order: Order, code: str, detail: str) -> Order:
        at_ms = self._ports.clock.now().wall_ms
        return ledger.ended(order, "failed", at_ms=at_ms, code=code, detail=detail)

    async def _done(self, order: Order, command: Command) -> dict[str, object]:
        by, op = actor(order.key_id), OPS[order.op]
        own = self._ports.own.get(op.operation)
        if own is not None:
            return dict(await own(command.args, by))
        name, arguments = arguments_of(op.operation, command.args)
        shown = told(name, await self._ports.do(name, arguments, by))
        # A drill that restarts the agent ends this process: the report is read by another command.
        if name in _FOLLOWED and not command.args.get("restart"):
            return await self._followed(order, by, name, shown)
        return shown

    async def _followed(
        self, order: Order, by: str, name: str, shown: dict[str, object]
    ) -> dict[str, object]:
        """One that has begun, or the one under way: how far it is, and at last what came of it."""
        look, steps = _FOLLOWED[name]
        while shown.get("state") == "running":
            done, all_ = len(_list(shown, steps)), max(1, len(_list(shown, "expected")))
            await self.inbox.tell(order, min(99, 100 * done // all_))
            wanted = {"number": str(shown["number"]), "after": done, "wait_s": WAIT_S}
            shown = told(look, await self._ports.do(*arguments_of(look, wanted), by))
        return shown

    async def _end(self, over: Order) -> None:
        outcome = f"{over.status}:{over.code}" if over.code else over.status
        deed = Deed(
            actor=actor(over.key_id), op=f"command.{over.op}", target=over.target, outcome=outcome
        )
        await self._stored(over, deed)
        log.info(
            "event=command_ended cmd_id=%s op=%s status=%s code=%s",
            over.cmd_id, over.op, over.status, over.code or "-",
        )  # fmt: skip
        await self.inbox.tell(over)

    async def _stored(self, order: Order, deed: Deed | None) -> None:
        """Until it is: what a command did must not be forgotten because the flash is full now."""
        while True:
            try:
                await self._ports.ledger.move(order, deed)
            except StoreError as error:
                log.warning("event=command_not_kept cmd_id=%s code=%s", order.cmd_id, error.code)
                await asyncio.sleep(RETRY_S)
            else:
                return


def _list(shown: dict[str, object], name: str) -> list[object]:
    found = shown.get(name)
    return found if isinstance(found, list) else []
