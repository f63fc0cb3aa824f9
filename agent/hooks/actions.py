"""Asks posagent-actions for something the agent has no right to do itself.

Decides only what the answer is when there is none: a service that is not there has changed nothing;
one that was asked and did not answer may have. Never raises for what the service or its hooks do.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agent import __version__
from agent.wire.hook_table import ContractError, answer_from, hook_named, request_bytes
from agent.wire.hooks import ActionDone, ActionFailed, ActionRefused

SOCKET = Path("/run/posagent-actions/actions.sock")
CONNECT_S = 5.0
#: Beside the action's own deadline: records, and starting the service.
MARGIN_S = 30.0
ANSWER_MAX_BYTES = 65_536
#: How the reason begins where the service was asked and nobody knows what it did.
NO_ANSWER = "posagent-actions gave no answer"


async def act(
    name: str, *, deadline_s: float, socket: Path = SOCKET, **fields: object
) -> ActionDone | ActionRefused | ActionFailed:
    """Have the action `name` done."""
    hook = hook_named(name)
    if hook is None or not hook.action:
        raise ValueError(f"{name} is not an action of the contract")
    request = hook.request(
        contract=1,
        agent_version=__version__,
        deadline_ms=round(deadline_s * 1000),
        hook=name,
        **fields,
    )
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=ANSWER_MAX_BYTES)
    except (OSError, TimeoutError) as error:
        said = getattr(error, "strerror", None) or "no answer"
        reason = f"posagent-actions cannot be reached at {socket}: {said}"
        return ActionRefused(contract=1, reason=reason[:300])
    try:
        writer.write(request_bytes(request))
        async with asyncio.timeout(deadline_s + MARGIN_S):
            line = await reader.readline()
        answer: Any = answer_from(hook, line)
    except (OSError, TimeoutError, ValueError, ContractError) as error:
        reason = f"{NO_ANSWER} to {name}: {str(error) or 'too late'}"
        return ActionFailed(contract=1, reason=reason[:300], changed=True)
    finally:
        writer.close()
    said_so: ActionDone | ActionRefused | ActionFailed = answer
    return said_so


async def select_channel(name: str, deadline_s: float, socket: Path = SOCKET) -> str:
    """Have the firmware use this channel; "" when it does, else why not."""
    answer = await act("network.select", deadline_s=deadline_s, socket=socket, channel=name)
    return "" if isinstance(answer, ActionDone) else answer.reason
