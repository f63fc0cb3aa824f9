"""Everything a person asks first, on one page; says so where a part cannot be read."""

from __future__ import annotations

from agent.actions import backlog
from agent.actions.ports import Ports
from agent.errors import StoreError
from agent.wire.api import Nothing
from agent.wire.inventory import device_out
from agent.wire.views import (
    BacklogOut,
    ChannelOut,
    StatusOut,
    StoreOut,
    TelemetryOut,
    alarm_out,
)


async def run(ports: Ports, args: Nothing) -> StatusOut:
    now = ports.clock.now()
    store: StoreOut | None = None
    unsent: BacklogOut | None = None
    problem = ""
    try:
        facts = await ports.journal.facts()
        store = StoreOut(
            path=facts.path,
            schema=facts.schema,
            born_at=facts.born_at,
            clean_start=facts.clean_start,
            damage=facts.damage,
        )
        unsent = await backlog.run(ports, args)
    except StoreError as error:
        problem = str(error)
    channels = [] if ports.channels is None else ports.channels.channels()
    identity = ports.identity
    return StatusOut(
        at=now.at,
        version=identity.version,
        device_id=identity.device_id,
        tenant=identity.tenant,
        site=identity.site,
        daemon_alive=ports.daemon_alive,
        started_at=identity.started_at,
        clock_trusted=now.trusted,
        store=store,
        store_problem=problem,
        backlog=unsent,
        alarms=[alarm_out(alarm) for alarm in ports.health.alarms()],
        channels=[
            ChannelOut(
                name=c.name,
                state=c.state,
                cause=c.cause,
                since_at=c.since_at,
                next_attempt_at=c.next_attempt_at,
                last_success_at=c.last_success_at,
                in_flight=c.in_flight,
            )
            for c in channels
        ],
        telemetry=_telemetry(ports),
        devices=tuple(
            out
            for one in (ports.inventory.items() if ports.inventory is not None else ())
            if (out := device_out(one)).watched
        ),
        listeners=() if ports.page is None else tuple(ports.page.shown().listeners),
    )


def _telemetry(ports: Ports) -> TelemetryOut | None:
    if ports.telemetry is None:
        return None
    view = ports.telemetry()
    return TelemetryOut(
        configured=view.configured,
        connected=view.connected,
        endpoint=view.endpoint,
        protocol=view.protocol,
        queued=view.queued,
        lost=view.lost,
        alarm=view.alarm,
        error=view.last_error,
        reason=view.last_reason,
        spent_today_bytes=view.spent_today_bytes,
        spent_is_estimate=view.spent_is_estimate,
        budget_kb=view.budget_kb,
        budget_step=view.budget_step,
        thinned=view.thinned,
        withheld=view.withheld,
    )
