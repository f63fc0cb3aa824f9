"""Check what is stored, with a daemon in portions, on a dead one's store all at once."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.wire.keeping import FoundOut, VerifiedOut, VerifyArgs


async def run(ports: Ports, args: VerifyArgs) -> VerifiedOut:
    done = await ports.verifying().verify(args.after)
    return VerifiedOut(
        after=done.after,
        permille=done.permille,
        checked=dict(done.checked),
        found=dict(done.found),
        findings=[
            FoundOut(what=one.what, key=one.key, number=one.seq, detail=one.detail)
            for one in done.findings
        ],
        structure=done.structure,
    )
