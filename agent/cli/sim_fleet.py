"""`posagent sim fleet`: the simulated fleet, and a live line of what it does."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from agent.cli.session import Session

if TYPE_CHECKING:
    from agent.sim.fleet import Figures, FleetOptions

#: Where nobody watches, a line as often as this.
LOG_EVERY_S = 10.0


def options(args: Any) -> FleetOptions:
    """What was asked for."""
    from agent.sim.fleet import FleetOptions
    from agent.sim.fleet_story import Troubles

    period_s = max(1.0, args.period)
    settings: dict[str, Any] = {
        "health_period_s": period_s,
        "full_period_s": period_s * 16,
        "backlog_period_s": period_s,
    }
    if args.spread is not None:
        settings["spread_s"] = args.spread
    return FleetOptions(
        count=args.count,
        broker=args.broker,
        tenant=args.tenant,
        prefix=args.prefix,
        seed=args.seed,
        certs=args.certs,
        ramp_s=args.ramp,
        report=args.report,
        troubles=Troubles(
            offline=args.offline,
            hosts_down=args.hosts_down,
            alarms=args.alarms,
            sales_per_hour=args.sales,
        ),
        settings=settings,
    )


async def run(session: Session, stop: asyncio.Event) -> None:
    """Until `stop`."""
    from agent.sim import fleet

    live = sys.stdout.isatty()
    asked = options(session.args)
    age_s = 0.0

    def tell(now: Figures, before: Figures, seconds: float) -> None:
        nonlocal age_s
        age_s += seconds
        line = session.words(
            "sim.fleet.line",
            age=round(age_s),
            connected=now.connected,
            terminals=asked.count,
            offline=now.offline,
            messages=round((now.acked - before.acked) / seconds),
            connects=round((now.reached - before.reached) / seconds),
            queued=now.queued,
            payments=now.payments,
            waiting=now.waiting,
        )
        if live:
            sys.stdout.write(f"\r{line}\x1b[K")
            sys.stdout.flush()
        else:
            session.screen.line(line)

    try:
        await fleet.serve(asked, stop, tell, 1.0 if live else LOG_EVERY_S)
    finally:
        if live:
            sys.stdout.write("\n")
