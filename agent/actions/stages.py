"""Payments the app sends itself: what it reports of them, and what was reported.

Reading works without a daemon; reporting does not.
"""

from __future__ import annotations

from agent.actions.finding import by_key
from agent.actions.ports import Ports
from agent.core.money.batches import Batch
from agent.core.money.transaction import Transaction
from agent.wire.api import OneKey
from agent.wire.stages import (
    AliveArgs,
    AliveOut,
    AppStateArgs,
    AppStateOut,
    ReportedOut,
    StagesArgs,
    app_report,
    app_state_out,
    reports,
    stages_out,
)


async def report(ports: Ports, args: StagesArgs) -> ReportedOut:
    """Take reports; repeating them is harmless."""
    told = reports(args)
    record, kept = await ports.reporting().report(args.key, told)
    return stages_out(record, kept, await batch_of(ports, record.transaction))


async def show(ports: Ports, args: OneKey) -> ReportedOut:
    """What was reported of one payment; none for a payment the agent sends."""
    record = await by_key(ports, args.key)
    kept = [] if ports.told is None else await ports.told.stages(record.seq)
    return stages_out(record, kept, await batch_of(ports, record.transaction))


async def app_state(ports: Ports, args: AppStateArgs) -> AppStateOut:
    """Take a report about a terminal: signed on or not, batch opened or closed."""
    batch, sign_on = await ports.reporting().told(app_report(args))
    return app_state_out(args.terminal_id, batch, sign_on)


async def app_alive(ports: Ports, args: AliveArgs) -> AliveOut:
    """Take note that the app is there."""
    if ports.app is not None:
        ports.app.alive(args.version, args.busy)
    return AliveOut(taken=ports.app is not None)


async def batch_of(ports: Ports, t: Transaction) -> Batch | None:
    """The batch that holds a payment, as far as it was reported."""
    if ports.told is None or t.batch is None:
        return None
    return await ports.told.batch(t.terminal_id, t.batch)
