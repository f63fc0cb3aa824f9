"""Somebody takes note of an open alarm. It stays as visible as it was, with a name beside it."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.errors import OperatorError
from agent.wire.audit import AlarmAcknowledgeArgs
from agent.wire.problem import CODES, RequestError
from agent.wire.views import AlarmOut, alarm_out


async def run(ports: Ports, args: AlarmAcknowledgeArgs) -> AlarmOut:
    if ports.noting is None:
        raise OperatorError(
            "daemon.down",
            "nothing can be changed while the agent is not running",
            CODES["daemon.down"].hint,
        )
    alarm = await ports.noting.acknowledge(args.code, ports.actor)
    if alarm is None:
        raise RequestError("alarm.not_open", f"there is no open alarm {args.code}", field="code")
    return alarm_out(alarm)
