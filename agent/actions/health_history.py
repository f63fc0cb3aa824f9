"""What was wrong before now: the history of conditions, page by page."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.core.moment import to_ms
from agent.errors import StoreError
from agent.wire.history import HealthHistoryArgs, HealthHistoryOut, line_out
from agent.wire.problem import RequestError

#: Larger than any number of a line.
_ALL = 2**62


async def run(ports: Ports, args: HealthHistoryArgs) -> HealthHistoryOut:
    from agent.core.health.standard import STANDARD

    if ports.past is None:
        raise StoreError("store.unavailable", "no history of health is kept here")
    until = args.until or to_ms(ports.clock.now().at)
    if args.since > until:
        raise RequestError("request.bad_field", "since is after until", field="since")
    found = await ports.past.page(args.since, until, args.before or _ALL, args.limit + 1, args.code)
    known = {one.code: one for one in STANDARD}
    lines = []
    for number, line in found[: args.limit]:
        one = known.get(line.code)
        component, severity = (one.component, one.severity) if one else ("", "")
        lines.append(line_out(number, line, component, severity))
    more = len(found) > args.limit
    return HealthHistoryOut(
        lines=lines,
        next_before=lines[-1].number if more else None,
        next_until=to_ms(lines[-1].at) if more else None,
    )
