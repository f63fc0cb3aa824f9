"""Runs a hook whose stdout is a bank's list: `list.NAME` of the hooks' directory.

Decides only whether there is a list: exit code 0 within the deadline and the size. What the bytes
are worth is for whoever reads lists. The request on its stdin names the profile and the day, and
holds no secret: the hook keeps its own.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from agent import __version__
from agent.blocking import Blocking
from agent.hooks import child
from agent.hooks.child import Launch
from agent.hooks.findings import trouble
from agent.hooks.pull import shown

PREFIX = "list."


async def listed(
    directory: Path,
    name: str,
    *,
    profile: str,
    day: str,
    deadline_s: float,
    most_bytes: int,
    blocking: Blocking,
) -> bytes:
    """What it printed; empty: it has no list of that day. Raises HookError."""
    hook = f"{PREFIX}{name}"
    request = {
        "contract": 1,
        "hook": hook,
        "agent_version": __version__,
        "deadline_ms": round(deadline_s * 1000),
        "profile": profile,
        "date": day,
    }
    running = await child.start(Launch(directory=directory, name=hook), blocking)
    output = bytearray()
    try:
        running.feed(json.dumps(request).encode() + b"\n")
        async with asyncio.timeout(deadline_s):
            while some := await running.read():
                output += some
                if len(output) > most_bytes:
                    raise trouble("too_much", hook=hook, limit=most_bytes)
            code = await running.ended()
    except TimeoutError:
        raise trouble("hangs", hook=hook, deadline_s=deadline_s, printed=len(output)) from None
    finally:
        # Also when it is given up: nothing it started is left.
        await asyncio.shield(running.end(blocking))
    said = f": {shown(running.complaint)[:120]}" if running.complaint else ""
    if code < 0:
        raise trouble("signal", hook=hook, signal=-code, complaint=said)
    if code > 0:
        raise trouble("exit", hook=hook, code=code, complaint=said)
    return bytes(output)
