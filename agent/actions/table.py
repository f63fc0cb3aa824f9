"""What each operation of the API table does: the one place that binds names to actions.

Called by main (for the local API and, later, fleet commands) and by the command line, which run
the same actions over different ports.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.actions.ports import Ports
from agent.core.audit import Deed
from agent.core.money.journal import IllegalMoveError
from agent.errors import AgentError
from agent.wire.api import BY_NAME, Message

if TYPE_CHECKING:
    from agent.actions.ports.audit import Trail

#: The arguments are those of the operation with the same name; the API table checks them.
Run = Callable[[Ports, Any], Awaitable[Message]]

#: File and function, imported when first asked for: most are for a person who comes once a month,
#: and all of them together are half a megabyte of the daemon.
ACTIONS: Mapping[str, str] = {
    "status": "status.run",
    "backlog": "backlog.run",
    "check": "check.run",
    "health": "health.run",
    "inventory": "inventory.run",
    "software": "software.show",
    "update_begin": "software.begin",
    "update_end": "software.end",
    "why": "why.terminal",
    "why_transaction": "why.one",
    "why_question": "why.question",
    "queue_list": "queue.listed.run",
    "queue_show": "queue.show.run",
    "queue_retry": "queue.retry.run",
    "queue_hold": "queue.hold.run",
    "queue_release": "queue.release.run",
    "queue_abandon": "queue.abandon.run",
    "void": "void.run",
    "stages": "stages.show",
    "stages_report": "stages.report",
    "resolve": "resolve.run",
    "app_state": "stages.app_state",
    "app_alive": "stages.app_alive",
    "readings": "readings.run",
    "device_bytes": "readings.device_bytes",
    "reverse": "reverse.run",
    "replace": "replace.run",
    "acknowledge": "acknowledge.run",
    "verify": "verify.run",
    "salvage": "salvage.run",
    "inspect": "inspect.begin",
    "inspection": "inspect.show",
    "inspections": "inspect.listed",
    "inspection_slip": "inspect.slip",
    "drill": "drill.begin",
    "drills": "drill.listed",
    "drill_show": "drill.show",
    "stats": "stats.run",
    "key_show": "keys.show",
    "key_rotate": "keys.rotate",
    "backup": "backup.begin",
    "backup_piece": "backup.piece",
    "audit": "audit.run",
    "alarm_acknowledge": "alarm_acknowledge.run",
    "health_history": "health_history.run",
    "page": "page.show",
    "diagnose": "page.diagnose",
    "page_code": "page.code",
    "page_open": "page.opened",
    "page_close": "page.close",
    "sign_in": "page.session",
    "signed_in": "page.session",
    "sign_out": "page.session",
    "alarm_release": "alarm_acknowledge.release",
    "bundle": "bundle.begin",
    "bundle_piece": "bundle.piece",
    "reconcile_begin": "reconcile.begin",
    "reconcile_piece": "reconcile.piece",
    "reconcile_end": "reconcile.end",
    "reconcile_pull": "reconcile.pull",
    "reconciliations": "reconcile.listed",
    "reconciliation": "reconcile.show",
    "causes": "causes.run",
    "slips": "slips.kinds",
    "slip_show": "slips.show",
    "slip_print": "slip_print.run",
    "guard": "guard.show",
    "guard_force": "guard.force",
}


def action(name: str) -> Run:
    """What carries out the operation of this name."""
    file, _, function = ACTIONS[name].rpartition(".")
    run: Run = getattr(importlib.import_module(f"agent.actions.{file}"), function)
    return run


class Desk:
    """Runs actions over one set of ports; what is audited leaves a line, however it ends."""

    def __init__(self, ports: Ports, trail: Trail | None = None) -> None:
        self._ports = ports
        self._trail = trail
        self._writing: set[asyncio.Task[None]] = set()

    async def do(self, name: str, arguments: Message, actor: str) -> Message:
        """Run the action `name` on behalf of `actor`."""
        run = action(name)(replace(self._ports, actor=actor), arguments)
        if self._trail is None or not BY_NAME[name].audited:
            return await run
        outcome = "interrupted"  # unless it comes to an end before whoever asked gives up
        try:
            result = await run
            outcome = "ok"
        except AgentError as error:
            outcome = error.code
            raise
        except IllegalMoveError:
            outcome = "record.changed"
            raise
        finally:
            # In a task of its own: who gives up waiting does not keep it from being written.
            deed = Deed(actor=actor, op=name, target=_target(arguments), outcome=outcome)
            writing = asyncio.create_task(self._trail.write(deed), name="audit")
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)
            if outcome != "interrupted":
                await asyncio.shield(writing)
        return result


#: Which argument says what an operation is about; never what is in a payment.
_TARGETS = ("key", "cause", "code", "uplink", "component", "update", "file", "forced")


def _target(arguments: Message) -> str:
    told = (getattr(arguments, name, None) for name in _TARGETS)
    return next((one for one in told if isinstance(one, str) and one), "")
