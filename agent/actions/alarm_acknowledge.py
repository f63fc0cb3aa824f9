"""Somebody takes note of an open alarm, hands it over, or takes that back.

It stays as visible as it was, with a name and a few words beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.actions.ports import Ports
from agent.core.health.noting import Wish
from agent.core.moment import to_ms
from agent.errors import OperatorError
from agent.wire.audit import AlarmAcknowledgeArgs, AlarmReleaseArgs
from agent.wire.problem import CODES, RequestError
from agent.wire.views import AlarmOut, alarm_out

if TYPE_CHECKING:
    from agent.core.moment import Moment

#: Whoever is away for longer than this has not taken it over.
LONGEST_MS = 31 * 86_400_000


async def run(ports: Ports, args: AlarmAcknowledgeArgs) -> AlarmOut:
    """Take note of it."""
    until_ms = None if args.until is None else to_ms(args.until)
    if until_ms is not None:
        _soon(until_ms, ports.clock.now())
    return await _noted(ports, args.code, Wish(text=args.note, until_ms=until_ms, to=args.to))


async def release(ports: Ports, args: AlarmReleaseArgs) -> AlarmOut:
    """Take that back: nobody has it in hand."""
    return await _noted(ports, args.code, None)


async def _noted(ports: Ports, code: str, wish: Wish | None) -> AlarmOut:
    if ports.noting is None:
        raise OperatorError(
            "daemon.down",
            "nothing can be changed while the agent is not running",
            CODES["daemon.down"].hint,
        )
    alarm = await ports.noting.acknowledge(code, ports.actor, wish)
    if alarm is None:
        raise RequestError("alarm.not_open", f"there is no open alarm {code}", field="code")
    return alarm_out(alarm)


def _soon(until_ms: int, now: Moment) -> None:
    """Raises RequestError for a time that is over already, or too far away to be meant."""
    if not 0 < until_ms - now.wall_ms <= LONGEST_MS:
        raise RequestError(
            "request.bad_field",
            "until is not within the next 31 days",
            field="until",
            hint="Give a time to come, such as 2026-12-01T08:00:00+08:00.",
        )
