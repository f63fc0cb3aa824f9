"""Who did what on this terminal, and whether the trail of it is whole."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.core.audit import Fault
from agent.core.moment import at_ms
from agent.wire.audit import AuditArgs, AuditCheckOut, AuditFaultOut, AuditLineOut, AuditOut

_NEWEST = 1 << 62


async def run(ports: Ports, args: AuditArgs) -> AuditOut:
    """Works on a dead daemon's store too."""
    trail = ports.trail
    if trail is None:
        return AuditOut(lines=[], next_before=None, check=None)
    lines = await trail.page(args.since_ms, args.before or _NEWEST, args.limit + 1)
    more = len(lines) > args.limit
    shown = lines[: args.limit]
    check = None
    if args.verify:
        found = await trail.check()
        check = AuditCheckOut(
            lines=found.lines,
            first=found.first,
            last=found.last,
            faults=[_fault(one) for one in found.faults],
        )
    return AuditOut(
        lines=[
            AuditLineOut(
                number=line.n,
                at=at_ms(line.at_ms),
                actor=line.deed.actor,
                op=line.deed.op,
                target=line.deed.target,
                outcome=line.deed.outcome,
                count=line.deed.count,
                before=line.before.hex(),
                hash=line.hash.hex(),
            )
            for line in shown
        ],
        next_before=shown[-1].n if more else None,
        check=check,
    )


def _fault(one: Fault) -> AuditFaultOut:
    what = one.what if one.what != "seal" else "seal_head" if one.n else "seal_start"
    return AuditFaultOut(what=what, number=one.n, until=max(one.n, one.until))
