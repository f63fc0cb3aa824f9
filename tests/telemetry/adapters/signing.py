"""An operator's signed commands for these tests."""

from __future__ import annotations

import json
from typing import Any

from agent.core.fleet.commands import Command
from agent.crypt import public_of, sign
from agent.wire.command import command_bytes, enveloped, to_sign
from tests.telemetry.adapters.rows import TS

SEED = bytes(range(32))
#: Configuration: the key these commands are signed with.
FLEET_KEY = (
    f'[[fleet_key]]\nid = "ops-1"\npublic_key = "{public_of(SEED).hex()}"\n'
    'roles = ["read", "operate"]\n'
)


def signed(
    cmd_id: str,
    *,
    seq: int = 1,
    op: str = "report",
    device_id: str = "T-1",
    now_ms: int = TS,
    **args: Any,
) -> dict[str, Any]:
    """An envelope as an object."""
    payload = command_bytes(
        Command(
            cmd_id=cmd_id,
            tenant="acme",
            device_id=device_id,
            op=op,
            args=args,
            issued_ts=now_ms,
            expires_ts=now_ms + 600_000,
            seq=seq,
        )
    )
    told: dict[str, Any] = json.loads(enveloped("ops-1", sign(SEED, to_sign(payload)), payload))
    return told
